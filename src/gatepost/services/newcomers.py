"""Accounts that come over from another system, line by line: which may, and their change in batches.

Owns that nobody who is here already is touched, that a second run of the same import finds its own accounts, and that
a foreign hash is judged before anything is computed. Reads no file. Called by `gatepost account import`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.emails import Email
from gatepost.core.newcomers import Newcomer, parse_newcomer
from gatepost.core.permissions import unknown_roles
from gatepost.core.ports import PasswordHashing
from gatepost.core.sessions import Session
from gatepost.errors import InvalidFields, TooLarge
from gatepost.services.means import Means

_LONGEST: Final = Email("x" * 254, "")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, its number counted from 1, and the fields on it by column."""

    number: int
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that brings no account; `says` why, without what stands on it."""

    number: int
    says: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line that brings an account, as far as the file alone can tell."""

    number: int
    newcomer: Newcomer


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a batch: accounts made, how many of those have no password, how many an earlier run had made, and
    lines that cannot come.
    """

    imported: int
    without_password: int
    already_there: int
    bad: tuple[BadLine, ...]


class Standing(Enum):
    """Whether an account that is to come over is here."""

    NEW = "new"
    ALREADY_THERE = "already there"


class Sightings(Protocol):
    """Which line named something first."""

    def first(self, name: str, line: int) -> int:
        """The line that named this first; `line` itself, which is kept, if none did before."""


class Newcomers:
    """Takes accounts in. `source` is the name that an import is known by, in the trail and to its own next run."""

    def __init__(
        self,
        means: Means,
        hashing: PasswordHashing,
        roles: Mapping[str, tuple[str, ...]],
        measure: Callable[[Account], tuple[Session, ...]],
    ) -> None:
        self._means = means
        self._hashing = hashing
        self._roles = roles
        self._measure = measure
        self._fitting: dict[tuple[str, ...], str | None] = {}

    def judge(self, line: Line, seen: Sightings) -> Candidate | BadLine:
        """Whether a line brings an account, by what stands on it and on the lines before it."""
        try:
            newcomer = parse_newcomer(line.fields, self._means.clock.now())
        except InvalidFields as refused:
            return BadLine(line.number, _in_words(refused.errors))
        faults = self._faults(newcomer)
        first = seen.first(newcomer.email.key, line.number)
        if first != line.number:
            faults["email"] = f"Line {first} has the same address."
        if newcomer.id is not None and seen.first(f"id {newcomer.id}", line.number) != line.number:
            faults.setdefault("id", "An earlier line has the same id.")
        return BadLine(line.number, _in_words(faults)) if faults else Candidate(line.number, newcomer)

    def standing(self, candidate: Candidate, source: str) -> Standing | BadLine:
        """Whether a candidate is here. One that is, and did not come from this source, makes a bad line."""
        newcomer, store = candidate.newcomer, self._means.store
        there, _ = store.account_by_email(newcomer.email.key)
        if there is not None:
            if self._came_from(there, source):
                return Standing.ALREADY_THERE
            return BadLine(candidate.number, "email: There is an account with this address already.")
        if newcomer.id is not None and store.account(newcomer.id) is not None:
            return BadLine(candidate.number, "id: There is an account with this id already.")
        return Standing.NEW

    def admit(self, batch: Sequence[Candidate], source: str, actor: str) -> Admission:
        """Make the accounts of a batch in one change. Raises `Busy`; nothing of the batch is written then."""

        def step() -> Admission:
            standings = [(one, self.standing(one, source)) for one in batch]
            new = [one.newcomer for one, standing in standings if standing is Standing.NEW]
            if new:
                self._means.commits.commit(self._change(new, source, actor))
            there = sum(standing is Standing.ALREADY_THERE for _, standing in standings)
            bad = tuple(standing for _, standing in standings if isinstance(standing, BadLine))
            return Admission(len(new), sum(one.password_hash is None for one in new), there, bad)

        # Somebody who signs up in between makes a conflict of the whole batch, and one bad line the next time.
        return self._means.commits.decided(step)

    def _change(self, new: Sequence[Newcomer], source: str, actor: str) -> Change:
        now = self._means.clock.now()
        accounts = tuple(self._account(one, now) for one in new)
        rows = tuple(
            AuditRow(
                Event.ACCOUNT_IMPORTED,
                now,
                account_id=account.id,
                actor=actor,
                more={"source": source, "roles": ",".join(account.roles)},
            )
            for account in accounts
        )
        return Change(at=now, put=accounts, audit=rows)

    def _account(self, newcomer: Newcomer, now: datetime) -> Account:
        return Account(
            id=newcomer.id or self._means.identifiers.name(),
            email=newcomer.email,
            password_hash=newcomer.password_hash,
            roles=newcomer.roles,
            created_at=newcomer.created_at or now,
            email_verified=newcomer.email_verified,
            locked_at=(newcomer.locked_at or now) if newcomer.locked else None,
        )

    def _came_from(self, account: Account, source: str) -> bool:
        """Whether an import with this name made the account: the first row of its trail says so."""
        rows = self._means.store.audit_rows(account_id=account.id, after=0, limit=1)
        return any(
            row.event is Event.ACCOUNT_IMPORTED and row.more.get("source") == source for _, row in rows
        )

    def _faults(self, newcomer: Newcomer) -> dict[str, str]:
        faults: dict[str, str] = {}
        stored = newcomer.password_hash
        if stored is not None and (says := self._hashing.refusal_of(stored)):
            faults["password_hash"] = says
        if strangers := unknown_roles(newcomer.roles, self._roles):
            known = ", ".join(sorted(self._roles))
            faults["roles"] = f"There is no role {strangers[0][:64]!r} here; there are {known}."
        elif says := self._too_large(newcomer.roles):
            faults["roles"] = says
        return faults

    def _too_large(self, roles: tuple[str, ...]) -> str | None:
        # Measured once for each set of roles, with the longest address there can be: a token is signed for it.
        if roles not in self._fitting:
            account = Account(self._means.identifiers.name(), _LONGEST, None, roles, self._means.clock.now())
            try:
                self._measure(account)
                self._fitting[roles] = None
            except TooLarge as refused:
                self._fitting[roles] = refused.message
        return self._fitting[roles]


def _in_words(faults: Mapping[str, str]) -> str:
    return " ".join(f"{name}: {sentence}" for name, sentence in faults.items())
