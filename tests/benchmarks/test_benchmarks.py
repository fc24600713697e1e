"""The benchmarks run and report; what each thing costs in reads, commits and hashes is as it is documented.

No time is asserted here or anywhere.
"""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, END, RUNS, main, written
from benchmarks.endings import CARRIERS, endings_seen, two_processes
from benchmarks.measuring import Contender, Entry, Pace, Part, race
from benchmarks.results import Row, Target, Unit
from benchmarks.work import Counted, work_of
from benchmarks.world import world
from gatepost.carriers.presented import OpaqueCookie


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
    """What is known is checked without a read; every act commits once; a sign-in hashes once."""
    with world() as w:
        assert work_of(w) == {
            "known cookie": Counted(),
            "known token": Counted(),
            "new token": Counted(),
            "new session": Counted(reads=1),
            "GET /api/session after the check": Counted(reads=1),
            "refresh": Counted(reads=1, writes=1),
            "sign-in by cookie": Counted(reads=2, writes=1, hashes=1),
            "sign-in by token": Counted(reads=2, writes=1, hashes=1),
            "sign-out": Counted(reads=2, writes=1),
        }


@pytest.mark.parametrize("facts", [0, 5000])
def test_check_does_the_same_work_however_many_facts_are_live(facts: int) -> None:
    """No read and no hash for a known cookie, whether nothing has been ended lately or thousands of sessions."""
    with world(facts=facts) as w:
        who = w.authority.guard.check(OpaqueCookie(w.cookie.value))
        assert w.authority.guard.check(w.cookie) is who
