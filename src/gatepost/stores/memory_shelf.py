"""One kind of record in memory: versions, unique keys, and the way back out of a change that failed.

Owns what a put does to one record. Knows neither locks nor facts; the memory store holds one shelf a kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow
from gatepost.core.keys import SigningKey
from gatepost.core.rotation import RefreshFamily
from gatepost.core.sessions import Session
from gatepost.errors import Conflict
from gatepost.stores.columns import json_bytes, mapping

Undo = list[Callable[[], object]]
_R = TypeVar("_R", Account, Session, RefreshFamily, SigningKey, Invitation)


def own_session(session: Session) -> Session:
    """The same session with application data that nobody else holds."""
    return replace(session, data=mapping(json_bytes(session.data)))


def own_audit(row: AuditRow) -> AuditRow:
    """The same audit row with facts that nobody else holds."""
    return replace(row, more=dict(row.more))


@dataclass(slots=True)
class Shelf(Generic[_R]):
    """Records of one kind by id. `unique` names what no two of them may share, None for nothing.

    `merged` makes the record to keep from the one there (None for a new one) and the one that is put.
    """

    name: str
    merged: Callable[[_R | None, _R], _R]
    unique: Callable[[_R], str | bytes | None] = lambda record: None
    records: dict[str, _R] = field(default_factory=dict)
    owners: dict[str | bytes, str] = field(default_factory=dict)

    def expect(self, record: _R) -> None:
        """Raise Conflict unless the record is there as it was read."""
        found = self.records.get(record.id)
        if found is None or found.version != record.version:
            raise Conflict(self.name, record.id)

    def take(self, record: _R, undo: Undo) -> None:
        """Remove a record as it was read, or raise Conflict."""
        self.expect(record)
        self.remove(record.id, undo)

    def put(self, record: _R, undo: Undo) -> None:
        """Insert a record of version 0, replace any other as it was read, or raise Conflict."""
        there = self.records.get(record.id)
        if (there.version if there else 0) != record.version:
            raise Conflict(self.name, record.id)
        key = self.unique(record)
        if key is not None and self.owners.get(key, record.id) != record.id:
            raise Conflict(self.name, record.id)
        self.set(replace(self.merged(there, record), version=record.version + 1), undo)

    def set(self, record: _R, undo: Undo) -> None:
        """Keep a record as it is, without asking."""
        self.remove(record.id, undo)
        key = self.unique(record)
        self.records[record.id] = record
        if key is not None:
            self.owners[key] = record.id
        undo.append(lambda: self._drop(record))

    def remove(self, record_id: str, undo: Undo) -> None:
        """Remove a record if it is there."""
        record = self.records.get(record_id)
        if record is not None:
            self._drop(record)
            undo.append(lambda: self._restore(record))

    def _drop(self, record: _R) -> None:
        del self.records[record.id]
        key = self.unique(record)
        if key is not None:
            del self.owners[key]

    def _restore(self, record: _R) -> None:
        self.records[record.id] = record
        key = self.unique(record)
        if key is not None:
            self.owners[key] = record.id


def accounts() -> Shelf[Account]:
    """Accounts, one for each canonical e-mail."""

    def merged(there: Account | None, record: Account) -> Account:
        return replace(record, ended_pos=max(record.ended_pos, there.ended_pos if there else 0))

    return Shelf("account", merged, lambda account: account.email.key)


def sessions() -> Shelf[Session]:
    """Sessions, one for each cookie handle."""

    def merged(there: Session | None, record: Session) -> Session:
        before = there or record
        pos, seen = max(record.pos, before.pos), max(record.last_seen_at, before.last_seen_at)
        return replace(own_session(record), pos=pos, last_seen_at=seen)

    return Shelf("session", merged, lambda session: session.handle)


def families() -> Shelf[RefreshFamily]:
    """Refresh families."""

    def merged(there: RefreshFamily | None, record: RefreshFamily) -> RefreshFamily:
        return replace(record, pos=max(record.pos, (there or record).pos))

    return Shelf("refresh family", merged)


def signing_keys() -> Shelf[SigningKey]:
    """Signing keys."""
    return Shelf("signing key", lambda there, record: record)


def invitations() -> Shelf[Invitation]:
    """One-time links, one for each secret."""
    return Shelf("invitation", lambda there, record: record, lambda invitation: invitation.digest)
