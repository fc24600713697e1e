"""The whole truth in the memory of one process: for tests, and for trying Gatepost out with `memory://`.

Keeps the same promises as the SQL store, under one lock, and forgets everything at the end of the process. It is
`Store` and `Log` at once. Nothing is shared with callers: application data is copied in and copied out.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gatepost.core.accounts import Account, Invitation
from gatepost.core.audit import Entry, Seal, Sealed
from gatepost.core.changes import AuditRow, Change, Committed, Record
from gatepost.core.folding import fold
from gatepost.core.keys import SigningKey
from gatepost.core.ports import FollowerRow, LogAnswer, Randomness
from gatepost.core.revocation import AccountEnded, EveryoneEnded, Fact, Logged, Position
from gatepost.core.rotation import RefreshFamily, RefreshView
from gatepost.core.secrets import encode
from gatepost.core.sessions import Alive, Session, SessionLimits, SessionView, decide_session
from gatepost.errors import Conflict, StoreUnusable
from gatepost.stores import memory_shelf
from gatepost.stores.entries import entry_of
from gatepost.stores.memory_shelf import Shelf, Undo, own_audit, own_session


class MemoryStore:
    """`Store` and `Log` without a file. Safe from any number of threads of one process."""

    reads_inline = True

    def __init__(self, randomness: Randomness, *, pulses: bool = False) -> None:
        self.pulses = pulses
        self._pulse = 0
        self._randomness = randomness
        self._lock = threading.Lock()
        self._closed = False
        self._accounts = memory_shelf.accounts()
        self._sessions = memory_shelf.sessions()
        self._families = memory_shelf.families()
        self._keys = memory_shelf.signing_keys()
        self._invitations = memory_shelf.invitations()
        self._shelves: dict[type[Record], Shelf[Any]] = {
            Account: self._accounts,
            Session: self._sessions,
            RefreshFamily: self._families,
            SigningKey: self._keys,
            Invitation: self._invitations,
        }
        self._repeats: dict[str, int] = {}
        self._audit: list[AuditRow] = []
        self._seals: list[Sealed] = []
        self._log_id = encode(randomness.bytes(12))
        self._log: list[Logged] = []
        self._tags = ["0"]
        self._floor = 0
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

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie, by the cookie's SHA-256."""
        with self._open():
            return self._view(self._sessions.owners.get(handle))

    def session(self, session_id: str) -> SessionView | None:
        """The session with this id."""
        with self._open():
            return self._view(session_id)

    def sessions_of(self, account_id: str) -> list[SessionView]:
        """All records of an account, newest first; the dead that the sweep has not met yet among them."""
        with self._open():
            mine = [one for one in self._sessions.records.values() if one.account_id == account_id]
            mine.sort(key=lambda session: (session.started_at, session.id), reverse=True)
            return self._views(mine)

    def sessions(self, *, after: str | None, limit: int) -> list[SessionView]:
        """Session records of accounts in the order of their ids, those after `after`; dead ones among them."""
        with self._open():
            ordered = sorted(self._sessions.records.items())
            found = [one for key, one in ordered if key > (after or "") and one.account_id is not None]
            return self._views(found[:limit])

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        """Move `last_seen_at` of each session id forward, never back. A touch creates nothing."""
        with self._open():
            for session_id, at in seen:
                there = self._sessions.records.get(session_id)
                if there is not None and there.last_seen_at < at:
                    self._sessions.records[session_id] = replace(there, last_seen_at=at)

    def position(self) -> int:
        """The sequence of the newest fact."""
        with self._open():
            return len(self._log)

    def account(self, account_id: str) -> tuple[Account, int] | None:
        """An account, and the position its snapshot was read at."""
        with self._open():
            found = self._accounts.records.get(account_id)
            return (found, len(self._log)) if found else None

    def account_by_email(self, key: str) -> tuple[Account | None, int]:
        """The account with this canonical e-mail or None, and the position of the snapshot."""
        with self._open():
            return self._accounts.records.get(self._accounts.owners.get(key, "")), len(self._log)

    def accounts(self, *, after: str | None, limit: int, search: str = "") -> list[Account]:
        """Accounts in the order of their ids, those after `after`, whose e-mail contains `search`."""
        part = fold(search)
        with self._open():
            ordered = sorted(self._accounts.records.items())
        return [one for key, one in ordered if key > (after or "") and part in one.email.key][:limit]

    def has_role(self, role: str) -> bool:
        """Whether any account that is not locked has the role."""
        with self._open():
            everyone = self._accounts.records.values()
            return any(role in account.roles for account in everyone if account.locked_at is None)

    def refresh(self, family_id: str) -> RefreshView | None:
        """The refresh family with this id, with its session and account."""
        with self._open():
            family = self._families.records.get(family_id)
            return RefreshView(family, self._view(family.session_id)) if family else None

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        """Count one repeat of this generation, with its audit row if there is one; how many there have been.

        0 if the family is gone or has moved on: then there is nothing to bound any more.
        """
        with self._open():
            if audit is not None:
                self._audit.append(own_audit(audit))
            family = self._families.records.get(family_id)
            if family is None or family.generation != generation:
                return 0
            self._repeats[family_id] = self._repeats.get(family_id, 0) + 1
            return self._repeats[family_id]

    def invitation(self, digest: bytes) -> Invitation | None:
        """The one-time link with this secret's SHA-256."""
        with self._open():
            return self._invitations.records.get(self._invitations.owners.get(digest, ""))

    def invitations(self, role: str) -> list[Invitation]:
        """Every one-time link for a role that is neither used nor swept, oldest first."""
        with self._open():
            found = [one for one in self._invitations.records.values() if one.role == role]
        return sorted(found, key=lambda invitation: (invitation.created_at, invitation.id))

    def signing_keys(self) -> list[SigningKey]:
        """Every key that is not gone, oldest first."""
        with self._open():
            return sorted(self._keys.records.values(), key=lambda key: (key.created_at, key.id))

    def audit_rows(self, *, account_id: str | None, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, in order, those after a number."""
        with self._open():
            numbered = list(enumerate(self._audit, 1))[max(0, after) :]
        found = (pair for pair in numbered if account_id is None or pair[1].account_id == account_id)
        return [(number, own_audit(row)) for number, row in found][:limit]

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
            except BaseException:
                for step in reversed(undo):
                    step()
                raise
            self._audit += map(own_audit, change.audit)
            logged = tuple(self._append(fact, change.at) for fact in change.facts)
            return Committed(self._head(), logged)

    def sweep(self, limits: SessionLimits, grace: timedelta, now: datetime, most: int) -> int:
        """Delete up to `most` dead records; how many went. Families that go with their session are not counted."""
        with self._open():
            dead = self._dead(limits, grace, now)[: max(0, most)]
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
            return LogAnswer(facts, self._head(), self._floor, reset=not known, pulse=pulse)

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
        found = self._sessions.records.get(session_id or "")
        return self._views([found])[0] if found else None

    def _views(self, found: Iterable[Session]) -> list[SessionView]:
        return [
            SessionView(
                own_session(one),
                self._accounts.records.get(one.account_id or ""),
                self._everyone_ended,
                len(self._log),
            )
            for one in found
        ]

    def _write(self, change: Change, undo: Undo) -> None:
        for record in change.expects:
            self._shelves[type(record)].expect(record)
        for record in change.take:
            self._shelves[type(record)].take(record, undo)
            self._take_owned(record, undo)
        fresh = [one.id for one in change.put if isinstance(one, RefreshFamily) and self._is_next(one)]
        for record in change.put:
            if (
                isinstance(record, Session | RefreshFamily)
                and record.version == 0
                and record.pos < self._everyone_ended
            ):
                # Older than the end of everyone, it would be dead when it arrives: decide again instead.
                raise Conflict(type(record).__name__, record.id)
            self._shelves[type(record)].put(record, undo)
        for family_id in fresh:
            # Repeats belong to one generation; the next one starts at none.
            self._repeats.pop(family_id, None)

    def _take_owned(self, record: Record, undo: Undo) -> None:
        if isinstance(record, Account):
            mine = [one for one in self._sessions.records.values() if one.account_id == record.id]
            for session in mine:
                self._end_session(session, undo)
        elif isinstance(record, Session):
            self._end_session(record, undo)

    def _end_session(self, session: Session, undo: Undo) -> None:
        self._sessions.remove(session.id, undo)
        for family in list(self._families.records.values()):
            if family.session_id == session.id:
                self._families.remove(family.id, undo)

    def _is_next(self, family: RefreshFamily) -> bool:
        there = self._families.records.get(family.id)
        return there is None or there.generation != family.generation

    def _head(self) -> Position:
        return Position(self._log_id, len(self._log), self._tags[-1])

    def _has(self, position: Position) -> bool:
        if position.log != self._log_id or position.seq > len(self._log):
            return False
        return position.seq == 0 or self._tags[position.seq] == position.tag

    def _append(self, fact: Fact, at: datetime) -> Logged:
        logged = Logged(len(self._log) + 1, fact, at)
        match fact:
            case AccountEnded(account_id, keep):
                self._end_account(account_id, keep, logged.seq)
            case EveryoneEnded():
                self._everyone_ended = logged.seq
            case _:
                pass
        self._log.append(logged)
        self._tags.append(encode(self._randomness.bytes(9)))
        self._moves += 1
        return logged

    def _end_account(self, account_id: str, keep: str | None, seq: int) -> None:
        account = self._accounts.records.get(account_id)
        if account is None:
            return
        outlived = max(account.ended_pos, self._everyone_ended)
        kept = self._sessions.records.get(keep or "")
        if kept is not None and kept.account_id == account_id and kept.pos >= outlived:
            self._sessions.records[kept.id] = replace(kept, pos=seq)
            for family in list(self._families.records.values()):
                if family.session_id == keep and family.pos >= outlived:
                    self._families.records[family.id] = replace(family, pos=seq)
        self._accounts.records[account_id] = replace(account, ended_pos=seq, version=account.version + 1)

    def _dead(self, limits: SessionLimits, grace: timedelta, now: datetime) -> list[Callable[[Undo], None]]:
        """How to end each dead record, in the order in which a sweep should."""
        sessions = self._views(self._sessions.records.values())
        over = [view.session for view in sessions if not isinstance(decide_session(view, limits, now), Alive)]
        gone = {session.id for session in over}
        families = [one for one in self._families.records.values() if one.session_id not in gone]
        orphans = [one for one in families if one.session_id not in self._sessions.records]
        owned = [one for one in families if one.session_id in self._sessions.records]
        links = [one for one in self._invitations.records.values() if one.expires_at <= now]
        return [
            *(partial(self._end_session, session) for session in over),
            *(partial(self._families.remove, family.id) for family in orphans),
            *(
                partial(self._families.set, cleared)
                for family in owned
                if (cleared := _cleared(family, now - grace))
            ),
            *(partial(self._invitations.remove, link.id) for link in links),
        ]


def _cleared(family: RefreshFamily, used_up: datetime) -> RefreshFamily | None:
    """The family without its predecessor's answer, if it has one that nobody may ask for any more."""
    previous = family.previous
    if previous is None or previous.sealed is None or previous.rotated_at > used_up:
        return None
    return replace(family, previous=replace(previous, sealed=None))
