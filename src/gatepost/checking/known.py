"""What a process has verified and may remember: a session's record or a token, with the moments at which it ends.

Owns these values and how they are made of a record or of claims. Decides nothing and keeps nothing; the guard does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import NamedTuple

from gatepost.carriers.presented import Presented, SealedCookie, TokenCookies
from gatepost.carriers.sealed import Opened
from gatepost.carriers.tokens import Verified
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing, Subject
from gatepost.core.sessions import Carrier, SessionView
from gatepost.errors import Expired, Outdated, Refused, Revoked

Granted = Callable[[tuple[str, ...]], tuple[tuple[str, ...], frozenset[str]]]
"""Roles, as they are shared by all who have them, and what they permit."""


@dataclass(slots=True)
class Known(Subject):
    """Something this process has verified: for whom it stands, and until when that may be believed.

    Moments of the boot clock, in seconds: a wall clock that is set must not lengthen what is believed. Nor is it
    worth reading at every check, which takes a fifth of one.
    """

    who: Principal | Visitor
    until: float
    touch_at: float


@dataclass(frozen=True, slots=True)
class Load:
    """The session behind this digest is not known here, or has to be read again."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Our knowledge of the log is older than the bound. `known` would be let in if it were not."""

    presented: Presented
    handle: bytes
    known: Known


@dataclass(frozen=True, slots=True)
class Renewal:
    """The carrier does not stand any more, and may be renewed from what it holds; else it is refused for `reason`.

    `fresh` says whether the log was heard of within the bound: where it was not, nothing may be rotated yet.
    """

    presented: SealedCookie | TokenCookies
    reason: Refused
    fresh: bool


class Moment(NamedTuple):
    """One moment on both clocks."""

    now: datetime
    boot: float

    def on_boot_clock(self, wall: datetime) -> float:
        """When the boot clock will show what the wall clock calls `wall`."""
        # A tenth of a microsecond early: rounded up, the sum would let the very moment of an end pass.
        return self.boot + (wall - self.now).total_seconds() - 1e-7

    def second_on_boot_clock(self, second: int) -> float:
        """The same for whole seconds since 1970, which need not become a date for it."""
        # Earlier still, by what a moment of this century loses as a number of seconds.
        return self.boot + (second - self.now.timestamp()) - 4e-7


def known_session(view: SessionView, granted: Granted, *, until: float, touch_at: float) -> Known:
    """A session as it was read."""
    session = view.session
    return Known(
        pos=view.pos,
        session_id=session.id,
        account_id=session.account_id,
        client_id=intern(session.client_id),
        jti=None,
        kid=None,
        who=_who(view, granted),
        until=until,
        touch_at=touch_at,
    )


def known_token(verified: Verified, granted: Granted, read: Moment, carrier: Carrier) -> Known:
    """A token whose signature and claims were checked at that moment. Its use is noted at once."""
    claims, kid = verified
    roles, permissions = granted(claims.roles)
    began = datetime.fromtimestamp(claims.auth_time, UTC)
    # By place, in the order of the fields: by name it takes a third longer, at every first sight of a token.
    who = Principal(claims.sub, claims.sid, roles, permissions, carrier, began, None)
    until = read.second_on_boot_clock(claims.exp)
    client = intern(claims.client_id)
    return Known(claims.pos, claims.sid, claims.sub, client, claims.jti, kid, who, until, read.boot)


def known_sealed(opened: Opened, granted: Granted, *, until: float, touch_at: float) -> Known:
    """A session out of its sealed cookie."""
    contents = opened.contents
    account, session = contents.account, contents.session
    who: Principal | Visitor = Visitor(session.id, session.carrier, session.started_at)
    if account is not None:
        roles, permissions = granted(account.roles)
        who = Principal(
            account_id=account.id,
            session_id=session.id,
            roles=roles,
            permissions=permissions,
            carrier=session.carrier,
            authenticated_at=session.started_at,
            email=account.email,
        )
    return Known(
        pos=contents.pos,
        session_id=session.id,
        account_id=session.account_id,
        client_id=intern(session.client_id),
        jti=None,
        kid=opened.kid,
        who=who,
        until=until,
        touch_at=touch_at,
    )


def why(known: Known, standing: Standing, boot: float) -> Refused:
    """Why something known is refused at this moment of the boot clock."""
    if known.jti is not None and boot >= known.until:
        return Expired(detail="the token's time is over")
    return (Revoked if standing is Standing.ENDED else Outdated)(detail="the log says so")


def _who(view: SessionView, granted: Granted) -> Principal | Visitor:
    session, account = view.session, view.account
    if account is None:
        return Visitor(session.id, session.carrier, session.started_at)
    roles, permissions = granted(account.roles)
    return Principal(
        account_id=account.id,
        session_id=session.id,
        roles=roles,
        permissions=permissions,
        carrier=session.carrier,
        authenticated_at=session.started_at,
        email=account.email.typed,
    )
