"""What every store must do with the audit trail's seals: a suite to subclass, one test a promise.

With `processes` above 1 the hands of the race belong to so many processes, and the opener must be one that can be
pickled. The rows themselves are proved by the suites of reads and races.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections.abc import Iterator
from typing import ClassVar, Final

import pytest

from gatepost.core.audit import HIGHEST, LOWEST, Sealed, Whole, seal_rows
from gatepost.core.ports import Store
from gatepost.errors import Conflict
from gatepost.services.audit import Audit
from gatepost.stores.entries import entry_of
from gatepost.testing.clock import NOON, TurnableClock
from gatepost.testing.crowd import Crowd, crowd
from gatepost.testing.opening import Opened, Opener
from gatepost.testing.records import HOUR, an_audit_row, change

KEY: Final = bytes(range(32))
ROUNDS: Final = 12


def sealer(store: Store) -> Audit:
    """The service that seals, with a key that every hand knows."""
    return Audit(store, TurnableClock(), KEY)


def write(store: Store, count: int = 1) -> None:
    """Commit audit rows, each in a change of its own."""
    for number in range(count):
        store.commit(change(audit=(an_audit_row(device=f"device {number}"),)))


def next_seal(store: Store) -> Sealed:
    """The seal that would come now, over every row that waits."""
    previous = store.newest_seal()
    waiting = store.audit_entries(after=previous.last if previous else 0, upto=HIGHEST, limit=100)
    return seal_rows(KEY, previous, waiting, NOON)


def write_or_seal(store: Store, number: int) -> None:
    """Every fourth hand seals as fast as it can, the others write."""
    for _ in range(ROUNDS):
        if number % 4:
            write(store)
        else:
            sealer(store).seal()


class SealSuite(Opened):
    """Seals: kept as they were made, one for each number, over rows read in commit order."""

    processes: ClassVar[int] = 1

    @pytest.fixture(scope="class")
    @classmethod
    def crowd(cls) -> Iterator[Crowd]:
        """Many hands."""
        with crowd(cls.processes) as many:
            yield many

    def test_nothing_is_sealed_at_first(self, store: Store) -> None:
        """No newest seal, no seals, no entries."""
        assert store.newest_seal() is None
        assert store.seals(after=LOWEST, limit=9) == []
        assert store.audit_entries(after=LOWEST, upto=HIGHEST, limit=9) == []

    def test_entry_is_the_row_in_bytes(self, store: Store) -> None:
        """Every field of a row counts, the same in every store: text of any script, and what is missing."""
        full = an_audit_row(actor="cli", device="Ünïcode – 令牌 🗝", more={"why": "a\0b\n", "kid": "k1"})
        bare = an_audit_row(
            account_id=None, actor=None, session_id=None, address="", device="", at=NOON + HOUR
        )
        store.commit(change(audit=(full, bare)))
        found = store.audit_entries(after=0, upto=HIGHEST, limit=9)
        assert found == [entry_of(1, full), entry_of(2, bare)]

    def test_entries_come_from_a_number_to_another(self, store: Store) -> None:
        """The first is left out, the last is not; no more than asked for."""
        write(store, 5)
        asked = [(0, 5, 9), (2, 4, 9), (LOWEST, HIGHEST, 2), (5, HIGHEST, 9), (4, 2, 9)]
        found = [
            [entry.number for entry in store.audit_entries(after=after, upto=upto, limit=limit)]
            for after, upto, limit in asked
        ]
        assert found == [[1, 2, 3, 4, 5], [3, 4], [1, 2], [], []]

    def test_seal_reads_back_as_it_was_made(self, store: Store) -> None:
        """With its marks; the newest is the one with the highest number; pages go on after a number."""
        made = []
        for _ in range(3):
            write(store, 2)
            made.append(next_seal(store))
            store.append_seal(made[-1])
        assert store.newest_seal() == made[2].seal
        assert store.seals(after=LOWEST, limit=2) == made[:2]
        assert store.seals(after=2, limit=9) == made[2:]

    def test_number_of_a_seal_is_given_once(self, store: Store) -> None:
        """The second sealer conflicts, and the first one's seal stands."""
        write(store)
        first = next_seal(store)
        write(store)
        second = next_seal(store)
        store.append_seal(first)
        with pytest.raises(Conflict):
            store.append_seal(second)
        assert store.seals(after=LOWEST, limit=9) == [first]

    def test_many_sealers_beside_traffic_make_one_chain(
        self, opener: Opener, store: Store, crowd: Crowd
    ) -> None:
        """However many seal while others write, each row is sealed once, and no number is passed over."""
        crowd.run(opener, write_or_seal, 16)
        sealer(store).seal()
        verdict = sealer(store).verify()
        assert isinstance(verdict, Whole)
        assert verdict.extent.rows == 12 * ROUNDS
