"""Committing a change and telling who must hear of it.

Owns the retry on `Conflict` and the order in which an ending takes effect: durable first, then refused in this
process, then confirmed by every other live server process, and only then answered. Every service commits through
here and nowhere else.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from gatepost.core.changes import Change, Committed
from gatepost.core.ports import Clock, FollowerRow, Log, Store
from gatepost.core.revocation import Logged
from gatepost.errors import Busy, Conflict
from gatepost.services.roll_call import Hearing, RollCall

_TRIES: Final = 64
_LOOK_AGAIN: Final = 0.003

T = TypeVar("T")


class ReceiptState(StrEnum):
    """How far an ending has got."""

    IN_FORCE = "in_force"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was promised when something was ended.

    `in_force`: every live server process had confirmed at `in_force_at`. `bounded`: one stayed silent until its lease
    had ended, so it refuses everything from `in_force_at` on until it has caught up. Nobody accepts what was ended
    after `latest_at`. `workers` says of each server process how long it took.
    """

    pos: str
    committed_at: datetime
    state: ReceiptState
    in_force_at: datetime
    latest_at: datetime
    workers: tuple[Hearing, ...] = ()


class Commits:
    """The one way from a decision to its effect."""

    def __init__(
        self,
        store: Store,
        log: Log,
        clock: Clock,
        *,
        bound: float,
        tell: Callable[[Iterable[Logged]], None],
        instance: str = "",
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._bound = bound
        self._tell = tell
        self._instance = instance
        self._lapsed: set[FollowerRow] = set()

    def commit(self, change: Change) -> Committed:
        """Make a change durable; its facts bite in this process at once. Raises `Conflict`."""
        committed = self._store.commit(change)
        if committed.logged:
            self._tell(committed.logged)
        return committed

    def end(self, change: Change) -> Receipt:
        """Commit a change that ends something, and come back when it is in force everywhere."""
        return self.settle(self.commit(change))

    def settle(self, committed: Committed) -> Receipt:
        """Wait until every live server process has confirmed, or the lease of a silent one has ended."""
        committed_at = self._clock.now()
        call = RollCall(self._log, self._clock, self._instance, committed.pos)
        silent = first = call.silent()
        while silent - self._lapsed and call.seconds < self._bound:
            time.sleep(_LOOK_AGAIN)
            silent = call.silent()
        # A process whose lease has ended renews it only by reading the log, with this ending in it. So nobody waits
        # twice for one that is gone, and no wall clock is asked how long it has been silent. A row that was written
        # meanwhile announces a lease that has not ended.
        self._lapsed = silent & (first | self._lapsed)
        now = self._clock.now()
        return Receipt(
            pos=str(committed.position),
            committed_at=committed_at,
            state=ReceiptState.BOUNDED if silent else ReceiptState.IN_FORCE,
            in_force_at=now,
            latest_at=committed_at + timedelta(seconds=self._bound),
            workers=call.hearings(silent),
        )

    def decided(self, step: Callable[[], T]) -> T:
        """Run load, decide and commit, and once more whenever a record moved in between."""
        for _ in range(_TRIES):
            try:
                return step()
            except Conflict:
                continue
        raise Busy(detail="a record kept changing")
