"""`gatepost account import` and `export`: what is told, what is written, and that both speak the same form."""

import csv
import io
import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli.newcomer_files import NewcomerFile
from gatepost.core.changes import Event
from gatepost.core.newcomers import COLUMNS
from gatepost.errors import Busy
from gatepost.services.newcomers import Newcomers
from tests.cli.conftest import PASSWORD, Run
from tests.foreign import KINDS
from tests.servers import Finished
from tests.services.installation import Installation, trail

GOOD = "email,roles\nada@example.com,admin\nbob@example.com,member\n"
MIXED = "email,roles\nada@example.com,admin\nbob,member\neve@example.com,captain\nada@example.com,\n"
SAID = (
    "line 3: email: Please give one e-mail address, such as name@example.com.\n"
    "line 4: roles: There is no role 'captain' here; there are admin, member, support.\n"
    "line 5: email: Line 2 has the same address.\n"
)

Made = Callable[..., dict[str, Any]]


@pytest.fixture
def bring(run: Run, tmp_path: Path) -> Callable[..., Finished]:
    """`bring(text, "--strict")`: import a file of this text."""

    def bringing(text: str, *options: str, name: str = "users.csv") -> Finished:
        (tmp_path / name).write_text(text)
        return run("account", "import", name, *options)

    return bringing


Bring = Callable[..., Finished]


def emails(run: Run) -> list[str]:
    """Who has an account."""
    listed = run("account", "list", "--json")
    return sorted(item["email"] for item in json.loads(listed.out)["items"]) if listed.code == 0 else []


def test_good_lines_are_imported(bring: Bring, run: Run) -> None:
    """Into an installation that is made by it; exit 0 and one line, which counts who has no password."""
    done = bring(GOOD)
    assert (done.code, done.error) == (0, "")
    assert done.out == "2 accounts imported, 2 of them without a password.\n"
    assert emails(run) == ["ada@example.com", "bob@example.com"]


def test_bad_lines_are_told_by_number_and_the_rest_is_imported(bring: Bring, run: Run) -> None:
    """Exit 1, so that a script notices."""
    done = bring(MIXED)
    assert (done.code, done.error) == (1, "")
    assert done.out == f"{SAID}1 account imported, 1 of them without a password, 3 lines are bad.\n"
    assert emails(run) == ["ada@example.com"]


def test_strict_imports_nothing_if_a_line_is_bad(bring: Bring, run: Run) -> None:
    """The same lines are told; nobody was made. A file without bad lines comes as a whole."""
    done = bring(MIXED, "--strict")
    assert (done.code, done.out) == (1, f"{SAID}Nothing was imported: 3 lines are bad.\n")
    assert emails(run) == []
    assert bring(GOOD, "--strict").code == 0
    assert emails(run) == ["ada@example.com", "bob@example.com"]


def test_strict_finds_who_is_here_already_before_it_writes(bring: Bring, run: Run, made: Made) -> None:
    """A collision with an account is a bad line of the first look too, and that account stays as it is."""
    account = made("bob@example.com", "support")
    done = bring(GOOD, "--strict")
    assert done.code == 1
    assert done.out.startswith("line 3: email: There is an account with this address already.\n")
    assert json.loads(run("account", "list", "--json").out) == {"items": [account]}


def test_same_command_again_passes_over_what_is_there(bring: Bring, run: Run) -> None:
    """Not an error; what was added to the file or mended in it comes now."""
    bring(MIXED)
    again = bring(MIXED.replace("captain", "support"))
    assert again.out.endswith(
        "1 account imported, 1 of them without a password, 1 already there, 2 lines are bad.\n"
    )
    strict = bring(GOOD, "--strict")
    assert (strict.code, strict.out) == (
        0,
        "1 account imported, 1 of them without a password, 1 already there.\n",
    )


def test_a_file_under_another_name_is_another_import_unless_it_is_said(bring: Bring) -> None:
    """`--source` names the import where the file's name has changed."""
    bring(GOOD)
    assert bring(GOOD, name="moved.csv").code == 1
    assert bring(GOOD, "--source", "users.csv", name="moved.csv").code == 0


