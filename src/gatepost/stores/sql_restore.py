"""A backup on its way back into the database that servers are using.

Owns what comes from the backup (accounts, sessions) and what stays as it is (the log, the audit trail, signing keys,
the list of followers), and the one exclusive step in which the two are joined. The log wins over the backup: what was
ended since stays ended. Called by `gatepost restore`, which checks the master key and waits for the servers.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gatepost.core.changes import AuditRow
from gatepost.core.keys import RingKey
from gatepost.core.ports import Randomness
from gatepost.core.revocation import EveryoneEnded, EveryoneOutdated, Position
from gatepost.errors import StoreUnusable
from gatepost.stores import sql_tables as tables
from gatepost.stores.revisions import HEAD, migrate, require_known, stored
from gatepost.stores.sql_backup import Progress, damage_in, drafted
from gatepost.stores.sql_carrying import CLIENT_ENDINGS, ENDINGS, GROWN, HEARERS, IN_LIVE, KEYS, LOG
from gatepost.stores.sql_facts import append, new_log_id
from gatepost.stores.sql_records import audit_row, ring_key_of, text_of
from gatepost.stores.sqlite import APPLICATION_ID, connect, starting

# More facts than a log gains between a backup and its restore (30 years of 100 million a day), and so few that 8,000
# restores stay below 2**53, beyond which some readers of JSON round.
GAP: Final = 2**40
# No record is written so often between a backup and its restore.
_VERSIONS: Final = 2**32
_PATIENCE: Final = 30.0
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY})

FROM_BACKUP: Final = (tables.account, tables.client, tables.session, tables.refresh_family)
"""What a restore is for."""
OF_THE_LOG: Final = (tables.log, tables.audit, tables.seal)
"""What only grows. Where the database holds a continuation of the backup's, it stays."""
OF_THE_SERVERS: Final = (tables.follower, tables.verifier, tables.ring_key)
"""What running servers and verifiers have in memory too."""
NOT_KEPT: Final = (tables.invitation, tables.counter)
"""A link that is open in the backup may have been used since; links are cheap to make anew. Counts are of that day."""

_head: Final = tables.log_head.c
_live_log: Final = IN_LIVE["log"].c
_live_head: Final = IN_LIVE["log_head"].c

_READ_HEAD: Final = text_of(sa.select(_head.seq, _head.tag, _head.everyone_ended))
_READ_LIVE_HEAD: Final = text_of(sa.select(_live_head.seq, _live_head.everyone_ended))
_READ_LIVE_TAG: Final = text_of(sa.select(_live_log.tag).where(_live_log.seq == sa.bindparam("seq")))
_newest_row: Final = sa.select(sa.func.max(tables.audit.c.number)).scalar_subquery()
_SAME_TRAIL: Final = text_of(
    sa.intersect(
        *(sa.select(one).where(one.c.number == _newest_row) for one in (tables.audit, IN_LIVE["audit"]))
    )
)
_READ_KEYS: Final = text_of(sa.select(tables.ring_key))
_READ_LIVE_KEYS: Final = text_of(sa.select(IN_LIVE["ring_key"]))
_NEW_HEAD: Final = text_of(
    sa.update(tables.log_head).values(
        log_id=sa.bindparam("log_id"),
        seq=sa.bindparam("seq"),
        floor=sa.bindparam("floor"),
        everyone_ended=sa.bindparam("ended"),
    )
)
_NOTE: Final = text_of(
    sa.insert(tables.audit).values(
        {column.name: sa.bindparam(column.name) for column in tables.audit.c if column.name != "number"}
    )
)


@dataclass(frozen=True, slots=True)
class Restoring:
    """How a backup is to go in. `opens` says whether the master key opens these signing keys."""

    now: datetime
    keep_sessions: bool
    row: AuditRow
    randomness: Randomness
    opens: Callable[[Sequence[RingKey]], bool]


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that is durable: the position of its own fact, which is the first of the new log.

    `continued` says whether the database held the log that the backup belongs to, and with it what was ended since;
    `servers_known` whether it said which servers work on it.
    """

    position: Position
    continued: bool
    servers_known: bool


class StagedBackup:
    """A copy of a backup that has been checked and brought to this version. Nothing else is changed yet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ring_keys(self) -> list[RingKey]:
        """The signing keys in the backup."""
        return [ring_key_of(row) for row in self._connection.execute(_READ_KEYS)]

    def write_into(self, database: Path, restoring: Restoring, progress: Progress) -> Restored:
        """Put the backup into a database in one transaction. Raises StoreUnusable; nothing is changed then.

        Positions go on far above all that were ever issued, in a log with a new id: a follower does not find its own
        place there and starts anew, and whatever was issued or remembered before counts as old. Had they gone on from
        the backup's, the next ending of an account would be numbered like one of last week, and would not hit a token
        of yesterday. With `keep_sessions` that fact says *outdated*, so everything is looked up anew; without, *ended*.
        """
        with starting(database):
            readable = _make_ready(database)
        with _overwriting(database, readable=readable), closing(connect(database)) as live:
            _clear(self._connection, live, keep_sessions=restoring.keep_sessions)
            if readable:
                self._connection.execute("ATTACH ? AS live", (f"{database.absolute().as_uri()}?mode=rw",))
            joined = _Joining(self._connection, restoring, progress, readable=readable)
            # So small a step, because the first takes the lock and must not be the last.
            self._connection.backup(live, pages=1, progress=joined.stepped, sleep=0.05)
            live.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if joined.restored is None:
            raise AssertionError("the copy ended with its first step")
        return joined.restored


