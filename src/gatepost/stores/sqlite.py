"""One SQLite file, as threads and processes share it: connections, transactions, and what its errors mean.

Owns how a file is opened and refused, the one writer of a process and the reader of each thread. Knows no table; the
statements come from the stores. After a fork the child starts with connections of its own.
"""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from gatepost.errors import Busy, GatepostError, StoreUnusable

# "Gpst" in ASCII: how `file` and we ourselves tell our files from those of others.
APPLICATION_ID: Final = 0x47707374
# A write waits this long for its turn, among threads and among processes together: less than the 5 s after which
# many programs stop waiting for an answer.
WAIT_SECONDS: Final = 4.0

_PRAGMAS: Final = (
    f"PRAGMA busy_timeout = {int(WAIT_SECONDS * 1000)}",
    # macOS acknowledges a plain fsync before the disk has the bytes.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA temp_store = MEMORY",
    # A file is input like any other: nothing that its schema names gets to run functions.
    "PRAGMA trusted_schema = OFF",
)
_LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BUSY: Final = _LOCKED | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
_UNUSABLE: Final = {
    sqlite3.SQLITE_READONLY: "is read-only. Let the user that runs Gatepost write to it and to its folder.",
    sqlite3.SQLITE_PERM: "may not be opened. Let the user that runs Gatepost read and write it.",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened. Let the user that runs Gatepost read and write it and its folder.",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database. Move it away, or name another file.",
    sqlite3.SQLITE_CORRUPT: "is damaged. Restore a backup.",
}

Params = Mapping[str, Any] | Sequence[Any]


def understood(error: sqlite3.Error, path: Path) -> GatepostError | None:
    """What an error of the driver means to us, or None if it is a mistake in our own code."""
    code = _code(error)
    if code in _BUSY:
        return Busy(detail=f"SQLite: {error}")
    if code in _UNUSABLE:
        return StoreUnusable(f"The database {path} {_UNUSABLE[code]}", detail=f"SQLite: {error}")
    return None


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours: Busy for what passes by itself, StoreUnusable for what does not."""
    try:
        yield
    except sqlite3.Error as error:
        ours = understood(error, path)
        if ours is None:
            raise
        raise ours from error


@contextmanager
def starting(path: Path) -> Iterator[None]:
    """Turn every error into StoreUnusable: at a start there is nobody who could be asked to come again."""
    try:
        with errors_of(path):
            yield
    except Busy as busy:
        reason = "is locked by another program. Stop that, or wait."
        if _code(busy.__cause__) not in _LOCKED:
            reason = "cannot be written. Is the disk full?"
        raise StoreUnusable(f"The database {path} {reason}", detail=busy.detail) from busy


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 for errors that the driver raises by itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, set up as all of ours are. Commits as safely as SQLite can (FULL)."""
    # Without `isolation_level` the driver never begins a transaction behind our back. Use by several threads is
    # guarded by a lock around every connection; the driver's own check would forbid closing from another thread.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare_file(path: Path) -> None:
    """Make the file if there is none (mode 0600), and refuse one that is not ours or cannot be written.

    Raises StoreUnusable. Leaves the file in WAL mode, which stays with it.
    """
    if not path.parent.is_dir():
        raise StoreUnusable(
            f"The folder {path.parent} does not exist. Create it, or name another place for {path.name}."
        )
    try:
        _create(path)
    except OSError as error:
        reason = "cannot be made. Let the user that runs Gatepost write to its folder."
        raise StoreUnusable(f"The database {path} {reason}", detail=str(error)) from error
    with starting(path), closing(connect(path)) as connection:
        require_ours(connection, path)
        _require_writable(connection)
        _enter_wal(connection)


