"""The keys of the ring as records, and what is to happen to them: made, turned, withdrawn, forgotten.

Owns the life of a key (next, active, retired, gone, or withdrawn) as pure decisions. Opens no key, for all of them lie
sealed (`carriers/keys.py`), and commits nothing (`services/keys.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

SEALING: Final = "A256GCM"
"""The algorithm of keys that seal cookies. Every other one of the ring signs, but for the root."""

ROOT: Final = "root"
"""The id and the algorithm of the one record that is no key of the ring: the secret from which others are derived."""


class KeyState(StrEnum):
    """Where a key is in its life: published, signing, only verifying, or refused."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring: the public half as JWK (JSON text), the private half sealed under the master key.

    `since` is the moment at which it came into its state.
    """

    id: str
    algorithm: str
    state: KeyState
    public: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    since: datetime
    version: int = 0


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What decides about keys.

    `in_use` are the algorithms that need a key. A next key is known to everybody once it has been one for
    `known_after`, the time for which others may keep the list of public keys. `outlives` and `sealing_outlives` are how
    long anything can still be around that was signed, or sealed, by a key that does so no more. `rotate_every` None is
    never.
    """

    in_use: tuple[str, ...]
    rotate_every: timedelta | None
    known_after: timedelta
    outlives: timedelta
    sealing_outlives: timedelta


@dataclass(frozen=True, slots=True)
class Make:
    """There has to be a new key of this algorithm, in this state."""

    algorithm: str
    state: KeyState


@dataclass(frozen=True, slots=True)
class Promote:
    """A next key becomes the active one."""

    key: RingKey


@dataclass(frozen=True, slots=True)
class Retire:
    """A key makes nothing new any more; what it made stands."""

    key: RingKey


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A key is in wrong hands or cannot be opened: what it made is dead."""

    key: RingKey


@dataclass(frozen=True, slots=True)
class Forget:
    """A key that nothing can be around of any more: its record goes."""

    key: RingKey


Step = Make | Promote | Retire | Withdraw | Forget


def judge_of(records: Sequence[RingKey]) -> RingKey:
    """The record that tells whether a master key is the right one: the root, or the oldest where there is none yet."""
    return next((record for record in records if record.id == ROOT), records[0])


def decide_turn(
    keys: Sequence[RingKey], now: datetime, rules: KeyRules, unusable: Collection[str] = ()
) -> tuple[Step, ...]:
    """What is due at `now`, in an order that can be committed as one change; nothing if nothing is.

    `unusable` are the ids of records that do not open although the master key is the right one. Deciding again after
    the steps were taken gives nothing more: the number of keys does not grow with the number of deciders.
    """
    steps: list[Step] = [
        Withdraw(key)
        for key in _ring(keys)
        if key.id in unusable and key.state in {KeyState.ACTIVE, KeyState.NEXT}
    ]
    sound = [key for key in _ring(keys) if key.id not in unusable]
    for algorithm in rules.in_use:
        coming = _coming(sound, algorithm)
        known = coming is not None and now >= coming.since + rules.known_after
        steps += _succession(sound, algorithm, turn=known and _is_old(sound, algorithm, now, rules))
    for key in sound:
        if _is_idle(key, rules) and _is_old(sound, key.algorithm, now, rules):
            steps.append(_put_away(key))
        elif _is_over(key, now, rules):
            steps.append(Forget(key))
    return tuple(steps)


def decide_rotation_now(
    keys: Sequence[RingKey], rules: KeyRules, algorithm: str | None = None
) -> tuple[Step, ...]:
    """What happens when somebody asks for new keys: of one algorithm, or of all in use and the end of all others."""
    ring = _ring(keys)
    chosen = rules.in_use if algorithm is None else (algorithm,)
    steps = [step for one in chosen for step in _succession(ring, one, turn=True)]
    if algorithm is None:
        steps += [_put_away(key) for key in ring if _is_idle(key, rules)]
    return tuple(steps)


def decide_withdrawal(keys: Sequence[RingKey], key: RingKey, rules: KeyRules) -> tuple[Step, ...]:
    """What happens when one key is in wrong hands: what it made dies, and the next one takes over at once."""
    others = [one for one in _ring(keys) if one.id != key.id]
    follow = _succession(others, key.algorithm, turn=False) if key.algorithm in rules.in_use else []
    return (Withdraw(key), *follow)


def too_young(
    steps: Sequence[Step], keys: Sequence[RingKey], now: datetime, known_after: timedelta
) -> RingKey | None:
    """A key that would be promoted before everybody who was there at its making can know it, or None.

    One that was made together with the key before it is known to whoever knows anything of this ring.
    """
    promoted = (step.key for step in steps if isinstance(step, Promote))
    young = (key for key in promoted if now < key.since + known_after and not _is_first(key, keys))
    return max(young, key=_age, default=None)


def _is_first(key: RingKey, keys: Sequence[RingKey]) -> bool:
    return all(key.created_at <= one.created_at for one in keys if one.algorithm == key.algorithm)


def _succession(keys: Sequence[RingKey], algorithm: str, *, turn: bool) -> list[Step]:
    """One active and one next key of an algorithm, whatever there is now."""
    actives = [key for key in keys if key.algorithm == algorithm and key.state is KeyState.ACTIVE]
    coming = _coming(keys, algorithm)
    steps: list[Step] = []
    if turn or not actives:
        steps += [Retire(key) for key in actives]
        steps.append(Promote(coming) if coming else Make(algorithm, KeyState.ACTIVE))
        coming = None
    if coming is None:
        steps.append(Make(algorithm, KeyState.NEXT))
    return steps


def _coming(keys: Sequence[RingKey], algorithm: str) -> RingKey | None:
    """The next key that has been one for longest."""
    nexts = (key for key in keys if key.algorithm == algorithm and key.state is KeyState.NEXT)
    return min(nexts, key=_age, default=None)


def _is_old(keys: Sequence[RingKey], algorithm: str, now: datetime, rules: KeyRules) -> bool:
    if rules.rotate_every is None:
        return False
    since = [key.since for key in keys if key.algorithm == algorithm and key.state is KeyState.ACTIVE]
    # An algorithm without an active key is not used by anybody: what is left of it is put away.
    return all(now >= one + rules.rotate_every for one in since)


def _is_idle(key: RingKey, rules: KeyRules) -> bool:
    """Whether a key could make something, but nobody here asks it to: another algorithm was chosen."""
    return key.algorithm not in rules.in_use and key.state in {KeyState.ACTIVE, KeyState.NEXT}


def _put_away(key: RingKey) -> Step:
    return Retire(key) if key.state is KeyState.ACTIVE else Forget(key)


def _is_over(key: RingKey, now: datetime, rules: KeyRules) -> bool:
    if key.state not in {KeyState.RETIRED, KeyState.WITHDRAWN}:
        return False
    return now >= key.since + (rules.sealing_outlives if key.algorithm == SEALING else rules.outlives)


def _ring(keys: Sequence[RingKey]) -> list[RingKey]:
    return [key for key in keys if key.id != ROOT]


def _age(key: RingKey) -> tuple[datetime, str]:
    return key.since, key.id
