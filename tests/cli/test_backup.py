"""`gatepost backup`: one whole file, which nobody else may read, and what it refuses to write over."""

import json
import os
import pty
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gatepost.machine import SystemClock
from gatepost.stores.sqlite import APPLICATION_ID
from tests.cli.conftest import Run
from tests.servers import clean_environment, program
from tests.services.installation import Installation, add_account

Made = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, made: Made) -> Path:
    """A folder with an installation in `data` that holds one account."""
    made("ada@example.com")
    return tmp_path


def one(file: Path, statement: str) -> Any:
    """The one value that a statement finds in a file that cannot be written."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        [(value,)] = connection.execute(statement).fetchall()
    return value


def beside(folder: Path) -> set[str]:
    """The names in a folder."""
    return {path.name for path in folder.iterdir()}


def test_a_backup_is_one_whole_file_for_its_owner_only(run: Run, folder: Path) -> None:
    """Mode 0600, marked as ours, sound, with the accounts in it, and nothing beside it."""
    done = run("backup", "kept.db")
    assert (done.code, done.error) == (0, "")
    file = folder / "kept.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert one(file, "PRAGMA application_id") == APPLICATION_ID
    assert one(file, "PRAGMA integrity_check") == "ok"
    # Bytes 18 and 19 of an SQLite file say whether it needs a journal beside it to be read: 2 does, 1 does not.
    assert file.read_bytes()[18:20] == b"\x01\x01"
    assert one(file, "SELECT email_key FROM account") == "ada@example.com"
    assert beside(folder) == {"data", "kept.db"}


def test_a_backup_says_what_it_is(run: Run, folder: Path) -> None:
    """In words with where the master key is, which is not in it; as JSON with its size and revision."""
    assert "data/master.key" in run("backup", "one.db").out
    told = json.loads(run("backup", "two.db", "--json").out)
    assert told["bytes"] == (folder / "two.db").stat().st_size
    assert (told["file"], told["revision"]) == (
        "two.db",
        one(folder / "two.db", "SELECT * FROM alembic_version"),
    )


def test_the_master_key_is_in_no_backup(run: Run, folder: Path) -> None:
    """Neither as it is written nor as bytes."""
    run("backup", "kept.db")
    text = (folder / "data/master.key").read_text().strip()
    assert text.encode() not in (folder / "kept.db").read_bytes()


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(run: Run, folder: Path) -> None:
    """One sentence, and the file as it was; with --force the backup takes its place."""
    (folder / "kept.db").write_text("dear")
    done = run("backup", "kept.db")
    assert (done.code, done.out) == (1, "")
    assert (
        done.error
        == "gatepost: There is a file at kept.db already. Name another, or replace it with --force.\n"
    )
    assert (folder / "kept.db").read_text() == "dear"
    assert run("backup", "kept.db", "--force").code == 0
    assert one(folder / "kept.db", "SELECT count(*) FROM account") == 1
    assert stat.S_IMODE((folder / "kept.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("nowhere/kept.db", "The folder nowhere does not exist"),
        ("data", "data is not a plain file"),
        ("data/gatepost.db", "belongs to the database itself"),
        ("data/gatepost.db-wal", "belongs to the database itself"),
    ],
)
def test_a_place_that_does_not_do_is_refused(run: Run, folder: Path, target: str, part: str) -> None:
    """Even with --force; the database is as it was."""
    done = run("backup", target, "--force")
    assert (done.code, done.out) == (1, "")
    assert part in done.error
    assert run("account", "show", "ada@example.com").code == 0


def test_without_a_database_there_is_nothing_to_back_up(run: Run, tmp_path: Path) -> None:
    """A mistyped folder is refused, and neither it nor the file is made."""
    done = run("backup", "kept.db", "--data", "dta")
    assert "There is no database at" in done.error
    assert done.code == 1
    assert beside(tmp_path) == set()


def test_a_damaged_database_makes_no_backup(run: Run, folder: Path) -> None:
    """A copy of damage would be found out on the day it is needed."""
    file = folder / "data/gatepost.db"
    damage(file)
    done = run("backup", "kept.db")
    assert (done.code, done.out) == (1, "")
    assert "is damaged" in done.error
    assert beside(folder) == {"data"}


def damage(file: Path) -> None:
    """Overwrite one page in the middle: the one that holds the accounts."""
    page = one(file, "SELECT rootpage FROM sqlite_master WHERE name = 'account'")
    with file.open("r+b") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(b"\xff" * 4096)


def test_a_backup_under_writes_is_of_one_moment(run: Run, tmp_path: Path) -> None:
    """While another thread locks accounts, a backup holds as many locks as facts and audit rows of them."""
    installation = Installation(tmp_path / "data", SystemClock())
    authority = installation.open()
    enough = threading.Event()

    def write() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            add_account(authority, f"a{number}@example.com")
            authority.accounts.lock(f"a{number}@example.com", "cli")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for number in range(10):
            assert run("backup", f"{number}.db").code == 0
            file = tmp_path / f"{number}.db"
            locked = one(file, "SELECT count(*) FROM account WHERE locked_at IS NOT NULL")
            assert one(file, "SELECT count(*) FROM audit WHERE event = 'account_locked'") == locked
            assert one(file, "SELECT seq FROM log_head") == locked
            sizes.append(one(file, "SELECT count(*) FROM account"))
    finally:
        enough.set()
        writer.join()
        installation.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_what_a_killed_backup_left_goes_with_the_next(run: Run, folder: Path) -> None:
    """A draft of a process that runs no more is removed; one of a running process, and other files, are not."""
    gone, busy = folder / ".kept.db.4194999.part", folder / f".kept.db.{os.getppid()}.part"
    other = folder / ".kept.db.notes.part"
    for file in (gone, busy, other):
        file.touch()
    assert run("backup", "kept.db").code == 0
    assert beside(folder) == {"data", "kept.db", busy.name, other.name}


def test_progress_is_shown_on_a_terminal_only(folder: Path) -> None:
    """Stderr is a terminal: a bar that reaches its end. A pipe gets nothing (the first test here)."""
    screen, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [*program(), "backup", "kept.db"],
            cwd=folder,
            env=clean_environment(TERM="xterm"),
            stdout=subprocess.PIPE,
            stderr=terminal,
            check=True,
        )
        shown = os.read(screen, 65_536)
    finally:
        os.close(terminal)
        os.close(screen)
    assert b"Copying" in shown
    assert b"100%" in shown
    assert b"Copying" not in done.stdout
