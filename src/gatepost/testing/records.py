"""Records for tests of stores: functions that make one, with what should be different about it, put and find it.

Owns nothing but examples. Called by the suites in this package.
"""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Change, Event, Record
from gatepost.core.clients import Client, Power
from gatepost.core.emails import Email
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.ports import Store
from gatepost.core.rotation import GraceRules, Predecessor, RefreshFamily
from gatepost.core.sessions import Carrier, Session, SessionLimits
from gatepost.testing.clock import NOON

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
MICROSECOND: Final = timedelta(microseconds=1)
GRACE: Final = timedelta(seconds=10)
GRACES: Final = GraceRules(GRACE, timedelta(minutes=10), tokens_too=False)
LIMITS: Final = SessionLimits(
    idle=14 * DAY, absolute=90 * DAY, visitor_idle=DAY, visitor_empty=HOUR, per_account=100
)


def digest_of(name: str) -> bytes:
    """32 bytes that stand for a name."""
    return sha256(name.encode()).digest()


def an_account(key: str = "ada", **different: Any) -> Account:
    """An account whose e-mail is made from its id."""
    email = Email(f"{key.title()}@Example.com", f"{key}@example.com")
    return replace(Account(key, email, "$argon2id$v=19$test", ("member",), NOON), **different)


def a_session(key: str = "s1", account_id: str | None = "ada", **different: Any) -> Session:
    """A session with an opaque cookie, started and last seen at noon."""
    session = Session(
        id=key,
        carrier=Carrier.COOKIE,
        account_id=account_id,
        handle=digest_of(key),
        started_at=NOON,
        last_seen_at=NOON,
        expires_at=NOON + LIMITS.absolute,
        device="Firefox on Linux",
        address="192.0.2.7",
        pos=0,
    )
    return replace(session, **different)


def a_family(key: str = "f1", session_id: str = "s1", **different: Any) -> RefreshFamily:
    """A refresh family that was never rotated."""
    family = RefreshFamily(
        id=key,
        session_id=session_id,
        family=digest_of(f"{key} family"),
        rotor=digest_of(f"{key} rotor 1"),
        generation=1,
        audiences=("https://api.example.com",),
        expires_at=NOON + LIMITS.absolute,
        pos=0,
    )
    return replace(family, **different)


def rotated(family: RefreshFamily, **different: Any) -> RefreshFamily:
    """The family one generation on, the answers of its predecessors still sealed in it."""
    previous = Predecessor(family.rotor, NOON, b"sealed answer", "192.0.2.7", "Firefox on Linux")
    generation = family.generation + 1
    rotor = digest_of(f"{family.id} rotor {generation}")
    return replace(
        replace(family, rotor=rotor, generation=generation, previous=previous, earlier=family.previous),
        **different,
    )


def a_ring_key(key: str = "k1", **different: Any) -> RingKey:
    """A key that signs. Neither half of it is a real one."""
    return replace(
        RingKey(key, "ES256", KeyState.ACTIVE, '{"kty":"EC"}', b"sealed key", NOON, NOON), **different
    )


def a_client(key: str = "c1", **different: Any) -> Client:
    """A client that may ask about tokens for one audience."""
    audiences = ("https://api.example.com",)
    return replace(Client(key, "Orders", digest_of(key), (Power.INTROSPECT,), audiences, NOON), **different)


def an_invitation(key: str = "i1", **different: Any) -> Invitation:
    """A link that makes an administrator within a day."""
    return replace(Invitation(key, digest_of(key), "admin", NOON, NOON + DAY), **different)


def an_audit_row(event: Event = Event.SIGNED_IN, **different: Any) -> AuditRow:
    """A sign-in of the first account."""
    return replace(AuditRow(event, NOON, "ada", "ada", "s1", "192.0.2.7", "Firefox on Linux"), **different)


def change(**parts: Any) -> Change:
    """A change at noon."""
    return replace(Change(at=NOON), **parts)


def stored(store: Store, record: Record) -> Any:
    """The record of this kind and id as the store has it now, or None."""
    match type(record).__name__:
        case "Account":
            found = store.account(record.id)
            return found[0] if found else None
        case "Session":
            view = store.session(record.id)
            return view.session if view else None
        case "RefreshFamily":
            refresh = store.refresh(record.id)
            return refresh.family if refresh else None
        case "Client":
            return store.client(record.id)
        case "RingKey":
            return next((key for key in store.ring_keys() if key.id == record.id), None)
        case _:
            return store.invitation(getattr(record, "digest", b""))


def put(store: Store, *records: Record) -> None:
    """Commit records."""
    store.commit(change(put=records))
