"""The password factor: Argon2id hashes are made and all that came along verified, behind a bounded gate.

Owns the named profiles, the equal work for known and unknown accounts, and how many hashes run at once. Knows no
account, no rule about passwords and no clock; the hashes of others are in `foreign.py`. Plain blocking calls from the
services, any number of threads.
"""

import os
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock
from types import TracebackType
from typing import Final

from argon2 import Type
from argon2.exceptions import HashingError
from argon2.low_level import hash_secret

from gatepost.core.passwords import Verified, Wrong
from gatepost.errors import Busy
from gatepost.factors.computing import Computing
from gatepost.factors.foreign import (
    MOST_ARGON2_WORK,
    MOST_LANES,
    MOST_MEMORY_KIB,
    MOST_TIME_COST,
    Argon2Hash,
    OutOfMemory,
    StoredHash,
    Unusable,
    decoy_like,
    read_hash,
)

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_RETRY_AFTER: Final = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """What one hash costs. `memory_kib` is in KiB, `time_cost` in passes over it.

    One lane: the machine's cores are kept busy by hashing several passwords at once, not one password faster.
    """

    name: str
    memory_kib: int
    time_cost: int
    parallelism: int = 1

    def __post_init__(self) -> None:
        lanes = 1 <= self.parallelism <= MOST_LANES
        memory = 8 * self.parallelism <= self.memory_kib <= MOST_MEMORY_KIB
        time = 1 <= self.time_cost <= MOST_TIME_COST
        if not (lanes and memory and time and self.memory_kib * self.time_cost <= MOST_ARGON2_WORK):
            raise ValueError(f"the profile {self.name!r} is outside what Argon2 or this factor takes")


OWASP: Final = Profile("owasp", memory_kib=19_456, time_cost=2)
"""OWASP's Password Storage Cheat Sheet, the second of its equal settings: 19 MiB, 2 passes."""

STRONG: Final = Profile("strong", memory_kib=65_536, time_cost=3)
"""Memory and passes of RFC 9106 section 4, second recommended option: 64 MiB, 3 passes; about 8 times OWASP's cost."""


