"""`gatepost audit`: the trail listed, exported and verified, beside nothing but a database."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from gatepost.authority import Authority
from gatepost.cli.audit import _NAMES, _in_words
from gatepost.core.audit import Fault
from gatepost.settings import load_settings
from gatepost.web.admin_bodies import AuditRowOut
from tests.cli.conftest import Run

Made = Callable[..., dict[str, Any]]
Tamper = Callable[[str], None]


@pytest.fixture
def people(run: Run, made: Made, tmp_path: Path) -> list[str]:
    """The ids of two accounts. The trail has three rows: the first key, and these two; a server has sealed them."""
    ids = [made("ada@example.com", "member")["id"], made("bob@example.com", "support")["id"]]
    seal(tmp_path)
    return ids


def seal(folder: Path) -> None:
    """Seal what waits, as a server does each second."""
    authority = Authority(load_settings({"data": str(folder / "data")}, environ={}, directory=folder))
    authority.audit.seal()
    authority.stop()


@pytest.fixture
def tamper(tmp_path: Path) -> Tamper:
    """A statement of somebody who can write to the database."""

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "data/gatepost.db")) as connection:
            connection.execute(statement)
            connection.commit()

    return execute


def test_tail_shows_a_line_for_each_of_the_newest_rows(run: Run, people: list[str]) -> None:
    """Oldest first; -n says how many."""
    lines = run("audit", "tail").out.splitlines()
    assert [one.split()[2] for one in lines] == ["key_made", "account_created", "account_created"]
    assert lines[2].endswith(f"account={people[1]} actor=cli roles=support")
    assert run("audit", "tail", "-n", "1").out.splitlines() == lines[2:]
    assert run("audit", "tail", "-n", "0").out == ""


def test_tail_of_one_account_by_id_and_by_email(run: Run, people: list[str]) -> None:
    """Rows about that account only; an e-mail that nobody has is not found."""
    by_id = run("audit", "tail", "--account", people[0]).out
    assert by_id == run("audit", "tail", "--account", "ADA@example.com").out
    assert by_id.count("\n") == 1
    nobody = run("audit", "tail", "--account", "eve@example.com")
    assert (nobody.code, nobody.error) == (1, "gatepost: There is no such account.\n")
    assert run("audit", "tail", "--account", "-" * 22, "--json").out.split() == ["{", '"items":', "[]", "}"]


def test_tail_as_json_has_the_fields_of_the_http_interface(run: Run, people: list[str]) -> None:
    """`{items}` like every listing."""
    items = json.loads(run("audit", "tail", "--json").out)["items"]
    assert [item["number"] for item in items] == [1, 2, 3]
    assert all(set(item) == set(AuditRowOut.model_fields) for item in items)


def test_export_is_a_table_for_spreadsheets(run: Run, people: list[str]) -> None:
    """A heading, then every row; --account picks."""
    rows = list(csv.DictReader(io.StringIO(run("audit", "export").out)))
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    # One id in 64 begins with a dash, and has an apostrophe before it here.
    assert [row["account_id"].lstrip("'") for row in rows] == ["", *people]
    assert json.loads(rows[2]["more"]) == {"roles": "support"}
    assert len(run("audit", "export", "--account", people[0]).out.splitlines()) == 2


def test_export_in_json_lines_ends_with_the_newest_seal(run: Run, people: list[str], tmp_path: Path) -> None:
    """--json is the same; the last line is what `verify --seal` takes."""
    exported = run("audit", "export", "--format", "jsonl").out
    assert run("audit", "export", "--json").out == exported
    lines = [json.loads(one) for one in exported.splitlines()]
    assert [one.get("number") for one in lines] == [1, 2, 3, None]
    assert lines[-1]["seal"]["last"] == 3
    (tmp_path / "export.jsonl").write_text(exported)
    assert run("audit", "verify", "--seal", "export.jsonl").code == 0


def test_export_before_anything_is_sealed_has_no_seal(run: Run, made: Made) -> None:
    """And `audit seal` says so with exit code 1."""
    made("ada@example.com")
    lines = run("audit", "export", "--json").out.splitlines()
    assert [json.loads(one)["number"] for one in lines] == [1, 2]
    done = run("audit", "seal")
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith("gatepost: Nothing is sealed yet")


def test_verify_says_that_the_trail_is_whole(run: Run, people: list[str]) -> None:
    """In words and as JSON, exit code 0."""
    done = run("audit", "verify")
    assert done.code == 0
    assert done.out.startswith("The audit trail is whole: 3 rows under 1 seal, the newest number 1 of ")
    found = json.loads(run("audit", "verify", "--json").out)
    assert (found["verdict"], found["rows"], found["seals"], found["unsealed"]) == ("whole", 3, 1, 0)
    assert (found["newest"]["last"], found["faults"]) == (3, [])


def test_verify_counts_what_is_not_sealed_yet(run: Run, people: list[str], made: Made) -> None:
    """A trail that is whole as far as it is sealed is exit code 0."""
    made("eve@example.com")
    done = run("audit", "verify")
    assert done.code == 0
    assert done.out.splitlines()[0].startswith(
        "What is sealed of the audit trail is whole: 3 rows under 1 seal"
    )
    assert done.out.splitlines()[1].startswith("1 row not sealed yet")
    found = json.loads(run("audit", "verify", "--json").out)
    assert (found["verdict"], found["unsealed"]) == ("unsealed", 1)


@pytest.mark.parametrize(
    ("statement", "fault", "sentence"),
    [
        ("DELETE FROM audit WHERE number = 2", "row_removed", "Row 2 was removed."),
        ("UPDATE audit SET actor = 'eve' WHERE number = 2", "row_changed", "Row 2 was changed."),
        ("UPDATE audit SET number = -2 WHERE number = 2", "row_inserted", "Row -2 was inserted."),
        ("UPDATE seal SET count = 9", "seal_changed", "Seal 1 was changed, or made under another master key"),
        ("UPDATE seal SET number = 2", "seal_removed", "Seal 1 was removed"),
    ],
)
def test_verify_names_what_was_done_and_exits_1(
    run: Run, people: list[str], tamper: Tamper, statement: str, fault: str, sentence: str
) -> None:
    """A line for each fault on stdout, one line on stderr."""
    tamper(statement)
    done = run("audit", "verify")
    assert (done.code, done.error) == (1, "gatepost: the audit trail is not what was sealed.\n")
    assert sentence in done.out
    as_json = run("audit", "verify", "--json")
    assert as_json.code == 1
    found = json.loads(as_json.out)
    assert found["verdict"] == "broken"
    assert fault in {one["fault"] for one in found["faults"]}


def test_verify_names_a_cut_end_by_an_exported_seal(
    run: Run, people: list[str], made: Made, tamper: Tamper, tmp_path: Path
) -> None:
    """`audit seal > file`, then rows and seal are cut off: the trail alone looks whole, the file knows better."""
    made("eve@example.com")
    seal(tmp_path)
    (tmp_path / "seal.json").write_text(run("audit", "seal").out)
    tamper("DELETE FROM audit WHERE number = 4")
    tamper("DELETE FROM seal WHERE number = 2")
    assert run("audit", "verify").code == 0
    done = run("audit", "verify", "--seal", "seal.json")
    assert (done.code, done.out) == (
        1,
        "The end was cut off: there were seals up to number 2 and rows up to 4.\n",
    )
    tamper("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'audit'")
    made("mallory@example.com")
    seal(tmp_path)
    assert run("audit", "verify").code == 0
    assert "Seal 2 is not the one that was exported" in run("audit", "verify", "--seal", "seal.json").out


@pytest.mark.parametrize("content", [b"", b"no seal", b"\xff\xfe", b'{"gatepost_seal": 1}'])
def test_file_without_a_seal_is_refused_in_one_line(
    run: Run, people: list[str], tmp_path: Path, content: bytes
) -> None:
    """A missing file, a foreign one and one without a seal: exit code 1."""
    (tmp_path / "seal.json").write_bytes(content)
    for name in ("seal.json", "missing.json"):
        done = run("audit", "verify", "--seal", name)
        assert (done.code, done.out, done.error.count("\n")) == (1, "", 1)


def test_verify_says_how_many_faults_it_does_not_name(
    run: Run, people: list[str], tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emptied table does not fill the screen."""
    monkeypatch.setattr("gatepost.core.audit._MOST_FAULTS", 1)
    tamper("DELETE FROM audit")
    assert run("audit", "verify").out == "Row 1 was removed.\nAnd 2 more.\n"
    assert json.loads(run("audit", "verify", "--json").out)["more"] == 2


