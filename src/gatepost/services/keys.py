"""The key ring at work: turned when it is due or asked for, withdrawn when a key is in wrong hands, read again.

Loads the records, asks `core/keys` what is to happen, commits it and swaps the ring whole. What opens the records is
the chest's. Called by the housekeeper on duty, the follower, the administration and the command line.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.carriers.keys import CurrentRing, KeyRing
from gatepost.core.changes import Committed
from gatepost.core.keys import (
    ROOT,
    Promote,
    RingKey,
    Step,
    decide_rotation_now,
    decide_turn,
    decide_withdrawal,
    too_young,
)
from gatepost.core.whence import NOWHERE, Whence
from gatepost.errors import Conflict, InvalidFields, NotFound
from gatepost.services.chest import Contents, KeyChest
from gatepost.services.commits import Receipt
from gatepost.services.means import Means

_SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Rotated:
    """The keys that are active since a rotation.

    `known_at` is the moment from which every list of public keys that others may still keep has them; None where they
    all have them already.
    """

    keys: tuple[RingKey, ...]
    known_at: datetime | None


class Keys:
    """The keys of one issuer."""

    def __init__(
        self,
        means: Means,
        chest: KeyChest,
        current: CurrentRing,
        *,
        bound: timedelta,
        when_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._means = means
        self._chest = chest
        self._current = current
        self._bound = bound
        self._when_gone = when_gone
        self._reading = threading.Lock()
        self._records: Sequence[RingKey] = ()
        self._broken: frozenset[str] = frozenset()
        self._waited: set[str] = set()

    @property
    def ring(self) -> KeyRing:
        """The ring of this moment."""
        return self._current.current

    def listed(self) -> list[RingKey]:
        """Every key that is not gone, oldest first."""
        return [record for record in self._means.store.ring_keys() if record.id != ROOT]

    def reload(self) -> None:
        """Take the ring as the store has it now. Raises `KeyUnusable` where nothing could be signed with it."""
        # Read and swapped by one thread at a time, so that what was read earlier never takes the place of what was
        # read later.
        with self._reading:
            contents = self._chest.prepared(self._means.clock.now())
            self._records, self._broken = contents.records, contents.broken
            before, self._current.current = self._current.current, self._chest.ring(contents)
            gone = before.kids - self._current.current.kids
        if gone:
            # A token that a thief has signed may outlive the fact that hits it, if anybody still remembers it.
            self._when_gone()

    def turn_if_due(self) -> bool:
        """Do what is due by time; whether anything was. Asks the store only if it seems so."""
        if not self._records:
            self.reload()
        if not decide_turn(self._records, self._means.clock.now(), self._chest.rules, self._broken):
            return False

        def step() -> bool:
            contents, now = self._chest.read(), self._means.clock.now()
            steps = decide_turn(contents.records, now, self._chest.rules, contents.broken)
            if steps:
                self._means.commits.commit(self._chest.change(contents, steps, now, _SYSTEM))
            return bool(steps)

        turned = self._means.commits.decided(step)
        self.reload()
        return turned

    def rotate(self, actor: str, algorithm: str | None = None, whence: Whence = NOWHERE) -> Rotated:
        """Let the next keys take over now: of one algorithm, or of all in use. What the old ones made stands.

        Raises `InvalidFields` for an algorithm that is not in use, `Busy`, `KeyUnusable`.
        """
        rules = self._chest.rules
        if algorithm is not None and algorithm not in rules.in_use:
            raise InvalidFields({"algorithm": f"In use here are {' and '.join(rules.in_use)}."})

        def step() -> tuple[tuple[Step, ...], Contents, datetime]:
            contents, now = self._chest.read(), self._means.clock.now()
            sound = [record for record in contents.records if record.id not in contents.broken]
            steps = decide_rotation_now(sound, rules, algorithm)
            self._require_known_here(steps, contents, now)
            self._means.commits.commit(whence.marked(self._chest.change(contents, steps, now, actor)))
            return steps, contents, now

        steps, contents, now = self._means.commits.decided(step)
        self.reload()
        listed = [step for step in steps if isinstance(step, Promote) and step.key.public]
        young = too_young(listed, contents.records, now, rules.known_after)
        known_at = young.since + rules.known_after if young else None
        return Rotated(tuple(self._actives_of(steps)), known_at)

    def withdraw(self, kid: str, actor: str, whence: Whence = NOWHERE) -> Receipt:
        """End a key that is known to others: all that it signed is refused, and the next one takes over.

        Comes back when that is in force everywhere. Raises `NotFound`.
        """

        def step() -> Committed:
            contents, now = self._chest.read(), self._means.clock.now()
            key = next((one for one in contents.records if one.id == kid and kid != ROOT), None)
            if key is None:
                raise NotFound("There is no such key.")
            sound = [one for one in contents.records if one.id not in contents.broken]
            steps = decide_withdrawal(sound, key, self._chest.rules)
            self._require_known_here(steps, contents, now)
            return self._means.commits.commit(whence.marked(self._chest.change(contents, steps, now, actor)))

        committed = self._means.commits.decided(step)
        # Before the others have confirmed: until then this process would still sign what is dead already.
        self.reload()
        return self._means.commits.settle(committed)

    def change_master(self, actor: str) -> int:
        """Seal every key under a new master key; how many. Servers that run go on. Raises `KeyUnusable`, `Busy`."""
        with self._chest.masters.changing() as change:
            contents = self._chest.read()
            if contents.master is not None:
                change.settle(contents.master)
            successor = change.successor()

            def step() -> int:
                contents = self._chest.read()
                now = self._means.clock.now()
                self._means.commits.commit(self._chest.resealed(contents, successor, now, actor))
                return len(contents.keys)

            sealed = self._means.commits.decided(step)
            change.finish()
        self.reload()
        return sealed

    def _require_known_here(self, steps: Sequence[Step], contents: Contents, now: datetime) -> None:
        """Wait until no process of this installation can have missed a key that is to sign now, then begin again.

        Whoever has read the log within the bound knows what is older than that; whoever has not refuses by itself.
        """
        young = too_young(steps, contents.records, now, self._bound)
        if young is None or young.id in self._waited:
            return
        time.sleep(min(self._bound, young.since + self._bound - now).total_seconds())
        self._waited.add(young.id)
        raise Conflict("ring_key", young.id)

    def _actives_of(self, steps: Sequence[Step]) -> list[RingKey]:
        promoted = {step.key.id for step in steps if isinstance(step, Promote)}
        return [record for record in self._records if record.id in promoted]
