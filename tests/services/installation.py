"""One installation for a test, and the people who are signed in to it.

An `Installation` opens authorities over one database, as several server processes would. A `Device` is one sign-in and
what it holds. Nothing here stands in for our code: the clock is turned by hand and a hash costs little, that is all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change
from gatepost.core.emails import parse_email
from gatepost.core.passwords import normalise
from gatepost.core.ports import Clock
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier, Origin, Session
from gatepost.errors import Busy, GatepostError, InvalidGrant
from gatepost.machine import SystemRandomness
from gatepost.services.beginnings import CookieIssued, SignedIn, Wish
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from gatepost.testing.clock import TurnableClock
from gatepost.testing.services import CHEAP

PASSWORD = "copper lantern under the bridge"
NEW_PASSWORD = "seven herons over wet slate"
HOME = Origin("192.0.2.7", "Firefox on Linux")
ELSEWHERE = Origin("203.0.113.99", "curl")
WAYS_TO_HOLD = frozenset({"cookie", "access", "refresh"})


def open_authority(
    folder: Path, clock: Clock, on_trouble: Callable[[Exception], None], **sections: Any
) -> Authority:
    """An authority over the database in a folder; not started."""
    settings = load_settings({"data": str(folder), **sections}, environ={}, directory=folder.parent)
    return Authority(settings, Machine(clock, SystemRandomness(), on_trouble, CHEAP))


@dataclass
class Installation:
    """A database, and what is opened over it. `sections` are settings; `troubles` is what threads met."""

    folder: Path
    clock: Clock = field(default_factory=TurnableClock)
    sections: dict[str, Any] = field(default_factory=dict)
    opened: list[Authority] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    def open(self) -> Authority:
        """One more server process, as far as the database can tell."""
        authority = self.unstarted()
        self.opened.append(authority)
        authority.start()
        return authority

    def unstarted(self) -> Authority:
        """What a command works with beside the servers. Whoever asked for it stops it."""
        return open_authority(self.folder, self.clock, self.troubles.append, **self.sections)

    @property
    def faults(self) -> list[Exception]:
        """What threads met that was not a database held for half a second: on a machine that stalls it is."""
        return [trouble for trouble in self.troubles if not isinstance(trouble, Busy)]

    def close(self) -> None:
        """Stop everything that was opened."""
        while self.opened:
            self.opened.pop().stop()


def add_account(at: Authority, email: str = "ada@example.com", roles: Sequence[str] = ("member",)) -> Account:
    """An account with `PASSWORD`, written straight to the store: judging a password takes long."""
    account = Account(
        id=at.identifiers.name(),
        email=parse_email(email),
        password_hash=at.hashing.hash(normalise(PASSWORD)),
        roles=tuple(roles),
        created_at=at.clock.now(),
    )
    at.commits.commit(Change(at=at.clock.now(), put=(account,)))
    return at.accounts.find(account.id)


class Device:
    """One sign-in of an account, and what the device holds of it."""

    def __init__(
        self, at: Authority, account: Account, carrier: Carrier = Carrier.COOKIE, password: str = PASSWORD
    ) -> None:
        signed_in = at.sign_in.sign_in(account.email.typed, password, Wish(HOME, carrier))
        self.session: Session = signed_in.session
        self.credential: CookieIssued | TokenPair = signed_in.credential

    @property
    def presented(self) -> Presented:
        """What it sends with a request."""
        return presented(self.credential)

    @property
    def pair(self) -> TokenPair:
        """Its tokens."""
        assert isinstance(self.credential, TokenPair)
        return self.credential

    def who(self, at: Authority) -> Principal:
        """Who an authority says it is. Raises what the guard raises."""
        who = at.guard.check(self.presented)
        assert isinstance(who, Principal)
        return who

    def refresh(self, at: Authority, origin: Origin = HOME) -> TokenPair:
        """Rotate its refresh token and keep the new pair."""
        self.credential = at.tokens.refresh(self.pair.refresh.reveal(), origin)
        return self.credential

    def holds(self, at: Authority) -> frozenset[str]:
        """Which of its carriers an authority takes. A refresh token is tried by using it."""
        if isinstance(self.credential, CookieIssued):
            return frozenset({"cookie"} if self._passes(at) else ())
        found = {"access"} if self._passes(at) else set()
        try:
            self.refresh(at)
        except InvalidGrant:
            return frozenset(found)
        return frozenset(found | {"refresh"})

    def _passes(self, at: Authority) -> bool:
        try:
            self.who(at)
        except GatepostError as error:
            assert error.status == 401
            return False
        return True


def presented(credential: CookieIssued | TokenPair) -> Presented:
    """A credential as it comes with a request."""
    if isinstance(credential, CookieIssued):
        return OpaqueCookie(credential.handle.reveal())
    return Bearer(credential.access.reveal())


@dataclass(frozen=True)
class Person:
    """An account with a browser and a program that are signed in."""

    account: Account
    browser: Device
    program: Device

    def holds(self, at: Authority) -> frozenset[str]:
        """Which of the three carriers an authority takes."""
        return self.browser.holds(at) | self.program.holds(at)


def settle_in(at: Authority, email: str, roles: Sequence[str] = ("member",)) -> Person:
    """A person with every kind of carrier, each already known to the guard's memory."""
    account = add_account(at, email, roles)
    person = Person(account, Device(at, account), Device(at, account, Carrier.TOKEN))
    assert person.holds(at) == WAYS_TO_HOLD
    return person


def trail(at: Authority, account: Account | None = None) -> list[AuditRow]:
    """The audit rows so far, of one account or all."""
    rows = at.store.audit_rows(account_id=account.id if account else None, after=0, limit=1000)
    return [row for _, row in rows]


def secrets_of(signed_in: SignedIn) -> list[str]:
    """Every text in an answer that signs somebody in."""
    credential = signed_in.credential
    if isinstance(credential, CookieIssued):
        return [credential.handle.reveal()]
    return [credential.access.reveal(), *credential.refresh.reveal().split(".")[1:]]
