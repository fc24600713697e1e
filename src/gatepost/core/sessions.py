"""The session: the server's record of one sign-in, and whether it still stands.

Owns the record, the carriers' names and the decision on idle time, absolute time and endings. Does not know how a
carrier looks on the wire (carriers/) or where records lie (stores/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from gatepost.core.accounts import Account

FIRST_PARTY = "first-party"
# Clocks that are further apart than this are not skewed, one of them was set. Less would refuse what a neighbour has
# issued whose clock is a minute or two ahead, and each renewal of it again.
AHEAD: Final = timedelta(minutes=5)


class Carrier(StrEnum):
    """How a client holds its session."""

    COOKIE = "cookie"
    SEALED = "sealed"
    TOKEN = "token"
    TOKEN_COOKIE = "token-cookie"


REFRESHING: Final = frozenset({Carrier.TOKEN, Carrier.TOKEN_COOKIE})
"""The carriers with a refresh token, whose session has no handle of its own."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, in words a person understands: "203.0.113.7", "Firefox on Linux"."""

    address: str
    device: str


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, or a visit before it (`account_id` None).

    `handle` is the SHA-256 of the opaque cookie, None where the carrier is another. `pos` is the log position read
    before the state this record was made from. `last_seen_at` moves by touches, which do not count as a version.
    """

    id: str
    carrier: Carrier
    account_id: str | None
    handle: bytes | None = field(repr=False)
    started_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    device: str
    address: str
    pos: int
    client_id: str = FIRST_PARTY
    data: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with all that decides about it, read in one snapshot at log position `pos`.

    `everyone_ended` and `client_ended` are the positions of the newest fact that ended everything, and everything of
    the session's client.
    """

    session: Session
    account: Account | None
    everyone_ended: int
    pos: int
    client_ended: int = 0

    @property
    def ended(self) -> int:
        """The position of the newest fact that ended everyone, the client or the account; what is older is over."""
        account_ended = self.account.ended_pos if self.account else 0
        return max(self.everyone_ended, self.client_ended, account_ended)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long sessions last and how many an account may have."""

    idle: timedelta
    absolute: timedelta
    visitor_idle: timedelta
    visitor_empty: timedelta
    per_account: int

    def idle_of(self, session: Session) -> timedelta:
        """How long this session may rest. A visit that holds no data is forgotten soonest."""
        if session.account_id is not None:
            return self.idle
        return self.visitor_idle if session.data else self.visitor_empty

    def idle_expiry(self, session: Session, seen: datetime | None = None) -> datetime:
        """The moment at which the session ends unless it is used; `seen` is its last use if the record is older."""
        return min((seen or session.last_seen_at) + self.idle_of(session), session.expires_at)


@dataclass(frozen=True, slots=True)
class Alive:
    """The session stands until `until`, unless it is touched or ended."""

    until: datetime


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Idle for too long, or past its absolute end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Its account is locked or gone, or a fact newer than the session ended it, its client or everyone."""


def decide_session(view: SessionView, limits: SessionLimits, now: datetime) -> Alive | TimedOut | Ended:
    """Whether a session from durable storage stands at `now`. The very second of its end is already over."""
    session, account = view.session, view.account
    if session.pos < view.ended:
        return Ended()
    if session.account_id is not None and (account is None or account.locked_at is not None):
        return Ended()
    until = limits.idle_expiry(session)
    return Alive(until) if now < until else TimedOut()


def surplus(sessions: list[Session], limits: SessionLimits) -> list[Session]:
    """The sessions of one account that must end so that a new one keeps the cap: those idle for longest."""
    too_many = len(sessions) + 1 - limits.per_account
    return sorted(sessions, key=lambda session: session.last_seen_at)[: max(0, too_many)]
