"""An installation to measure: one authority on an SQLite file with accounts, sessions and live facts in it.

The same classes a server runs, composed by `Authority`; nothing in it is a stand-in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gatepost.authority import Authority
from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie, TokenCookies
from gatepost.checking.guard import Guard
from gatepost.checking.rules import GuardRules
from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.emails import Email
from gatepost.core.revocation import AccountEnded, AccountOutdated, SessionEnded, TokenEnded
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier, Origin, Session, SessionView
from gatepost.services.beginnings import CookieIssued, SignedIn, Wish
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from gatepost.settings import Settings, load_settings

EMAIL: Final = "ada@example.com"
PASSWORD: Final = "three or four words do it"
HERE: Final = Origin("127.0.0.1", "Firefox on Linux")
LIVE_FACTS: Final = 10_000
OUR_NOTE: Final = f"revocation ({LIVE_FACTS:,} live facts), expiry, lease and roles are all checked"
_BATCH: Final = 10_000
_SESSIONS_EACH: Final = 10


@dataclass(frozen=True, slots=True)
class World:
    """An authority that is running, and somebody who is signed in once with every carrier."""

    authority: Authority
    cookie: OpaqueCookie
    sealed: SealedCookie
    bearer: Bearer
    in_cookies: TokenCookies
    pair: TokenPair


def settings_for(folder: Path, port: int = 8400) -> Settings:
    """Defaults, with nothing of this machine's own configuration in them."""
    return load_settings({"data": str(folder), "server": {"port": port}}, environ={}, directory=folder)


@contextmanager
def world(*, facts: int = 0) -> Iterator[World]:
    """A running installation in a folder of its own, with so many live facts in the log."""
    with TemporaryDirectory(prefix="gatepost-bench-") as folder:
        authority = Authority(settings_for(Path(folder)))
        authority.start()
        try:
            yield _peopled(authority, facts)
        finally:
            authority.stop()


def _peopled(authority: Authority, facts: int) -> World:
    by_cookie = authority.sign_in.sign_up(EMAIL, PASSWORD, Wish(HERE)).credential
    sealed = sign_in(authority, Carrier.SEALED).credential
    pair, in_cookies = token_pair(authority, Carrier.TOKEN), token_pair(authority, Carrier.TOKEN_COOKIE)
    if not isinstance(by_cookie, CookieIssued) or not isinstance(sealed, SealedIssued):
        raise TypeError("a sign-in gave another carrier than was asked for")
    fold_facts(authority, facts)
    return World(
        authority,
        OpaqueCookie(by_cookie.handle.reveal()),
        SealedCookie(sealed.value.reveal()),
        Bearer(pair.access.reveal()),
        TokenCookies(in_cookies.access.reveal(), in_cookies.refresh.reveal()),
        pair,
    )


def sign_in(authority: Authority, carrier: Carrier, email: str = EMAIL) -> SignedIn:
    """One whole sign-in, as the service does it."""
    return authority.sign_in.sign_in(email, PASSWORD, Wish(HERE, carrier))


def token_pair(authority: Authority, carrier: Carrier) -> TokenPair:
    """The tokens of a new sign-in with one of the two carriers that have them."""
    credential = sign_in(authority, carrier).credential
    if not isinstance(credential, TokenPair):
        raise TypeError("a sign-in gave another carrier than was asked for")
    return credential


def crowd(authority: Authority, count: int) -> list[str]:
    """E-mails of so many new accounts with the one password, so that none gathers sessions without end."""
    first, _ = authority.store.account_by_email(EMAIL)
    if first is None:
        raise LookupError("nobody has signed up yet")
    accounts = [_account(authority, first.created_at, first.password_hash) for _ in range(count)]
    authority.store.commit(Change(at=first.created_at, put=tuple(accounts)))
    return [account.email.typed for account in accounts]


def fold_facts(authority: Authority, count: int) -> None:
    """Live facts of every common kind about others, as if so many had been signed out within the horizon."""
    kinds = (SessionEnded, TokenEnded, AccountEnded, AccountOutdated)
    fold, name = authority.follower.revocations.fold, authority.identifiers.name
    for seq in range(1, count + 1):
        fold(seq, kinds[seq % len(kinds)](name()))


def forgetful_guard(authority: Authority, ring: Rings | None = None) -> Guard:
    """A guard that remembers one carrier only: of two that take turns, each is seen for the first time."""
    return guard_of(authority, most_known=1, ring=ring)


def known_guard(authority: Authority, count: int) -> tuple[Guard, Callable[[str], None]]:
    """A guard that remembers so many cookies, and how it comes to know one of them without a store.

    Every record has an account and texts of its own, as those have that are read from a store.
    """
    guard, now = guard_of(authority, most_known=count + 1), authority.clock.now()

    def admit(cookie: str) -> None:
        session = _session(authority, account := _account(authority, now), cookie, now)
        guard.admit(digest(cookie), SessionView(session, account, 0, session.pos))

    return guard, admit


def guard_of(authority: Authority, most_known: int, ring: Rings | None = None) -> Guard:
    """A guard beside the authority's own, with other keys if there are any."""
    issuer = authority.settings.issuer
    rules = GuardRules(
        issuer,
        issuer,
        authority.limits,
        authority.accounts.roles,
        authority.settings.revocation.horizon,
        most_known,
    )
    return Guard(ring or authority.ring, authority.follower, authority.store, authority.clock, rules)


def fill(authority: Authority, count: int) -> list[str]:
    """Make so many sessions, ten to an account, and return the values of their cookies."""
    now, cookies = authority.clock.now(), [authority.identifiers.secret().reveal() for _ in range(count)]
    for start in range(0, count, _BATCH):
        batch = cookies[start : start + _BATCH]
        accounts = [_account(authority, now) for _ in range(0, len(batch), _SESSIONS_EACH)]
        sessions = [
            _session(authority, accounts[place // _SESSIONS_EACH], cookie, now)
            for place, cookie in enumerate(batch)
        ]
        authority.store.commit(Change(at=now, put=(*accounts, *sessions)))
    return cookies


def _account(authority: Authority, now: datetime, password_hash: str | None = None) -> Account:
    name = authority.identifiers.name()
    email = f"{digest(name).hex()[:20]}@example.com"
    return Account(name, Email(email, email), password_hash, ("member",), now)


def _session(authority: Authority, account: Account, cookie: str, now: datetime) -> Session:
    return Session(
        id=authority.identifiers.name(),
        carrier=Carrier.COOKIE,
        account_id=account.id,
        handle=digest(cookie),
        started_at=now,
        last_seen_at=now,
        expires_at=now + authority.limits.absolute,
        device=HERE.device,
        address=HERE.address,
        pos=authority.store.position(),
    )
