"""Facts, positions, and the set that says whether a carrier still stands.

A fact is a row of the revocation log: something ended early, or became outdated. A carrier or cached record carries
`pos`, the position its issuer had read before the state it speaks of. A fact at position s on an account, a client or
everyone hits exactly what has `pos < s`; facts on a token, session or key hit by name. There is no clock in here.
Guards ask, followers fold; nobody else changes a set.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, assert_never

_NOTHING: Final = -1


@dataclass(frozen=True, slots=True)
class TokenEnded:
    """One access token, named by its `jti`: never by its text, which can be re-encoded (RFC 8725)."""

    jti: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """One session, and so every carrier of it."""

    session_id: str


@dataclass(frozen=True, slots=True)
class AccountEnded:
    """Every session of an account that is older than this fact, but for `keep` (a session id) if it is given."""

    account_id: str
    keep: str | None = None


@dataclass(frozen=True, slots=True)
class AccountOutdated:
    """What is known of an account (its roles) has changed: renew, do not sign in again."""

    account_id: str


@dataclass(frozen=True, slots=True)
class ClientEnded:
    """Everything issued to one OAuth client before this fact."""

    client_id: str


@dataclass(frozen=True, slots=True)
class KeyEnded:
    """Every token signed by one key, named by its `kid`."""

    kid: str


@dataclass(frozen=True, slots=True)
class EveryoneEnded:
    """Every session there was before this fact."""


@dataclass(frozen=True, slots=True)
class EveryoneOutdated:
    """What roles mean has changed for all."""


Fact = (
    TokenEnded
    | SessionEnded
    | AccountEnded
    | AccountOutdated
    | ClientEnded
    | KeyEnded
    | EveryoneEnded
    | EveryoneOutdated
)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in one log: the log's id, the sequence, and the random tag of the row found there.

    Outside Gatepost it is one opaque text. The tag is what tells a restored copy, where the same sequence names
    another row, from the log that a reader followed before.
    """

    log: str
    seq: int
    tag: str

    def __str__(self) -> str:
        return f"{self.log}.{self.seq}.{self.tag}"


def parse_position(text: str) -> Position | None:
    """The position a text stands for, or None."""
    parts = text.split(".")
    if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()) or len(text) > 120:
        return None
    return Position(parts[0], int(parts[1]), parts[2])


@dataclass(frozen=True, slots=True)
class Logged:
    """A fact with its place in commit order and the moment its writer committed it (for people, not for logic).

    `tag` is that of its row, so that `Position(log, seq, tag)` is the place after it.
    """

    seq: int
    fact: Fact
    at: datetime
    tag: str = field(default="", compare=False)


@dataclass(slots=True)
class Subject:
    """What facts can hit: who and what a carrier or a cached record speaks for, and since which position."""

    pos: int
    session_id: str
    account_id: str | None
    client_id: str
    jti: str | None
    kid: str | None


class Standing(Enum):
    """What the log says of a subject."""

    LIVE = "live"
    ENDED = "ended"
    OUTDATED = "outdated"


