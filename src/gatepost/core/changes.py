"""A change is a value: what to put, take, expect, append and note, committed whole or not at all.

A service reads, decides and builds one `Change`; the store commits it or raises `Conflict`. So every race in the
system has one name and one answer: load again, decide again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gatepost.core.accounts import Account, Invitation
from gatepost.core.clients import Client
from gatepost.core.guesses import Tally
from gatepost.core.keys import RingKey
from gatepost.core.revocation import Fact, Logged, Position
from gatepost.core.rotation import RefreshFamily
from gatepost.core.sessions import Session

Record = Account | Session | RefreshFamily | RingKey | Client | Invitation


class Event(StrEnum):
    """The names of security events in the audit trail."""

    SIGNED_UP = "signed_up"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_REFUSED = "sign_in_refused"
    GUESSING_SLOWED = "guessing_slowed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    OTHER_SESSIONS_ENDED = "other_sessions_ended"
    SESSIONS_ENDED = "sessions_ended"
    EVERYONE_ENDED = "everyone_ended"
    TOKEN_ENDED = "token_ended"
    CLIENT_ENDED = "client_ended"
    REFRESH_REPEATED_ELSEWHERE = "refresh_repeated_elsewhere"
    REFRESH_REPLAYED = "refresh_replayed"
    CREDENTIAL_EXPOSED = "credential_exposed"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_CHANGE_FAILED = "password_change_failed"
    REAUTHENTICATED = "reauthenticated"
    REAUTHENTICATION_FAILED = "reauthentication_failed"
    ACCOUNT_CREATED = "account_created"
    ACCOUNT_IMPORTED = "account_imported"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_UNLOCKED = "account_unlocked"
    ROLES_CHANGED = "roles_changed"
    INVITATION_MADE = "invitation_made"
    INVITATION_USED = "invitation_used"
    CLIENT_CREATED = "client_created"
    CLIENT_SECRET_CHANGED = "client_secret_changed"
    KEY_MADE = "key_made"
    KEY_ROTATED = "key_rotated"
    KEY_WITHDRAWN = "key_withdrawn"
    MASTER_KEY_CHANGED = "master_key_changed"
    RESTORED = "restored"
    CLOCK_SET_BACK = "clock_set_back"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One security event. `account_id` is whom it is about, `actor` who did it (an account id, "cli", "system").

    `more` holds short plain facts; never a secret, never what somebody typed into a password field.
    """

    event: Event
    at: datetime
    account_id: str | None = None
    actor: str | None = None
    session_id: str | None = None
    address: str = ""
    device: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recounted:
    """What counters become, None is none, and the rows of the trail that come of it."""

    tallies: Mapping[bytes, Tally | None]
    audit: tuple[AuditRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Recounting:
    """Counters that move with a change. `decide` is handed those that there are, and nobody else moves them meanwhile.

    They have no version: changes that count the same never conflict, each sees those before it. Pure and quick.
    """

    keys: tuple[bytes, ...]
    decide: Callable[[Mapping[bytes, Tally]], Recounted]


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic step of the whole system.

    `put` inserts a record of version 0 and replaces any other at the version it was read at; `take` deletes at that
    version; `expects` names records that were only read and must still be as they were. Facts are appended in the
    order given, last of all, under the lock of the log's head row. `recounting` moves counters once the rest stands.

    What is not `durable` may be lost with the power, never with a process: counters, and what is noted of them.
    """

    at: datetime
    put: tuple[Record, ...] = ()
    take: tuple[Record, ...] = ()
    expects: tuple[Record, ...] = ()
    facts: tuple[Fact, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    recounting: Recounting | None = None
    durable: bool = True

    def __post_init__(self) -> None:
        if not self.durable and (self.put or self.take or self.facts):
            raise ValueError("records and facts are durable")


@dataclass(frozen=True, slots=True)
class Committed:
    """A change that is durable: the log's position after it and the facts it appended."""

    position: Position
    logged: tuple[Logged, ...]

    @property
    def pos(self) -> int:
        """The sequence of `position`."""
        return self.position.seq