def _create(path: Path) -> None:
    if path.exists():
        return
    # Made under another name and linked into place: were it opened here under its own name and closed again, the
    # close would drop the locks that another thread may hold on it by then (POSIX locks belong to the process).
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that another application made; an empty one may become ours."""
    [(mark,)] = connection.execute("PRAGMA application_id").fetchall()
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if mark != APPLICATION_ID and (mark or tables):
        raise StoreUnusable(f"The database {path} belongs to another application. Name another file.")


def _require_writable(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    # On a read-only file the line above quietly begins a reading transaction; only a write is refused.
    connection.execute("PRAGMA user_version = 0")
    connection.execute("ROLLBACK")


def _enter_wal(connection: sqlite3.Connection) -> None:
    # The change of mode does not wait for others by itself, so two servers starting at once would trip each other.
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


class Line:
    """One connection and the lock that whoever uses it holds."""

    __slots__ = ("__weakref__", "connection", "lock", "pid")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection: sqlite3.Connection = connection
        self.lock: threading.Lock = threading.Lock()
        self.pid: int = os.getpid()

    def __del__(self) -> None:
        # A reader's thread has ended, or the process forked: SQLite forbids a child to touch, or even to close, a
        # connection that was opened before the fork.
        if self.pid == os.getpid():
            self.connection.close()
        else:
            _abandoned.append(self.connection)


class _Lines:
    """All connections of one process to one file; a forked child gets a new one of these."""

    def __init__(self) -> None:
        self.of_thread = threading.local()
        self.readers: weakref.WeakSet[Line] = weakref.WeakSet()
        self.guard = threading.Lock()
        self.writer: Line | None = None
        self.closed = False


class SqliteFile:
    """A file that `prepare_file` accepted. `rows`, `using` and `writing` are the only ways in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = _Lines()
        _open_files.add(self)

    def rows(self, statement: str, params: Params = ()) -> list[Any]:
        """All rows of one reading statement, on this thread's own connection. One statement is one snapshot."""
        line = self._reader()
        try:
            # Everything is fetched at once: a statement left half read would hold its snapshot, and with it the
            # write-ahead log, for as long as the cursor lives.
            with line.lock:
                return line.connection.execute(statement, params).fetchall()
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def line(self) -> Line:
        """Another reading connection, for whoever needs one of their own. It is closed with the file."""
        lines = self._lines
        line = self._new_line(lines)
        line.connection.execute("PRAGMA query_only = ON")
        with lines.guard:
            lines.readers.add(line)
        return line

    @contextmanager
    def using(self, line: Line) -> Iterator[sqlite3.Connection]:
        """A connection from `line`, for several statements."""
        try:
            with line.lock:
                yield line.connection
        except sqlite3.Error as error:
            raise self._ours(error) from error

    @contextmanager
    def writing(self, *, durable: bool = True, wait: float = WAIT_SECONDS) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end of the block, rolled back if the block raises.

        `durable=False` may lose the commit at a power loss, never at a crash of the process: for what nobody was
        promised. Raises Busy if the turn does not come within `wait` seconds.
        """
        line = self._writer()
        until = time.monotonic() + wait
        if not line.lock.acquire(timeout=wait):
            raise Busy(detail="the writer was taken for too long")
        try:
            with errors_of(self.path):
                # One patience for both: the turn among our threads and the file's lock among processes.
                yield from self._transaction(line.connection, durable, max(0.0, until - time.monotonic()))
        finally:
            line.lock.release()

    def _transaction(
        self, connection: sqlite3.Connection, durable: bool, wait: float
    ) -> Iterator[sqlite3.Connection]:
        if self._lines.closed:
            raise _closed(self.path)
        # The same patience with other processes: a follower that may wait half a second must not stand still for as
        # long as a storm of writers elsewhere lasts.
        connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        # IMMEDIATE: a transaction that reads first and upgrades later is refused by SQLite at once, however long it
        # would be willing to wait.
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close every connection, each when whoever uses it is done. Later calls raise StoreUnusable."""
        lines = self._lines
        with lines.guard:
            lines.closed = True
            every = [*lines.readers, *([lines.writer] if lines.writer else [])]
        for line in every:
            with line.lock:
                line.connection.close()

    def after_fork(self) -> None:
        """In the child: leave the parent's connections alone, neither using nor closing them."""
        self._lines = _Lines()

    def _reader(self) -> Line:
        mine = self._lines.of_thread
        try:
            line: Line = mine.line
        except AttributeError:
            line = mine.line = self.line()
        return line

    def _writer(self) -> Line:
        lines = self._lines
        if lines.writer is None:
            with lines.guard:
                lines.writer = lines.writer or self._new_line(lines)
        return lines.writer

    def _new_line(self, lines: _Lines) -> Line:
        if lines.closed:
            raise _closed(self.path)
        with errors_of(self.path):
            return Line(connect(self.path))

    def _ours(self, error: sqlite3.Error) -> Exception:
        if self._lines.closed:
            return _closed(self.path)
        return understood(error, self.path) or error


def _closed(path: Path) -> StoreUnusable:
    return StoreUnusable(f"The database {path} was closed. Open it again.")


_open_files: Final[weakref.WeakSet[SqliteFile]] = weakref.WeakSet()
_abandoned: Final[list[sqlite3.Connection]] = []


def _in_child() -> None:
    for file in list(_open_files):
        file.after_fork()


os.register_at_fork(after_in_child=_in_child)
