"""The real services over any store, with the places where a test can hold them.

The same classes as in a running server, composed without settings; only the cost of a hash is small. Called by the
suites that prove a store.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gatepost.carriers.cookie import names_for
from gatepost.carriers.keys import KeyRing, make_key, open_ring
from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie
from gatepost.carriers.sealed import SealingTerms
from gatepost.carriers.sealing import KEY_BYTES, MasterKey
from gatepost.checking.follower import Follower, Identity
from gatepost.checking.guard import Guard
from gatepost.checking.rules import GuardRules
from gatepost.core.passwords import PasswordRules
from gatepost.core.ports import Log, Store
from gatepost.core.principals import Principal, Visitor
from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import Carrier, Origin, SessionLimits
from gatepost.factors.blocklist import Blocklist
from gatepost.factors.password import PasswordFactor, Profile
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.services.accounts import Accounts
from gatepost.services.beginnings import Beginnings, CookieIssued, SignedIn, Wish
from gatepost.services.commits import Commits
from gatepost.services.identifiers import Identifiers
from gatepost.services.means import Means
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.sealed import SealedForm, SealedIssued, SealedSessions
from gatepost.services.sessions import Sessions
from gatepost.services.sign_in import SignIn
from gatepost.services.tokens import TokenPair, TokenRules, Tokens
from gatepost.testing.guesses import unhurried
from gatepost.testing.holding import HeldHashing, HeldRandomness

CHEAP: Final = Profile("cheap", memory_kib=8, time_cost=1)
HERE: Final = Origin("192.0.2.7", "Firefox on Linux")
_ISSUER: Final = "https://auth.example.com"
_ROLES: Final = {"admin": (), "support": (), "member": ()}
_HOUR: Final = timedelta(hours=1)
_GRACE: Final = GraceRules(timedelta(seconds=10), _HOUR / 6, tokens_too=False)
# One for all houses: it is read once, at its first use, and that takes longer than most tests.
_BLOCKLIST: Final = Blocklist()
_LIMITS: Final = SessionLimits(
    idle=_HOUR, absolute=24 * _HOUR, visitor_idle=_HOUR, visitor_empty=_HOUR, per_account=100
)


@dataclass(frozen=True, slots=True)
class House:
    """The services over one store. Sign-ins can be held inside the hash, refreshes where they draw randomness."""

    store: Store
    hashing: HeldHashing
    randomness: HeldRandomness
    sign_in: SignIn
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    guard: Guard
    follower: Follower


def furnished(store: Store, log: Log) -> House:
    """The services over a store. Its follower is the caller's to start and stop."""
    clock, randomness = SystemClock(), HeldRandomness(SystemRandomness())
    identifiers = Identifiers(randomness)
    follower = Follower(log, clock, Identity(identifiers.name(), 1), bound=1.0)
    commits = Commits(store, log, clock, bound=1.0, tell=follower.tell)
    ring = _new_ring(randomness)
    guard = Guard(ring, follower, store, clock, GuardRules(_ISSUER, _ISSUER, _LIMITS, _ROLES, _HOUR / 6))
    guesses = unhurried(store, clock, randomness)
    means = Means(store, commits, clock, identifiers, _LIMITS, guard.saw, guesses=guesses)
    hashing = HeldHashing(PasswordFactor(CHEAP, slots=4, queue=64, wait=10))
    policy = PasswordPolicy(PasswordRules(_BLOCKLIST))
    terms = SealingTerms(_ISSUER, _LIMITS, _HOUR / 6)
    sealed = SealedSessions(means, ring, terms, SealedForm(names_for("gatepost", secure=True), 3072))
    tokens = Tokens(means, ring, TokenRules(_ISSUER, (_ISSUER,), _HOUR / 6, 24 * _HOUR, _GRACE))
    return House(
        store,
        hashing,
        randomness,
        SignIn(means, Beginnings(means, tokens, sealed, ("*",)), hashing, policy),
        Accounts(means, hashing, policy, _ROLES),
        Sessions(means, sealed, data_limit=4096),
        tokens,
        guard,
        follower,
    )


def _new_ring(randomness: HeldRandomness) -> KeyRing:
    master = MasterKey(randomness.bytes(KEY_BYTES))
    now = SystemClock().now()
    keys = [make_key(name, master, now, randomness, name) for name in ("ES256", "A256GCM")]
    return open_ring(keys, master)


def wish(carrier: Carrier = Carrier.COOKIE) -> Wish:
    """How somebody wants to be signed in."""
    return Wish(HERE, carrier)


def checked(house: House, credential: TokenPair | SignedIn) -> Principal | Visitor:
    """Who the guard says holds this. Raises `Refused`."""
    if isinstance(credential, SignedIn):
        held = credential.credential
        if isinstance(held, CookieIssued):
            return house.guard.check(OpaqueCookie(held.handle.reveal()))
        if isinstance(held, SealedIssued):
            return house.guard.check(SealedCookie(held.value.reveal()))
        credential = held
    return house.guard.check(Bearer(credential.access.reveal()))


def checked_account(house: House, credential: TokenPair | SignedIn) -> Principal:
    """The same where it is an account's. Raises `Refused`."""
    who = checked(house, credential)
    if not isinstance(who, Principal):
        raise TypeError("this is the credential of a visit")
    return who


def pair_of(signed_in: SignedIn) -> TokenPair:
    """The tokens of a sign-in that asked for some."""
    if not isinstance(signed_in.credential, TokenPair):
        raise TypeError("this sign-in was given a cookie")
    return signed_in.credential