def test_report_as_json(bring: Bring) -> None:
    """One document with every bad line and the counts, whatever came of it."""
    done = bring(MIXED, "--json")
    assert done.code == 1
    assert json.loads(done.out) == {
        "bad": [
            {"line": int(line.partition(":")[0][5:]), "says": line.partition(": ")[2]}
            for line in SAID.splitlines()
        ],
        "file": "users.csv",
        "source": "users.csv",
        "imported": 1,
        "without_password": 1,
        "already_there": 0,
        "bad_lines": 3,
        "stopped": False,
    }
    assert json.loads(bring(GOOD, "--json", "--strict").out)["bad"] == []


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_file_that_cannot_be_read_is_one_sentence(run: Run, bring: Bring, options: tuple[str, ...]) -> None:
    """Exit 1, nothing on stdout, and no installation is made for it."""
    for done in (
        run("account", "import", "missing.csv", *options),
        bring("", *options),
        bring("email,phone\n", *options),
        bring("email\n".encode("utf-16").decode("latin-1"), *options),
    ):
        assert (done.code, done.out, done.error.count("\n")) == (1, "", 1)
    assert not Path("data").exists()


def test_unknown_columns_are_left_out_on_request_only(bring: Bring, run: Run) -> None:
    """The sentence names the option."""
    text = "email,phone\nada@example.com,7\n"
    assert "--ignore-unknown" in bring(text).error
    assert bring(text, "--ignore-unknown").code == 0
    assert emails(run) == ["ada@example.com"]


def test_format_is_in_the_name_or_in_the_option(bring: Bring, run: Run) -> None:
    """JSON lines are known by their ending; --format overrules it."""
    assert bring('{"email": "ada@example.com"}\n', name="users.jsonl").code == 0
    assert bring('{"email": "bob@example.com"}\n', "--format", "jsonl", name="users.txt").code == 0
    assert emails(run) == ["ada@example.com", "bob@example.com"]


def test_no_line_of_a_report_holds_what_stood_in_the_file(bring: Bring) -> None:
    """Whoever reads the report need not be trusted with hashes."""
    hashes = ["$2b$99$Secret" + "a" * 47, "Secret", "pbkdf2_sha256$999999999999$Secret$Secret"]
    text = "email,password_hash\n" + "".join(f"p{at}@example.com,{one}\n" for at, one in enumerate(hashes))
    done = bring(text)
    assert (done.code, done.out.count("\n")) == (1, 4)
    assert "Secret" not in done.out + done.error


