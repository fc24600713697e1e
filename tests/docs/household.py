"""Two people and three sessions, for the tables of docs/concepts.md: who is still signed in after something happened?

Works on a whole authority with a real SQLite file and a clock to turn. Ada has the sessions "this" and "other", each in
the carrier that a test gives it; Bob has "bob's". What a request renews, its holder keeps.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import assert_never

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented, SealedCookie, TokenCookies
from gatepost.core.principals import Principal
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import InvalidGrant, Refused, Stale
from gatepost.machine import SystemRandomness
from gatepost.services.beginnings import SignedIn, Wish
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from gatepost.testing.clock import TurnableClock

PASSWORD = "violet kettle hums at noon"
NEW_PASSWORD = "seven quiet lamps in a row"
HERE = Origin("203.0.113.7", "Firefox on Linux")
ADA, BOB = "ada@example.com", "bob@example.com"


@dataclass
class Held:
    """What a client holds of one session."""

    session_id: str
    carrier: Carrier
    credential: TokenPair | str

    @property
    def presented(self) -> Presented:
        """As a request would present it."""
        match self.carrier:
            case Carrier.COOKIE:
                return OpaqueCookie(self.cookie)
            case Carrier.SEALED:
                return SealedCookie(self.cookie)
            case Carrier.TOKEN:
                return Bearer(self.access)
            case Carrier.TOKEN_COOKIE:
                return TokenCookies(self.access, self.refresh)
            case never:
                assert_never(never)

    @property
    def cookie(self) -> str:
        """The value of an opaque or sealed cookie."""
        assert isinstance(self.credential, str)
        return self.credential

    @property
    def access(self) -> str:
        """The access token."""
        assert isinstance(self.credential, TokenPair)
        return self.credential.access.reveal()

    @property
    def refresh(self) -> str:
        """The refresh token."""
        assert isinstance(self.credential, TokenPair)
        return self.credential.refresh.reveal()


@dataclass
class Household:
    """An authority in a folder, and what its people hold."""

    folder: Path
    clock: TurnableClock = field(default_factory=TurnableClock)
    held: dict[str, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {"sessions": {"per_account": 2}}
        settings = load_settings(given, environ={}, directory=self.folder)
        self.authority = Authority(settings, Machine(self.clock, SystemRandomness()))
        self.authority.start()

    def people(self, this: Carrier, other: Carrier) -> "Household":
        """Sign Ada in twice and Bob once; "other" is the one that has rested longer."""
        ways_in = self.authority.sign_in
        self.keep("other", ways_in.sign_up(ADA, PASSWORD, Wish(HERE, other)))
        self.keep("bob's", ways_in.sign_up(BOB, PASSWORD, Wish(HERE)))
        self.turn(timedelta(minutes=1))
        self.keep("this", ways_in.sign_in(ADA, PASSWORD, Wish(HERE, this)))
        return self

    def turn(self, by: timedelta) -> None:
        """Let time pass, and let the follower's thread look at the log again, however slow the machine is."""
        self.clock.turn(by)
        assert self.authority.follower.catch_up(wait=60)

    def keep(self, name: str, begun: SignedIn) -> Held:
        """Remember a sign-in by a name."""
        match begun.credential:
            case TokenPair() as pair:
                credential: TokenPair | str = pair
            case SealedIssued() as sealed:
                credential = sealed.value.reveal()
            case cookie:
                credential = cookie.handle.reveal()
        self.held[name] = Held(begun.session.id, begun.session.carrier, credential)
        return self.held[name]

    def sign_in_again(self, brought: str | None = None) -> SignedIn:
        """Ada signs in once more, in the browser that holds a session, or elsewhere."""
        cookies: tuple[bytes, ...] = ()
        sessions: tuple[str, ...] = ()
        if brought is not None:
            held = self.held[brought]
            if held.carrier is Carrier.COOKIE:
                cookies = (digest(held.cookie),)
            else:
                sessions = (held.session_id,)
        wish = Wish(HERE, brought=cookies, brought_sessions=sessions)
        return self.authority.sign_in.sign_in(ADA, PASSWORD, wish)

    def principal(self, name: str) -> Principal:
        """Who holds this, as a request of theirs is checked. Raises `Refused`."""
        held = self.held[name]
        who = self.authority.guard.check(held.presented, lambda presented: self._renewed(held, presented))
        assert isinstance(who, Principal)
        return who

    def _renewed(self, held: Held, presented: SealedCookie | TokenCookies) -> SealedCookie | TokenCookies:
        renewed = self.authority.renewals.renew(presented, HERE)
        credential = renewed.credential
        held.credential = credential if isinstance(credential, TokenPair) else credential.value.reveal()
        return renewed.presented

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles that count for this holder now, after a renewal where the carrier needs one."""
        self.renew(name)
        return self.principal(name).roles

    def renew(self, name: str) -> None:
        """Use the refresh token of a token pair, in cookies or not, and keep the next. Raises `InvalidGrant`."""
        held = self.held[name]
        if isinstance(held.credential, TokenPair):
            held.credential = self.authority.tokens.refresh(held.refresh, HERE, carrier=held.carrier)

    def in_use(self, *names: str) -> None:
        """Use these sessions now, and write down that they were used."""
        for name in names:
            self.renew(name)
            self.principal(name)
        self.authority.housekeeper.flush()

    def dead(self) -> set[str]:
        """The sessions that are over. A carrier that half stands fails the test."""
        return {name for name in list(self.held) if not self._stands(name)}

    def _stands(self, name: str) -> bool:
        by_check = self._passes(name)
        try:
            self.renew(name)
        except InvalidGrant:
            assert not by_check, f"the access token of {name} outlived its refresh token"
            return False
        return self._passes(name)

    def _passes(self, name: str) -> bool:
        try:
            self.principal(name)
        except Stale:
            # Nobody was signed out by it; a test that meets it by chance must not take it for an ending.
            raise
        except Refused:
            return False
        return True
