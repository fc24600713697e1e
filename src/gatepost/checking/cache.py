"""What this process has verified: a cache for each carrier, bounded in number, and the way into it.

Owns who may get in: a token whose signature and claims were checked, a cookie that opened, a session as it was read.
Knows nothing of the log; the guard asks that each time, whatever lies here.
"""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final, assert_never

from gatepost.carriers import tokens
from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented, SealedCookie, TokenCookies
from gatepost.carriers.sealed import open_session, secret_digest
from gatepost.checking.known import Known, Moment, known_sealed, known_session, known_token
from gatepost.checking.rules import GuardRules
from gatepost.core.permissions import permissions_of
from gatepost.core.ports import Clock
from gatepost.core.secrets import digest
from gatepost.core.sessions import AHEAD, Alive, Carrier, Ended, SessionView, TimedOut, decide_session
from gatepost.errors import Expired, Outdated, Revoked

_ROLE_SETS: Final = 1024

Verified = dict[bytes, Known]


class Cache:
    """Everything that is known, by the SHA-256 of what a client presents."""

    def __init__(self, rings: Rings, clock: Clock, rules: GuardRules) -> None:
        self.cookies: Verified = {}
        self.tokens: Verified = {}
        self.sealed: Verified = {}
        self.cookie_tokens: Verified = {}
        self._rings = rings
        self._now = clock.now
        self._boot = clock.boot
        self._rules = rules
        self._touch_every = rules.touch_every.total_seconds()
        # Accounts with the same roles share them: in a million known sessions they are a third of the memory.
        self._granted = lru_cache(_ROLE_SETS)(lambda roles: (roles, permissions_of(roles, rules.roles)))

    def admit_token(self, token: str, key: bytes, into: Verified) -> Known:
        """Verify a token that was not seen before. Raises `Malformed`, `NotForUs`, `Expired` or `Outdated`."""
        rules, read = self._rules, self._moment()
        ring = self._rings.current
        verified = tokens.read(token, ring, issuer=rules.issuer, audience=rules.audience, now=read.now)
        carrier = Carrier.TOKEN if into is self.tokens else Carrier.TOKEN_COOKIE
        known = self.keep(into, key, known_token(verified, self._granted, read, carrier))
        if self._rings.current is ring:
            return known
        # The ring turned meanwhile, and what was forgotten for that was forgotten before this was kept. The fact that
        # a withdrawn key leaves is dropped one day; an entry by that key would then be believed for good.
        into.pop(key, None)
        return self.admit_token(token, key, into)

    def admit_sealed(self, value: str, key: bytes) -> Known:
        """Open a sealed cookie that was not seen before.

        Raises `Malformed`, or `Outdated` for one that may only be exchanged: its key was withdrawn, or it has spoken
        for itself long enough.
        """
        read = self._moment()
        ring = self._rings.current
        opened = open_session(value, ring.opening, self._rules.issuer)
        if opened.withdrawn:
            raise Outdated(detail="the key that sealed it was withdrawn")
        contents = opened.contents
        # The horizon may have been set shorter since.
        until = min(contents.believed_until, contents.sealed_at + self._rules.horizon)
        if read.now >= until:
            raise Outdated(detail="the cookie is to be renewed from the record")
        if contents.sealed_at > read.now + AHEAD:
            # The wall clock was set back since: for how long it may be believed, this clock cannot say.
            raise Outdated(detail="the cookie was sealed in what is now the future")
        known = known_sealed(
            opened,
            self._granted,
            until=read.on_boot_clock(until),
            touch_at=read.on_boot_clock(contents.last_seen_at) + self._touch_every,
        )
        self.keep(self.sealed, key, known)
        if self._rings.current is ring:
            return known
        # As with tokens: whatever was kept after the ring had turned is verified by the new one.
        self.sealed.pop(key, None)
        return self.admit_sealed(value, key)

    def standing(self, view: SessionView, seen: datetime | None = None) -> Known:
        """A session as it was read, if it stands; `seen` is when it was last used, if that is not written yet."""
        read, rules = self._moment(), self._rules
        if seen is not None and seen > view.session.last_seen_at:
            # Without the note a session in use could look idle to its own server.
            view = replace(view, session=replace(view.session, last_seen_at=seen))
        match decide_session(view, rules.limits, read.now):
            case TimedOut():
                raise Expired(detail="the session has timed out")
            case Ended():
                raise Revoked(detail="the session was ended")
            case Alive(end):
                until = read.on_boot_clock(min(end, read.now + rules.horizon / 2))
                touch_at = read.on_boot_clock(view.session.last_seen_at) + self._touch_every
                return known_session(view, self._granted, until=until, touch_at=touch_at)
            case never:
                assert_never(never)

    def remembered(self, presented: Presented) -> Known | None:
        """What is known of a carrier, whether it stands or not."""
        match presented:
            case OpaqueCookie(value):
                return self.cookies.get(digest(value))
            case SealedCookie(value):
                return self.sealed.get(digest(value))
            case Bearer(token):
                return self.tokens.get(digest(token))
            case TokenCookies(str(access), _):
                return self.cookie_tokens.get(digest(access))
            case _:
                return None

    def look_again(self, presented: OpaqueCookie) -> None:
        """Let the session behind a cookie be read from the store at its next check."""
        self.cookies.pop(digest(presented.value), None)

    def drop(self, presented: SealedCookie | TokenCookies, key: bytes) -> None:
        """Forget a carrier that is to be renewed: whoever has the new one does not show it again."""
        (self.sealed if isinstance(presented, SealedCookie) else self.cookie_tokens).pop(key, None)

    def forget(self) -> None:
        """Verify everything anew from the next check on."""
        for cache in (self.cookies, self.tokens, self.sealed, self.cookie_tokens):
            cache.clear()

    def forget_keyed(self) -> None:
        """Verify anew what was believed by a key: one of them is gone."""
        for cache in (self.tokens, self.sealed, self.cookie_tokens):
            cache.clear()

    def _moment(self) -> Moment:
        # The boot clock first: what lies between the two readings shortens what is believed.
        boot = self._boot()
        return Moment(self._now(), boot)

    def handle_in(self, value: str) -> bytes:
        """By which handle the record of a sealed session is found. Raises `Malformed`."""
        contents = open_session(value, self._rings.current.opening, self._rules.issuer).contents
        return secret_digest(contents.secret)

    def keep(self, cache: Verified, key: bytes, known: Known) -> Known:
        """Remember something, and forget the oldest of its kind where there are too many."""
        # The oldest go first: an entry lives at most a horizon, so a cleverer order would gain little.
        while len(cache) >= self._rules.most_known:
            # Another thread may add or take between the two steps; then there is another oldest.
            try:
                cache.pop(next(iter(cache)), None)
            except (RuntimeError, StopIteration):
                continue
        cache[key] = known
        return known