# A look-up in an enumeration costs as much as one among the facts.
_LIVE: Final = Standing.LIVE
_ENDED: Final = Standing.ENDED
_OUTDATED: Final = Standing.OUTDATED


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest ending of an account that kept a session, and the newest of them that hits even this session."""

    seq: int
    keep: str
    keep_seq: int

    def merged(self, seq: int, keep: str) -> "_Kept":
        if seq > self.seq:
            return _Kept(seq, keep, self.keep_seq if keep == self.keep else self.seq)
        if seq < self.seq and keep != self.keep:
            return _Kept(self.seq, self.keep, max(self.keep_seq, seq))
        return self


_NONE_KEPT: Final = _Kept(_NOTHING, "", _NOTHING)


class RevocationSet:
    """The live facts of a log in memory: one fold, one question.

    Folding is idempotent and does not depend on order, so a process may apply a fact of its own before the follower
    reads it from the log. One thread folds at a time; any number may ask meanwhile.
    """

    __slots__ = (
        "_accounts",
        "_clients",
        "_everyone",
        "_everyone_outdated",
        "_floor",
        "_kept",
        "_keys",
        "_outdated",
        "_sessions",
        "_tokens",
    )

    def __init__(self, floor: int = 0) -> None:
        self._floor = floor
        self._tokens: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._clients: dict[str, int] = {}
        self._accounts: dict[str, int] = {}
        self._kept: dict[str, _Kept] = {}
        self._outdated: dict[str, int] = {}
        self._everyone = _NOTHING
        self._everyone_outdated = _NOTHING

    def __len__(self) -> int:
        named = sum(map(len, (self._tokens, self._sessions, self._keys, self._clients, self._outdated)))
        accounts = len(self._accounts.keys() | self._kept.keys())
        return named + accounts + (self._everyone > _NOTHING) + (self._everyone_outdated > _NOTHING)

    @property
    def floor(self) -> int:
        """Facts up to this sequence have been forgotten here."""
        return self._floor

    def fold(self, seq: int, fact: Fact) -> None:
        """Take one fact in."""
        match fact:
            case TokenEnded(jti):
                _raise_to(self._tokens, jti, seq)
            case SessionEnded(session_id):
                _raise_to(self._sessions, session_id, seq)
            case KeyEnded(kid):
                _raise_to(self._keys, kid, seq)
            case ClientEnded(client_id):
                _raise_to(self._clients, client_id, seq)
            case AccountOutdated(account_id):
                _raise_to(self._outdated, account_id, seq)
            case AccountEnded(account_id, keep):
                if keep is None:
                    _raise_to(self._accounts, account_id, seq)
                else:
                    self._kept[account_id] = self._kept.get(account_id, _NONE_KEPT).merged(seq, keep)
            case EveryoneEnded():
                self._everyone = max(self._everyone, seq)
            case EveryoneOutdated():
                self._everyone_outdated = max(self._everyone_outdated, seq)
            case never:
                assert_never(never)

    def covers(self, subject: Subject) -> Standing:
        """What the facts say of a subject: a few dictionary look-ups, no I/O.

        A subject older than the floor may have been hit by a fact that is forgotten here. Nobody can say any more, so
        it is outdated: the durable truth, which forgets nothing, is asked. That is also why a wall clock that was
        turned back revives nothing.
        """
        pos = subject.pos
        account_id = subject.account_id
        if (
            pos < self._everyone
            or subject.session_id in self._sessions
            or subject.jti in self._tokens
            or (self._keys and subject.kid in self._keys)
            or (self._clients and pos < self._clients.get(subject.client_id, _NOTHING))
        ):
            return _ENDED
        if account_id is not None:
            # `in` first: nearly every account is in none of them, and calling `get` takes twice as long.
            if account_id in self._accounts and pos < self._accounts.get(account_id, _NOTHING):
                return _ENDED
            if account_id in self._kept:
                mark = self._kept.get(account_id, _NONE_KEPT)
                if pos < (mark.keep_seq if mark.keep == subject.session_id else mark.seq):
                    return _ENDED
            if account_id in self._outdated and pos < self._outdated.get(account_id, _NOTHING):
                return _OUTDATED
        if pos < self._floor or pos < self._everyone_outdated:
            return _OUTDATED
        return _LIVE

    def told(self) -> list[tuple[int, Fact]]:
        """Facts that say to another set what these say to this one, in commit order.

        Any thread may ask while another folds: each part is copied in one step. What of the floor that goes with them,
        `floor` says afterwards.
        """
        found: list[tuple[int, Fact]] = []
        found += [(seq, TokenEnded(jti)) for jti, seq in self._tokens.copy().items()]
        found += [(seq, SessionEnded(session_id)) for session_id, seq in self._sessions.copy().items()]
        found += [(seq, KeyEnded(kid)) for kid, seq in self._keys.copy().items()]
        found += [(seq, ClientEnded(client_id)) for client_id, seq in self._clients.copy().items()]
        found += [(seq, AccountOutdated(account_id)) for account_id, seq in self._outdated.copy().items()]
        found += [(seq, AccountEnded(account_id)) for account_id, seq in self._accounts.copy().items()]
        for account_id, mark in self._kept.copy().items():
            found.append((mark.seq, AccountEnded(account_id, mark.keep)))
            if mark.keep_seq > _NOTHING:
                # Whoever it kept aside: what came later hits everybody but that one session.
                found.append((mark.keep_seq, AccountEnded(account_id)))
        for seq, fact in ((self._everyone, EveryoneEnded()), (self._everyone_outdated, EveryoneOutdated())):
            if seq > _NOTHING:
                found.append((seq, fact))
        return sorted(found, key=_by_seq)

    def forget(self, floor: int) -> None:
        """Drop the facts up to a floor that the log has published."""
        if floor <= self._floor:
            return
        # The floor rises first: between the two a subject is judged outdated too early, never live too long.
        self._floor = floor
        for named in (self._tokens, self._sessions, self._keys):
            while named and named[first := next(iter(named))] <= floor:
                del named[first]
        # A mark that was raised keeps its old place, so these are not in order. They are few: made anew, swapped whole.
        self._clients = {name: seq for name, seq in self._clients.items() if seq > floor}
        self._outdated = {name: seq for name, seq in self._outdated.items() if seq > floor}
        self._accounts = {name: seq for name, seq in self._accounts.items() if seq > floor}
        self._kept = {name: mark for name, mark in self._kept.items() if mark.seq > floor}


def _by_seq(told: tuple[int, Fact]) -> int:
    return told[0]


def _raise_to(marks: dict[str, int], name: str, seq: int) -> None:
    # One assignment: were the entry taken out first, a guard asking in between would find nothing.
    marks[name] = max(seq, marks.get(name, _NOTHING))
