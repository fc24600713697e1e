"""The whole truth in the memory of one process: for tests, and for trying Gatepost out with `memory://`.

Keeps the same promises as the SQL store, under one lock, and forgets everything at the end of the process. It is
`Store` and `Log` at once. Nothing is shared with callers: application data is copied in and copied out.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from gatepost.core.accounts import Account, Invitation
from gatepost.core.audit import Entry, Seal, Sealed
from gatepost.core.changes import AuditRow, Change, Committed, Event
from gatepost.core.clients import Client
from gatepost.core.keys import RingKey
from gatepost.core.ports import FollowerRow, LogAnswer, Randomness
from gatepost.core.revocation import (
    AccountEnded,
    ClientEnded,
    EveryoneEnded,
    Fact,
    Logged,
    Position,
    RevocationSet,
    Standing,
    Subject,
)
from gatepost.core.rotation import GraceRules, RefreshFamily, RefreshView
from gatepost.core.secrets import encode
from gatepost.core.sessions import Session, SessionLimits, SessionView
from gatepost.errors import Conflict, StoreUnusable
from gatepost.stores.entries import entry_of
from gatepost.stores.memory_counters import MemoryCounters
from gatepost.stores.memory_overview import MemoryOverview, is_called
from gatepost.stores.memory_shelf import Shelves, Undo, own_audit, own_session
from gatepost.stores.memory_sweep import dead_records


class MemoryStore:
    """`Store` and `Log` without a file. Safe from any number of threads of one process."""

    reads_inline = True

    def __init__(self, randomness: Randomness, *, pulses: bool = False) -> None:
        self.pulses = pulses
        self._pulse = 0
        self._randomness = randomness
        self._lock = threading.Lock()
        self._closed = False
        self._shelves = Shelves()
        self._repeats: dict[str, int] = {}
        self._audit: list[AuditRow] = []
        self._counters = MemoryCounters()
        self._seals: list[Sealed] = []
        self._log_id = encode(randomness.bytes(12))
        self._log: list[Logged] = []
        self._tags = ["0"]
        self._floor = 0
        self._ring = 0
        self._everyone_ended = 0
        self._followers: dict[str, FollowerRow] = {}
        self._moves = 0
        self._seen = threading.local()

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreUnusable("The store in memory was closed. Make another.")
            yield

    def close(self) -> None:
        """Refuse every later call."""
        self._closed = True

    def ready(self) -> None:
        """Raise StoreUnusable if the store was closed."""
        with self._open():
            return

    def counters(self) -> MemoryCounters:
        """What is counted of tries that did not work."""
        return self._counters

    def overview(self) -> MemoryOverview:
        """What an administrator looks at."""
        return MemoryOverview(self._open, self._shelves, self._views, self._audit)

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie, by the cookie's SHA-256."""
        with self._open():
            return self._view(self._shelves.sessions.owners.get(handle))

    def session(self, session_id: str) -> SessionView | None:
        """The session with this id."""
        with self._open():
            return self._view(session_id)

    def sessions_of(self, account_id: str) -> list[SessionView]:
        """All records of an account, newest first; the dead that the sweep has not met yet among them."""
        with self._open():
            mine = [one for one in self._shelves.sessions.records.values() if one.account_id == account_id]
            mine.sort(key=lambda session: (session.started_at, session.id), reverse=True)
            return self._views(mine)

    def sessions(self, *, after: str | None, limit: int) -> list[SessionView]:
        """Session records of accounts in the order of their ids, those after `after`; dead ones among them."""
        with self._open():
            ordered = sorted(self._shelves.sessions.records.items())
            found = [one for key, one in ordered if key > (after or "") and one.account_id is not None]
            return self._views(found[:limit])

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        """Move `last_seen_at` of each session id forward, never back. A touch creates nothing."""
        with self._open():
            for session_id, at in seen:
                there = self._shelves.sessions.records.get(session_id)
                if there is not None and there.last_seen_at < at:
                    self._shelves.sessions.records[session_id] = replace(there, last_seen_at=at)

    def position(self) -> int:
        """The sequence of the newest fact."""
        with self._open():
            return len(self._log)

    def account(self, account_id: str) -> tuple[Account, int] | None:
        """An account, and the position its snapshot was read at."""
        with self._open():
            found = self._shelves.accounts.records.get(account_id)
            return (found, len(self._log)) if found else None

    def account_by_email(self, key: str) -> tuple[Account | None, int]:
        """The account with this canonical e-mail or None, and the position of the snapshot."""
        with self._open():
            return self._shelves.accounts.records.get(self._shelves.accounts.owners.get(key, "")), len(
                self._log
            )

    def accounts(self, *, after: str | None, limit: int, search: str = "") -> list[Account]:
        """Accounts in the order of their ids, those after `after`, whose e-mail contains `search` or whose id it is."""
        with self._open():
            ordered = sorted(self._shelves.accounts.records.items())
        return [one for key, one in ordered if key > (after or "") and is_called(one, search)][:limit]

    def has_role(self, role: str) -> bool:
        """Whether any account that is not locked has the role."""
        with self._open():
            everyone = self._shelves.accounts.records.values()
            return any(role in account.roles for account in everyone if account.locked_at is None)

    def refresh(self, family_id: str) -> RefreshView | None:
        """The refresh family with this id, with its session and account."""
        with self._open():
            family = self._shelves.families.records.get(family_id)
            return RefreshView(family, self._view(family.session_id)) if family else None

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        """Count one repeat of this generation, with its audit row if there is one; how many there have been.

        0 if the family is gone or has moved on: then there is nothing to bound any more.
        """
        with self._open():
            if audit is not None:
                self._audit.append(own_audit(audit))
            family = self._shelves.families.records.get(family_id)
            if family is None or family.generation != generation:
                return 0
            self._repeats[family_id] = self._repeats.get(family_id, 0) + 1
            return self._repeats[family_id]

    def invitation(self, digest: bytes) -> Invitation | None:
        """The one-time link with this secret's SHA-256."""
        with self._open():
            return self._shelves.invitations.records.get(self._shelves.invitations.owners.get(digest, ""))

    def invitations(self, role: str) -> list[Invitation]:
        """Every one-time link for a role that is neither used nor swept, oldest first."""
        with self._open():
            found = [one for one in self._shelves.invitations.records.values() if one.role == role]
        return sorted(found, key=lambda invitation: (invitation.created_at, invitation.id))

    def ring_keys(self) -> list[RingKey]:
        """Every key that is not gone, oldest first."""
        with self._open():
            return sorted(self._shelves.keys.records.values(), key=lambda key: (key.created_at, key.id))

    def client(self, client_id: str) -> Client | None:
        """The OAuth client with this id."""
        with self._open():
            return self._shelves.clients.records.get(client_id)

    def clients(self) -> list[Client]:
        """Every OAuth client, oldest first, ended ones too."""
        with self._open():
            return sorted(self._shelves.clients.records.values(), key=lambda one: (one.created_at, one.id))

    def audit_rows(self, *, account_id: str | None, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, in order, those after a number."""
        with self._open():
            numbered = list(enumerate(self._audit, 1))[max(0, after) :]
        found = (pair for pair in numbered if account_id is None or pair[1].account_id == account_id)
        return [(number, own_audit(row)) for number, row in found][:limit]

    def repeats_elsewhere(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of a refresh that was repeated from elsewhere."""
        asked = set(session_ids)
        with self._open():
            rows = [row for row in self._audit if row.event is Event.REFRESH_REPEATED_ELSEWHERE]
        return {row.session_id: own_audit(row) for row in rows if row.session_id in asked}

    def audit_entries(self, *, after: int, upto: int, limit: int) -> list[Entry]:
        """The same rows as bytes, those after a number up to another."""
        first = max(0, after)
        with self._open():
            numbered = list(enumerate(self._audit[first:upto], first + 1))
        return [entry_of(number, row) for number, row in numbered[:limit]]

    def newest_seal(self) -> Seal | None:
        """The seal with the highest number."""
        with self._open():
            return self._seals[-1].seal if self._seals else None

    def seals(self, *, after: int, limit: int) -> list[Sealed]:
        """Seals in the order of their numbers, those after a number."""
        with self._open():
            return [one for one in self._seals if one.seal.number > after][:limit]

    def append_seal(self, sealed: Sealed) -> None:
        """Write a seal, or raise `Conflict` where there is one with its number."""
        with self._open():
            if self._seals and sealed.seal.number <= self._seals[-1].seal.number:
                raise Conflict("seal", str(sealed.seal.number))
            self._seals.append(sealed)

    def commit(self, change: Change) -> Committed:
        """Make all of a change true, or raise `Conflict` and change nothing."""
        undo: Undo = []
        with self._open():
            try:
                self._write(change, undo)
                came = self._counters.recounted(change.recounting)
            except BaseException:
                for step in reversed(undo):
                    step()
                raise
            if any(isinstance(record, RingKey) for record in (*change.put, *change.take)):
                self._ring += 1
                self._moves += 1
            self._audit += map(own_audit, (*change.audit, *came))
            logged = tuple(self._append(fact, change.at) for fact in change.facts)
            return Committed(self._head(), logged)

    def standing_of(self, subject: Subject) -> Standing:
        """What every fact after the subject's position says of it, and whether it is older than the floor."""
        with self._open():
            facts, since = RevocationSet(self._floor), self._log[subject.pos :]
        for logged in since:
            facts.fold(logged.seq, logged.fact)
        return facts.covers(subject)

    def sweep(self, limits: SessionLimits, grace: GraceRules, now: datetime, most: int) -> int:
        """Delete up to `most` dead records; how many went. Families that go with their session are not counted."""
        with self._open():
            views = self._views(self._shelves.sessions.records.values())
            dead = dead_records(self._shelves, views, limits, grace, now)[: max(0, most)]
            for end in dead:
                end([])
        return len(dead)

    def changed(self) -> bool:
        """Whether a fact or the floor was added since this thread last asked; true the first time."""
        before = getattr(self._seen, "moves", None)
        self._seen.moves = self._moves
        return bool(self._seen.moves != before)

    def read(self, after: Position | None) -> LogAnswer:
        """The facts after a position, or a reset with all that are live."""
        with self._open():
            known = after is not None and after.seq >= self._floor and self._has(after)
            start = after.seq if known and after is not None else self._floor
            facts, pulse = tuple(self._log[start:]), self._pulse if self.pulses else None
            return LogAnswer(facts, self._head(), self._floor, reset=not known, pulse=pulse, ring=self._ring)

    def beat(self) -> None:
        """Move the pulse, if this store was made with one."""
        with self._open():
            if self.pulses:
                self._pulse += 1
                self._moves += 1

    def raise_floor(self, seq: int) -> None:
        """Publish that followers may forget facts up to `seq`. It never falls and never passes the newest fact."""
        with self._open():
            self._floor = max(self._floor, min(seq, len(self._log)))
            self._moves += 1

    def confirm(self, row: FollowerRow) -> None:
        """Write where a follower is."""
        with self._open():
            self._followers[row.instance] = row

    def followers(self) -> list[FollowerRow]:
        """Every follower that has not left."""
        with self._open():
            return [row for _, row in sorted(self._followers.items())]

    def leave(self, instance: str) -> None:
        """Remove a follower's row."""
        with self._open():
            self._followers.pop(instance, None)

    def _view(self, session_id: str | None) -> SessionView | None:
        found = self._shelves.sessions.records.get(session_id or "")
        return self._views([found])[0] if found else None

    def _views(self, found: Iterable[Session]) -> list[SessionView]:
        return [
            SessionView(
                own_session(one),
                self._shelves.accounts.records.get(one.account_id or ""),
                self._everyone_ended,
                len(self._log),
                client.ended_pos if (client := self._shelves.clients.records.get(one.client_id)) else 0,
            )
            for one in found
        ]

    def _write(self, change: Change, undo: Undo) -> None:
        for record in change.expects:
            self._shelves.of(record).expect(record)
        for record in change.take:
            self._shelves.take(record, undo)
        fresh = [one.id for one in change.put if isinstance(one, RefreshFamily) and self._is_next(one)]
        for record in change.put:
            if (
                isinstance(record, Session | RefreshFamily)
                and record.version == 0
                and record.pos < self._everyone_ended
            ):
                # Older than the end of everyone, it would be dead when it arrives: decide again instead.
                raise Conflict(type(record).__name__, record.id)
            self._shelves.of(record).put(record, undo)
        for family_id in fresh:
            # Repeats belong to one generation; the next one starts at none.
            self._repeats.pop(family_id, None)

    def _is_next(self, family: RefreshFamily) -> bool:
        there = self._shelves.families.records.get(family.id)
        return there is None or there.generation != family.generation

    def _head(self) -> Position:
        return Position(self._log_id, len(self._log), self._tags[-1])

    def _has(self, position: Position) -> bool:
        if position.log != self._log_id or position.seq > len(self._log):
            return False
        return position.seq == 0 or self._tags[position.seq] == position.tag

    def _append(self, fact: Fact, at: datetime) -> Logged:
        logged = Logged(len(self._log) + 1, fact, at, encode(self._randomness.bytes(9)))
        match fact:
            case AccountEnded(account_id, keep):
                self._end_account(account_id, keep, logged.seq)
            case ClientEnded(client_id):
                self._end_client(client_id, logged.seq)
            case EveryoneEnded():
                self._everyone_ended = logged.seq
            case _:
                pass
        self._log.append(logged)
        self._tags.append(logged.tag)
        self._moves += 1
        return logged

    def _end_client(self, client_id: str, seq: int) -> None:
        clients = self._shelves.clients.records
        if client_id in clients:
            client = clients[client_id]
            clients[client_id] = replace(client, ended_pos=seq, version=client.version + 1)

    def _end_account(self, account_id: str, keep: str | None, seq: int) -> None:
        account = self._shelves.accounts.records.get(account_id)
        if account is None:
            return
        outlived = max(account.ended_pos, self._everyone_ended)
        kept = self._shelves.sessions.records.get(keep or "")
        if kept is not None and kept.account_id == account_id and kept.pos >= outlived:
            self._shelves.sessions.records[kept.id] = replace(kept, pos=seq)
            for family in list(self._shelves.families.records.values()):
                if family.session_id == keep and family.pos >= outlived:
                    self._shelves.families.records[family.id] = replace(family, pos=seq)
        self._shelves.accounts.records[account_id] = replace(
            account, ended_pos=seq, version=account.version + 1
        )
