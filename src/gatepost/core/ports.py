"""Every seam of Gatepost on one page: what the inside asks of the outside.

Services and checks are written against these; `authority.py` alone knows who stands behind them. Every method is a
plain blocking call. Times are aware UTC; sequences are positions in the revocation log.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatepost.core.accounts import Account, AccountFilter, Invitation
from gatepost.core.audit import Entry, Seal, Sealed
from gatepost.core.changes import AuditRow, Change, Committed
from gatepost.core.clients import Client
from gatepost.core.guesses import Tally
from gatepost.core.keys import RingKey
from gatepost.core.passwords import Verified, Wrong
from gatepost.core.revocation import Logged, Position, Standing, Subject
from gatepost.core.rotation import GraceRules, RefreshView
from gatepost.core.sessions import SessionLimits, SessionView
from gatepost.core.verifiers import InstanceKey, VerifierRow


class Clock(Protocol):
    """Time. `now` is for what people and tokens say; `boot` is for how long something took."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""

    def boot(self) -> float:
        """Seconds since the machine started, going on through suspend and never set by anyone."""


class Randomness(Protocol):
    """The only source of secrets and identifiers."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes from a cryptographically secure source."""


class SessionStore(Protocol):
    """Where session records are loaded from and touched. SQL by default; Redis may stand here later."""

    reads_inline: bool
    """Whether a read is so short (an embedded database) that an event loop may do it without a thread hop."""

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie, by the cookie's SHA-256."""

    def session(self, session_id: str) -> SessionView | None:
        """The session with this id."""

    def sessions_of(self, account_id: str) -> list[SessionView]:
        """All records of an account, newest first; the dead that the sweep has not met yet among them."""

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        """Move `last_seen_at` of each session id forward, never back. Update only: a touch creates nothing."""


