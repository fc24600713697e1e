"""The check: a presented carrier in, a `Principal` or a refusal out.

Owns the caches of what this process has already verified, bounded in number and age. A known cookie and a known token
cost a digest and a few dictionary look-ups. The guard decides what is missing (`Load`, `CatchUp`) as one pure step;
a sync and an async face around it fetch that. It never writes; what was seen it hands to whoever flushes touches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from anyio import to_thread

from gatepost.carriers import tokens
from gatepost.carriers.keys import KeyRing
from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, Presented, has_handle_shape
from gatepost.checking.follower import Follower
from gatepost.core.permissions import permissions_of
from gatepost.core.ports import Clock, SessionStore
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing, Subject
from gatepost.core.secrets import digest
from gatepost.core.sessions import Alive, Carrier, Ended, SessionLimits, SessionView, TimedOut, decide_session
from gatepost.errors import AmbiguousCredentials, Expired, Malformed, Outdated, Revoked, SignedOut, Stale

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What a guard checks against. `audience` is this service; `horizon` bounds the age of what is remembered."""

    issuer: str
    audience: str
    limits: SessionLimits
    roles: Mapping[str, tuple[str, ...]]
    horizon: timedelta
    most_known: int = 1_000_000

    @property
    def touch_every(self) -> timedelta:
        """How often a session in use is noted: a tenth of its idle time, at most a minute."""
        return min(self.limits.idle / 10, self.limits.visitor_empty / 10, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Load:
    """The session behind this digest is not known here, or has to be read again."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Our knowledge of the log is older than the bound."""


@dataclass(slots=True)
class Known(Subject):
    """Something this process has verified: for whom it stands, and until when that may be believed."""

    who: Principal | Visitor
    until: datetime
    touch_at: datetime


class Guard:
    """Checks carriers against memory."""

    def __init__(
        self, ring: KeyRing, follower: Follower, sessions: SessionStore, clock: Clock, rules: GuardRules
    ) -> None:
        self._ring = ring
        self._follower = follower
        self._sessions = sessions
        self._clock = clock
        self._rules = rules
        self._cookies: dict[bytes, Known] = {}
        self._tokens: dict[bytes, Known] = {}
        self._seen: dict[str, datetime] = {}

    def check(self, presented: Presented) -> Principal | Visitor:
        """Who presents this, for callers that may block. Raises `SignedOut`, `AmbiguousCredentials` or `Refused`."""
        for _ in range(_TRIES):
            match self.step(presented):
                case Load(handle):
                    self.admit(handle, self._sessions.session_by_handle(handle))
                case CatchUp():
                    self.require_caught_up(self._follower.catch_up())
                case who:
                    return who
        raise Revoked(detail="the session was ended while it was read")

    async def check_async(self, presented: Presented) -> Principal | Visitor:
        """The same as `check`, without blocking the event loop. A known carrier is answered without awaiting."""
        for _ in range(_TRIES):
            match self.step(presented):
                case Load(handle):
                    self.admit(handle, await self._load_async(handle))
                case CatchUp():
                    self.require_caught_up(await to_thread.run_sync(self._follower.catch_up))
                case who:
                    return who
        raise Revoked(detail="the session was ended while it was read")

    async def _load_async(self, handle: bytes) -> SessionView | None:
        # A thread hop costs ten times what an embedded database takes for a point read.
        if self._sessions.reads_inline:
            return self._sessions.session_by_handle(handle)
        return await to_thread.run_sync(self._sessions.session_by_handle, handle)

    def step(self, presented: Presented) -> Principal | Visitor | Load | CatchUp:
        """One look at memory: the answer, or what is missing for it. Raises like `check`."""
        match presented:
            case OpaqueCookie(value):
                return self._cookie(value)
            case Bearer(token):
                return self._token(token)
            case Nothing():
                raise SignedOut
            case Ambiguous():
                raise AmbiguousCredentials

    def admit(self, handle: bytes, view: SessionView | None) -> None:
        """Remember a session read from the store, or raise why it does not stand."""
        if view is None:
            raise Malformed(detail="no session has this cookie")
        now = self._clock.now()
        view = _with_last_seen(view, self._seen.get(view.session.id))
        match decide_session(view, self._rules.limits, now):
            case TimedOut():
                raise Expired(detail="the session has timed out")
            case Ended():
                raise Revoked(detail="the session was ended")
            case Alive(until):
                _bounded(self._cookies, self._rules.most_known)
                self._cookies[handle] = self._known_session(view, until, now)

    @staticmethod
    def require_caught_up(caught_up: bool) -> None:
        """Raise `Stale` unless the log could be read in time."""
        if not caught_up:
            raise Stale(detail="the log could not be read within the bound")

    def saw(self, session_id: str, now: datetime) -> None:
        """Note that a session was used in a way that is not a check: a refresh."""
        self._seen[session_id] = now

    def saw_before(self, session_id: str, at: datetime) -> None:
        """Put back a note that could not be flushed, unless there is a newer one."""
        self._seen.setdefault(session_id, at)

    def take_seen(self) -> list[tuple[str, datetime]]:
        """Which sessions were used since this was last called, and when: for the flush of touches."""
        seen, self._seen = self._seen, {}
        return list(seen.items())

    @property
    def known(self) -> tuple[int, int]:
        """How many cookies and how many tokens are remembered."""
        return len(self._cookies), len(self._tokens)

    def _cookie(self, value: str) -> Principal | Visitor | Load | CatchUp:
        if not has_handle_shape(value):
            raise Malformed(detail="not a cookie of ours")
        handle = digest(value)
        known = self._cookies.get(handle)
        if known is None:
            return Load(handle)
        now = self._clock.now()
        lease = self._follower.lease
        standing = self._follower.revocations.covers(known)
        if standing is Standing.ENDED:
            self._cookies.pop(handle, None)
            raise Revoked(detail="the log says so")
        if standing is Standing.OUTDATED or now >= known.until:
            # Not refused from memory: a session that looks idle here may have been used at another server.
            self._cookies.pop(handle, None)
            return Load(handle)
        return self._passed(known, lease.until, now)

    def _token(self, token: str) -> Principal | Visitor | CatchUp:
        key = digest(token)
        now = self._clock.now()
        known = self._tokens.get(key)
        if known is None:
            known = self._verified(token, now)
            _bounded(self._tokens, self._rules.most_known)
            self._tokens[key] = known
        if now >= known.until:
            self._tokens.pop(key, None)
            raise Expired(detail="the token's time is over")
        lease = self._follower.lease
        match self._follower.revocations.covers(known):
            case Standing.ENDED:
                raise Revoked(detail="the log says so")
            case Standing.OUTDATED:
                raise Outdated(detail="the log says so")
            case Standing.LIVE:
                return self._passed(known, lease.until, now)

    def _passed(self, known: Known, lease_until: float, now: datetime) -> Principal | Visitor | CatchUp:
        # The lease is taken before the facts are asked and compared after: a process that was stopped in between
        # wakes with old facts, and a lease renewed meanwhile must not vouch for them.
        if self._clock.boot() >= lease_until:
            return CatchUp()
        if now >= known.touch_at:
            known.touch_at = now + self._rules.touch_every
            self._seen[known.session_id] = now
        return known.who

    def _known_session(self, view: SessionView, until: datetime, now: datetime) -> Known:
        session = view.session
        return Known(
            pos=view.pos,
            session_id=session.id,
            account_id=session.account_id,
            client_id=session.client_id,
            jti=None,
            kid=None,
            who=self._who(view),
            until=min(until, now + self._rules.horizon / 2),
            touch_at=session.last_seen_at + self._rules.touch_every,
        )

    def _who(self, view: SessionView) -> Principal | Visitor:
        session, account = view.session, view.account
        if account is None:
            return Visitor(session.id, session.carrier, session.started_at)
        return Principal(
            account_id=account.id,
            session_id=session.id,
            roles=account.roles,
            permissions=permissions_of(account.roles, self._rules.roles),
            carrier=session.carrier,
            authenticated_at=session.started_at,
            email=account.email.typed,
        )

    def _verified(self, token: str, now: datetime) -> Known:
        rules = self._rules
        verified = tokens.read(token, self._ring, issuer=rules.issuer, audience=rules.audience, now=now)
        claims = verified.claims
        return Known(
            pos=claims.pos,
            session_id=claims.sid,
            account_id=claims.sub,
            client_id=claims.client_id,
            jti=claims.jti,
            kid=verified.kid,
            who=Principal(
                account_id=claims.sub,
                session_id=claims.sid,
                roles=claims.roles,
                permissions=permissions_of(claims.roles, rules.roles),
                carrier=Carrier.TOKEN,
                authenticated_at=datetime.fromtimestamp(claims.auth_time, UTC),
                email=None,
            ),
            until=datetime.fromtimestamp(claims.exp, UTC),
            touch_at=now,
        )


def _with_last_seen(view: SessionView, seen: datetime | None) -> SessionView:
    if seen is None or seen <= view.session.last_seen_at:
        return view
    # The note is not flushed yet; without it a session in use could look idle to its own server.
    return replace(view, session=replace(view.session, last_seen_at=seen))


def _bounded(known: dict[bytes, Known], most: int) -> None:
    # The oldest go first: an entry lives at most half a horizon, so a cleverer order would gain little.
    while len(known) >= most:
        known.pop(next(iter(known)), None)
