"""The list of verifiers: what each instance is promised before it is answered, and who counts.

A row says how far an instance has heard and until when it may answer by itself, and it is written before
the answer that lets it: whoever ends something and reads the list after every server process has confirmed finds each
instance that may not know of it. What a receipt says of them is `hearings.py`'s. Called by `/feed`
and wherever receipts are made.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gatepost.checking.chronicle import Doorbell
from gatepost.core.ports import Clock, VerifierList
from gatepost.core.verifiers import (
    AHEAD,
    MOST,
    InstanceKey,
    Policy,
    VerifierRow,
    counts,
    make_room,
    merged,
)
from gatepost.errors import Busy, GatepostError

_GONE: Final = timedelta(days=1)
_SWEEP_EVERY: Final = 60.0
# Whoever waits for confirmations looks as often; all who wait share one look.
LOOK_AGAIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Caller:
    """An instance that asks: of which client, how it is named, what it does when its lease is over, for how long it
    holds an answer (seconds), and from where it asks."""

    client_id: str
    instance: str
    policy: Policy
    bound: float
    address: str = ""

    @property
    def key(self) -> InstanceKey:
        """What names it."""
        return self.client_id, self.instance


@dataclass(slots=True, eq=False)
class Batch:
    """Rows of one moment, on their way into one transaction."""

    rows: dict[InstanceKey, VerifierRow] = field(default_factory=dict)
    refused: frozenset[InstanceKey] = frozenset()
    failure: GatepostError | None = None
    done: bool = False


class Verifiers:
    """Everything this process does with the list."""

    def __init__(
        self,
        kept: VerifierList,
        clock: Clock,
        *,
        remember: float,
        on_trouble: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._kept = kept
        self._clock = clock
        self._remember = remember
        self._on_trouble = on_trouble
        self._promised: dict[InstanceKey, VerifierRow] = {}
        self._batch = Batch()
        self._gathering = threading.Lock()
        self._writing = threading.Lock()
        self._looking = threading.Lock()
        self._looked_at = float("-inf")
        self._seen: list[VerifierRow] = []
        self._swept_at = float("-inf")
        self.bell: Doorbell = Doorbell()
        """Rings when an instance may have confirmed something to this process."""

    def is_promised(self, caller: Caller, seq: int, until: float) -> bool:
        """Whether the list says already that this instance has heard up to `seq` and holds no lease beyond `until`.

        What begins anew is never taken for said: another process may have written since that it has heard.
        """
        row = self._promised.get(caller.key)
        return (
            row is not None
            and row.until >= until
            and row.seq == seq >= 0
            and row.policy is caller.policy
            and row.bound == caller.bound
        )

    def gather(self, caller: Caller, seq: int, until: float) -> Batch:
        """Put it among what is written next, with a promise for a while longer. No I/O; `write` does it."""
        row = VerifierRow(
            caller.client_id,
            caller.instance,
            seq,
            until + AHEAD,
            caller.policy,
            caller.bound,
            self._clock.now(),
            caller.address,
        )
        with self._gathering:
            self._batch.rows[row.key] = merged(self._batch.rows, row)
            return self._batch

    def write(self, batch: Batch, caller: Caller, seq: int, until: float) -> None:
        """Come back when this batch is on the list: written here, or by whoever was first of those who gathered it.

        Raises Busy where the instance must not be answered: the list could not be written and promises less than the
        answer would let it do, or is full of others that may be answering.
        """
        with self._writing:
            if not batch.done:
                self._write_out(batch)
        if caller.key in batch.refused:
            raise Busy(retry_after=int(AHEAD), detail="too many instances of verifiers are on the list")
        if batch.failure is not None and not self._stands_without(caller, seq, until):
            raise batch.failure

    def _stands_without(self, caller: Caller, seq: int, until: float) -> bool:
        # What it has confirmed since is told later: until then receipts say less than is true.
        row = self._promised.get(caller.key)
        return (
            row is not None
            and row.until >= until
            and 0 <= row.seq <= seq
            and row.policy is caller.policy
            and row.bound >= caller.bound
        )

    def _write_out(self, batch: Batch) -> None:
        with self._gathering:
            self._batch = Batch()
        boot = self._clock.boot()
        try:
            dropped: frozenset[InstanceKey] = frozenset()
            if not batch.rows.keys() <= self._promised.keys():
                room = make_room(self._kept.verifiers(), batch.rows.values(), boot, self._remember)
                dropped, batch.refused = room.dropped, room.refused
            rows = [row for key, row in batch.rows.items() if key not in batch.refused]
            self._kept.announce(rows, dropped, boot)
        except GatepostError as error:
            batch.failure = error
            self._on_trouble(error)
        else:
            if len(self._promised) + len(rows) > MOST:
                self._promised = {}
            self._promised = {**self._promised, **{row.key: row for row in rows}}
            self._looked_at = float("-inf")
            self.bell.ring()
        finally:
            batch.done = True

    def listed(self) -> list[VerifierRow]:
        """Every instance on the list, those that are gone too."""
        return self._kept.verifiers()

    def counting(self) -> list[VerifierRow]:
        """Those that a receipt has to speak of."""
        boot = self._clock.boot()
        return [row for row in self._kept.verifiers() if counts(row, boot, self._remember)]

    def counts(self, row: VerifierRow) -> bool:
        """Whether a receipt has to speak of this one."""
        return counts(row, self._clock.boot(), self._remember)

    def glance(self) -> list[VerifierRow]:
        """The list as it was a moment ago at most: one look for all who wait."""
        with self._looking:
            now = self._clock.boot()
            if not self._looked_at <= now < self._looked_at + LOOK_AGAIN / 2:
                # Before the reading: a row that is written meanwhile asks for another look.
                self._looked_at = now
                self._seen = self._kept.verifiers()
            return self._seen

    def leave(self, client_id: str) -> None:
        """A client has ended, and every server process knows: its instances get no other answer."""
        boot = self._clock.boot()
        try:
            bounds = [row.bound for row in self._kept.verifiers() if row.client_id == client_id]
            if bounds:
                self._kept.shorten(client_id, boot + max(bounds))
        except GatepostError as error:
            # They stay on the list for as long as they were promised. The client has ended all the same.
            self._on_trouble(error)

    def sweep(self) -> None:
        """Forget, once a minute, those that do not count and were last heard of a day ago."""
        boot, now = self._clock.boot(), self._clock.now()
        if boot < self._swept_at + _SWEEP_EVERY:
            return
        self._swept_at = boot
        gone = [
            row.key
            for row in self._kept.verifiers()
            if not counts(row, boot, self._remember) and row.at < now - _GONE
        ]
        if gone:
            self._kept.forget(gone)
            self._promised = {key: row for key, row in self._promised.items() if key not in gone}
