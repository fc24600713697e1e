"""The check: a presented carrier in, a `Principal` or a refusal out.

Owns the caches of what this process has already verified, bounded in number and age. A known cookie and a known token
cost a digest and a few dictionary look-ups. The guard decides what is missing (`Load`, `CatchUp`) as one pure step;
a sync and an async face around it fetch that. What follows where the log cannot be read is `unheard.py`'s. It never
writes; what was seen it hands to whoever flushes touches.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from threading import get_ident
from typing import Final, TypeVar, assert_never

from anyio import Event, to_thread

from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import (
    Bearer,
    Nothing,
    OpaqueCookie,
    Presented,
    SealedCookie,
    TokenCookies,
    has_handle_shape,
)
from gatepost.checking.cache import Cache, Verified
from gatepost.checking.follower import Follower
from gatepost.checking.known import CatchUp, Known, Load, Renewal, why
from gatepost.checking.rules import GuardRules
from gatepost.checking.tally import COOKIE, SEALED, TOKEN, TOKEN_COOKIE, Tally
from gatepost.checking.unheard import NEVER_SETTLED, Unheard
from gatepost.core.ports import Clock, SessionStore
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing
from gatepost.core.secrets import digest
from gatepost.core.sessions import SessionView
from gatepost.errors import (
    AmbiguousCredentials,
    Expired,
    GatepostError,
    Malformed,
    NotForUs,
    Outdated,
    Refused,
    SignedOut,
    Stale,
)

T = TypeVar("T")
_TRIES: Final = range(4)
# A repeated answer may hold an access token that is over by now; its refresh token gives the next.
_RENEWALS: Final = 2


Renewable = SealedCookie | TokenCookies
Renew = Callable[[Renewable], Renewable]
RenewAsync = Callable[[Renewable], Awaitable[Renewable]]
"""What gives a carrier's successor and sees to it that the client gets it. Raises `Refused`, `SlowDown` or `Busy`."""

Found = Principal | Visitor | Load | CatchUp | Renewal
"""What one look at memory shows: the answer, or what is missing for it."""

_LIVE: Final = Standing.LIVE
_KINDS: Final[dict[type[Presented], int]] = {
    OpaqueCookie: COOKIE,
    Bearer: TOKEN,
    SealedCookie: SEALED,
    TokenCookies: TOKEN_COOKIE,
}