class Overview(Protocol):
    """What an administrator looks at. A page costs what it holds, however much there is behind it."""

    def sessions_by_use(self, *, before: tuple[datetime, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts, last used first, those before a moment and an id; dead ones among them."""

    def sessions_from(self, address: str, *, after: tuple[str, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts whose address begins like this, in the order of addresses and ids."""

    def audit_back(
        self, *, account_id: str | None, before: int | None, limit: int
    ) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, newest first, those before a number; of one account if it is given."""

    def last_acts(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of what its own account did with it.

        Costs what the sessions cost, however many tries of strangers there are between their rows.
        """

    def live_counts(self, account_ids: Sequence[str], limits: SessionLimits, now: datetime) -> dict[str, int]:
        """For each of these accounts that has any: how many of its sessions are alive at `now`."""

    def accounts_by_age(
        self, wanted: AccountFilter, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[Account]:
        """Accounts that fit, newest first, those made before a moment and an id."""

    def other_holder(self, role: str, besides: str) -> Account | None:
        """An account that has the role, a password and no lock, other than the one with this id."""


class Store(SessionStore, Protocol):
    """The durable truth. Readers get a consistent snapshot; the one way to write is a `Change`."""

    def commit(self, change: Change) -> Committed:
        """Make all of a change durable, or raise `Conflict` and write nothing of it."""

    def position(self) -> int:
        """The sequence of the newest fact."""

    def account(self, account_id: str) -> tuple[Account, int] | None:
        """An account, and the position its snapshot was read at."""

    def account_by_email(self, key: str) -> tuple[Account | None, int]:
        """The account with this canonical e-mail or None, and the position of the snapshot."""

    def accounts(self, *, after: str | None, limit: int, search: str = "") -> list[Account]:
        """Accounts in the order of their ids, those after `after`, whose e-mail contains `search` or whose id it is."""

    def has_role(self, role: str) -> bool:
        """Whether any account that is not locked has the role."""

    def sessions(self, *, after: str | None, limit: int) -> list[SessionView]:
        """Session records of accounts in the order of their ids, those after `after`; dead ones among them."""

    def refresh(self, family_id: str) -> RefreshView | None:
        """The refresh family with this id, with its session and account."""

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        """Count one repeat of this generation, with its audit row if it is worth one; how many there have been.

        It is no Change on purpose: 64 tabs repeating at once must not conflict with each other.
        """

    def invitation(self, digest: bytes) -> Invitation | None:
        """The one-time link with this secret's SHA-256."""

    def invitations(self, role: str) -> list[Invitation]:
        """Every open one-time link for a role."""

    def ring_keys(self) -> list[RingKey]:
        """Every key that is not gone, oldest first."""

    def client(self, client_id: str) -> Client | None:
        """The OAuth client with this id."""

    def clients(self) -> list[Client]:
        """Every OAuth client, oldest first, ended ones too."""

    def standing_of(self, subject: Subject) -> Standing:
        """What every durable fact after the subject's position says of it, and whether it is older than the floor.

        A fact that names something is newer than the position of what it names, so none before it is looked at.
        """

    def sweep(self, limits: SessionLimits, grace: GraceRules, now: datetime, most: int) -> int:
        """Delete up to `most` dead records (sessions, their families, used-up answers, old links); how many went.

        Short transactions, so that traffic goes on. A record is dead by time, by its account's or everyone's ending,
        or because its account is locked or gone.
        """

    def audit_rows(self, *, account_id: str | None, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, in order, those after a number.

        Numbers are in commit order: once a row can be read, none with a smaller number appears any more.
        """

    def repeats_elsewhere(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of a refresh that was repeated from elsewhere.

        Costs what the sessions cost, however long the trail is: anybody makes it longer, by failing to sign in.
        """

    def audit_entries(self, *, after: int, upto: int, limit: int) -> list[Entry]:
        """The same rows as bytes, those after a number up to another, whatever anybody has made of them."""

    def newest_seal(self) -> Seal | None:
        """The seal with the highest number."""

    def seals(self, *, after: int, limit: int) -> list[Sealed]:
        """Seals in the order of their numbers, those after a number."""

    def append_seal(self, sealed: Sealed) -> None:
        """Write a seal, or raise `Conflict` where there is one with its number: of two sealers one wins."""

    def counters(self) -> "Counters":
        """What is counted of tries that did not work; a `Change` can move these counters too."""

    def overview(self) -> Overview:
        """What an administrator looks at."""

    def ready(self) -> None:
        """Raise `StoreUnusable` or `Busy` if the store cannot be read and written now."""

    def close(self) -> None:
        """Let go of files and connections."""


class Introspection(Protocol):
    """Who is asked about one carrier while the log is out of reach: the durable truth, or another who reads it.

    Answers count only from a primary that can still commit. Raises a `GatepostError` where there is no answer.
    """

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie as it is now, by the cookie's SHA-256."""

    def standing(self, token: str, subject: Subject) -> Standing:
        """What is true now of a token whose signature was verified: the token itself, and what it speaks for."""


@dataclass(frozen=True, slots=True)
class LogAnswer:
    """What a log says to a follower: the facts after its position, or everything live after a reset.

    `age` is how old the answerer's own knowledge was, in seconds: 0 for the primary itself. `pulse` is the counter that
    a store which can be fenced off keeps moving while it can still commit; None where there is one file and one truth.
    `origin` names the primary that answered: one that was promoted in its place is another. `ring` is a number that
    moves whenever a key of the ring has changed.
    """

    facts: tuple[Logged, ...]
    position: Position
    floor: int
    reset: bool
    age: float = 0.0
    pulse: int | None = None
    origin: str = ""
    ring: int = 0


@dataclass(frozen=True, slots=True)
class FollowerRow:
    """Where one server process is in the log: how others know that it has heard."""

    instance: str
    pid: int
    seq: int
    at: datetime


class Log(Protocol):
    """The ordered log of facts, as followers read it."""

    pulses: bool
    """Whether this store can be fenced off while it still answers, so that answers count only while a pulse moves."""

    def beat(self) -> None:
        """Move the pulse by a commit. Does nothing where there is none."""

    def changed(self) -> bool:
        """Cheaply, whether anything may have been committed by others since this was last asked."""

    def read(self, after: Position | None) -> LogAnswer:
        """The facts after a position. Without one, or where that very row is not found, a reset with all live facts."""

    def raise_floor(self, seq: int) -> None:
        """Publish that followers may forget facts up to `seq`. It never falls."""

    def confirm(self, row: FollowerRow) -> None:
        """Write where a follower is."""

    def followers(self) -> list[FollowerRow]:
        """Every follower that has not left."""

    def leave(self, instance: str) -> None:
        """Remove a follower's row."""


class VerifierList(Protocol):
    """The instances of verifiers that follow the log, shared by every server process, and still there after a restart.

    The newest may be lost at a power loss, with the servers that have answered them.
    """

    def announce(self, rows: Sequence[VerifierRow], dropped: Collection[InstanceKey], boot: float) -> None:
        """Write these rows and remove others, all in one step; `boot` is now. Raises Busy after half a second.

        An `until` never falls below `lease_end` of the row that is there: another process has promised it.
        """

    def verifiers(self) -> list[VerifierRow]:
        """Every instance that is kept, in the order of its client and its name."""

    def shorten(self, client_id: str, until: float) -> None:
        """Say of every instance of a client that no lease of it goes beyond `until`, on the boot clock."""

    def forget(self, keys: Collection[InstanceKey]) -> None:
        """Remove these instances."""


class PasswordHashing(Protocol):
    """The password factor, as the services see it."""

    def hash(self, password: bytes) -> str:
        """A new hash in PHC form; raises `Busy` when too many are waiting."""

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified | Wrong:
        """The same work in every case, also when there is no account (`stored` is None).

        `as_typed` is the password before it was normalised, tried too where it differs: other systems hashed that.
        """

    def refusal_of(self, stored: str) -> str | None:
        """Why a hash would never be verified, as one sentence; None where it would. Computes nothing."""

    def decoy_like(self, stored: str) -> str | None:
        """A hash that costs what `stored` costs and that no password is known to match; None if it is unreadable."""


Recount = Callable[[Mapping[bytes, Tally]], Mapping[bytes, Tally | None]]
"""What counters become, out of what they are; None is none. Pure and quick: others wait meanwhile."""


class Counters(Protocol):
    """Counters that are forgotten by themselves, shared by every server process. Keys are digests, never names.

    They outlive a restart. The newest may be lost at a power loss.
    """

    def tallies(self, keys: Sequence[bytes]) -> dict[bytes, Tally]:
        """The counters with these keys that there are, those that are over among them."""

    def recount(self, keys: Sequence[bytes], decide: Recount) -> None:
        """Write what `decide` makes of these counters in one step, so that of two at once the second sees the first."""

    def sweep_counters(self, now: datetime, keep: int, most: int) -> int:
        """Remove up to `most` that are over, or, until `keep` are left, the nearest to it; how many went."""
