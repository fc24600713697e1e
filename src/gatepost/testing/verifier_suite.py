"""What every `VerifierList` must keep, as tests that a store author can run."""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.core.ports import VerifierList
from gatepost.core.verifiers import AHEAD, LONGEST_BOUND, NOTHING, Policy, VerifierRow
from gatepost.testing.clock import NOON

BOOT = 1000.0
ONE = VerifierRow("orders", "one", 7, BOOT + 11.0, Policy.REFUSE, 1.0, NOON, "192.0.2.7")
OTHER = replace(ONE, instance="two", seq=NOTHING, policy=Policy.ALLOW, bound=0.05, address="")
STRANGER = replace(ONE, client_id="carts")


class VerifierSuite:
    """Give a fixture `reopened`: a function that opens the list again, each time over the same truth."""

    @pytest.fixture
    def reopened(self) -> Callable[[], VerifierList]:
        """Opens the list to be proved: empty at first, the same at every later call."""
        raise NotImplementedError("give a fixture named `reopened`")

    @pytest.fixture
    def kept(self, reopened: Callable[[], VerifierList]) -> VerifierList:
        """The list to be proved."""
        return reopened()

    def test_instances_come_back_exactly_as_they_were_written(
        self, kept: VerifierList, reopened: Callable[[], VerifierList]
    ) -> None:
        """To others who open the list too, in the order of their clients and names; at first there is none."""
        assert kept.verifiers() == []
        odd = replace(OTHER, at=NOON + timedelta(microseconds=1), bound=LONGEST_BOUND)
        kept.announce([odd, ONE, STRANGER], (), BOOT)
        assert reopened().verifiers() == [STRANGER, ONE, odd]

    def test_an_instance_is_one_row_whatever_it_says(self, kept: VerifierList) -> None:
        """Everything it says anew replaces what it said, also where that is less."""
        kept.announce([ONE], (), BOOT)
        later = replace(ONE, seq=3, until=ONE.until + 1, policy=Policy.ASK, bound=2.0, address="192.0.2.8")
        kept.announce([later], (), BOOT)
        assert kept.verifiers() == [later]

    def test_a_promise_of_another_process_is_not_taken_back(self, kept: VerifierList) -> None:
        """It has answered by it. What lies further ahead than any promise is of another boot, and is replaced."""
        furthest = BOOT + LONGEST_BOUND + AHEAD
        kept.announce([replace(ONE, until=furthest)], (), BOOT)
        kept.announce([replace(ONE, seq=8)], (), BOOT)
        assert kept.verifiers() == [replace(ONE, seq=8, until=furthest)]
        kept.announce([replace(ONE, until=furthest + 0.001)], (), BOOT)
        kept.announce([ONE], (), BOOT)
        assert kept.verifiers() == [ONE]

    def test_a_lease_that_outlived_the_machine_is_not_taken_back(self, kept: VerifierList) -> None:
        """It was longer, perhaps, than the one that is promised after a quick restart."""
        kept.announce([ONE], (), BOOT)
        kept.announce([replace(ONE, until=5.0)], (), 3.0)
        assert kept.verifiers() == [replace(ONE, until=LONGEST_BOUND)]

    def test_rows_come_and_go_in_one_step(self, kept: VerifierList) -> None:
        """Whoever is dropped makes room; one that is not there is dropped without a word."""
        kept.announce([ONE, STRANGER], (), BOOT)
        kept.announce([OTHER], [ONE.key, ("nobody", "one")], BOOT)
        assert kept.verifiers() == [STRANGER, OTHER]

    def test_a_client_is_shortened_and_nobody_else(self, kept: VerifierList) -> None:
        """Never made longer."""
        brief = replace(OTHER, until=BOOT + 0.5)
        kept.announce([ONE, brief, STRANGER], (), BOOT)
        kept.shorten("orders", BOOT + 1)
        assert kept.verifiers() == [STRANGER, replace(ONE, until=BOOT + 1), brief]

    def test_whoever_is_forgotten_is_gone(self, kept: VerifierList) -> None:
        """And the others are not."""
        kept.announce([ONE, OTHER, STRANGER], (), BOOT)
        kept.forget([ONE.key, ("nobody", "one")])
        assert kept.verifiers() == [STRANGER, OTHER]
        kept.forget([])
        assert len(kept.verifiers()) == 2

    def test_of_many_at_once_none_is_lost(self, reopened: Callable[[], VerifierList]) -> None:
        """Forty instances by eight hands."""
        rows = [replace(ONE, instance=f"{number:02}") for number in range(40)]
        with ThreadPoolExecutor(8) as hands:
            list(hands.map(lambda row: reopened().announce([row], (), BOOT), rows))
        assert reopened().verifiers() == rows
