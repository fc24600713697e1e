"""A backup: the whole database as one file, made while servers read and write.

Owns the making of that file, from its draft to its name. What goes back into a database, and what does not, is
sql_restore.py's. Called by `gatepost backup`.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatepost.errors import StoreUnusable
from gatepost.stores.revisions import require_known, stored
from gatepost.stores.sqlite import connect, require_ours, starting

# One step of a copy: a few milliseconds, and then the progress is told.
_STEP_PAGES: Final = 1000
# What file systems without links answer.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})

Progress = Callable[[int, int], None]
"""Told how many pages are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class BackupTaken:
    """A backup that is whole and durable. `size` is in bytes."""

    file: Path
    size: int
    revision: str


def take_backup(database: Path, target: Path, progress: Progress, *, replace: bool = False) -> BackupTaken:
    """Copy a database at one moment into a new file of mode 0600, verified and durable.

    Writers are not held up. With `replace` a file that is there gives way, at once and whole. Raises StoreUnusable;
    `target` is then as it was.
    """
    _require_free(database, target, replace=replace)
    with starting(database), closing(connect(database)) as source:
        require_ours(source, database)
        revision = stored(source)
        require_known(database, revision)
        if revision is None:
            raise StoreUnusable(f"The database {database} is empty. Start the server first.")
        with drafted(target, "part") as draft:
            _copy(source, draft, progress)
            _sync(draft)
            _name(draft, target, replace=replace)
    return BackupTaken(target, target.stat().st_size, revision)


def _require_free(database: Path, target: Path, *, replace: bool) -> None:
    if not target.parent.is_dir():
        raise StoreUnusable(f"The folder {target.parent} does not exist. Create it, or name another place.")
    if os.path.lexists(target) and not target.is_file():
        raise StoreUnusable(f"{target} is not a plain file. Name another.")
    beside = {database.with_name(database.name + end) for end in ("", "-wal", "-shm", "-journal")}
    if target.resolve() in {one.resolve() for one in beside}:
        raise StoreUnusable(f"{target} belongs to the database itself. Name another file.")
    if os.path.lexists(target) and not replace:
        raise _taken(target)


def _taken(target: Path) -> StoreUnusable:
    return StoreUnusable(f"There is a file at {target} already. Name another, or replace it with --force.")


def _copy(source: sqlite3.Connection, draft: Path, progress: Progress) -> None:
    # One read transaction around all steps: without it the copy would begin anew whenever a server commits.
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchall()
    with closing(connect(draft)) as copy:
        source.backup(copy, pages=_STEP_PAGES, progress=lambda _, left, of: progress(of - left, of))
        # The mode came with the pages. A backup is one file, which can be read where nothing can be written.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        if damage := damage_in(copy):
            raise StoreUnusable("The database is damaged. Restore a backup.", detail=damage)
    source.execute("ROLLBACK")


def damage_in(connection: sqlite3.Connection) -> str | None:
    """What is wrong with a database, having looked through every page and index; None if nothing is."""
    [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    return None if found == "ok" else str(found)


@contextmanager
def drafted(target: Path, purpose: str) -> Iterator[Path]:
    """An empty file beside `target`, readable by its owner only, which is removed at the end of the block.

    What a process that was killed left of the same purpose is removed first.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.{purpose}")
    _remove_abandoned(target, purpose)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreUnusable(f"Nothing can be written beside {target}: {error.strerror}.") from error
    try:
        yield draft
    finally:
        for one in _with_journals(draft):
            one.unlink(missing_ok=True)


def _remove_abandoned(target: Path, purpose: str) -> None:
    start, end = f".{target.name}.", f".{purpose}"
    for one in target.parent.iterdir():
        pid = one.name.removeprefix(start).removesuffix(end)
        if one.name == f"{start}{pid}{end}" and pid.isdecimal() and not _runs(int(pid)):
            for left in _with_journals(one):
                left.unlink(missing_ok=True)


def _with_journals(file: Path) -> list[Path]:
    return [file.with_name(file.name + end) for end in ("", "-wal", "-shm", "-journal")]


def _runs(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _name(draft: Path, target: Path, *, replace: bool) -> None:
    try:
        if replace:
            draft.replace(target)
        else:
            _link(draft, target)
    except FileExistsError as error:
        raise _taken(target) from error
    except OSError as error:
        raise StoreUnusable(f"The backup {target} cannot be given its name: {error.strerror}.") from error
    # Some file systems cannot sync a folder; they keep names in order by themselves.
    with suppress(OSError):
        _sync(target.parent)


def _link(draft: Path, target: Path) -> None:
    try:
        # Renaming would silently take the place of a file made meanwhile.
        os.link(draft, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        draft.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
