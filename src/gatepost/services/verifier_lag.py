"""How far behind each instance of a verifier is, in facts and in milliseconds, as administrators and metrics see it.

Owns the reckoning. Times are the wall clock's, for people; who counts is decided by the boot clock, in `verifiers.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.checking.follower import Follower
from gatepost.core.ports import Clock, Store
from gatepost.core.verifiers import InstanceKey, Policy, VerifierRow, is_live, lease_end
from gatepost.services.hearings import Hearings
from gatepost.services.verifiers import Verifiers

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `confirmed` is the newest fact it has applied, None where it has begun anew and said nothing yet.

    `behind` counts facts after that; `behind_ms` is the age of the oldest of them, None where that is too long ago to
    be known here. `live` is whether it may be answering by itself, `counts` whether receipts speak of it.
    """

    client_id: str
    name: str
    instance: str
    policy: Policy
    bound: float
    confirmed: int | None
    behind: int | None
    behind_ms: int | None
    heard_at: datetime
    lease_ends_at: datetime
    live: bool
    counts: bool
    address: str

    @property
    def key(self) -> InstanceKey:
        """What names it."""
        return self.client_id, self.instance


class VerifierLag:
    """All that are on the list."""

    def __init__(
        self, verifiers: Verifiers, hearings: Hearings, store: Store, follower: Follower, clock: Clock
    ) -> None:
        self._verifiers = verifiers
        self._hearings = hearings
        self._store = store
        self._follower = follower
        self._clock = clock

    def listed(self) -> list[Instance]:
        """Every instance, by its client and its name; those that are gone too, for a day."""
        # The head is read last: one that confirms in between is not shown as ahead of it.
        rows, boot, now = self._verifiers.listed(), self._clock.boot(), self._clock.now()
        head = self._store.position()
        return [self._of(row, head, boot, now) for row in rows]

    def page(self, *, after: InstanceKey | None, limit: int) -> tuple[list[Instance], InstanceKey | None]:
        """One page of them, and the one to go on after."""
        found = [one for one in self.listed() if after is None or one.key > after]
        return found[:limit], found[limit - 1].key if len(found) > limit else None

    def _of(self, row: VerifierRow, head: int, boot: float, now: datetime) -> Instance:
        begun = row.seq >= 0
        behind = max(0, head - row.seq) if begun else None
        return Instance(
            client_id=row.client_id,
            name=self._hearings.name_of(row.client_id),
            instance=row.instance,
            policy=row.policy,
            bound=row.bound,
            confirmed=row.seq if begun else None,
            behind=behind,
            behind_ms=0 if behind == 0 else self._age_after(row.seq, now) if begun else None,
            heard_at=row.at,
            lease_ends_at=now + timedelta(seconds=lease_end(row, boot) - boot),
            live=is_live(row, boot),
            counts=self._verifiers.counts(row),
            address=row.address,
        )

    def _age_after(self, seq: int, now: datetime) -> int | None:
        page = self._follower.chronicle.page
        at = None if page is None else page.moment_after(seq)
        return None if at is None else max(0, (now - at) // _MILLISECOND)
