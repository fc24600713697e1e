"""One account that holds a carrier of each kind, on a real database where the command line looks too."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import SealedCookie
from gatepost.cli.finding import Inspection
from gatepost.cli.inspection import Verdict, inspect_pasted
from gatepost.cli.records import open_records
from gatepost.core.principals import Principal, Visitor
from gatepost.core.sessions import Carrier, Origin
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.services.beginnings import SignedIn, Wish
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from gatepost.testing.services import CHEAP
from tests.cli.conftest import PASSWORD

HERE = Origin("127.0.0.1", "a test")
EMAIL = "ada@example.com"
Open = Callable[..., "Holding"]


@dataclass
class Holding:
    """An authority over the folder of a test, and what was handed out by it."""

    folder: Path
    sections: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = load_settings(self.sections, environ={}, directory=self.folder)
        self.authority = Authority(settings, Machine(SystemClock(), SystemRandomness(), profile=CHEAP))
        if not self.authority.accounts.page(after=None, limit=1)[0]:
            self.authority.accounts.create(EMAIL, PASSWORD, ["member"], "test")
        self.authority.start()

    def sign_in(self, carrier: Carrier) -> SignedIn:
        """A new session."""
        return self.authority.sign_in.sign_in(EMAIL, PASSWORD, Wish(HERE, carrier))

    def pair(self, carrier: Carrier = Carrier.TOKEN) -> TokenPair:
        """A new session's tokens."""
        credential = self.sign_in(carrier).credential
        assert isinstance(credential, TokenPair)
        return credential

    def sealed(self) -> tuple[str, SignedIn]:
        """A new session's sealed cookie."""
        begun = self.sign_in(Carrier.SEALED)
        assert isinstance(begun.credential, SealedIssued)
        return begun.credential.value.reveal(), begun

    def who(self, sealed: str) -> Principal | Visitor:
        """Whom the guard finds behind a sealed cookie."""
        return self.authority.guard.check(SealedCookie(sealed))

    def verdict(self, pasted: str, after: timedelta = timedelta(), audience: str | None = None) -> Verdict:
        """What an inspection says now, or later."""
        with open_records(self.authority.settings) as records:
            return inspect_pasted(pasted, "gatepost", records, datetime.now(UTC) + after, audience=audience)

    def judged(self, pasted: str, after: timedelta = timedelta()) -> Inspection:
        """The same of the one credential there is."""
        (found,) = self.verdict(pasted, after).found
        return found
