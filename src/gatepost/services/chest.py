"""The keys of the ring where they lie: read and opened, made where one is missing, and steps turned into a change.

Owns which master key is the right one, the memory of what was opened, and the record that every change of the ring
puts, so that of two at once one wins. Decides nothing about a key's life (core/keys.py). Called by `Keys` and at start.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, assert_never

from gatepost.carriers.algorithms import Algorithm
from gatepost.carriers.keys import (
    KeyRing,
    OpenKey,
    RawKey,
    make_key,
    open_key,
    opens,
    reseal,
    ring_of,
    seal_root,
)
from gatepost.carriers.sealing import KEY_BYTES, MasterKey, derive
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.keys import (
    ROOT,
    Forget,
    KeyRules,
    KeyState,
    Make,
    Promote,
    Retire,
    RingKey,
    Step,
    Withdraw,
    decide_turn,
    judge_of,
)
from gatepost.core.ports import Store
from gatepost.core.revocation import KeyEnded
from gatepost.errors import Conflict, KeyUnusable
from gatepost.services.identifiers import Identifiers

_SYSTEM: Final = "system"
_TRIES: Final = 16


class MasterChange(Protocol):
    """A change of the master key under way. Nobody else makes one meanwhile."""

    def settle(self, in_force: MasterKey) -> None:
        """What opens the database is `in_force`; what an interrupted change has left is put right."""

    def successor(self) -> MasterKey:
        """The master key to come, which an interruption from here on does not lose. Raises `KeyUnusable`."""

    def finish(self) -> None:
        """The database is sealed under the successor."""


class Masters(Protocol):
    """Where the master key is kept: a file, or the settings."""

    def first(self) -> MasterKey:
        """The one for a database without keys, made if there is none. Raises `KeyUnusable`."""

    def candidates(self) -> Sequence[MasterKey]:
        """All that may be the right one at this moment, likeliest first. Raises `KeyUnusable` if there is none."""

    def found(self, in_force: MasterKey) -> None:
        """This one opened the database. Puts right what an interrupted change has left; never waits."""

    def changing(self) -> AbstractContextManager[MasterChange]:
        """A change of the master key, alone."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the chest: every record, those that opened, and by which master key.

    `broken` are the ids of records that do not open although the master key is right. `master` is None where the right
    one is out of reach and only what was opened before can be used.
    """

    records: tuple[RingKey, ...]
    keys: tuple[OpenKey, ...]
    broken: frozenset[str]
    master: MasterKey | None

    @property
    def root(self) -> OpenKey | None:
        """The root, None in a database that has none yet."""
        return next((key for key in self.keys if key.record.id == ROOT), None)

    def derived(self, purpose: str) -> bytes:
        """A key of this installation that outlives every master key. Raises `KeyUnusable` where there is no root."""
        root = next((key.held for key in self.keys if key.record.id == ROOT), None)
        if not isinstance(root, RawKey):
            raise KeyUnusable("There is no root from which other keys are derived.")
        return derive(root.raw, purpose)


class KeyChest:
    """The keys of one store, for an issuer that signs with one algorithm."""

    def __init__(
        self, store: Store, masters: Masters, identifiers: Identifiers, rules: KeyRules, algorithm: Algorithm
    ) -> None:
        self._store = store
        self.masters = masters
        self._identifiers = identifiers
        self.rules = rules
        self._algorithm = algorithm
        self._master: MasterKey | None = None
        self._opened: dict[str, OpenKey] = {}

    def read(self) -> Contents:
        """What the store holds now, opened. Raises `KeyUnusable` if no master key at hand opens any of it."""
        records = tuple(self._store.ring_keys())
        if not records:
            return Contents((), (), frozenset(), self.masters.first())
        master = self._master_of(records)
        keys, broken = [], []
        for record in records:
            opened = self._open(record, master)
            if opened is not None:
                keys.append(opened)
            elif master is not None:
                broken.append(record.id)
        self._opened = {key.record.id: key for key in keys}
        return Contents(records, tuple(keys), frozenset(broken), master)

    def ring(self, contents: Contents) -> KeyRing:
        """The ring of what opened. Raises `KeyUnusable` if there is nothing to sign with."""
        return ring_of((key for key in contents.keys if key.record.id != ROOT), self._algorithm)

    def prepared(self, now: datetime) -> Contents:
        """What the store holds, after whatever an issuer cannot be without has been made."""
        for _ in range(_TRIES):
            contents = self.read()
            if not self._lacks(contents):
                return contents
            steps = decide_turn(contents.records, now, self.rules, contents.broken)
            try:
                self._store.commit(self.change(contents, steps, now, _SYSTEM))
            except Conflict:
                # Two that start at once on an empty database both make a root; one finds the name taken.
                continue
        raise KeyUnusable("The database does not keep the signing keys that are made.")

    def change(self, contents: Contents, steps: Sequence[Step], now: datetime, actor: str) -> Change:
        """The steps as one change. Raises `KeyUnusable` where the master key is out of reach."""
        puts = [self._root(contents, now)]
        made: list[RingKey] = []
        rows: list[AuditRow] = []
        for step in steps:
            if isinstance(step, Forget):
                continue
            record = self._record(step, contents, now)
            puts.append(record)
            if isinstance(step, Make):
                made.append(record)
            elif event := _EVENTS.get(type(step)):
                rows.append(AuditRow(event, now, actor=actor, more=_named([record])))
        if made:
            rows.append(AuditRow(Event.KEY_MADE, now, actor=actor, more=_named(made)))
        return Change(
            at=now,
            put=tuple(puts),
            take=tuple(step.key for step in steps if isinstance(step, Forget)),
            facts=tuple(KeyEnded(step.key.id) for step in steps if isinstance(step, Withdraw)),
            audit=tuple(rows),
        )

    def resealed(self, contents: Contents, successor: MasterKey, now: datetime, actor: str) -> Change:
        """Every record that opens, sealed under another master key, as one change."""
        master, randomness = _required(contents), self._identifiers.randomness
        puts = tuple(
            replace(key.record, sealed=reseal(key.record, master, successor, randomness))
            for key in contents.keys
        )
        row = AuditRow(Event.MASTER_KEY_CHANGED, now, actor=actor, more={"keys": str(len(puts))})
        return Change(at=now, put=puts, audit=(row,))

    def _lacks(self, contents: Contents) -> bool:
        active = {key.record.algorithm for key in contents.keys if key.record.state is KeyState.ACTIVE}
        return not active.issuperset((ROOT, *self.rules.in_use))

    def _master_of(self, records: Sequence[RingKey]) -> MasterKey | None:
        """The master key under which the records lie, judged by the root or else by the oldest."""
        judge = judge_of(records)
        if self._master is not None and opens(judge, self._master):
            return self._master
        try:
            # Asked anew: another process may have changed it while this one was running.
            candidates = self.masters.candidates()
        except KeyUnusable:
            if not self._opened:
                raise
            candidates = ()
        fitting = next((one for one in candidates if opens(judge, one)), None)
        if fitting is not None:
            self.masters.found(fitting)
            self._master = fitting
        elif not self._opened:
            raise _does_not_open(records, candidates)
        return fitting

    def _open(self, record: RingKey, master: MasterKey | None) -> OpenKey | None:
        before = self._opened.get(record.id)
        if before is not None and before.record.sealed == record.sealed:
            return replace(before, record=record)
        try:
            # What lies under a master key that this process cannot read goes on as it was opened: nobody is signed out
            # for want of a restart.
            return before and replace(before, record=record) if master is None else open_key(record, master)
        except KeyUnusable:
            return before and replace(before, record=record)

    def _root(self, contents: Contents, now: datetime) -> RingKey:
        root = contents.root
        if root is not None:
            return root.record
        master, randomness = _required(contents), self._identifiers.randomness
        # Before there was a root, what is derived from it came from the master key itself. It must not change: the
        # audit trail is sealed with it.
        secret = master.raw if contents.records else randomness.bytes(KEY_BYTES)
        return seal_root(secret, master, now, randomness)

    def _record(self, step: Make | Promote | Retire | Withdraw, contents: Contents, now: datetime) -> RingKey:
        match step:
            case Make(algorithm, state):
                made = make_key(
                    self._identifiers.name(),
                    _required(contents),
                    now,
                    self._identifiers.randomness,
                    algorithm,
                )
                return replace(made, state=state)
            case Promote(key):
                return replace(key, state=KeyState.ACTIVE, since=now)
            case Retire(key):
                return replace(key, state=KeyState.RETIRED, since=now)
            case Withdraw(key):
                return replace(key, state=KeyState.WITHDRAWN, since=now)
            case never:
                assert_never(never)


_EVENTS: Final[dict[type[Step], Event]] = {
    Promote: Event.KEY_ROTATED,
    Withdraw: Event.KEY_WITHDRAWN,
}


def _named(records: Sequence[RingKey]) -> dict[str, str]:
    return {
        "kid": ",".join(record.id for record in records),
        "algorithm": ",".join(record.algorithm for record in records),
    }


def _does_not_open(records: Sequence[RingKey], candidates: Sequence[MasterKey]) -> KeyUnusable:
    if any(opens(record, master) for record in records for master in candidates):
        return KeyUnusable(
            "The root of the keys is damaged, although the master key is the right one: put a backup back."
        )
    return KeyUnusable(
        "The master key does not open the signing keys in this database: put back the master.key, or the "
        "setting keys.master, that belongs to it."
    )


def _required(contents: Contents) -> MasterKey:
    if contents.master is None:
        raise KeyUnusable("The master key was changed; restart this server with the new one.")
    return contents.master
