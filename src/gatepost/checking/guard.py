"""The check: a presented carrier in, a `Principal` or a refusal out.

Owns the caches of what this process has already verified, bounded in number and age. A known cookie and a known token
cost a digest and a few dictionary look-ups. The guard decides what is missing (`Load`, `CatchUp`) as one pure step;
a sync and an async face around it fetch that, and do what the owner chose where the log cannot be read (`WhenStale`).
It never writes; what was seen it hands to whoever flushes touches.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from threading import get_ident
from typing import Final, assert_never

from anyio import Event, to_thread

from gatepost.carriers import tokens
from gatepost.carriers.keys import KeyRing
from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, Presented, has_handle_shape
from gatepost.checking.follower import Follower
from gatepost.checking.known import CatchUp, Known, Load, Moment, known_session, known_token
from gatepost.checking.staleness import REFUSE, Allow, Ask, Refuse, WhenStale
from gatepost.checking.tally import COOKIE, TOKEN, Tally
from gatepost.core.permissions import permissions_of
from gatepost.core.ports import Clock, Introspection, SessionStore
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing
from gatepost.core.secrets import digest
from gatepost.core.sessions import Alive, Ended, SessionLimits, SessionView, TimedOut, decide_session
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
    """What a guard checks against. `audience` is this service; `horizon` bounds the age of what is remembered.

    `when_stale` is what it does while the log is out of reach.
    """

    issuer: str
    audience: str
    limits: SessionLimits
    roles: Mapping[str, tuple[str, ...]]
    horizon: timedelta
    most_known: int = 1_000_000
    when_stale: WhenStale = REFUSE

    @property
    def touch_every(self) -> timedelta:
        """How often a session in use is noted: a tenth of its idle time, at most a minute."""
        return min(self.limits.idle / 10, self.limits.visitor_empty / 10, timedelta(minutes=1))


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
                        if not self._follower.catch_up():
                            return self._unheard(found)
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
                        if not await self._catch_up_async():
                            return await self._unheard_async(found)
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
            return CatchUp(presented, handle, known)
        self._accepted[kind] += 1
        if boot >= known.touch_at:
            known.touch_at = boot + self._touch_every
            self._seen[known.session_id] = self._now()
        return known.who

    def admit(self, handle: bytes, view: SessionView | None) -> None:
        """Remember a session read from the store, or raise why it does not stand."""
        self.tally.loads += 1
        known = self._standing_session(view)
        _bounded(self._cookies, self._rules.most_known)
        self._cookies[handle] = known

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

    def _standing_session(self, view: SessionView | None) -> Known:
        if view is None:
            raise Malformed(detail="no session has this cookie")
        read = Moment(self._now(), self._boot())
        view = _with_last_seen(view, self._noted(view.session.id))
        match decide_session(view, self._rules.limits, read.now):
            case TimedOut():
                raise Expired(detail="the session has timed out")
            case Ended():
                raise Revoked(detail="the session was ended")
            case Alive(end):
                until = read.on_boot_clock(min(end, read.now + self._rules.horizon / 2))
                touch_at = read.on_boot_clock(view.session.last_seen_at) + self._touch_every
                return known_session(view, self._granted, until=until, touch_at=touch_at)
            case never:
                assert_never(never)

    async def _unheard_async(self, found: CatchUp) -> Principal | Visitor:
        if isinstance(self._rules.when_stale, Ask):
            return await to_thread.run_sync(self._unheard, found)
        return self._unheard(found)

    def _unheard(self, found: CatchUp) -> Principal | Visitor:
        """What follows where the log could not be read in time: what the owner chose."""
        match self._rules.when_stale:
            case Refuse():
                raise Stale(detail="the log could not be read within the bound")
            case Ask(introspection):
                self.tally.asked += 1
                known = self._asked(introspection, found)
            case Allow():
                known = self._allowed(found)
                self.tally.allowed += 1
            case never:
                assert_never(never)
        self._accepted[COOKIE if known.jti is None else TOKEN] += 1
        if (boot := self._boot()) >= found.known.touch_at:
            found.known.touch_at = boot + self._touch_every
            self._seen[known.session_id] = self._now()
        return known.who

    def _asked(self, introspection: Introspection, found: CatchUp) -> Known:
        match found.presented:
            case OpaqueCookie():
                with _no_answer_is_stale():
                    view = introspection.session_by_handle(found.handle)
                return self._standing_session(view)
            case Bearer(token):
                with _no_answer_is_stale():
                    standing = introspection.standing(token, found.known)
                return self._still_standing(found, standing)
            case never:
                assert_never(never)

    def _allowed(self, found: CatchUp) -> Known:
        if self._follower.position is None:
            # Whoever has never heard a fact would accept what everybody else refuses.
            raise Stale(detail="the log has never been read by this process")
        # Once more: the wait took time, and it may have brought facts although it brought no lease.
        return self._still_standing(found, self._follower.revocations.covers(found.known))

    def _still_standing(self, found: CatchUp, standing: Standing) -> Known:
        boot = self._boot()
        if standing is not _LIVE or boot >= found.known.until:
            self._fallen(found.known, found.handle, standing, boot)
            raise Stale(detail=_NEVER_SETTLED)
        return found.known

    def _verified(self, token: str) -> Known:
        rules, boot = self._rules, self._boot()
        read = Moment(self._now(), boot)
        verified = tokens.read(token, self._ring, issuer=rules.issuer, audience=rules.audience, now=read.now)
        return known_token(verified, self._granted, read)


@contextmanager
def _no_answer_is_stale() -> Iterator[None]:
    try:
        yield
    except GatepostError as error:
        raise Stale(detail=f"whoever was asked gave no answer ({error.detail or error.code})") from error


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