class Guard:
    """Checks carriers against memory."""

    def __init__(
        self, ring: Rings, follower: Follower, sessions: SessionStore, clock: Clock, rules: GuardRules
    ) -> None:
        self._follower = follower
        self._sessions = sessions
        self._now = clock.now
        self._boot = clock.boot
        self._rules = rules
        self._touch_every = rules.touch_every.total_seconds()
        self.cache: Cache = Cache(ring, clock, rules)
        # Each spares the known check one look-up of a name.
        self._cookies = self.cache.cookies
        self._tokens = self.cache.tokens
        self._sealed = self.cache.sealed
        self._cookie_tokens = self.cache.cookie_tokens
        self._seen: dict[str, datetime] = {}
        self._flushing: dict[str, datetime] = {}
        self._waiting: dict[int, Event] = {}
        self.tally: Tally = Tally()
        self._accepted = self.tally.accepted
        self._unheard = Unheard(rules.when_stale, self.cache, follower, clock.boot, self.tally, self.noted)
        follower.when_clock_is_set(self.cache.forget)

    def check(self, presented: Presented, renew: Renew | None = None) -> Principal | Visitor:
        """Who presents this, for callers that may block. Raises `SignedOut`, `AmbiguousCredentials` or `Refused`.

        Where a carrier in cookies does not stand any more, `renew` is asked for its successor, if there is one.
        """
        try:
            found = self.step(presented)
            # Whoever is known is answered before the machinery for the others is set up: a tenth of the check.
            return found if isinstance(found, Principal) else self._settle(found, presented, renew)
        except GatepostError as error:
            self.tally.refused(presented, error)
            raise

    async def check_async(self, presented: Presented, renew: RenewAsync | None = None) -> Principal | Visitor:
        """The same as `check`, without blocking the event loop. A known carrier is answered without awaiting."""
        try:
            found = self.step(presented)
            return (
                found if isinstance(found, Principal) else await self._settle_async(found, presented, renew)
            )
        except GatepostError as error:
            self.tally.refused(presented, error)
            raise

    def _settle(self, found: Found, presented: Presented, renew: Renew | None) -> Principal | Visitor:
        renewals = _RENEWALS
        for _ in _TRIES:
            match found:
                case Principal() | Visitor():
                    return found
                case Load(handle):
                    self.admit(handle, self._sessions.session_by_handle(handle))
                case CatchUp():
                    if not self._follower.catch_up():
                        return self._let_in_unheard(found)
                case Renewal():
                    if not (found.fresh or self._follower.catch_up()):
                        self._unheard.require_bold()
                    presented = _renewed(found, renew if renewals else None)
                    renewals -= 1
                case never:
                    assert_never(never)
            found = self.step(presented)
        return _settled(found)

    async def _settle_async(
        self, found: Found, presented: Presented, renew: RenewAsync | None
    ) -> Principal | Visitor:
        renewals = _RENEWALS
        for _ in _TRIES:
            match found:
                case Principal() | Visitor():
                    return found
                case Load(handle):
                    self.admit(handle, await self._load_async(handle))
                case CatchUp():
                    if not await self._catch_up_async():
                        return await self._unheard_async(found)
                case Renewal():
                    if not (found.fresh or await self._catch_up_async()):
                        self._unheard.require_bold()
                    presented = await _renewed(found, renew if renewals else None)
                    renewals -= 1
                case never:
                    assert_never(never)
            found = self.step(presented)
        return _settled(found)

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

    def step(self, presented: Presented) -> Found:
        """One look at memory: the answer, or what is missing for it. Raises like `check`."""
        match presented:
            case OpaqueCookie():
                handle, kind, cache = digest(presented.value), COOKIE, self._cookies
            case Bearer():
                handle, kind, cache = digest(presented.token), TOKEN, self._tokens
            case SealedCookie():
                handle, kind, cache = digest(presented.value), SEALED, self._sealed
            case TokenCookies():
                handle, kind, cache = digest(presented.access or ""), TOKEN_COOKIE, self._cookie_tokens
            case _:
                raise SignedOut if isinstance(presented, Nothing) else AmbiguousCredentials
        known = cache.get(handle)
        if known is None:
            entered = self._entered(presented, handle)
            if not isinstance(entered, Known):
                return entered
            known = entered
        # Facts and lease are taken as one and the lease is compared last: a process that was stopped in between wakes
        # with old facts, and a lease renewed meanwhile must not vouch for them.
        knowledge = self._follower.knowledge
        standing = knowledge.revocations.covers(known)
        boot = self._boot()
        if standing is not _LIVE or boot >= known.until:
            return self._fallen(presented, known, handle, standing, boot)
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
        self.tally.misses[COOKIE] += 1
        if view is None:
            raise Malformed(detail="no session has this cookie")
        self.cache.keep(self._cookies, handle, self.cache.standing(view, self.noted(view.session.id)))

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
    def known(self) -> tuple[int, ...]:
        """How many of each carrier are remembered, in the order of `tally.CARRIERS`."""
        cache = self.cache
        return tuple(map(len, (cache.cookies, cache.tokens, cache.sealed, cache.cookie_tokens)))

    def noted(self, session_id: str) -> datetime | None:
        """When a session was last used here, as far as that may not be written yet."""
        return self._seen.get(session_id) or self._flushing.get(session_id)

    def _entered(
        self, presented: OpaqueCookie | Bearer | SealedCookie | TokenCookies, handle: bytes
    ) -> Known | Load | Renewal:
        """What is to be known of a carrier at first sight. How one that can be renewed fails is a reason to renew."""
        match presented:
            case OpaqueCookie():
                return _unknown(presented.value, handle)
            case Bearer():
                return self._first_seen(presented.token, handle, self._tokens)
            case SealedCookie():
                return self._entered_sealed(presented, handle)
            case TokenCookies():
                return self._entered_tokens(presented, handle)
            case never:
                assert_never(never)

    def _first_seen(self, token: str, handle: bytes, into: Verified) -> Known:
        known = self.cache.admit_token(token, handle, into)
        self.tally.misses[TOKEN if into is self._tokens else TOKEN_COOKIE] += 1
        return known

    def _entered_sealed(self, presented: SealedCookie, handle: bytes) -> Known | Renewal:
        try:
            known = self.cache.admit_sealed(presented.value, handle)
        except Outdated as error:
            return self._renewal(presented, error)
        self.tally.misses[SEALED] += 1
        return known

    def _entered_tokens(self, presented: TokenCookies, handle: bytes) -> Known | Renewal:
        if presented.access is None:
            return self._renewal(presented, Expired(detail="the access token's cookie is gone"))
        try:
            return self._first_seen(presented.access, handle, self._cookie_tokens)
        except NotForUs:
            # So would be its successor, and so on: each request would rotate.
            raise
        except Refused as error:
            return self._renewal(presented, error)

    def _renewal(self, presented: SealedCookie | TokenCookies, reason: Refused) -> Renewal:
        return Renewal(presented, reason, self._follower.lease.fresh(self._boot()))

    def _fallen(
        self, presented: Presented, known: Known, handle: bytes, standing: Standing, boot: float
    ) -> Load | Renewal:
        """What follows where something known does not stand any more: a refusal, or another look at the store."""
        match presented:
            case SealedCookie() | TokenCookies():
                # Whatever fell may have been the carrier alone: a withdrawn key, a token ended by its name.
                self.cache.drop(presented, handle)
                return self._renewal(presented, why(known, standing, boot))
            case OpaqueCookie():
                self._cookies.pop(handle, None)
                if standing is not Standing.ENDED:
                    # Not refused from memory: what looks idle here may have been used at another server.
                    return Load(handle)
            case _:
                if boot >= known.until:
                    self._tokens.pop(handle, None)
        raise why(known, standing, boot)

    async def _unheard_async(self, found: CatchUp) -> Principal | Visitor:
        if self._unheard.blocks:
            return await to_thread.run_sync(self._let_in_unheard, found)
        return self._let_in_unheard(found)

    def _let_in_unheard(self, found: CatchUp) -> Principal | Visitor:
        known = self._unheard.still_known(found)
        self._accepted[_KINDS[type(found.presented)]] += 1
        if (boot := self._boot()) >= found.known.touch_at:
            found.known.touch_at = boot + self._touch_every
            self._seen[known.session_id] = self._now()
        return known.who


def _unknown(value: str, handle: bytes) -> Load:
    # The form is judged only now: nothing of another form was ever admitted.
    if not has_handle_shape(value):
        raise Malformed(detail="not a cookie of ours")
    return Load(handle)


def _settled(found: Found) -> Principal | Visitor:
    if isinstance(found, Principal | Visitor):
        return found
    raise Stale(detail=NEVER_SETTLED)


def _renewed(found: Renewal, renew: Callable[[Renewable], T] | None) -> T:
    if renew is None:
        raise found.reason
    return renew(found.presented)