@pytest.mark.parametrize("as_json", [False, True])
def test_an_import_that_is_stopped_leaves_whole_batches_and_says_how_to_go_on(
    bring: Bring, run: Run, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Ctrl+C in the middle: exit 130; the same command again brings the rest and nobody twice."""
    monkeypatch.setattr("gatepost.cli.account_import._BATCH", 3)
    text = "email\n" + "".join(f"p{number}@example.com\n" for number in range(10))
    lines = NewcomerFile.lines

    def interrupted(file: NewcomerFile) -> Any:
        for line in lines(file):
            if line.number == 9:
                signal.raise_signal(signal.SIGINT)
            yield line

    with monkeypatch.context() as pressing:
        pressing.setattr(NewcomerFile, "lines", interrupted)
        stopped = bring(text, *["--json"] * as_json)
    assert stopped.code == 130
    assert "Run the same command again to go on" in stopped.error
    assert (json.loads(stopped.out)["stopped"] if as_json else stopped.out == "") is True
    assert len(emails(run)) == 6
    assert bring(text).out == "4 accounts imported, 4 of them without a password, 6 already there.\n"
    assert len(emails(run)) == 10


def test_a_batch_that_cannot_be_written_stops_the_import(
    bring: Bring, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is busy for too long: exit 1, the reason, and how to go on."""
    monkeypatch.setattr("gatepost.cli.account_import._BATCH", 1)
    admit = Newcomers.admit

    def busy(newcomers: Newcomers, batch: Any, *arguments: str) -> Any:
        if batch[0].number == 3:
            raise Busy
        return admit(newcomers, batch, *arguments)

    monkeypatch.setattr(Newcomers, "admit", busy)
    done = bring(GOOD)
    assert done.code == 1
    assert "Run the same command again to go on" in done.error
    assert emails(run) == ["ada@example.com"]


def test_trail_says_who_came_over_and_from_where(bring: Bring, installation: Installation) -> None:
    """One row for each account, none for a bad line."""
    assert bring(MIXED, "--source", "the old shop").code == 1
    [row] = [one for one in trail(installation.open()) if one.event is Event.ACCOUNT_IMPORTED]
    assert row.actor == "cli"
    assert dict(row.more) == {"source": "the old shop", "roles": "admin"}


FULL: dict[str, Any] = {
    "id": "bTkQR7B26KHsiTe_Gm9Stw",
    "email": "+Ada@Example.com",
    "email_verified": True,
    "roles": ["support", "member"],
    "created_at": "2020-02-03T04:05:06.000007Z",
    "locked": True,
    "locked_at": "2021-02-03T04:05:06Z",
}


def people() -> list[dict[str, Any]]:
    """Accounts with everything that an account can say."""
    stored = KINDS["django pbkdf2_sha256"]("x")
    signs = [f"{sign}sum(a1)@example.com".replace("(", "").replace(")", "") for sign in "=-+'"]
    others = [{"email": email, "roles": ["member"]} for email in [*signs, "łukasz@przykład.example.com"]]
    return [FULL | {"password_hash": stored}, *others]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_is_imported_as_the_same_accounts(
    run: Run, bring: Bring, tmp_path: Path, form: str
) -> None:
    """Out of one installation and into another: every field, to the microsecond, and the export is the same again."""
    assert bring("".join(json.dumps(one) + "\n" for one in people()), name="users.jsonl").code == 0
    first = run("account", "export", "--format", form, "--with-hashes")
    (tmp_path / f"accounts.{form}").write_text(first.out)
    other = ("--data", "other")
    assert run("account", "import", f"accounts.{form}", *other).code == 0
    second = run("account", "export", "--format", form, "--with-hashes", *other)
    assert second.out == first.out
    assert len(first.out.splitlines()) == len(people()) + (form == "csv")


def test_export_names_every_column_and_hashes_only_on_request(run: Run, bring: Bring) -> None:
    """Without --with-hashes nothing of them is in it; with it a sentence of warning is on stderr."""
    bring(json.dumps(people()[0]), name="users.jsonl")
    plain = run("account", "export")
    assert (plain.code, plain.error) == (0, "")
    assert plain.out.splitlines()[0] == ",".join(name for name in COLUMNS if name != "password_hash")
    [item] = [json.loads(line) for line in run("account", "export", "--json").out.splitlines()]
    assert item == FULL
    hashes = run("account", "export", "--with-hashes")
    assert hashes.out.splitlines()[0] == ",".join(COLUMNS)
    assert hashes.error.startswith("gatepost: Whoever has these hashes")
    assert hashes.error.count("\n") == 1


def test_no_cell_of_an_export_is_a_formula(run: Run, bring: Bring) -> None:
    """What people call themselves is shown by a spreadsheet, not computed."""
    bring("".join(json.dumps(one) + "\n" for one in people()), name="users.jsonl")
    cells = [cell for row in csv.reader(io.StringIO(run("account", "export").out)) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@" and cell]
    assert "'+Ada@Example.com" in cells


def test_export_into_a_file_is_its_owners_alone(run: Run, made: Made, tmp_path: Path) -> None:
    """Mode 0600 whatever the umask; a file that is there is left alone."""
    made("ada@example.com")
    done = run("account", "export", "--output", "out.csv")
    assert (done.code, done.out) == (0, "")
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    before = (tmp_path / "out.csv").read_text()
    assert "ada@example.com" in before
    again = run("account", "export", "--output", "out.csv")
    assert (again.code, again.error) == (1, "gatepost: The file out.csv is there already. Name another.\n")
    assert (tmp_path / "out.csv").read_text() == before
    assert run("account", "export", "--output", "no/such/folder.csv").code == 1


def test_export_that_fails_leaves_no_file(
    run: Run, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an export is not taken for a whole one."""
    made("ada@example.com")

    def failing(item: object) -> str:
        raise Busy

    monkeypatch.setattr("gatepost.cli.account_export._csv_line", failing)
    assert run("account", "export", "--output", "out.csv").code == 1
    assert not (tmp_path / "out.csv").exists()


def test_more_accounts_than_a_page_are_exported_whole(
    run: Run, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export goes on from page to page."""
    monkeypatch.setattr("gatepost.cli.account_export._PAGE", 2)
    bring("email\n" + "".join(f"p{number}@example.com\n" for number in range(5)))
    assert len(run("account", "export").out.splitlines()) == 6


def test_imported_password_is_not_asked_to_be_strong(bring: Bring, run: Run) -> None:
    """Nobody knows it; but a new one is judged as everybody's."""
    assert bring(f"email,password_hash\nada@example.com,{KINDS['bcrypt 2b']('x')}\n").code == 0
    assert run("account", "password", "ada@example.com", stdin="x\n").code == 1
    assert run("account", "password", "ada@example.com", stdin=PASSWORD + "\n").code == 0
