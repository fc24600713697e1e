"""The check: a presented carrier in, a `Principal` or a refusal out.

Owns the caches of what this process has already verified, bounded in number and age. A known cookie and a known token
cost a digest and a few dictionary look-ups. The guard decides what is missing (`Load`, `CatchUp`) as one pure step;
a sync and an async face around it fetch that, and do what the owner chose where the log cannot be read (`WhenStale`).
It never writes; what was seen it hands to whoever flushes touches.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import get_ident
from typing import Final, TypeVar, assert_never

from anyio import Event, to_thread

from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import (
    Ambiguous,
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
from gatepost.checking.known import CatchUp, Known, Load, Renewal
from gatepost.checking.rules import GuardRules
from gatepost.checking.staleness import Allow, Ask, Refuse
from gatepost.checking.tally import COOKIE, SEALED, TOKEN, TOKEN_COOKIE, Tally
from gatepost.core.ports import Clock, Introspection, SessionStore
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
    Revoked,
    SignedOut,
    Stale,
)

T = TypeVar("T")
_TRIES: Final = range(4)
# A repeated answer may hold an access token that is over by now; its refresh token gives the next.
_RENEWALS: Final = 2
# Not `Revoked`: an ending raises at once, so whoever gets here is live as far as anybody knows.
_NEVER_SETTLED: Final = "what the store holds stays older than what the log says"


Renewable = SealedCookie | TokenCookies
Renew = Callable[[Renewable], Renewable]
RenewAsync = Callable[[Renewable], Awaitable[Renewable]]
"""What gives a carrier's successor and sees to it that the client gets it. Raises `Refused`, `SlowDown` or `Busy`."""

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
        self.cache = Cache(ring, clock, rules)
        # Each spares the known check one look-up of a name.
        self._cookies = self.cache.cookies
        self._tokens = self.cache.tokens
        self._seen: dict[str, datetime] = {}
        self._flushing: dict[str, datetime] = {}
        self._waiting: dict[int, Event] = {}
        self.tally = Tally()
        self._accepted = self.tally.accepted
        follower.when_clock_is_set(self.cache.forget)

    def check(self, presented: Presented, renew: Renew | None = None) -> Principal | Visitor:
        """Who presents this, for callers that may block. Raises `SignedOut`, `AmbiguousCredentials` or `Refused`.

        Where a carrier in cookies does not stand any more, `renew` is asked for its successor, if there is one.
        """
        renewals = _RENEWALS
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
                    case Renewal():
                        if not (found.fresh or self._follower.catch_up()):
                            self._require_bold()
                        presented = _renewed(found, renew if renewals else None)
                        renewals -= 1
                    case never:
                        assert_never(never)
            raise Stale(detail=_NEVER_SETTLED)
        except GatepostError as error:
            self.tally.refused(presented, error)
            raise

    async def check_async(self, presented: Presented, renew: RenewAsync | None = None) -> Principal | Visitor:
        """The same as `check`, without blocking the event loop. A known carrier is answered without awaiting."""
        renewals = _RENEWALS
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
                    case Renewal():
                        if not (found.fresh or await self._catch_up_async()):
                            self._require_bold()
                        presented = await _renewed(found, renew if renewals else None)
                        renewals -= 1
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

    def step(self, presented: Presented) -> Principal | Visitor | Load | CatchUp | Renewal:
        """One look at memory: the answer, or what is missing for it. Raises like `check`."""
        match presented:
            case OpaqueCookie():
                handle, kind = digest(presented.value), COOKIE
                known = self._cookies.get(handle)
                if known is None:
                    return _unknown(presented.value, handle)
            case Bearer():
                handle, kind = digest(presented.token), TOKEN
                known = self._tokens.get(handle) or self._first_seen(presented.token, handle, self._tokens)
            case _:
                entered = self._entered(presented)
                if isinstance(entered, Renewal):
                    return entered
                handle, kind, known = entered
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

    def forget_keyed(self) -> None:
        """Verify anew what was believed by a key: one of them is gone."""
        self.cache.forget_keyed()

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

    def _first_seen(self, token: str, handle: bytes, into: Verified) -> Known:
        known = self.cache.admit_token(token, handle, into)
        self.tally.misses[TOKEN if into is self._tokens else TOKEN_COOKIE] += 1
        return known

    def _entered(
        self, presented: SealedCookie | TokenCookies | Nothing | Ambiguous
    ) -> tuple[bytes, int, Known] | Renewal:
        """What is known of a carrier that can be renewed. How it fails at first sight is a reason to renew it."""
        match presented:
            case SealedCookie(value):
                return self._entered_sealed(presented, value)
            case TokenCookies(None, _):
                return self._renewal(presented, Expired(detail="the access token's cookie is gone"))
            case TokenCookies(str(access), _):
                return self._entered_tokens(presented, access)
            case Nothing():
                raise SignedOut
            case _:
                raise AmbiguousCredentials

    def _entered_sealed(self, presented: SealedCookie, value: str) -> tuple[bytes, int, Known] | Renewal:
        handle = digest(value)
        known = self.cache.sealed.get(handle)
        if known is None:
            try:
                known = self.cache.admit_sealed(value, handle)
            except Outdated as error:
                return self._renewal(presented, error)
            self.tally.misses[SEALED] += 1
        return handle, SEALED, known

    def _entered_tokens(self, presented: TokenCookies, access: str) -> tuple[bytes, int, Known] | Renewal:
        handle, cache = digest(access), self.cache.cookie_tokens
        try:
            return handle, TOKEN_COOKIE, cache.get(handle) or self._first_seen(access, handle, cache)
        except NotForUs:
            # So would be its successor, and so on: each request would rotate.
            raise
        except Refused as error:
            return self._renewal(presented, error)

    def _renewal(self, presented: SealedCookie | TokenCookies, reason: Refused) -> Renewal:
        return Renewal(presented, reason, self._follower.lease.fresh(self._boot()))

    def _require_bold(self) -> None:
        """Raise `Stale` where nothing is done while the log is out of reach: no cookie is touched then."""
        if isinstance(self._rules.when_stale, Refuse):
            raise Stale(detail="the log could not be read within the bound")

    def _fallen(
        self, presented: Presented, known: Known, handle: bytes, standing: Standing, boot: float
    ) -> Load | Renewal:
        """What follows where something known does not stand any more: a refusal, or another look at the store."""
        match presented:
            case SealedCookie() | TokenCookies():
                # Whatever fell may have been the carrier alone: a withdrawn key, a token ended by its name.
                self.cache.drop(presented, handle)
                return self._renewal(presented, _why(known, standing, boot))
            case OpaqueCookie():
                self._cookies.pop(handle, None)
                if standing is not Standing.ENDED:
                    # Not refused from memory: what looks idle here may have been used at another server.
                    return Load(handle)
            case _:
                if boot >= known.until:
                    self._tokens.pop(handle, None)
        raise _why(known, standing, boot)

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
        self._accepted[_KINDS[type(found.presented)]] += 1
        if (boot := self._boot()) >= found.known.touch_at:
            found.known.touch_at = boot + self._touch_every
            self._seen[known.session_id] = self._now()
        return known.who

    def _asked(self, introspection: Introspection, found: CatchUp) -> Known:
        match found.presented:
            case OpaqueCookie():
                with _no_answer_is_stale():
                    view = introspection.session_by_handle(found.handle)
                return self._found_standing(view)
            case SealedCookie(value):
                with _no_answer_is_stale():
                    view = introspection.session_by_handle(self.cache.handle_in(value))
                return self._found_standing(view)
            case Bearer(token) | TokenCookies(token, _):
                # A known token in a cookie is never None: without one there is nothing to know.
                with _no_answer_is_stale():
                    standing = introspection.standing(token or "", found.known)
                return self._still_standing(found, standing)
            case Nothing() | Ambiguous():
                raise SignedOut
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
            if isinstance(found.presented, OpaqueCookie) and standing is not Standing.ENDED:
                # Only the record could say more, and it may be older than the log that is out of reach.
                raise Stale(detail=_NEVER_SETTLED)
            raise _why(found.known, standing, boot)
        return found.known

    def _found_standing(self, view: SessionView | None) -> Known:
        if view is None:
            raise Revoked(detail="the session was ended")
        return self.cache.standing(view, self.noted(view.session.id))


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


def _why(known: Known, standing: Standing, boot: float) -> Refused:
    """Why something known is refused."""
    if known.jti is not None and boot >= known.until:
        return Expired(detail="the token's time is over")
    return (Revoked if standing is Standing.ENDED else Outdated)(detail="the log says so")


def _renewed(found: Renewal, renew: Callable[[Renewable], T] | None) -> T:
    if renew is None:
        raise found.reason
    return renew(found.presented)
