"""The revisions of the schema: which one this code speaks, which one a file has, and the way between.

Owns the order of revisions by name, so that Alembic, which is slow to import, is loaded only when something is to be
migrated. Called when a store is opened and by `gatepost migrate`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from gatepost.errors import StoreUnusable
from gatepost.stores.sqlite import connect, prepare_file, starting

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
HEAD: Final = REVISIONS[-1]

_URL: Final = "sqlite:///"


def path_of(url: str | Path) -> Path:
    """The file that a database URL (`sqlite:///relative.db`, `sqlite:////absolute.db`) or a plain path names."""
    text = str(url)
    if "://" not in text:
        return Path(text).absolute()
    path = text.removeprefix(_URL)
    if path == text or not path or "?" in path or path == ":memory:":
        raise StoreUnusable("The database must be named as sqlite:///FILE, or as the path of a file.")
    return Path(path).absolute()


def current(url: str | Path) -> str | None:
    """The revision of a database, or None if it has none yet. Makes no file."""
    path = path_of(url)
    if not path.exists():
        return None
    with starting(path), closing(connect(path)) as connection:
        return stored(connection)


def migrate(url: str | Path) -> tuple[str | None, str]:
    """Bring a database to `HEAD` in one transaction; the revision it had, and the one it has.

    Makes the file if there is none. Raises StoreUnusable for a file that is not ours or of a newer Gatepost.
    """
    path = path_of(url)
    prepare_file(path)
    before = current(path)
    require_known(path, before)
    if before != HEAD:
        # Half a second that every start but the first is spared.
        from gatepost.stores.migrations import upgrade  # noqa: PLC0415

        with starting(path):
            upgrade(path, HEAD)
    return before, HEAD


def require_known(path: Path, revision: str | None) -> None:
    """Refuse a database that a newer Gatepost has made."""
    if revision is not None and revision not in REVISIONS:
        raise StoreUnusable(
            f"The database {path} was made by a newer Gatepost (revision {revision}). Install that version or newer."
        )


def stored(connection: sqlite3.Connection) -> str | None:
    """The revision of the database behind a connection, or None if it has none yet."""
    exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if not connection.execute(exists).fetchall():
        return None
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(rows[0][0]) if rows else None
