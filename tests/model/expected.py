"""The model: what is true of every sign-in, in plain dictionaries and sets, and what follows for whoever asks.

Knows nothing of stores, positions in records, caches or threads. Where clocks leave a choice open (a wall clock was
set, a note of use was not flushed) it says MAY; everywhere else it says MUST or MUST_NOT. The state machine asks it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from gatepost.core.sessions import Carrier

HORIZON: Final = timedelta(minutes=10)
IDLE: Final = timedelta(hours=1)
VISITOR_IDLE: Final = timedelta(minutes=30)
VISITOR_EMPTY: Final = timedelta(minutes=10)
GRACE: Final = timedelta(seconds=10)
# What says that it was issued later than so long from now was issued before the wall clock was set back.
AHEAD: Final = timedelta(minutes=5)
NOTED_EVERY: Final = timedelta(minutes=1)
# After so long nothing is cached any more that was loaded before a wall clock was set.
CALM: Final = (HORIZON / 2 + NOTED_EVERY).total_seconds() + 1


class Verdict(Enum):
    """Whether something is to be accepted."""

    MUST = "must be accepted"
    MAY = "may be either"
    MUST_NOT = "must be refused"


@dataclass(frozen=True)
class Moment:
    """Now, on both clocks; `calm` while nobody has set the wall clock for long."""

    now: datetime
    boot: float
    calm: bool


@dataclass
class Person:
    """An account. `roles` are all it ever had, each with the position from which on."""

    id: str
    email: str
    password: str
    roles: list[tuple[int, tuple[str, ...]]]
    locked: bool = False


@dataclass
class Access:
    """An access token: as issued, and the positions of the facts that ended it or outdated it."""

    text: str
    jti: str
    roles: tuple[str, ...]
    pos: int
    issued_at: datetime
    expires_at: datetime
    endings: list[int] = field(default_factory=list)
    outdatings: list[int] = field(default_factory=list)


@dataclass
class Use:
    """The first use of a refresh token, and whether its answer is still kept."""

    at: datetime
    kept: bool = True


@dataclass
class Chain:
    """Every refresh token a session was ever given, the newest last, each with the pair that came with it.

    `uses` are those of all but the newest, in the same order. In cookies (`longer`) a used token has a longer grace.
    """

    tokens: list[str]
    expires_at: datetime
    answers: list[tuple[str, str]]
    longer: bool = False
    uses: list[Use] = field(default_factory=list)

    @property
    def longest(self) -> timedelta:
        """After this time no used token gets an answer."""
        return HORIZON if self.longer else GRACE

    def age(self, token: str) -> int:
        """How many generations old a token is."""
        return len(self.tokens) - 1 - self.tokens.index(token)


@dataclass(frozen=True)
class Copy:
    """A sealed cookie, what the session held when it was sealed, and when that was (boot clock)."""

    text: str
    data: dict[str, Any]
    boot: float


@dataclass
class Sitting:
    """One session, and the positions of the facts that ended it.

    `seen_after` is when it was used at least, durably; `seen_before` at most, anywhere. `held` is which of the pairs of
    tokens lies in the browser's cookies.
    """

    id: str
    person: Person | None
    carrier: Carrier
    started_at: datetime
    expires_at: datetime
    seen_after: datetime
    seen_before: datetime
    data: dict[str, Any]
    cookie: str = ""
    copies: list[Copy] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    chain: Chain | None = None
    held: int = 0
    endings: list[int] = field(default_factory=list)
    swept: Verdict = Verdict.MUST_NOT
    client_ended: bool = False

    @property
    def rest(self) -> timedelta:
        """How long it may go unused."""
        if self.person is not None:
            return IDLE
        return VISITOR_IDLE if self.data else VISITOR_EMPTY


@dataclass
class Memory:
    """What one server process may hold in memory, as far as it can be known from outside.

    `heard` is the position it has read to, `heard_at` when it last asked and could say so (boot clock), `own` the
    facts it committed itself. `believed` says until when (boot clock) a session may be answered without the store,
    `known` until when a token is; `noted` is what it has not flushed, `wall` what the wall clock said when the boot
    clock began.
    """

    heard: int = -1
    heard_at: float = float("-inf")
    floor: int = 0
    own: set[int] = field(default_factory=set)
    believed: dict[str, float] = field(default_factory=dict)
    known: dict[str, float] = field(default_factory=dict)
    noted: dict[str, datetime] = field(default_factory=dict)
    wall: datetime | None = None

    def wakes(self, at: Moment) -> None:
        """It is about to ask the log. If the wall clock was set since it last did, it verifies everything anew."""
        wall = at.now - timedelta(seconds=at.boot)
        if self.wall not in {None, wall}:
            self.believed.clear()
            self.known.clear()
        self.wall = wall

    def knows(self, seq: int) -> bool:
        """Whether a fact bites here."""
        return seq <= self.heard or seq in self.own

    def knows_any(self, facts: Iterable[int]) -> bool:
        """Whether one of several does."""
        return any(map(self.knows, facts))

    def used(self, sitting: Sitting, at: Moment) -> None:
        """A session was accepted here: it is noted once a minute, at the latest."""
        sitting.seen_before = max(sitting.seen_before, at.now)
        # A note is overwritten by a later one even if the wall clock was set back in between.
        note = min(self.noted.get(sitting.id, sitting.seen_after), at.now)
        self.noted[sitting.id] = max(note, at.now - NOTED_EVERY) if at.calm else note

    def flush(self, sittings: Mapping[str, Sitting]) -> None:
        """What was noted is durable."""
        for session_id, noted in self.noted.items():
            sittings[session_id].seen_after = max(sittings[session_id].seen_after, noted)
        self.noted.clear()


def by_time(sitting: Sitting, now: datetime, noted: datetime | None = None) -> Verdict:
    """Whether a session that nobody ended is within its times by the durable truth and one server's notes."""
    if now >= sitting.expires_at or now >= sitting.seen_before + sitting.rest:
        return Verdict.MUST_NOT
    if sitting.swept is not Verdict.MUST_NOT:
        return Verdict.MUST_NOT if sitting.swept is Verdict.MUST else Verdict.MAY
    seen = max(sitting.seen_after, noted or sitting.seen_after)
    return Verdict.MUST if now < seen + sitting.rest else Verdict.MAY


