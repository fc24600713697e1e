"""`gatepost key`: what is listed, what a rotation answers, and that nothing secret is ever written."""

import json
from collections.abc import Callable
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from tests.cli.conftest import Run

Made = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, made: Made) -> Path:
    """A folder with an installation in `data`."""
    made("ada@example.com")
    return tmp_path


def listed(run: Run) -> list[dict[str, Any]]:
    """The keys as JSON."""
    done = run("key", "list", "--json")
    assert done.code == 0, done.error
    items: list[dict[str, Any]] = json.loads(done.out)["items"]
    return items


def of_tokens(run: Run) -> dict[str, str]:
    """The keys that sign tokens, and their states."""
    return {item["kid"]: item["state"] for item in listed(run) if item["algorithm"] == "ES256"}


def test_list_shows_every_key_and_nothing_secret(run: Run, folder: Path) -> None:
    """A line each; as JSON the fields of the HTTP interface; not the root, not what is sealed."""
    items = listed(run)
    assert sorted((item["algorithm"], item["state"]) for item in items) == [
        ("A256GCM", "active"),
        ("A256GCM", "next"),
        ("ES256", "active"),
        ("ES256", "next"),
    ]
    assert {name for item in items for name in item} == {"kid", "algorithm", "state", "since", "created_at"}
    table = run("key", "list").out.splitlines()
    assert table[0].split() == ["kid", "algorithm", "state", "since"]
    assert [line.split()[0] for line in table[1:]] == [item["kid"] for item in items]


def test_rotate_names_the_keys_that_are_active_now(run: Run, folder: Path) -> None:
    """The next ones have taken over; the first time on an installation nobody has to be warned."""
    coming = {item["kid"] for item in listed(run) if item["state"] == "next"}
    done = run("key", "rotate")
    assert (done.code, done.error) == (0, "")
    assert {line.split()[2] for line in done.out.splitlines()} == coming
    assert {item["kid"] for item in listed(run) if item["state"] == "active"} == coming
    assert sorted(of_tokens(run).values()) == ["active", "next", "retired"]


def test_rotate_again_warns_of_lists_that_services_keep(run: Run, folder: Path) -> None:
    """On stderr, and as JSON in `known_at`; it is done all the same."""
    run("key", "rotate")
    done = run("key", "rotate")
    assert done.code == 0
    assert "may not have the new one before" in done.error
    answer = json.loads(run("key", "rotate", "--json").out)
    assert answer["known_at"].endswith("Z")
    assert answer["keys"] == listed(run)


def test_a_compromised_key_is_withdrawn_with_a_receipt(run: Run, folder: Path) -> None:
    """In words and as JSON; the next one signs."""
    kid = next(kid for kid, state in of_tokens(run).items() if state == "active")
    done = run("key", "rotate", "--compromised", kid)
    assert (done.code, done.error) == (0, "")
    assert done.out.startswith(f"The key {kid} is withdrawn, and all that it signed is refused: in force")
    assert of_tokens(run)[kid] == "withdrawn"
    other = next(kid for kid, state in of_tokens(run).items() if state == "active")
    answer = json.loads(run("key", "rotate", "--compromised", other, "--json").out)
    assert answer["receipt"]["state"] == "in_force"
    assert {item["kid"]: item["state"] for item in answer["keys"]}[other] == "withdrawn"


@pytest.mark.parametrize("kid", ["nobody", "root", "-" + "A" * 21])
def test_a_key_that_is_not_there_is_not_found(run: Run, folder: Path, kid: str) -> None:
    """Also where the name begins with a dash, as one in 64 does."""
    done = run("key", "rotate", "--compromised", kid)
    assert (done.code, done.out) == (1, "")
    assert done.error == "gatepost: There is no such key.\n"


def test_a_new_master_key_is_in_the_file(run: Run, folder: Path) -> None:
    """Everything lies under it; the former file opens nothing any more, in one sentence."""
    file = folder / "data/master.key"
    old = file.read_text()
    done = run("key", "rotate", "--master")
    assert (done.code, done.error) == (0, "")
    assert str(file) in done.out
    assert file.read_text() != old
    assert run("audit", "verify").code == 0
    new = file.read_text()
    file.write_text(old)
    refused = run("key", "list")
    assert refused.code == 1
    assert "The master key does not open" in refused.error
    file.write_text(new)
    assert json.loads(run("key", "rotate", "--master", "--json").out)["sealed"] == 5
    assert old.strip() not in done.out


def test_one_thing_is_done_at_a_time(run: Run, folder: Path) -> None:
    """Both options are wrong usage, and change nothing."""
    before = listed(run)
    assert run("key", "rotate", "--master", "--compromised", before[0]["kid"]).code == 2
    assert listed(run) == before


def test_a_command_does_not_make_an_installation(run: Run, tmp_path: Path) -> None:
    """A mistyped folder is refused."""
    for command in (["key", "list"], ["key", "rotate"], ["key", "rotate", "--master"]):
        assert run(*command).code == 1
    assert not list(tmp_path.iterdir())


def test_nothing_that_is_sealed_is_in_clear_in_the_database(run: Run, folder: Path) -> None:
    """Keys for cookies and the root have no public half at all."""
    with connect(folder / "data/gatepost.db") as database:
        rows = database.execute("select algorithm, public from ring_key").fetchall()
    database.close()
    assert len(rows) == 5
    assert all(bool(public) is (algorithm == "ES256") for algorithm, public in rows)
    assert all(
        set(json.loads(public)) == {"kid", "alg", "use", "kty", "crv", "x", "y"}
        for _, public in rows
        if public
    )
