"""Floor 0 is told the time. The import contract keeps `time` out; `datetime` it needs, so its calls are read here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "src/gatepost/core").rglob("*.py"), ROOT / "src/gatepost/errors.py"])
CLASSES = frozenset({"date", "datetime"})
CALLS = frozenset({"now", "utcnow", "today"})


def clock_calls(source: str) -> list[int]:
    """The lines that ask a date class what time it is."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    asked = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in CALLS]
    return [call.lineno for call in asked if ast.unparse(call.value).split(".")[-1] in CLASSES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_decision_asks_what_time_it_is(path: Path) -> None:
    """Time is always an argument, so a test can turn it."""
    assert not clock_calls(path.read_text())


@pytest.mark.parametrize("call", ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()"])
def test_the_rule_sees_each_way_to_ask(call: str) -> None:
    """The rule above fails for a call to the wall clock."""
    assert clock_calls(f"x = {call}") == [1]


def test_the_clock_port_is_not_a_call_to_the_clock() -> None:
    """A method called `now` on something else is no wall clock."""
    assert clock_calls("x = self.clock.now()") == []