class Gate:
    """At most `slots` inside, at most `queue` waiting, each at most `wait` seconds; first come, first served.

    Without it a flood of sign-ins takes as much memory as there are requests, and every one of them gets slow.
    """

    def __init__(self, slots: int, queue: int, wait: float) -> None:
        if slots < 1 or queue < 0 or wait < 0:
            raise ValueError("a gate needs at least one slot, and no negative queue or wait")
        self._slots = slots
        self._queue = queue
        self._wait = wait
        self._lock = Lock()
        self._line: deque[Event] = deque()
        self._in_use = 0
        self.turned_away: int = 0

    @property
    def in_use(self) -> int:
        """How many are inside now."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """How many stand in line now."""
        return len(self._line)

    def __enter__(self) -> None:
        turn = Event()
        with self._lock:
            if self._in_use < self._slots:
                self._in_use += 1
                return
            if len(self._line) >= self._queue:
                self.turned_away += 1
                raise Busy(_RETRY_AFTER, detail="the queue for password hashing is full")
            self._line.append(turn)
        try:
            came = turn.wait(self._wait)
        except BaseException:
            self._give_up(turn)
            raise
        if not came:
            self._give_up(turn)
            raise Busy(_RETRY_AFTER, detail=f"no slot for password hashing within {self._wait:g} s")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._pass_on()

    def _pass_on(self) -> None:
        # The slot goes straight to the longest waiting: were it freed first, a newcomer could slip in before them.
        if self._line:
            self._line.popleft().set()
        else:
            self._in_use -= 1

    def _give_up(self, turn: Event) -> None:
        with self._lock:
            if turn.is_set():
                # The turn came in the moment between the end of the wait and this line.
                self._pass_on()
            else:
                self._line.remove(turn)
            self.turned_away += 1


class PasswordFactor:
    """Makes and verifies password hashes of one profile; one instance serves every thread.

    Every call computes one hash for each form of the password, so a call without an account takes as long as one with.
    A stored hash of another profile or system costs what it cost when it was made, until the next sign-in renews it;
    whoever has no account to ask about gives a `decoy_like` one that is there. Threads of their own compute hashes, so
    that the process holds `slots` times the memory of the costliest hash and no more, whoever asks.
    """

    def __init__(self, profile: Profile, *, slots: int, queue: int, wait: float) -> None:
        """`slots` is best the number of cores; `wait` is in seconds. Raises ValueError for impossible numbers."""
        self.profile = profile
        self._gate = Gate(slots, queue, wait)
        self._computing = Computing(slots)
        self._count = Lock()
        self._hashes_done = 0
        self._unreadable_hashes = 0
        # Random bytes in place of a hash: verifying costs the same, and no password is known to match.
        self._decoy = _phc(profile, os.urandom(_SALT_BYTES), os.urandom(_HASH_BYTES))

    @property
    def in_use(self) -> int:
        """How many hashes are being computed now."""
        return self._gate.in_use

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn now."""
        return self._gate.waiting

    @property
    def turned_away(self) -> int:
        """How many calls did not get their turn since the start, because the queue was full or the wait too long."""
        return self._gate.turned_away

    @property
    def hashes_done(self) -> int:
        """How many hashes were computed since the start."""
        return self._hashes_done

    @property
    def unreadable_hashes(self) -> int:
        """How many stored hashes could not be read since the start: a damaged row, for the operator."""
        return self._unreadable_hashes

    def hash(self, password: bytes) -> str:
        """A new hash in PHC form, with a random salt of 16 bytes. Raises Busy when too many are waiting."""
        profile = self.profile
        with self._gate:
            try:
                made = self._computing.run(
                    partial(
                        hash_secret,
                        password,
                        os.urandom(_SALT_BYTES),
                        time_cost=profile.time_cost,
                        memory_cost=profile.memory_kib,
                        parallelism=profile.parallelism,
                        hash_len=_HASH_BYTES,
                        type=Type.ID,
                    )
                )
            except HashingError as error:
                raise Busy(_RETRY_AFTER, detail=f"Argon2: {error}") from None
        self._done()
        return made.decode("ascii")

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified | Wrong:
        """Whether `password` is the one behind `stored`; None, where there is no account, is always Wrong.

        `as_typed` is the same password before it was normalised: other systems hashed that. Where the two differ both
        are tried, whatever is stored. A stored text that `refusal_of` refuses is Wrong too. Raises Busy when too many
        are waiting or the memory for the computation is not there.
        """
        found = None if stored is None else read_hash(stored)
        forms = (password,) if as_typed in {None, password} else (password, as_typed or b"")
        if isinstance(found, Unusable):
            with self._count:
                self._unreadable_hashes += 1
        if stored is None or found is None or isinstance(found, Unusable):
            self._computed(Argon2Hash(self._decoy, Type.ID), forms)
            return Wrong()
        if not self._computed(found, forms):
            return Wrong()
        return Verified(needs_rehash=not stored.startswith(_phc_head(self.profile)))

    def refusal_of(self, stored: str) -> str | None:
        """Why a text would never be verified, as one sentence; None where it would. Computes nothing."""
        found = read_hash(stored)
        return found.says if isinstance(found, Unusable) else None

    def decoy_like(self, stored: str) -> str | None:
        """A hash that costs what `stored` costs and that no password is known to match; None if it is unreadable."""
        return decoy_like(stored)

    def _computed(self, stored: StoredHash, forms: Sequence[bytes]) -> bool:
        with self._gate:
            try:
                # All of them, though the first may match: how long a refusal takes must not tell which did.
                matches = [self._matches(stored, form) for form in forms]
            except OutOfMemory as error:
                raise Busy(_RETRY_AFTER, detail=str(error)) from None
        return any(matches)

    def _matches(self, stored: StoredHash, form: bytes) -> bool:
        found = self._computing.run(partial(stored.matches, form))
        self._done()
        return found

    def close(self) -> None:
        """Let the threads end that compute hashes. Later calls begin others."""
        self._computing.close()

    def _done(self) -> None:
        with self._count:
            self._hashes_done += 1


def _phc_head(profile: Profile) -> str:
    return f"$argon2id$v=19$m={profile.memory_kib},t={profile.time_cost},p={profile.parallelism}$"


def _phc(profile: Profile, salt: bytes, digest: bytes) -> str:
    parts = (b64encode(part).decode("ascii").rstrip("=") for part in (salt, digest))
    return _phc_head(profile) + "$".join(parts)
