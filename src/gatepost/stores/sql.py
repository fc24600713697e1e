"""The durable truth in SQL: accounts, sessions, refresh state, keys, links, the log and the audit trail.

Owns the reads, each one statement and so one snapshot, and the commit of a `Change`. Decides nothing: what a record
means is asked in core. Written and read by services, and read by the guard for sessions it does not know.
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gatepost.core.accounts import Account, Invitation
from gatepost.core.audit import Entry, Seal, Sealed
from gatepost.core.changes import AuditRow, Change, Committed, Record
from gatepost.core.clients import Client
from gatepost.core.keys import RingKey
from gatepost.core.ports import Randomness
from gatepost.core.revocation import Standing, Subject
from gatepost.core.rotation import GraceRules, RefreshFamily, RefreshView
from gatepost.core.sessions import Session, SessionLimits, SessionView
from gatepost.errors import Conflict, StoreUnusable
from gatepost.stores import revisions, sql_seals, sql_standing, sql_trail
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros
from gatepost.stores.sql_counters import SqlCounters, recounted
from gatepost.stores.sql_facts import HEAD, append, start_log
from gatepost.stores.sql_log import SqlLog
from gatepost.stores.sql_overview import IS_CALLED, SqlOverview, called
from gatepost.stores.sql_records import (
    KINDS,
    ONE,
    WITH_ACCOUNT,
    WITH_SESSION,
    ZERO,
    account_at,
    at_most,
    audit_row,
    client_of,
    invitation_of,
    refresh_view_of,
    ring_key_of,
    text_of,
    view_at,
)
from gatepost.stores.sql_sweep import Sweep
from gatepost.stores.sql_verifiers import SqlVerifiers
from gatepost.stores.sql_views import OWNER, VIEW, VIEW_COLUMNS
from gatepost.stores.sqlite import SqliteFile, starting

# So many touches in one transaction: a few milliseconds, in which nobody else can write.
_TOUCHES: Final = 1000
_TAKEN: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})

_account: Final = tables.account
_session: Final = tables.session
_family: Final = tables.refresh_family
_head: Final = tables.log_head
_audit: Final = tables.audit
_after: Final[sa.BindParameter[str]] = sa.bindparam("after")

_client: Final = tables.client
_BY_HANDLE: Final = text_of(VIEW.where(_session.c.handle == sa.bindparam("handle")))
_BY_ID: Final = text_of(VIEW.where(_session.c.id == sa.bindparam("key")))
_OF_ACCOUNT: Final = text_of(
    VIEW.where(_session.c.account_id == sa.bindparam("account")).order_by(
        _session.c.started_at.desc(), _session.c.id.desc()
    )
)
_SESSIONS: Final = text_of(
    at_most(
        VIEW.where(_session.c.id > _after, _session.c.account_id.is_not(None)).order_by(_session.c.id),
        "limit",
    )
)
_REFRESH: Final = text_of(
    sa.select(*_family.c, *VIEW_COLUMNS)
    .select_from(
        _family.join(_head, sa.true())
        .outerjoin(_session, _session.c.id == _family.c.session_id)
        .outerjoin(_account, OWNER)
    )
    .where(_family.c.id == sa.bindparam("key"))
)
_ACCOUNT: Final = text_of(
    sa.select(*_account.c, _head.c.seq)
    .select_from(_account.join(_head, sa.true()))
    .where(_account.c.id == sa.bindparam("key"))
)
_BY_EMAIL: Final = text_of(
    sa.select(*_account.c, _head.c.seq).select_from(
        _head.outerjoin(_account, _account.c.email_key == sa.bindparam("email"))
    )
)
_ACCOUNTS: Final = text_of(
    at_most(sa.select(_account).where(_account.c.id > _after, IS_CALLED).order_by(_account.c.id), "limit")
)
_roles: Final = sa.func.json_each(_account.c.roles).table_valued("value")
_HAS_ROLE: Final = text_of(
    sa.select(
        sa.exists()
        .select_from(_account.join(_roles, sa.true()))
        .where(_roles.c.value == sa.bindparam("role"), _account.c.locked_at.is_(None))
    )
)
_KEYS: Final = text_of(
    sa.select(tables.ring_key).order_by(tables.ring_key.c.created_at, tables.ring_key.c.id)
)
_CLIENT: Final = text_of(sa.select(_client).where(_client.c.id == sa.bindparam("key")))
_CLIENTS: Final = text_of(sa.select(_client).order_by(_client.c.created_at, _client.c.id))
_RING_MOVED: Final = text_of(sa.update(_head).values(ring=_head.c.ring + ONE))
_EVERYONE_ENDED: Final = text_of(sa.select(_head.c.everyone_ended))
_link: Final = tables.invitation
_LINK: Final = text_of(sa.select(_link).where(_link.c.digest == sa.bindparam("digest")))
_LINKS: Final = text_of(
    sa.select(_link).where(_link.c.role == sa.bindparam("role")).order_by(_link.c.created_at, _link.c.id)
)
_NOTE: Final = text_of(
    sa.insert(_audit).values(
        {column.name: sa.bindparam(column.name) for column in _audit.c if column.name != "number"}
    )
)
_TOUCH: Final = text_of(
    sa.update(_session)
    .where(_session.c.id == sa.bindparam("key"), _session.c.last_seen_at < sa.bindparam("seen"))
    .values(last_seen_at=sa.bindparam("seen"))
)
_REPEAT: Final = text_of(
    sa.update(_family)
    .where(_family.c.id == sa.bindparam("key"), _family.c.generation == sa.bindparam("generation"))
    .values(repeats=_family.c.repeats + ONE)
    .returning(_family.c.repeats)
)
# A row that comes and goes: SQLite would not write a row anew that stays the same, and so never meet a full disk.
_TRY: Final = (
    text_of(sa.insert(tables.follower).values(instance=sa.text("''"), pid=ZERO, seq=ZERO, at=ZERO)),
    text_of(sa.delete(tables.follower).where(tables.follower.c.instance == sa.text("''"))),
)
# What goes with a record that is taken.
_WITH: Final[dict[type[Record], tuple[str, ...]]] = {Session: WITH_SESSION, Account: WITH_ACCOUNT}


class SqlStore:
    """`Store` on one SQLite file. Safe from any number of threads, and of processes on the same machine."""

    reads_inline = True

    def __init__(self, file: SqliteFile, randomness: Randomness) -> None:
        self._file = file
        self._randomness = randomness
        self._sweep = Sweep(file)

    @classmethod
    def open(cls, url: str | Path, randomness: Randomness, *, migrate: bool = True) -> "SqlStore":
        """The store in the file that a URL (`sqlite:///FILE`) or a path names; made if there is none.

        Raises StoreUnusable, with one sentence that says what to change: missing folder, read-only, locked or foreign
        file, a newer Gatepost's, or an older one's with `migrate=False`.
        """
        path = revisions.path_of(url)
        if migrate:
            revisions.migrate(path)
        elif revisions.current(path) != revisions.HEAD:
            raise StoreUnusable(
                f"The database {path} is not at this version's revision. Run `gatepost migrate`."
            )
        file = SqliteFile(path)
        with starting(path):
            if not file.rows(HEAD):
                with file.writing() as connection:
                    start_log(connection, randomness)
        return cls(file, randomness)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def log(self) -> SqlLog:
        """The log of this file, for one follower."""
        return SqlLog(self._file)

    def counters(self) -> SqlCounters:
        """What is counted of tries that did not work."""
        return SqlCounters(self._file)

    def verifiers(self) -> SqlVerifiers:
        """Who follows the log from other services."""
        return SqlVerifiers(self._file)

    def overview(self) -> SqlOverview:
        """What an administrator looks at."""
        return SqlOverview(self._file)

    def close(self) -> None:
        """Close every connection of this process. Later calls raise StoreUnusable."""
        self._file.close()

    def ready(self) -> None:
        """Read and write once, changing nothing. Raises StoreUnusable or Busy."""
        with self._file.writing(durable=False) as connection:
            for statement in _TRY:
                connection.execute(statement)

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie, by the cookie's SHA-256."""
        rows = self._file.rows(_BY_HANDLE, {"handle": handle})
        return view_at(rows[0]) if rows else None

    def session(self, session_id: str) -> SessionView | None:
        """The session with this id."""
        rows = self._file.rows(_BY_ID, {"key": session_id})
        return view_at(rows[0]) if rows else None

    def sessions_of(self, account_id: str) -> list[SessionView]:
        """All records of an account, newest first; the dead that the sweep has not met yet among them."""
        return [view_at(row) for row in self._file.rows(_OF_ACCOUNT, {"account": account_id})]

    def sessions(self, *, after: str | None, limit: int) -> list[SessionView]:
        """Session records of accounts in the order of their ids, those after `after`; dead ones among them."""
        return [view_at(row) for row in self._file.rows(_SESSIONS, {"after": after or "", "limit": limit})]

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        """Move `last_seen_at` of each session id forward, never back. A touch creates nothing."""
        rest = iter(seen)
        while batch := [{"key": key, "seen": micros(at)} for key, at in islice(rest, _TOUCHES)]:
            with self._file.writing(durable=False) as connection:
                connection.executemany(_TOUCH, batch)

    def position(self) -> int:
        """The sequence of the newest fact."""
        [(_, seq, _)] = self._file.rows(HEAD)
        return int(seq)

    def account(self, account_id: str) -> tuple[Account, int] | None:
        """An account, and the position its snapshot was read at."""
        rows = self._file.rows(_ACCOUNT, {"key": account_id})
        return (account_at(rows[0]), rows[0][-1]) if rows else None

    def account_by_email(self, key: str) -> tuple[Account | None, int]:
        """The account with this canonical e-mail or None, and the position of the snapshot."""
        [row] = self._file.rows(_BY_EMAIL, {"email": key})
        return (None if row[0] is None else account_at(row)), row[-1]

    def accounts(self, *, after: str | None, limit: int, search: str = "") -> list[Account]:
        """Accounts in the order of their ids, those after `after`, whose e-mail contains `search` or whose id it is."""
        params = {"after": after or "", "limit": limit, **called(search)}
        return [account_at(row) for row in self._file.rows(_ACCOUNTS, params)]

    def has_role(self, role: str) -> bool:
        """Whether any account that is not locked has the role."""
        [(found,)] = self._file.rows(_HAS_ROLE, {"role": role})
        return bool(found)

    def refresh(self, family_id: str) -> RefreshView | None:
        """The refresh family with this id, with its session and account."""
        rows = self._file.rows(_REFRESH, {"key": family_id})
        return refresh_view_of(rows[0]) if rows else None

    def invitation(self, digest: bytes) -> Invitation | None:
        """The one-time link with this secret's SHA-256."""
        rows = self._file.rows(_LINK, {"digest": digest})
        return invitation_of(rows[0]) if rows else None

    def invitations(self, role: str) -> list[Invitation]:
        """Every one-time link for a role that is neither used nor swept, oldest first."""
        return [invitation_of(row) for row in self._file.rows(_LINKS, {"role": role})]

    def ring_keys(self) -> list[RingKey]:
        """Every key that is not gone, oldest first."""
        return [ring_key_of(row) for row in self._file.rows(_KEYS)]

    def client(self, client_id: str) -> Client | None:
        """The OAuth client with this id."""
        rows = self._file.rows(_CLIENT, {"key": client_id})
        return client_of(rows[0]) if rows else None

    def clients(self) -> list[Client]:
        """Every OAuth client, oldest first, ended ones too."""
        return [client_of(row) for row in self._file.rows(_CLIENTS)]

    def audit_rows(self, *, account_id: str | None, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, in order, those after a number."""
        return sql_trail.audit_rows(self._file, account_id, after, limit)

    def repeats_elsewhere(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of a refresh that was repeated from elsewhere."""
        return sql_trail.repeats_elsewhere(self._file, session_ids)

    def audit_entries(self, *, after: int, upto: int, limit: int) -> list[Entry]:
        """The same rows as bytes, those after a number up to another, whatever anybody has made of them."""
        return sql_seals.entries(self._file, after, upto, limit)

    def newest_seal(self) -> Seal | None:
        """The seal with the highest number."""
        return sql_seals.newest(self._file)

    def seals(self, *, after: int, limit: int) -> list[Sealed]:
        """Seals in the order of their numbers, those after a number."""
        return sql_seals.seals(self._file, after, limit)

    def append_seal(self, sealed: Sealed) -> None:
        """Write a seal, or raise Conflict where there is one with its number."""
        sql_seals.append(self._file, sealed)

    def commit(self, change: Change) -> Committed:
        """Make all of a change durable, or raise `Conflict` and write nothing of it.

        Raises Busy if the turn to write does not come, or the disk is full; nothing is written then either.
        """
        with self._file.writing(durable=change.durable) as connection:
            for record in change.expects:
                _expect(connection, record)
            for record in change.take:
                _take(connection, record)
            for record in change.put:
                _put(connection, record)
            _require_heard(connection, change.put)
            if any(isinstance(record, RingKey) for record in (*change.put, *change.take)):
                connection.execute(_RING_MOVED)
            came = recounted(connection, change.recounting) if change.recounting else ()
            if audit := (*change.audit, *came):
                connection.executemany(_NOTE, map(audit_row, audit))
            position, logged = append(connection, change.facts, change.at, self._randomness)
        return Committed(position, logged)

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        """Count one repeat of this generation, with its audit row if there is one; how many there have been.

        0 if the family is gone or has moved on: then there is nothing to bound any more.
        """
        with self._file.writing(durable=audit is not None) as connection:
            found = connection.execute(_REPEAT, {"key": family_id, "generation": generation}).fetchall()
            if audit is not None:
                connection.execute(_NOTE, audit_row(audit))
        return found[0][0] if found else 0

    def standing_of(self, subject: Subject) -> Standing:
        """What every fact after the subject's position says of it, and whether it is older than the floor."""
        return sql_standing.standing_of(self._file, subject)

    def sweep(self, limits: SessionLimits, grace: GraceRules, now: datetime, most: int) -> int:
        """Delete up to `most` dead records, in short transactions; how many went."""
        return self._sweep.run(limits, grace, now, most)


def _require_heard(connection: sqlite3.Connection, put: Sequence[Record]) -> None:
    """A new session that is older than the end of everyone would be dead when it arrives: decide again instead."""
    made = [record for record in put if isinstance(record, Session | RefreshFamily) and record.version == 0]
    if made:
        [(ended,)] = connection.execute(_EVERYONE_ENDED).fetchall()
        for record in made:
            if record.pos < ended:
                raise Conflict(KINDS[type(record)].name, record.id)


def _expect(connection: sqlite3.Connection, record: Record) -> None:
    kind = KINDS[type(record)]
    if not connection.execute(kind.expect, {"key": record.id, "read": record.version}).fetchall():
        raise Conflict(kind.name, record.id)


def _take(connection: sqlite3.Connection, record: Record) -> None:
    kind = KINDS[type(record)]
    if connection.execute(kind.delete, {"key": record.id, "read": record.version}).rowcount != 1:
        raise Conflict(kind.name, record.id)
    for statement in _WITH.get(type(record), ()):
        connection.execute(statement, {"key": record.id})


def _put(connection: sqlite3.Connection, record: Record) -> None:
    kind = KINDS[type(record)]
    row = kind.row(record)
    try:
        if record.version == 0:
            connection.execute(kind.insert, row)
            return
        written = connection.execute(kind.replace, row | {"key": record.id, "read": record.version}).rowcount
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode in _TAKEN:
            # Somebody else has the id, the e-mail or the handle: it was free when the decision was made.
            raise Conflict(kind.name, record.id) from error
        raise
    if written != 1:
        raise Conflict(kind.name, record.id)
