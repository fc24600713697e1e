"""The check: a presented carrier in, a `Principal` or a refusal out.

Owns the caches of what this process has already verified, bounded in number and age. A known cookie and a known token
cost a digest and a few dictionary look-ups. The guard decides what is missing (`Load`, `CatchUp`) as one pure step;
a sync and an async face around it fetch that. It never writes; what was seen it hands to whoever flushes touches.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from threading import get_ident
from typing import Final, assert_never

from anyio import Event, to_thread

from gatepost.carriers import tokens
from gatepost.carriers.keys import KeyRing
from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, Presented, has_handle_shape
from gatepost.checking.follower import Follower
from gatepost.checking.tally import COOKIE, TOKEN, Tally
from gatepost.core.permissions import permissions_of
from gatepost.core.ports import Clock, SessionStore
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing, Subject
from gatepost.core.secrets import digest
from gatepost.core.sessions import Alive, Carrier, Ended, SessionLimits, SessionView, TimedOut, decide_session
from gatepost.errors import (
    AmbiguousCredentials,
    Expired,
    GatepostError,
    Malformed,
    Outdated,
    Revoked,
    SignedOut,
    Stale,
)

_TRIES: Final = range(4)
_ROLE_SETS: Final = 1024
# Not `Revoked`: an ending raises at once, so whoever gets here is live as far as anybody knows.
_NEVER_SETTLED: Final = "what the store holds stays older than what the log says"


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


@dataclass(frozen=True, slots=True)
class _Moment:
    """One moment on both clocks."""

    now: datetime
    boot: float

    def on_boot_clock(self, wall: datetime) -> float:
        """When the boot clock will show what the wall clock calls `wall`."""
        # A tenth of a microsecond early: rounded up, the sum would let the very moment of an end pass.
        return self.boot + (wall - self.now).total_seconds() - 1e-7


@dataclass(slots=True)
class Known(Subject):
    """Something this process has verified: for whom it stands, and until when that may be believed.

    Moments of the boot clock, in seconds: a wall clock that is set must not lengthen what is believed. Nor is it
    worth reading at every check, which takes a fifth of one.
    """

    who: Principal | Visitor
    until: float
    touch_at: float


_LIVE: Final = Standing.LIVE


class Guard:
    """Checks carriers against memory."""

    def __init__(
        self, ring: KeyRing, follower: Follower, sessions: SessionStore, clock: Clock, rules: GuardRules
    ) -> None:
        self._ring = ring
        self._follower = follower
        self._sessions = sessions
        self._now = clock.now
        self._boot = clock.boot
        self._rules = rules
        self._touch_every = rules.touch_every.total_seconds()
        # Accounts with the same roles share them: in a million known sessions they are a third of the memory.
        self._granted = lru_cache(_ROLE_SETS)(lambda roles: (roles, permissions_of(roles, rules.roles)))
        self._cookies: dict[bytes, Known] = {}
        self._tokens: dict[bytes, Known] = {}
        self._seen: dict[str, datetime] = {}
        self._flushing: dict[str, datetime] = {}
        self._waiting: dict[int, Event] = {}
        self.tally = Tally()
        # Spares the known check one look-up of a name.
        self._accepted = self.tally.accepted
        follower.when_clock_is_set(self.forget)

    def check(self, presented: Presented) -> Principal | Visitor:
        """Who presents this, for callers that may block. Raises `SignedOut`, `AmbiguousCredentials` or `Refused`."""
        try:
            for _ in _TRIES:
                found = self.step(presented)
                match found:
                    case Principal() | Visitor():
                        return found
                    case Load(handle):
                        self.admit(handle, self._sessions.session_by_handle(handle))
                    case CatchUp():
                        self.require_caught_up(self._follower.catch_up())
                    case never:
                        assert_never(never)
            raise Stale(detail=_NEVER_SETTLED)
        except GatepostError as error:
            self.tally.refused(presented, error)
            raise

    async def check_async(self, presented: Presented) -> Principal | Visitor:
        """The same as `check`, without blocking the event loop. A known carrier is answered without awaiting."""
        try:
            for _ in _TRIES:
                found = self.step(presented)
                match found:
                    case Principal() | Visitor():
                        return found
                    case Load(handle):
                        self.admit(handle, await self._load_async(handle))
                    case CatchUp():
                        self.require_caught_up(await self._catch_up_async())
                    case never:
                        assert_never(never)
            raise Stale(detail=_NEVER_SETTLED)
        except GatepostError as error:
            self.tally.refused(presented, error)
            raise

    async def _catch_up_async(self) -> bool:
        # One thread waits for all who wait on this loop. A thread for each would leave none for anybody else.
        loop = get_ident()
        shared = self._waiting.get(loop)
        if shared is not None:
            await shared.wait()
            return self._follower.lease.fresh(self._boot())
        shared = self._waiting[loop] = Event()
        try:
            return await to_thread.run_sync(self._follower.catch_up)
        finally:
            del self._waiting[loop]
            shared.set()

    async def _load_async(self, handle: bytes) -> SessionView | None:
        # A thread hop costs ten times what an embedded database takes for a point read.
        if self._sessions.reads_inline:
            return self._sessions.session_by_handle(handle)
        return await to_thread.run_sync(self._sessions.session_by_handle, handle)

    def step(self, presented: Presented) -> Principal | Visitor | Load | CatchUp:
        """One look at memory: the answer, or what is missing for it. Raises like `check`."""
        match presented:
            case OpaqueCookie():
                handle, kind = digest(presented.value), COOKIE
                known = self._cookies.get(handle)
                if known is None:
                    return _unknown(presented.value, handle)
            case Bearer():
                handle, kind = digest(presented.token), TOKEN
                known = self._tokens.get(handle) or self._first_seen(presented.token, handle)
            case Nothing():
                raise SignedOut
            case Ambiguous():
                raise AmbiguousCredentials
            case never:
                assert_never(never)
        # Facts and lease are taken as one and the lease is compared last: a process that was stopped in between wakes
        # with old facts, and a lease renewed meanwhile must not vouch for them.
        knowledge = self._follower.knowledge
        standing = knowledge.revocations.covers(known)
        boot = self._boot()
        if standing is not _LIVE or boot >= known.until:
            return self._fallen(known, handle, standing, boot)
        if boot >= knowledge.lease.until:
            self.tally.catch_ups += 1
            return CatchUp()
        self._accepted[kind] += 1
        if boot >= known.touch_at:
            known.touch_at = boot + self._touch_every
            self._seen[known.session_id] = self._now()
        return known.who

    def admit(self, handle: bytes, view: SessionView | None) -> None:
        """Remember a session read from the store, or raise why it does not stand."""
        self.tally.loads += 1
        if view is None:
            raise Malformed(detail="no session has this cookie")
        boot, now = self._boot(), self._now()
        view = _with_last_seen(view, self._noted(view.session.id))
        match decide_session(view, self._rules.limits, now):
            case TimedOut():
                raise Expired(detail="the session has timed out")
            case Ended():
                raise Revoked(detail="the session was ended")
            case Alive(until):
                _bounded(self._cookies, self._rules.most_known)
                self._cookies[handle] = self._known_session(view, until, _Moment(now, boot))
            case never:
                assert_never(never)

    @staticmethod
    def require_caught_up(caught_up: bool) -> None:
        """Raise `Stale` unless the log could be read in time."""
        if not caught_up:
            raise Stale(detail="the log could not be read within the bound")

    def forget(self) -> None:
        """Verify everything anew from the next check on."""
        self._cookies.clear()
        self._tokens.clear()

    def saw(self, session_id: str, now: datetime) -> None:
        """Note that a session was used in a way that is not a check: a refresh."""
        self._seen[session_id] = now

    def saw_before(self, session_id: str, at: datetime) -> None:
        """Put back a note that could not be flushed, unless there is a newer one."""
        self._seen.setdefault(session_id, at)

    def take_seen(self) -> list[tuple[str, datetime]]:
        """Which sessions were used since this was last called, and when: for the flush of touches."""
        # Kept at hand until the next flush: a session that is loaded before this one is durable must not look idle.
        self._flushing = self._seen
        self._seen = {}
        return list(self._flushing.items())

    @property
    def known(self) -> tuple[int, int]:
        """How many cookies and how many tokens are remembered."""
        return len(self._cookies), len(self._tokens)

    def _noted(self, session_id: str) -> datetime | None:
        return self._seen.get(session_id) or self._flushing.get(session_id)

    def _first_seen(self, token: str, key: bytes) -> Known:
        known = self._verified(token)
        self.tally.verified += 1
        _bounded(self._tokens, self._rules.most_known)
        self._tokens[key] = known
        return known

    def _fallen(self, known: Known, handle: bytes, standing: Standing, boot: float) -> Load:
        """What follows where something known does not stand any more: a refusal, or another look at the store."""
        if known.jti is None:
            self._cookies.pop(handle, None)
            if standing is Standing.ENDED:
                raise Revoked(detail="the log says so")
            # Not refused from memory: a session that looks idle here may have been used at another server.
            return Load(handle)
        if boot >= known.until:
            self._tokens.pop(handle, None)
            raise Expired(detail="the token's time is over")
        raise (Revoked if standing is Standing.ENDED else Outdated)(detail="the log says so")

    def _known_session(self, view: SessionView, until: datetime, read: _Moment) -> Known:
        session = view.session
        return Known(
            pos=view.pos,
            session_id=session.id,
            account_id=session.account_id,
            client_id=intern(session.client_id),
            jti=None,
            kid=None,
            who=self._who(view),
            until=read.on_boot_clock(min(until, read.now + self._rules.horizon / 2)),
            touch_at=read.on_boot_clock(session.last_seen_at) + self._touch_every,
        )

    def _who(self, view: SessionView) -> Principal | Visitor:
        session, account = view.session, view.account
        if account is None:
            return Visitor(session.id, session.carrier, session.started_at)
        roles, permissions = self._granted(account.roles)
        return Principal(
            account_id=account.id,
            session_id=session.id,
            roles=roles,
            permissions=permissions,
            carrier=session.carrier,
            authenticated_at=session.started_at,
            email=account.email.typed,
        )

    def _verified(self, token: str) -> Known:
        rules, boot = self._rules, self._boot()
        read = _Moment(self._now(), boot)
        verified = tokens.read(token, self._ring, issuer=rules.issuer, audience=rules.audience, now=read.now)
        claims = verified.claims
        roles, permissions = self._granted(claims.roles)
        return Known(
            pos=claims.pos,
            session_id=claims.sid,
            account_id=claims.sub,
            client_id=intern(claims.client_id),
            jti=claims.jti,
            kid=verified.kid,
            who=Principal(
                account_id=claims.sub,
                session_id=claims.sid,
                roles=roles,
                permissions=permissions,
                carrier=Carrier.TOKEN,
                authenticated_at=datetime.fromtimestamp(claims.auth_time, UTC),
                email=None,
            ),
            until=read.on_boot_clock(datetime.fromtimestamp(claims.exp, UTC)),
            touch_at=boot,
        )


def _unknown(value: str, handle: bytes) -> Load:
    # The form is judged only now: nothing of another form was ever admitted.
    if not has_handle_shape(value):
        raise Malformed(detail="not a cookie of ours")
    return Load(handle)


def _with_last_seen(view: SessionView, seen: datetime | None) -> SessionView:
    if seen is None or seen <= view.session.last_seen_at:
        return view
    # The note is not flushed yet; without it a session in use could look idle to its own server.
    return replace(view, session=replace(view.session, last_seen_at=seen))


def _bounded(known: dict[bytes, Known], most: int) -> None:
    # The oldest go first: an entry lives at most half a horizon, so a cleverer order would gain little.
    while len(known) >= most:
        # Another thread may add or take between the two steps; then there is another oldest.
        with suppress(RuntimeError, StopIteration):
            known.pop(next(iter(known)), None)
