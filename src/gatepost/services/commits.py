"""Committing a change and telling who must hear of it.

Owns the retry on `Conflict` and the order in which an ending takes effect: durable first, then refused in this
process, then confirmed by every other live server process, and only then answered. Verifiers in other services are
asked about after that, and waited for by whoever wants to. Every service commits through here and nowhere else.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from gatepost.core.changes import Change, Committed
from gatepost.core.ports import Clock, FollowerRow, Log, Store
from gatepost.core.revocation import Logged
from gatepost.errors import Busy, Conflict
from gatepost.services.hearings import Hearings, VerifierHearing
from gatepost.services.roll_call import Hearing, RollCall
from gatepost.services.verifiers import LOOK_AGAIN

_TRIES: Final = 64
_LOOK_AGAIN: Final = 0.003

T = TypeVar("T")


class ReceiptState(StrEnum):
    """How far an ending has got."""

    IN_FORCE = "in_force"
    PENDING = "pending"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was promised when something was ended.

    `in_force`: every live server process, and every instance of a verifier that counts, had confirmed at
    `in_force_at`. `bounded`: one stayed silent until its lease had ended, so it refuses everything from `in_force_at`
    on until it has caught up. `pending`: that is true of the server processes; an instance of a verifier has neither
    confirmed nor lost its lease. After `latest_at` nobody accepts what was ended, but an instance that goes on without
    a lease: with one of those it stays `pending`. `workers` says of each server process how long it took; `seq` is
    the number in `pos`, and `silent` whether a server process did not confirm.
    """

    pos: str
    committed_at: datetime
    state: ReceiptState
    in_force_at: datetime
    latest_at: datetime
    workers: tuple[Hearing, ...] = ()
    verifiers: tuple[VerifierHearing, ...] = ()
    seq: int = 0
    silent: bool = False

    @property
    def awaits(self) -> bool:
        """Whether an instance of a verifier may still accept what was ended."""
        return any(one.awaited for one in self.verifiers)

    def heard(self, verifiers: tuple[VerifierHearing, ...], now: datetime) -> "Receipt":
        """The receipt once more, with what instances of verifiers have said up to `now`."""
        later = replace(self, verifiers=verifiers)
        if later.awaits or not self.awaits:
            return later
        bounded = self.silent or any(one.ended for one in verifiers)
        state = ReceiptState.BOUNDED if bounded else ReceiptState.IN_FORCE
        return replace(later, state=state, in_force_at=now)


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
        self._hearings: Hearings | None = None
        self._lapsed: set[FollowerRow] = set()

    def hear(self, hearings: Hearings) -> None:
        """Ask verifiers in other services too, from now on."""
        self._hearings = hearings

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
        # After the server processes: nobody is answered any more without this ending.
        verifiers = self._hearings.of(committed.pos) if self._hearings else ()
        receipt = Receipt(
            pos=str(committed.position),
            committed_at=committed_at,
            state=ReceiptState.BOUNDED if silent else ReceiptState.IN_FORCE,
            in_force_at=now,
            latest_at=committed_at + timedelta(seconds=self._bound),
            workers=call.hearings(silent),
            verifiers=verifiers,
            seq=committed.pos,
            silent=bool(silent),
        )
        return self._pending(receipt) if receipt.awaits else receipt

    def _pending(self, receipt: Receipt) -> Receipt:
        boot, now = self._clock.boot(), self._clock.now()
        ends = [one.ends for one in receipt.verifiers if one.awaited and one.ends is not None]
        latest = [receipt.latest_at, *(now + timedelta(seconds=end - boot) for end in ends)]
        return replace(receipt, state=ReceiptState.PENDING, latest_at=max(latest))

    def heard_since(self, receipt: Receipt) -> Receipt:
        """The receipt as it is now: with what verifiers have confirmed since, and whose lease has ended."""
        if self._hearings is None or not receipt.awaits:
            return receipt
        found = self._hearings.again(receipt.verifiers, receipt.seq)
        return receipt.heard(found, self._clock.now())

    def heard_within(self, receipt: Receipt, seconds: float) -> Receipt:
        """Wait for verifiers at most so many seconds, in this thread; until none is left to wait for."""
        until = self._clock.boot() + seconds
        while receipt.awaits and self._clock.boot() < until:
            time.sleep(LOOK_AGAIN)
            receipt = self.heard_since(receipt)
        return receipt

    def decided(self, step: Callable[[], T]) -> T:
        """Run load, decide and commit, and once more whenever a record moved in between."""
        for _ in range(_TRIES):
            try:
                return step()
            except Conflict:
                continue
        raise Busy(detail="a record kept changing")
