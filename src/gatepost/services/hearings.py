"""What instances of verifiers have heard of one ending, and which of them may still accept what was ended.

Owns the judgement for one position. It is right only once every server process has confirmed that position or lost its
lease: from then on nobody is answered without it, so each lease that knows nothing of it ends within its bound. Who is
on the list is `verifiers.py`'s.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gatepost.core.ports import Clock, Store
from gatepost.core.verifiers import InstanceKey, Policy, VerifierRow, lease_end
from gatepost.services.verifiers import Verifiers


@dataclass(frozen=True, slots=True)
class VerifierHearing:
    """One instance. `ends` is when the last lease without the position is over, on the boot clock.

    None where that ends nothing, because the instance goes on without one. `ended`: it is over, unconfirmed.
    """

    client_id: str
    name: str
    instance: str
    policy: Policy
    confirmed: bool
    ends: float | None = None
    ended: bool = False

    @property
    def key(self) -> InstanceKey:
        """What names it."""
        return self.client_id, self.instance

    @property
    def awaited(self) -> bool:
        """Whether it may still accept what was ended, as far as anybody knows."""
        return not (self.confirmed or self.ended)


class Hearings:
    """Asks the list what became of one position."""

    def __init__(self, verifiers: Verifiers, store: Store, clock: Clock) -> None:
        self._verifiers = verifiers
        self._store = store
        self._clock = clock
        self._names: dict[str, str] = {}

    def of(self, seq: int) -> tuple[VerifierHearing, ...]:
        """Every instance that counts. To be asked when the server processes have confirmed."""
        rows, boot = self._verifiers.counting(), self._clock.boot()
        return _sorted(_judged(row, self.name_of(row.client_id), seq, boot) for row in rows)

    def again(self, hearings: Iterable[VerifierHearing], seq: int) -> tuple[VerifierHearing, ...]:
        """The same instances a while later: those that have confirmed since, and those whose lease has ended."""
        # The clock before the list: what is confirmed in time is never called ended.
        boot = self._clock.boot()
        rows = {row.key: row for row in self._verifiers.glance()}
        return _sorted(_later(one, rows.get(one.key), seq, boot) for one in hearings)

    def name_of(self, client_id: str) -> str:
        """What a client is called. No client is ever called otherwise."""
        if client_id not in self._names:
            found = self._store.client(client_id)
            self._names[client_id] = found.name if found else client_id
        return self._names[client_id]


def _judged(row: VerifierRow, name: str, seq: int, boot: float) -> VerifierHearing:
    confirmed = row.seq >= seq
    # Whatever the row promises beyond that is for answers that know of the position.
    ends = None if row.policy is Policy.ALLOW else min(lease_end(row, boot), boot + row.bound)
    return VerifierHearing(row.client_id, name, row.instance, row.policy, confirmed, ends)


def _later(one: VerifierHearing, row: VerifierRow | None, seq: int, boot: float) -> VerifierHearing:
    if not one.awaited:
        return one
    if row is not None and row.seq >= seq:
        return replace(one, confirmed=True)
    return replace(one, ended=one.ends is not None and boot >= one.ends)


def _sorted(found: Iterable[VerifierHearing]) -> tuple[VerifierHearing, ...]:
    # Whoever is waited for comes first: a list that has to be cut keeps them.
    return tuple(sorted(found, key=lambda one: (not one.awaited, one.name, one.instance)))
