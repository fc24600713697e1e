"""The benchmarks run and report; what each thing costs in reads, commits and hashes is as it is documented.

No time is asserted here or anywhere.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, END, RUNS, main, run, written
from benchmarks.endings import CARRIERS, endings_seen, two_processes
from benchmarks.issuers import Issuer, issuers
from benchmarks.measuring import Contender, Entry, Pace, Part, entry, race
from benchmarks.node import PINS, Missing, node_times
from benchmarks.results import Report, Row, Target, Unit, as_markdown
from benchmarks.sizes import TINY
from benchmarks.wire_bytes import wire_bytes
from benchmarks.work import Counted, work_of
from benchmarks.world import world
from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.presented import OpaqueCookie
from gatepost.core.sessions import Carrier


def an_entry(part: Part, name: str, value: float) -> Entry:
    """A value that was measured once."""
    return Entry(part, name, value, value, value)


@pytest.mark.parametrize("name", RUNS)
def test_every_benchmark_runs_and_reports(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of a run has a value of ours, and says of each of its targets whether it was met."""
    assert main(["--tiny", "--json", "-", name]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"]
    for row in found["rows"]:
        assert any(entry["part"] == "ours" for entry in row["entries"])
        assert all(target["met"] in {True, False} for target in row["targets"])


def test_a_run_is_put_on_the_page_and_into_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stood between the marks is replaced by the table that is printed; nothing else moves."""
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n")
    assert main(["--tiny", "--json", str(results), "--write", str(page), "work"]) == 0
    table = capsys.readouterr().out
    found = json.loads(results.read_text())
    for row in found["rows"]:
        assert f"| {row['title']} (" in table
    assert page.read_text() == f"Before.\n{BEGIN}\n{table}{END}\nAfter.\n"
    assert found["versions"]["CPython"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_ending_that_is_measured_was_one(carrier: str) -> None:
    """Nobody was let in who asked after the call had been answered, and the credential was good before."""
    with two_processes() as pair:
        [seen] = endings_seen(pair, carrier, 1)
    assert seen.late == 0
    assert seen.refused > 0
    assert seen.answered > 0


@pytest.fixture(scope="module")
def token_rows() -> dict[str, Row]:
    """The rows about tokens of a tiny run, by key."""
    return {row.key: row for row in run(TINY, ["tokens"], "bench").rows}


@pytest.fixture(scope="module")
def every_issuer() -> Iterator[tuple[Issuer, ...]]:
    """One of each algorithm."""
    with world() as w:
        yield issuers(w)


def test_every_algorithm_is_measured_known_and_at_first_sight(token_rows: dict[str, Row]) -> None:
    """Of each there is a known check, and a first one beside every library, all as multiples of the bare signature."""
    known = {one.name for one in token_rows["known-token"].entries}
    assert known >= {f"Guard.check, {algorithm}" for algorithm in ALGORITHMS} | {"Guard.check, token-cookie"}
    for algorithm in ALGORITHMS:
        entries = {one.name: one for one in token_rows[f"new-token-{algorithm.lower()}"].entries}
        assert entries.keys() == {
            "Guard.check", "cryptography verify", "PyJWT", "joserfc", "Authlib's jose",
        }  # fmt: skip
        limits = {one.limit for one in entries.values() if one.part is not Part.LIMIT}
        assert limits == {"cryptography verify"}


def test_what_was_not_measured_in_node_is_said(token_rows: dict[str, Row]) -> None:
    """Each row that would hold Node's libraries says why it does not."""
    for row in token_rows.values():
        assert "jose and fast-jwt are not here: Node is left out of this run." in row.note


def executable(path: Path, says: str) -> None:
    """A command that says one thing and succeeds, or says nothing and fails."""
    path.write_text(f"#!/bin/sh\n{f'echo {says}' if says else 'exit 1'}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("node", "npm", "reason"),
    [
        (None, "11.0.0", "node or npm was not found"),
        ("v20.1.0", None, "node or npm was not found"),
        ("v19.9.0", "11.0.0", "Node 20 or newer is needed"),
        ("", "11.0.0", "Node 20 or newer is needed"),
        ("v20.0.0", "", f"npm could not fetch {' and '.join(f'{name} {pin}' for name, pin in PINS.items())}"),
        ("v20.0.0", "11.0.0", "the race in Node failed"),
    ],
)
def test_run_goes_on_without_node(
    node: str | None,
    npm: str | None,
    reason: str,
    every_issuer: tuple[Issuer, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No Node, one that is too old, nothing to fetch from, an answer that is none: a reason, and no error."""
    for name, says in (("node", node), ("npm", npm)):
        if says is not None:
            executable(tmp_path / name, says)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_times(every_issuer, Pace(1, 0.001)) == Missing(reason)


def test_bytes_are_counted_for_every_carrier() -> None:
    """Each carrier, those with a signature once for each algorithm; RS256, whose signature is the longest, the most."""
    for row in wire_bytes():
        sizes = {one.name: one.value for one in row.entries}
        assert {name.partition(",")[0] for name in sizes} == {carrier.value for carrier in Carrier}
        assert sizes["cookie"] < sizes["token, HS256"] < sizes["token, ES256"] < sizes["token, RS256"]
        assert sizes["token, ES256"] < sizes["token-cookie, ES256"]


def test_own_limit_has_a_column_of_its_own() -> None:
    """Whoever names a limit of the row is shown as a multiple of it; ours stays what others are compared with."""
    entries = (
        entry(Part.OURS, "ours", [6.0], limit="limit"),
        entry(Part.LIMIT, "limit", [2.0]),
        entry(Part.RIVAL, "theirs", [8.0], limit="limit"),
    )
    table = as_markdown(Report("bench", {}, (Row("row", "Row", Unit.MICROSECONDS, entries),)))
    assert "|  | rival: theirs | 8 |  | 0.75 | 4 |  |  |" in table
    assert "| Row (μs) | **ours** | 6 |  |  | 3 |  |  |" in table


def test_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt row is a usage error that names it, and nothing is measured."""
    with pytest.raises(SystemExit) as ended:
        main(["known-cokie"])
    assert ended.value.code == 2
    assert "known-cokie" in capsys.readouterr().err


def test_page_without_marks_is_refused() -> None:
    """A page that does not say where the table goes is left alone."""
    with pytest.raises(ValueError, match="measured"):
        written("a page of somebody else", "table")


@pytest.mark.parametrize(
    ("unit", "ours", "met"),
    [
        (Unit.MICROSECONDS, 6.0, True),
        (Unit.MICROSECONDS, 6.01, False),
        (Unit.RATE, 6.0, True),
        (Unit.RATE, 5.99, False),
    ],
)
def test_target_is_met_at_its_very_value(unit: Unit, ours: float, met: bool) -> None:
    """Three times the limit: at most for a time, at least for a rate."""
    target = Target("ours", 3, "limit")
    row = Row(
        "row", "Row", unit, (an_entry(Part.OURS, "ours", ours), an_entry(Part.LIMIT, "limit", 2.0)), (target,)
    )
    assert row.reached(target) == (ours / 2, met)


def test_contenders_take_turns() -> None:
    """In a race nobody runs twice in a row while another waits, so a slow moment of the machine hits all."""
    ran: list[str] = []
    contenders = [Contender(Part.OURS, name, lambda name=name: ran.append(name)) for name in ("a", "b")]
    race(contenders, Pace(rounds=3, seconds=0.0), 1.0)
    turns = [name for place, name in enumerate(ran) if place == 0 or ran[place - 1] != name]
    assert turns[-6:] == ["a", "b", "a", "b", "a", "b"]


def test_work_of_everything_a_user_does() -> None:
    """What is known is checked without a read; every act commits once; a sign-in hashes once.

    It commits once more: its try takes a place before the hash, where many at once see each other.
    """
    with world() as w:
        assert work_of(w) == {
            "known cookie": Counted(),
            "known token": Counted(),
            "new token": Counted(),
            "new session": Counted(reads=1),
            "GET /api/session after the check": Counted(reads=1),
            "refresh": Counted(reads=1, writes=1),
            "sign-in by cookie": Counted(reads=5, writes=2, hashes=1),
            "sign-in by token": Counted(reads=5, writes=2, hashes=1),
            "sign-out": Counted(reads=3, writes=1),
        }


@pytest.mark.parametrize("facts", [0, 5000])
def test_check_does_the_same_work_however_many_facts_are_live(facts: int) -> None:
    """No read and no hash for a known cookie, whether nothing has been ended lately or thousands of sessions."""
    with world(facts=facts) as w:
        who = w.authority.guard.check(OpaqueCookie(w.cookie.value))
        assert w.authority.guard.check(w.cookie) is who
