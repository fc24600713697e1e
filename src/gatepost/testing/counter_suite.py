"""What every `Counters` must keep, as tests that a store author can run."""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.core.guesses import Tally
from gatepost.core.ports import Counters
from gatepost.testing.clock import NOON

MINUTE = timedelta(minutes=1)
ONE = Tally(1, NOON, NOON + MINUTE)


def write(counters: Counters, key: bytes, tally: Tally) -> None:
    """Set one counter, whatever it was."""
    counters.recount([key], lambda found: {key: tally})


class CounterSuite:
    """Give a fixture `reopened`: a function that opens the counters again, each time over the same truth."""

    @pytest.fixture
    def reopened(self) -> Callable[[], Counters]:
        """Opens the counters to be proved: none at first, the same at every later call."""
        raise NotImplementedError("give a fixture named `reopened`")

    @pytest.fixture
    def counters(self, reopened: Callable[[], Counters]) -> Counters:
        """The counters to be proved."""
        return reopened()

    def test_counters_come_back_exactly_as_they_were_written(
        self, counters: Counters, reopened: Callable[[], Counters]
    ) -> None:
        """To the microsecond, and to others who open them; what was never written is not there."""
        odd = Tally(2**40, NOON + timedelta(microseconds=1), NOON + 400 * 24 * 60 * MINUTE)
        counters.recount([b"a", b"b"], lambda found: {b"a": ONE, b"b": odd})
        assert reopened().tallies([b"a", b"b", b"c"]) == {b"a": ONE, b"b": odd}
        assert counters.tallies([]) == {}

    def test_what_counters_become_is_decided_on_what_they_are(self, counters: Counters) -> None:
        """They are handed what there is, and None takes one away."""
        counters.recount([b"a"], lambda found: {b"a": ONE})
        seen: list[Mapping[bytes, Tally]] = []

        def decide(found: Mapping[bytes, Tally]) -> Mapping[bytes, Tally | None]:
            seen.append(found)
            return {b"a": None, b"b": replace(ONE, count=7)}

        counters.recount([b"a", b"b"], decide)
        assert seen == [{b"a": ONE}]
        assert counters.tallies([b"a", b"b"]) == {b"b": replace(ONE, count=7)}
        counters.recount([b"c"], lambda found: {b"c": None})

    def test_a_decision_that_fails_writes_nothing(self, counters: Counters) -> None:
        """And leaves the counters usable."""

        def fail(found: Mapping[bytes, Tally]) -> Mapping[bytes, Tally | None]:
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            counters.recount([b"a"], fail)
        counters.recount([b"a"], lambda found: {b"a": ONE})
        assert counters.tallies([b"a"]) == {b"a": ONE}

    def test_of_many_at_once_each_sees_those_before_it(self, reopened: Callable[[], Counters]) -> None:
        """Forty hands count to forty, none is lost."""

        def count(_: int) -> None:
            reopened().recount(
                [b"a"],
                lambda found: {b"a": replace(found[b"a"], count=found[b"a"].count + 1) if found else ONE},
            )

        with ThreadPoolExecutor(8) as hands:
            list(hands.map(count, range(40)))
        assert reopened().tallies([b"a"]) == {b"a": replace(ONE, count=40)}

    def test_the_sweep_takes_what_is_over_and_nothing_else(self, counters: Counters) -> None:
        """At its very moment, and no more at once than it is told."""
        for number in range(5):
            key, tally = bytes([number]), Tally(1, NOON, NOON + number * MINUTE)
            write(counters, key, tally)
        keys = [bytes([number]) for number in range(4)]
        assert counters.sweep_counters(NOON + 2 * MINUTE, keep=100, most=2) == 2
        assert counters.sweep_counters(NOON + 2 * MINUTE, keep=100, most=2) == 1
        assert counters.sweep_counters(NOON + 2 * MINUTE, keep=100, most=2) == 0
        assert list(counters.tallies(keys)) == [bytes([3])]

    def test_there_are_never_more_than_are_kept_after_the_sweep(self, counters: Counters) -> None:
        """Those go first that would be over first: the oldest of a flood, not the one that is counted in now."""
        for number in range(6):
            key, tally = bytes([number]), Tally(1, NOON, NOON + (6 - number) * MINUTE)
            write(counters, key, tally)
        assert counters.sweep_counters(NOON, keep=2, most=100) == 4
        assert sorted(counters.tallies([bytes([number]) for number in range(4)])) == [b"\0", b"\1"]
        assert counters.sweep_counters(NOON, keep=2, most=100) == 0
