"""Browsers with a sealed cookie, and what they cost the store.

A `SealedDevice` keeps what it is given, as a browser does; `copies` are all it was ever given, as a thief might.
Whoever has stolen a sealing key works with `forge`. Owns no tests.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from gatepost.authority import Authority
from gatepost.carriers.presented import SealedCookie, TokenCookies
from gatepost.carriers.sealed import SealedSession, SealingKey, seal_session
from gatepost.core.accounts import Account
from gatepost.core.principals import Principal, Visitor
from gatepost.core.sessions import Carrier, Session
from gatepost.errors import Refused
from gatepost.machine import SystemRandomness
from gatepost.services.beginnings import SignedIn, Visiting, Wish
from gatepost.services.sealed import SealedIssued
from tests.services.installation import HOME, PASSWORD

_STORE = ("session", "session_by_handle", "sessions_of", "sessions", "account", "account_by_email", "commit")


class SealedDevice:
    """One session in a sealed cookie, begun at an authority: of an account, or a visit."""

    def __init__(self, at: Authority, account: Account | None = None, wish: Wish | None = None) -> None:
        begun: SignedIn | Visiting = at.sign_in.visit(Carrier.SEALED, HOME)
        if account is not None:
            begun = at.sign_in.sign_in(account.email.typed, PASSWORD, wish or Wish(HOME, Carrier.SEALED))
        assert isinstance(begun.credential, SealedIssued)
        self.session: Session = begun.session
        self.copies = [begun.credential.value.reveal()]

    @property
    def value(self) -> str:
        """The cookie that it holds."""
        return self.copies[-1]

    def who(self, at: Authority) -> Principal | Visitor:
        """Who an authority says it is; a renewed cookie is kept. Raises what the guard raises."""
        return at.guard.check(SealedCookie(self.value), lambda presented: self._renewed(at, presented))

    def principal(self, at: Authority) -> Principal:
        """The account that an authority says it is."""
        who = self.who(at)
        assert isinstance(who, Principal)
        return who

    def holds(self, at: Authority) -> SealedSession:
        """What the cookie says that it holds."""
        return at.sealed.read(self.value)

    def write(self, at: Authority, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change the application's data, and keep the cookie that comes with the answer."""
        self.who(at)
        merged = at.sessions.merge_sealed_data(self.value, patch)
        self.copies.append(merged.cookie.value.reveal())
        return merged.data

    def _renewed(self, at: Authority, presented: SealedCookie | TokenCookies) -> SealedCookie | TokenCookies:
        renewed = at.renewals.renew(presented, HOME)
        assert isinstance(renewed.presented, SealedCookie)
        self.copies.append(renewed.presented.value)
        return renewed.presented


def passes(at: Authority, value: str) -> bool:
    """Whether an authority takes a cookie as it is, or gives another one for it."""
    renewing: Callable[[Any], Any] = lambda presented: at.renewals.renew(presented, HOME).presented  # noqa: E731
    try:
        at.guard.check(SealedCookie(value), renewing)
    except Refused as error:
        assert error.status == 401
        return False
    return True


def stolen_key(at: Authority) -> SealingKey:
    """The key that seals now, in a copy that its withdrawal does not reach."""
    key = at.ring.sealing
    return SealingKey(key.kid, key.raw)


def forge(key: SealingKey, contents: SealedSession, **changes: Any) -> str:
    """A cookie with other contents, sealed under a key by whoever has it."""
    changed = msgspec.structs.replace(contents, **changes)
    return seal_session(changed, key, SystemRandomness()).reveal()


@contextmanager
def counted(at: Authority) -> Iterator[Counter[str]]:
    """How often sessions and accounts are read and changes committed while the block runs, by name of the call."""
    counts: Counter[str] = Counter()
    kind = type(at.store)
    whole = {name: getattr(kind, name) for name in _STORE}

    def counting(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return whole[name](*arguments, **named)

        return call

    try:
        for name in _STORE:
            setattr(kind, name, counting(name))
        yield counts
    finally:
        for name, method in whole.items():
            setattr(kind, name, method)
