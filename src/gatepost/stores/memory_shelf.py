"""One kind of record in memory: versions, unique keys, and the way back out of a change that failed.

Owns what a put does to one record. Knows neither locks nor facts; the memory store holds one shelf a kind.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Record
from gatepost.core.clients import Client
from gatepost.core.keys import RingKey
from gatepost.core.rotation import RefreshFamily
from gatepost.core.sessions import Session
from gatepost.errors import Conflict
from gatepost.stores.columns import json_bytes, mapping

Undo = list[Callable[[], object]]
_R = TypeVar("_R", Account, Session, RefreshFamily, RingKey, Client, Invitation)


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


def ring_keys() -> Shelf[RingKey]:
    """The keys of the ring."""
    return Shelf("ring key", lambda there, record: record)


def clients() -> Shelf[Client]:
    """OAuth clients."""

    def merged(there: Client | None, record: Client) -> Client:
        return replace(record, ended_pos=max(record.ended_pos, (there or record).ended_pos))

    return Shelf("client", merged)


def invitations() -> Shelf[Invitation]:
    """One-time links, one for each secret."""
    return Shelf("invitation", lambda there, record: record, lambda invitation: invitation.digest)


class Shelves:
    """A shelf for each kind of record, and what goes with a record that is taken."""

    def __init__(self) -> None:
        self.accounts: Shelf[Account] = accounts()
        self.sessions: Shelf[Session] = sessions()
        self.families: Shelf[RefreshFamily] = families()
        self.keys: Shelf[RingKey] = ring_keys()
        self.clients: Shelf[Client] = clients()
        self.invitations: Shelf[Invitation] = invitations()
        self._by_kind: dict[type[Record], Shelf[Any]] = {
            Account: self.accounts,
            Session: self.sessions,
            RefreshFamily: self.families,
            RingKey: self.keys,
            Client: self.clients,
            Invitation: self.invitations,
        }

    def of(self, record: Record) -> Shelf[Any]:
        """The shelf that a record lies on."""
        return self._by_kind[type(record)]

    def take(self, record: Record, undo: Undo) -> None:
        """Remove a record as it was read with all that is its own, or raise Conflict."""
        self.of(record).take(record, undo)
        if isinstance(record, Account):
            mine = [one for one in self.sessions.records.values() if one.account_id == record.id]
            for session in mine:
                self.end_session(session, undo)
        elif isinstance(record, Session):
            self.end_session(record, undo)

    def end_session(self, session: Session, undo: Undo) -> None:
        """Remove a session with its refresh family."""
        self.sessions.remove(session.id, undo)
        for family in list(self.families.records.values()):
            if family.session_id == session.id:
                self.families.remove(family.id, undo)
