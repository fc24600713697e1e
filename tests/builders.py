"""Small records for tests, each whole and alive by default; what a test is about is given by keyword.

Owns no fixtures and no behaviour. Everything hangs on `NOW`, so that a boundary can be written as a sum.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from gatepost.carriers.keys import KeyRing, make_key, open_ring
from gatepost.carriers.sealing import MasterKey
from gatepost.core.accounts import Account
from gatepost.core.emails import Email
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.revocation import Subject
from gatepost.core.rotation import Predecessor, RefreshFamily
from gatepost.core.secrets import RefreshHandle, digest
from gatepost.core.sessions import Carrier, Session, SessionLimits, SessionView
from gatepost.testing.randomness import SeededRandomness

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
ISSUER = "https://auth.example.com"
MASTER = MasterKey(b"m" * 32)
ROLES: Mapping[str, tuple[str, ...]] = {
    "admin": ("accounts.write",),
    "support": ("orders.read", "orders.cancel"),
    "member": ("orders.read",),
}
LIMITS = SessionLimits(
    idle=timedelta(hours=1),
    absolute=timedelta(days=7),
    visitor_idle=timedelta(minutes=30),
    visitor_empty=timedelta(minutes=10),
    per_account=3,
)


def make_account(**changes: Any) -> Account:
    """A member who may sign in."""
    account = Account(
        id="ada",
        email=Email("Ada@example.com", "ada@example.com"),
        password_hash=None,
        roles=("member",),
        created_at=NOW - timedelta(days=30),
    )
    return replace(account, **changes)


def make_session(**changes: Any) -> Session:
    """A session of `ada` in an opaque cookie, started at `NOW`."""
    session = Session(
        id="session-1",
        carrier=Carrier.COOKIE,
        account_id="ada",
        handle=digest(make_handle(1)),
        started_at=NOW,
        last_seen_at=NOW,
        expires_at=NOW + LIMITS.absolute,
        device="Firefox on Linux",
        address="203.0.113.7",
        pos=0,
    )
    return replace(session, **changes)


def make_visit(**changes: Any) -> Session:
    """A session of somebody who has not signed in."""
    return replace(make_session(id="visit-1", account_id=None), **changes)


def make_view(session: Session | None = None, account: Account | None = None, **changes: Any) -> SessionView:
    """A session as a store hands it out: with its account, unless it is a visit."""
    session = session or make_session()
    if account is None and session.account_id is not None:
        account = make_account(id=session.account_id)
    return replace(SessionView(session, account, everyone_ended=0, pos=session.pos), **changes)


def make_handle(number: int) -> str:
    """The value of an opaque cookie: 43 characters, another for each number."""
    return f"{number:043d}"


def make_refresh(family: str = "f", rotor: str = "r") -> RefreshHandle:
    """A refresh token of a family, the parts filled up to their length."""
    return RefreshHandle(id="i" * 22, family=family.ljust(43, "-"), rotor=rotor.ljust(43, "-"))


def make_family(current: RefreshHandle, **changes: Any) -> RefreshFamily:
    """The refresh state whose current token is `current`."""
    family = RefreshFamily(
        id=current.id,
        session_id="session-1",
        family=digest(current.family),
        rotor=digest(current.rotor),
        generation=0,
        audiences=(ISSUER,),
        expires_at=NOW + timedelta(days=7),
        pos=0,
    )
    return replace(family, **changes)


def make_predecessor(handle: RefreshHandle, **changes: Any) -> Predecessor:
    """The state of a token that was rotated at `NOW`."""
    predecessor = Predecessor(
        rotor=digest(handle.rotor), rotated_at=NOW, sealed=b"box", address="203.0.113.7", device="Firefox"
    )
    return replace(predecessor, **changes)


def make_subject(**changes: Any) -> Subject:
    """What a token of `ada` stands for, issued at position 10."""
    subject = Subject(
        pos=10, session_id="session-1", account_id="ada", client_id="first-party", jti="token-1", kid="key-1"
    )
    return replace(subject, **changes)


@cache
def make_signing_key(key_id: str = "key-1", state: KeyState = KeyState.ACTIVE) -> RingKey:
    """A real key pair, sealed under `MASTER`; the same one for the same name."""
    if state is not KeyState.ACTIVE:
        return replace(make_signing_key(key_id), state=state)
    return make_key(key_id, MASTER, NOW, SeededRandomness(len(key_id)))


def make_ring(*records: RingKey) -> KeyRing:
    """The ring of these keys, or of one that signs."""
    return open_ring(records or (make_signing_key(),), MASTER)


def make_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a token of `ada` for the issuer itself, good for ten minutes from `NOW`."""
    now = int(NOW.timestamp())
    claims = {
        "iss": ISSUER,
        "sub": "ada",
        "aud": [ISSUER],
        "client_id": "first-party",
        "iat": now,
        "exp": now + 600,
        "auth_time": now,
        "jti": "token-1",
        "sid": "session-1",
        "roles": ["member"],
        "pos": 10,
    }
    return claims | changes
