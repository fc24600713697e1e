"""The primary: the store in memory, with what happens to machines that hold one.

It journals every write, so that a standby or a backup is the same writes made again; it can be fenced off, and an older
copy of it can take its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from gatepost.core.changes import AuditRow, Change, Committed
from gatepost.core.ports import FollowerRow, LogAnswer
from gatepost.core.revocation import EveryoneEnded, Position, SessionEnded
from gatepost.errors import Busy
from gatepost.stores.memory import MemoryStore
from tests.simulation.clocks import EPOCH
from tests.simulation.scheduler import Scheduler
from tests.simulation.truth import Truth


class RepeatableRandomness:
    """`Randomness` that a copy draws again in the same order, until it goes its own way."""

    def __init__(self, seed: int) -> None:
        self._source = Random(seed)

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._source.randbytes(count)

    def diverge(self, seed: int) -> None:
        """From here on other bytes than the original's."""
        self._source.seed(seed)


class Primary(MemoryStore):
    """Who holds the truth now, or held it."""

    def __init__(self, scheduler: Scheduler, truth: Truth, seed: int, *, pulses: bool) -> None:
        self._own_randomness = RepeatableRandomness(seed)
        super().__init__(self._own_randomness, pulses=pulses)
        self.truth = truth
        self.journal: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.fenced = False
        self._generation = 0
        self._scheduler = scheduler
        self._seed = seed

    @property
    def version(self) -> tuple[int, int]:
        """What moves with every write, and when a copy takes the place of its original: SQLite's `data_version`."""
        return self._generation, self.writes

    @property
    def writes(self) -> int:
        """How much has been written."""
        return len(self.journal)

    def commit(self, change: Change) -> Committed:
        self._require_writable()
        committed = super().commit(change)
        self._noted(MemoryStore.commit, change)
        names = self.truth.begun(change, committed)
        self._appear(committed)
        self.truth.committed(committed, names, self._scheduler.now)
        return committed

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        self._require_writable()
        super().touch(seen)
        self._noted(MemoryStore.touch, seen)

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        self._require_writable()
        self._noted(MemoryStore.count_repeat, family_id, generation, audit)
        return super().count_repeat(family_id, generation, audit)

    def raise_floor(self, seq: int) -> None:
        self._require_writable()
        super().raise_floor(seq)
        self._noted(MemoryStore.raise_floor, seq)

    def confirm(self, row: FollowerRow) -> None:
        self._require_writable()
        super().confirm(row)
        self._noted(MemoryStore.confirm, row)

    def leave(self, instance: str) -> None:
        self._require_writable()
        super().leave(instance)
        self._noted(MemoryStore.leave, instance)

    def beat(self) -> None:
        self._require_writable()
        super().beat()
        self._noted(MemoryStore.beat)

    def read(self, after: Position | None) -> LogAnswer:
        return replace(super().read(after), origin=f"primary {self._generation}")

    def fence(self) -> None:
        """Cut it off: it answers readers who reach it, and writes nothing any more."""
        self.fenced = True

    def copied(self, writes: int) -> "Primary":
        """A copy that has seen the first so many writes."""
        copy = type(self)(self._scheduler, self.truth, self._seed, pulses=self.pulses)
        for write, arguments in self.journal[:writes]:
            write(copy, *arguments)
        copy.journal = self.journal[:writes]
        copy._generation = self._generation + 1
        copy._own_randomness.diverge(self._seed + 1 + self.writes)
        return copy

    def take_over_from(self, lost: "Primary") -> None:
        """Begin anew from this older copy: beyond every position there was, and everything issued before is over.

        Who follows is not taken from the copy: a server that is not listed would not be waited for.
        """
        for row in self.followers():
            self.leave(row.instance)
        for row in lost.followers():
            self.confirm(row)
        head = self.position()
        everyone = self.accounts(after=None, limit=100)
        self.truth.restored(head, {account.id: account.roles for account in everyone})
        beyond = (SessionEnded("-"),) * self._gap(head, lost.position())
        self.commit(Change(at=EPOCH, facts=(*beyond, EveryoneEnded())))

    def _appear(self, committed: Committed) -> None:
        """Become visible: at the moment of the commit, for everybody at once."""

    def _gap(self, head: int, lost_head: int) -> int:
        return max(0, lost_head - head)

    def _require_writable(self) -> None:
        if self.fenced:
            raise Busy(detail="this is not the primary any more")

    def _noted(self, write: Callable[..., Any], *arguments: Any) -> None:
        self.journal.append((write, arguments))