@contextmanager
def staged(backup: Path, database: Path) -> Iterator[StagedBackup]:
    """A backup as a checked copy beside the database that it is for. The copy goes at the end of the block.

    Raises StoreUnusable for what is missing, foreign, damaged, of a newer Gatepost, or the database itself.
    """
    if not backup.is_file():
        raise StoreUnusable(f"There is no backup at {backup}.")
    if database.exists() and backup.samefile(database):
        raise StoreUnusable(f"{backup} is the database itself. Name a backup.")
    with starting(database), drafted(database, "restore") as draft:
        with _readable(backup):
            _copy(backup, draft)
        if _revision(backup, draft) != HEAD:
            # Half a second that a backup of this version is spared.
            from gatepost.stores.migrations import upgrade  # noqa: PLC0415

            upgrade(draft, HEAD)
        with closing(connect(draft)) as connection:
            _require_tables(connection, backup)
            # A crash leaves a draft that nobody reads, so there is nothing to keep safe.
            connection.execute("PRAGMA main.synchronous = OFF")
            connection.execute("PRAGMA main.journal_mode = OFF").fetchall()
            connection.execute("PRAGMA main.locking_mode = EXCLUSIVE").fetchall()
            yield StagedBackup(connection)


@contextmanager
def _readable(backup: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise _damaged(backup, f"SQLite: {error}") from error
        if code in _UNREADABLE:
            raise StoreUnusable(f"The file {backup} cannot be read. Nothing was changed.") from error
        raise


def _damaged(backup: Path, detail: str) -> StoreUnusable:
    return StoreUnusable(
        f"The file {backup} is damaged, or no backup at all. Nothing was changed.", detail=detail
    )


def _copy(backup: Path, draft: Path) -> None:
    # A file with a journal beside it is somebody's database; without one it can be read where nothing may be written.
    alone = not any(os.path.lexists(f"{backup}{end}") for end in ("-wal", "-journal"))
    place = f"{backup.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    with closing(sqlite3.connect(place, uri=True)) as source, closing(connect(draft)) as copy:
        [(mark,)] = source.execute("PRAGMA application_id").fetchall()
        if mark != APPLICATION_ID:
            raise StoreUnusable(f"The file {backup} is not a backup of Gatepost. Nothing was changed.")
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        if damage := damage_in(copy):
            raise _damaged(backup, damage)


def _revision(backup: Path, draft: Path) -> str:
    with closing(connect(draft)) as connection:
        revision = stored(connection)
    require_known(backup, revision)
    if revision is None:
        raise StoreUnusable(f"The file {backup} is not a backup of Gatepost. Nothing was changed.")
    return revision


def _require_tables(connection: sqlite3.Connection, backup: Path) -> None:
    rows = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    ).fetchall()
    expected = {(table.name, column.name) for table in tables.metadata.sorted_tables for column in table.c}
    [(strange,)] = connection.execute("SELECT count(*) FROM sqlite_master WHERE type IN ('trigger', 'view')")
    if strange or not expected <= set(rows) or len(connection.execute(_READ_HEAD).fetchall()) != 1:
        raise StoreUnusable(f"The file {backup} lacks what a backup of Gatepost has. Nothing was changed.")


def _make_ready(database: Path) -> bool:
    """Make the database one that can be written into; whether what it holds can be read."""
    try:
        migrate(database)
        with closing(connect(database)) as connection:
            return connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
    except (StoreUnusable, sqlite3.DatabaseError) as error:
        cause = error if isinstance(error, sqlite3.Error) else error.__cause__
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
            return False
        raise


