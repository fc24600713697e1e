"""A post whose guard opens sealed cookies, and both faces of that guard with a renewal behind them.

Owns the ring with its three sealing keys and the counting of renewals. What is renewed is renewed by the real service.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio

from gatepost.carriers.cookie import names_for
from gatepost.carriers.presented import SealedCookie
from gatepost.carriers.sealed import (
    SealedSession,
    SealingKey,
    SealingTerms,
    seal_session,
    secret_digest,
)
from gatepost.checking.guard import Guard, Renewable
from gatepost.core.principals import Principal, Visitor
from gatepost.core.sessions import Carrier, Session
from gatepost.services.commits import Commits
from gatepost.services.identifiers import Identifiers
from gatepost.services.means import Means
from gatepost.services.sealed import SealedForm, SealedSessions
from gatepost.testing.guesses import unhurried
from gatepost.testing.randomness import SeededRandomness
from gatepost.testing.records import a_client
from tests.builders import ISSUER, LIMITS, make_account, make_ring, make_session
from tests.carriers.sealed_cookies import SECRET, contents
from tests.checking.posts import BOUND, HORIZON, Post

ACTIVE = SealingKey("active", b"a" * 32)
RETIRED = SealingKey("retired", b"r" * 32)
WITHDRAWN = SealingKey("withdrawn", b"w" * 32, withdrawn=True)
STRANGE = SealingKey("strange", b"s" * 32)
RING = replace(make_ring(), sealer=ACTIVE, opening={key.header: key for key in (ACTIVE, RETIRED, WITHDRAWN)})
RANDOM = SeededRandomness(11)


def make_sealed(**changes: Any) -> Session:
    """`ada`'s session in a sealed cookie, as a client's user."""
    made = make_session(carrier=Carrier.SEALED, handle=secret_digest(SECRET.reveal()), client_id="shop")
    return replace(made, **changes)


def cookie(key: SealingKey = ACTIVE, session: Session | None = None, **changes: Any) -> SealedCookie:
    """A cookie sealed at `NOW` under a key; what it says otherwise is given by keyword."""
    held: SealedSession = contents(session or make_sealed(version=1), **changes)
    return SealedCookie(seal_session(held, key, RANDOM).reveal())


class SealedPost(Post):
    """`ada` is signed in by sealed cookie; its guard believes one for `believed` at most."""

    def __init__(self, *, believed: timedelta = HORIZON, **how: Any) -> None:
        super().__init__(**how)
        self.put(make_account(), a_client("shop"), make_sealed())
        rules = replace(self.rules, horizon=believed)
        self.guard = Guard(RING, self.follower, self.store, self.clock, rules)
        self.renewals = 0
        commits = Commits(self.store, self.store, self.clock, bound=BOUND, tell=self.follower.tell)
        guesses = unhurried(self.store, self.clock, RANDOM)
        means = Means(
            self.store, commits, self.clock, Identifiers(RANDOM), LIMITS, self.guard.saw, guesses=guesses
        )
        form = SealedForm(names_for("gatepost", secure=True), 3072)
        self.service = SealedSessions(means, RING, SealingTerms(ISSUER, LIMITS, believed), form)

    def renew(self, presented: Renewable) -> Renewable:
        """Renew a sealed cookie, as a request does."""
        assert isinstance(presented, SealedCookie)
        self.renewals += 1
        return SealedCookie(self.service.renew(presented.value).value.reveal())

    async def renew_async(self, presented: Renewable) -> Renewable:
        """The same from an event loop."""
        return self.renew(presented)


Ask = Callable[[SealedPost, SealedCookie], Principal | Visitor]


def ask_sync(post: SealedPost, presented: SealedCookie) -> Principal | Visitor:
    """Who presents it, on the blocking face; it may be renewed."""
    return post.guard.check(presented, post.renew)


def ask_async(post: SealedPost, presented: SealedCookie) -> Principal | Visitor:
    """The same on the awaiting face."""
    return anyio.run(post.guard.check_async, presented, post.renew_async)