def durable(sitting: Sitting, now: datetime) -> Verdict:
    """Whether whoever reads the store finds the session standing."""
    if sitting.endings:
        return Verdict.MUST_NOT
    verdict = by_time(sitting, now)
    return Verdict.MAY if sitting.client_ended and verdict is Verdict.MUST else verdict


def cookie(sitting: Sitting, memory: Memory, at: Moment) -> Verdict:
    """Whether a server with a fresh lease accepts a cookie."""
    remembered = at.boot < memory.believed.get(sitting.id, float("-inf"))
    if sitting.endings:
        heard = memory.knows_any(sitting.endings) or not remembered
        return Verdict.MUST_NOT if heard else Verdict.MAY
    verdict = by_time(sitting, at.now, memory.noted.get(sitting.id))
    if remembered and verdict is Verdict.MUST_NOT:
        return Verdict.MAY
    return Verdict.MAY if sitting.client_ended else verdict


def sealed(sitting: Sitting, copy: Copy, memory: Memory, at: Moment) -> Verdict:
    """Whether a server with a fresh lease accepts a copy of a sealed cookie, renewed or not."""
    if sitting.endings:
        return Verdict.MUST_NOT if memory.knows_any(sitting.endings) else Verdict.MAY
    verdict = by_time(sitting, at.now, memory.noted.get(sitting.id))
    if verdict is Verdict.MUST_NOT and (copy is not sitting.copies[-1] or not at.calm):
        # By what an older copy says, or a clock that was set since it was sealed, there may be time left.
        return Verdict.MAY
    return Verdict.MAY if sitting.client_ended and verdict is Verdict.MUST else verdict


def swept(sitting: Sitting, now: datetime) -> None:
    """A sweep came by: what was over is gone, what only may have been over may be gone."""
    verdict = by_time(sitting, now)
    if verdict is Verdict.MUST_NOT:
        sitting.swept = Verdict.MUST
    elif verdict is Verdict.MAY:
        sitting.swept = Verdict.MAY
    chain = sitting.chain
    if chain is None or not chain.uses or not chain.uses[-1].kept:
        return
    used_at = chain.uses[-1].at
    if now >= used_at + chain.longest:
        chain.uses[-1].kept = False
    if now >= used_at + min(chain.longest, GRACE):
        # Of a token before that only the grace after its successor's first use is left.
        for use in chain.uses[:-1]:
            use.kept = False


def roles_at(person: Person, memory: Memory) -> set[tuple[str, ...]]:
    """The roles a server may say somebody has: what is true now, or was true since it last heard."""
    last = max(index for index, (seq, _) in enumerate(person.roles) if index == 0 or memory.knows(seq))
    return {roles for _, roles in person.roles[last:]}


def administers(person: Person) -> bool:
    """Whether somebody can sign in as an administrator."""
    return "admin" in person.roles[-1][1] and not person.locked


def merged(target: object, patch: object) -> object:
    """RFC 7396 section 2, word for word."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def meaning(chain: Chain, age: int, now: datetime) -> str:
    """What a refresh token so many generations old is, if its session stands."""
    if now >= chain.expires_at:
        return "expired"
    if age == 0:
        return "rotate"
    if age > (2 if chain.longer else 1):
        return "replay"
    use, last = chain.uses[-age], chain.uses[-1]
    end = use.at + chain.longest
    if age == 2:
        end = min(end, last.at + GRACE)
    if not use.kept or now >= end:
        return "replay"
    # By a clock that was set back the use is still to come: no answer, and nothing happens.
    return "ahead" if max(use.at, last.at) > now + AHEAD else "repeat"