@contextmanager
def _overwriting(database: Path, *, readable: bool) -> Iterator[None]:
    with starting(database):
        try:
            yield
        except sqlite3.DatabaseError as error:
            if readable or getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
            raise StoreUnusable(
                f"The database {database} is too damaged to be written into. "
                f"Stop the server, move all files {database.name}* away, and restore again."
            ) from error


def _clear(copy: sqlite3.Connection, live: sqlite3.Connection, *, keep_sessions: bool) -> None:
    """What needs no lock: empty what does not come back, and number records so that no earlier read fits them."""
    copy.execute("BEGIN")
    empty = (
        *NOT_KEPT,
        tables.follower,
        tables.verifier,
        *(() if keep_sessions else (tables.session, tables.refresh_family)),
    )
    for table in empty:
        copy.execute(text_of(sa.delete(table)))
    for table in FROM_BACKUP:
        # A decision made from what was read before the restore meets a Conflict, and is made again from what is now.
        moved = table.c.version + sa.literal_column(str(_VERSIONS))
        copy.execute(text_of(sa.update(table).values(version=moved)))
    copy.execute("COMMIT")
    [(size,)], [(wanted,)] = (one.execute("PRAGMA main.page_size").fetchall() for one in (copy, live))
    if size != wanted:
        copy.execute(f"PRAGMA main.page_size = {int(wanted)}")
        copy.execute("VACUUM main")
    copy.execute("PRAGMA main.journal_mode = MEMORY").fetchall()


class _Joining:
    """What happens between the first page of a restore, which takes the lock, and the second.

    SQLite lets the connection that is copied from write on: what it writes is copied too. So nobody commits between
    the moment the live database is read here and the moment the restore is durable.
    """

    def __init__(
        self, copy: sqlite3.Connection, restoring: Restoring, progress: Progress, *, readable: bool
    ) -> None:
        self.restored: Restored | None = None
        self._copy = copy
        self._restoring = restoring
        self._progress = progress
        self._readable = readable
        self._deadline = time.monotonic() + _PATIENCE

    def stepped(self, status: int, left: int, of: int) -> None:
        """Called by SQLite's backup after each step, and after each attempt that found the database locked."""
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            if time.monotonic() >= self._deadline:
                raise StoreUnusable("The database is locked by another program. Stop that, or wait.")
        elif self.restored is None:
            self._copy.execute("BEGIN")
            self.restored = self._join()
            self._copy.execute("COMMIT")
        self._progress(of - left, of)

    def _join(self) -> Restored:
        copy = self._copy
        [(began, tag, ended)] = copy.execute(_READ_HEAD).fetchall()
        found = copy.execute(_READ_LIVE_HEAD).fetchall() if self._readable else []
        if not found:
            return self._open_log(began + GAP, ended, continued=False)
        [(newest, live_ended)] = found
        self._carry_servers()
        continued = self._continues(began, tag)
        if continued:
            self._carry_log(began)
            ended = max(ended, live_ended)
        return self._open_log(max(began, newest) + GAP, ended, continued=continued)

    def _continues(self, began: int, tag: str) -> bool:
        if began == 0:
            # A log with nothing in it is the beginning of any; the trail tells whether it is of this installation.
            return bool(self._copy.execute(_SAME_TRAIL).fetchall())
        return self._copy.execute(_READ_LIVE_TAG, {"seq": began}).fetchall() == [(tag,)]

    def _carry_servers(self) -> None:
        for statement in HEARERS:
            self._copy.execute(statement)
        keys = [ring_key_of(row) for row in self._copy.execute(_READ_LIVE_KEYS)]
        # Servers sign with what they read at their start. Keys under another master key are of no use to anybody.
        if keys and self._restoring.opens(keys):
            for statement in KEYS:
                self._copy.execute(statement)

    def _carry_log(self, began: int) -> None:
        for statement in GROWN:
            self._copy.execute(statement)
        self._copy.execute(LOG, {"began": began})
        self._copy.execute(CLIENT_ENDINGS, {"began": began})
        if self._restoring.keep_sessions:
            for statement in ENDINGS:
                self._copy.execute(statement, {"began": began})

    def _open_log(self, after: int, ended: int, *, continued: bool) -> Restored:
        """Begin the new log: everything up to `after` is forgotten, and the first fact says what holds of it."""
        restoring = self._restoring
        head = {"log_id": new_log_id(restoring.randomness), "seq": after, "floor": after, "ended": ended}
        self._copy.execute(_NEW_HEAD, head)
        fact = EveryoneOutdated() if restoring.keep_sessions else EveryoneEnded()
        position, _ = append(self._copy, (fact,), restoring.now, restoring.randomness)
        self._copy.execute(_NOTE, audit_row(restoring.row))
        return Restored(position, continued, self._readable)
