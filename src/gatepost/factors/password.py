"""The password factor: Argon2id hashes, made and verified behind a bounded gate.

Owns the named profiles, the equal work for known and unknown accounts, and how many hashes run at once. Knows no
account, no rule about passwords and no clock. Plain blocking calls from the services, any number of threads.
"""

import os
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections import deque
from dataclasses import dataclass
from threading import Event, Lock
from types import TracebackType
from typing import Final

from argon2 import Type
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError
from argon2.low_level import hash_secret, verify_secret

from gatepost.core.passwords import Verified, Wrong
from gatepost.errors import Busy

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_RETRY_AFTER: Final = 1

# The store is not trusted with how much memory we take: a hash that asks for more than this is not verified. It lies
# above what other systems use by default, so that their hashes can come along.
_MOST_MEMORY_KIB: Final = 262_144
_MOST_TIME_COST: Final = 32
_MOST_LANES: Final = 16

_PHC: Final = re.compile(
    r"\$(?P<type>argon2id|argon2i)\$v=(?P<version>16|19)"
    r"\$m=(?P<memory>[1-9]\d{0,6}),t=(?P<time>[1-9]\d{0,2}),p=(?P<lanes>[1-9]\d?)"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<hash>[A-Za-z0-9+/]{16,86})",
    re.ASCII,
)
_TYPES: Final = {"argon2id": Type.ID, "argon2i": Type.I}


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
        lanes = 1 <= self.parallelism <= _MOST_LANES
        memory = 8 * self.parallelism <= self.memory_kib <= _MOST_MEMORY_KIB
        if not (lanes and memory and 1 <= self.time_cost <= _MOST_TIME_COST):
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
        self.turned_away = 0

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

    Every call computes Argon2 exactly once, so a call without an account takes as long as one with. The one exception
    is a stored hash of another profile: it costs what it cost when it was made, and so could tell that the account
    exists, until the next sign-in rehashes it. Memory stays below `slots` times the memory of the costliest hash.
    """

    def __init__(self, profile: Profile, *, slots: int, queue: int, wait: float) -> None:
        """`slots` is best the number of cores; `wait` is in seconds. Raises ValueError for impossible numbers."""
        self.profile = profile
        self._gate = Gate(slots, queue, wait)
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
        """How many times Argon2 was computed since the start."""
        return self._hashes_done

    @property
    def unreadable_hashes(self) -> int:
        """How many stored hashes could not be read since the start: a damaged or foreign row, for the operator."""
        return self._unreadable_hashes

    def hash(self, password: bytes) -> str:
        """A new hash in PHC form, with a random salt of 16 bytes. Raises Busy when too many are waiting."""
        profile = self.profile
        with self._gate:
            try:
                made = hash_secret(
                    password,
                    os.urandom(_SALT_BYTES),
                    time_cost=profile.time_cost,
                    memory_cost=profile.memory_kib,
                    parallelism=profile.parallelism,
                    hash_len=_HASH_BYTES,
                    type=Type.ID,
                )
            except HashingError as error:
                raise Busy(_RETRY_AFTER, detail=f"Argon2: {error}") from None
        self._done()
        return made.decode("ascii")

    def verify(self, stored: str | None, password: bytes) -> Verified | Wrong:
        """Whether `password` is the one behind `stored`; None, where there is no account, is always Wrong.

        A stored text that is not an Argon2 hash, or asks for more than 256 MiB, 32 passes or 16 lanes, is Wrong too.
        Raises Busy when too many are waiting or the memory for the computation is not there.
        """
        kind = None if stored is None else _readable(stored)
        if stored is not None and kind is None:
            with self._count:
                self._unreadable_hashes += 1
        if stored is None or kind is None:
            self._computed(self._decoy, password, Type.ID)
            return Wrong()
        if not self._computed(stored, password, kind):
            return Wrong()
        return Verified(needs_rehash=not stored.startswith(_phc_head(self.profile)))

    def _computed(self, stored: str, password: bytes, kind: Type) -> bool:
        with self._gate:
            matches = True
            try:
                verify_secret(stored.encode("ascii"), password, kind)
            except VerifyMismatchError:
                matches = False
            except VerificationError as error:
                raise Busy(_RETRY_AFTER, detail=f"Argon2: {error}") from None
        self._done()
        return matches

    def _done(self) -> None:
        with self._count:
            self._hashes_done += 1


def _phc_head(profile: Profile) -> str:
    return f"$argon2id$v=19$m={profile.memory_kib},t={profile.time_cost},p={profile.parallelism}$"


def _phc(profile: Profile, salt: bytes, digest: bytes) -> str:
    parts = (b64encode(part).decode("ascii").rstrip("=") for part in (salt, digest))
    return _phc_head(profile) + "$".join(parts)


def _readable(stored: str) -> Type | None:
    """The variant of Argon2, if the library will read this text and it stays within our bounds."""
    found = _PHC.fullmatch(stored)
    if found is None:
        return None
    memory, time, lanes = (int(found[name]) for name in ("memory", "time", "lanes"))
    if memory > _MOST_MEMORY_KIB or time > _MOST_TIME_COST or lanes > _MOST_LANES or memory < 8 * lanes:
        return None
    if not (_is_canonical(found["salt"]) and _is_canonical(found["hash"])):
        return None
    return _TYPES[found["type"]]


def _is_canonical(text: str) -> bool:
    """Whether unpadded base64 has no stray bits; the library refuses them before it computes anything."""
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except NotBase64:
        return False
    return b64encode(raw).decode("ascii").rstrip("=") == text
