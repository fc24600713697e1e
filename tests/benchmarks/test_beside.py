"""Beside what others use: everybody is really signed in and really signed out, and who is missing is named."""

import ast
import sys
from dataclasses import replace

import pytest

from benchmarks.__main__ import END
from benchmarks.beside import REFUSED, beside
from benchmarks.contestants import OURS, RIVALS, Held, held
from benchmarks.measuring import Entry, Part
from benchmarks.results import Report, Row, Unit
from benchmarks.rivals_serving import MODULES
from benchmarks.side_by_side import as_page
from benchmarks.sizes import TINY
from benchmarks.wires import Answer
from tests.servers import ROOT

STARLETTE = next(who for who in RIVALS if who.server == "starlette")
USERS = next(who for who in RIVALS if who.server == "users_jwt")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """A tiny run beside a rival that this very environment has, and one that it lacks."""
    return {row.key: row for row in beside(replace(TINY, rivals=sys.executable), (STARLETTE, USERS))}


def test_a_copy_of_the_credential_is_tried_after_the_sign_out(rows: dict[str, Row]) -> None:
    """Ours is refused whatever carries it; a cookie that holds the session itself goes on until its end."""
    after = {one.name: one.after for one in rows["beside-requests"].entries}
    assert after == {
        **{who.name: REFUSED for who in OURS},
        STARLETTE.name: "works until it expires (14 days)",
    }


def test_rival_that_does_not_start_is_named_and_the_rest_is_measured(rows: dict[str, Row]) -> None:
    """A library that cannot be imported takes its own lines away and no others."""
    names = {who.name for who in OURS} | {STARLETTE.name}
    for key in ("requests", "cost", "sign-out", "bytes", "start", "memory", "inside"):
        assert {one.name for one in rows[f"beside-{key}"].entries} == names, key
        assert f"{USERS.name} is not here: CalledProcessError" in rows[f"beside-{key}"].note


def test_only_who_checks_a_password_is_in_the_row_of_sign_ins(rows: dict[str, Row]) -> None:
    """Believing whoever comes is no sign-in that could be compared."""
    assert {one.name for one in rows["beside-sign-in"].entries} == {who.name for who in OURS}


def test_every_rival_has_a_module_that_makes_it() -> None:
    """The names on both sides of the two environments are the same."""
    assert {who.server for who in RIVALS} == set(MODULES)


def test_what_runs_beside_the_rivals_knows_nothing_of_gatepost() -> None:
    """In their environment Gatepost is not installed; of ours they may use what measures."""
    allowed = {path.stem for path in (ROOT / "benchmarks").glob("rivals_*.py")} | {"measuring"}
    assert len(allowed) > 5
    for name in allowed:
        tree = ast.parse((ROOT / f"benchmarks/{name}.py").read_text())
        imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported += [
            one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
        ]
        for module in imported:
            assert not module.startswith("gatepost"), (name, module)
            assert not module.startswith("benchmarks") or module.removeprefix("benchmarks.") in allowed


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            "",
            b'{"tokens": {"access_token": "a", "refresh_token": "r"}}',
            Held("Authorization: Bearer a", "r"),
        ),
        ("", b'{"access": "a", "refresh": "r"}', Held("Authorization: Bearer a", "r")),
        ("", b'{"access_token": "a", "token_type": "bearer"}', Held("Authorization: Bearer a")),
        ("Set-Cookie: s=1; HttpOnly\r\nset-cookie: old=; Max-Age=0", b"", Held("Cookie: s=1")),
        ("Set-Cookie: s=1; HttpOnly\r\nSet-Cookie: csrf=2", b"{}", Held("Cookie: s=1; csrf=2")),
    ],
)
def test_everything_that_a_sign_in_gives_is_presented(head: str, body: bytes, expected: Held) -> None:
    """Tokens under the names of each library, else every cookie that is not taken away."""
    assert held(Answer(200, head, body)) == expected


def test_sign_in_that_gives_nothing_is_an_error() -> None:
    """Never measured as somebody who is signed in."""
    with pytest.raises(LookupError):
        held(Answer(200, "HTTP/1.1 200 OK", b"{}"))


def test_each_contestant_has_one_line() -> None:
    """With a dash where it was not measured, and what was seen after its sign-out."""
    requests = (
        Entry(Part.OURS, "ours", 1000.0, 1, 1, after=REFUSED),
        Entry(Part.RIVAL, "theirs", 200.0, 1, 1, after="works until it expires (1 hour)"),
    )
    refresh = (Entry(Part.OURS, "ours", 2.5, 1, 1),)
    found = (
        Row("beside-requests", "Who", Unit.RATE, requests),
        Row("beside-refresh", "Refresh", Unit.MILLISECONDS, refresh),
    )
    lines = as_page(Report("bench", {}, found, {"rival": "1.2"})).splitlines()
    assert lines[2:5] == [
        "| **ours** | 1,000 | 2.5 | refused |",
        "| theirs | 200 | – | works until it expires (1 hour) |",
        "",
    ]
    assert lines[5].endswith("Beside it rival 1.2.")


def test_run_without_anybody_beside_us_has_no_such_table() -> None:
    """A single row is printed as before."""
    row = Row("work", "Work", Unit.COUNT, (Entry(Part.OURS, "ours", 1, 1, 1),))
    assert as_page(Report("bench", {}, (row,))).startswith("Measured by")


def test_page_and_picture_show_everybody() -> None:
    """What is in the repository was made by a run with all rivals: a line and a bar for each contestant."""
    page = (ROOT / "docs/performance.md").read_text().partition(END)[0]
    picture = ROOT / "docs/performance.svg"
    assert picture.stat().st_size < 200_000
    for who in (*OURS, *RIVALS):
        assert f"| {who.name} |" in page.replace("**", ""), who.name
        assert f">{who.name}<" in picture.read_text(), who.name
