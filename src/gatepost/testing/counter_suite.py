"""What every `Counters` must keep, and every store whose changes move them, as tests that a store author can run."""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.core.changes import Event, Recounted, Recounting
from gatepost.core.guesses import Tally
from gatepost.core.ports import Counters, Store
from gatepost.errors import Conflict
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened, Opener
from gatepost.testing.records import a_session, an_account, an_audit_row, change, put, stored

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


def one_more(found: Mapping[bytes, Tally]) -> Recounted:
    """Count to the next number, and note it."""
    tally = replace(found[b"a"], count=found[b"a"].count + 1) if found else ONE
    row = an_audit_row(Event.SIGN_IN_FAILED, more={"count": str(tally.count)})
    return Recounted({b"a": tally}, (row,))


def broken(found: Mapping[bytes, Tally]) -> Recounted:
    """A decision that cannot be made."""
    raise ArithmeticError


class RecountingSuite(Opened):
    """Changes that move counters: all of it stands or nothing does."""

    def test_counters_rows_and_records_of_a_change_stand_together(self, store: Store) -> None:
        """A record, the row that comes with it, what is counted, and the row that comes of that."""
        store.commit(
            change(put=(an_account(),), audit=(an_audit_row(),), recounting=Recounting((b"a",), one_more))
        )
        assert stored(store, an_account()).version == 1
        assert store.counters().tallies([b"a"]) == {b"a": ONE}
        rows = [row for _, row in store.audit_rows(account_id=None, after=0, limit=9)]
        assert [(row.event, dict(row.more)) for row in rows] == [
            (Event.SIGNED_IN, {}),
            (Event.SIGN_IN_FAILED, {"count": "1"}),
        ]

    def test_a_change_that_conflicts_counts_nothing(self, store: Store) -> None:
        """It is decided anew, and must not have been counted twice then."""
        put(store, an_account())
        stale = an_account()
        with pytest.raises(Conflict):
            store.commit(change(put=(stale,), recounting=Recounting((b"a",), one_more)))
        with pytest.raises(Conflict):
            store.commit(change(expects=(stale,), recounting=Recounting((b"a",), one_more)))
        assert store.counters().tallies([b"a"]) == {}
        assert store.audit_rows(account_id=None, after=0, limit=9) == []

    def test_a_count_that_fails_takes_the_whole_change_back(self, store: Store) -> None:
        """No record, no row, and the store goes on."""
        with pytest.raises(ArithmeticError):
            store.commit(
                change(
                    put=(an_account(), a_session()),
                    audit=(an_audit_row(),),
                    recounting=Recounting((b"a",), broken),
                )
            )
        assert (stored(store, an_account()), stored(store, a_session())) == (None, None)
        assert store.audit_rows(account_id=None, after=0, limit=9) == []
        put(store, an_account(), a_session())

    @pytest.mark.parametrize("durable", [True, False])
    def test_of_many_changes_at_once_each_sees_those_before_it(self, opener: Opener, durable: bool) -> None:
        """Forty hands count to forty and note each number once; none of them conflicts."""
        store, _ = opener()

        def count(_: int) -> None:
            store.commit(change(recounting=Recounting((b"a",), one_more), durable=durable))

        with ThreadPoolExecutor(8) as hands:
            list(hands.map(count, range(40)))
        assert store.counters().tallies([b"a"]) == {b"a": replace(ONE, count=40)}
        rows = store.audit_rows(account_id=None, after=0, limit=99)
        assert [row.more["count"] for _, row in rows] == [str(number) for number in range(1, 41)]
        store.close()