@pytest.mark.parametrize("fault", get_args(Fault))
def test_every_fault_has_words_and_a_name(fault: Any) -> None:
    """One sentence with the number, one name of its own."""
    made = fault(*([41] * len(fields(fault))))
    assert re.fullmatch(r"[A-Z].* 41 .*\.", _in_words(made))
    assert list(_NAMES.values()).count(_NAMES[fault]) == 1


def test_seal_as_json_is_the_same_seal(run: Run, people: list[str]) -> None:
    """Over several lines, for those who read it."""
    done = run("audit", "seal", "--json")
    assert json.loads(done.out) == json.loads(run("audit", "seal").out)
    assert (done.out.count("\n") > 1, run("audit", "seal").out.count("\n")) == (True, 1)


def test_row_that_cannot_be_read_is_one_line(run: Run, people: list[str], tamper: Tamper) -> None:
    """The list names the row, and the command that tells more."""
    tamper("UPDATE audit SET more = 'x' WHERE number = 2")
    done = run("audit", "tail")
    assert (done.code, done.error.count("\n")) == (1, 1)
    assert "Row 2 of the audit trail" in done.error
    assert "Row 2 was changed." in run("audit", "verify").out


def test_pages_make_no_difference(
    run: Run, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """More rows than are read at once are listed, exported and verified whole."""
    monkeypatch.setattr("gatepost.services.audit.BATCH", 2)
    monkeypatch.setattr("gatepost.services.audit._SEALS_AT_ONCE", 1)
    for number in range(5):
        made(f"a{number}@example.com")
    seal(tmp_path)
    assert len(run("audit", "tail").out.splitlines()) == 6
    assert len(run("audit", "export").out.splitlines()) == 7
    found = json.loads(run("audit", "verify", "--json").out)
    assert (found["verdict"], found["rows"], found["seals"]) == ("whole", 6, 3)
