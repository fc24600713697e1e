"""Backup and restore at the level of the file: the one exclusive step, and what a kill in the middle leaves."""

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.core.changes import AuditRow, Event
from gatepost.core.revocation import ClientEnded, EveryoneEnded, EveryoneOutdated, SessionEnded
from gatepost.errors import Conflict, StoreUnusable
from gatepost.machine import SystemRandomness
from gatepost.stores import sql_backup, sql_restore, sqlite
from gatepost.stores import sql_tables as tables
from gatepost.stores.sql_backup import take_backup
from gatepost.stores.sql_restore import GAP, Restored, Restoring, staged
from gatepost.testing.clock import NOON
from gatepost.testing.crowd import processes
from gatepost.testing.log_suite import stands
from gatepost.testing.opening import open_sql
from gatepost.testing.records import a_client, a_ring_key, a_session, an_account, change

Step = Callable[[int, int], None]
# Enough pages for a kill in the middle to be in the middle.
_MANY = 400


def quiet(done: int, of: int) -> None:
    """Nobody looks at the progress."""


def restoring(*, keep_sessions: bool = True) -> Restoring:
    """How the tests restore."""
    row = AuditRow(Event.RESTORED, NOON, actor="cli")
    return Restoring(NOON, keep_sessions, row, SystemRandomness(), lambda keys: True)


def restore(database: Path, backup: Path, step: Step = quiet, *, keep_sessions: bool = True) -> Restored:
    """Put a backup into a database."""
    with staged(backup, database) as copy:
        return copy.write_into(database, restoring(keep_sessions=keep_sessions), step)


def filled(database: Path) -> None:
    """A database that has accounts with names in it: "old" ones."""
    store, _ = open_sql(database)
    store.commit(change(put=tuple(an_account(f"old{number}") for number in range(_MANY))))
    store.commit(change(put=(a_session("s1", "old1"), a_session("s2", "old2")), facts=(SessionEnded("s0"),)))
    store.close()


def names_in(file: Path) -> set[str]:
    """The first three letters of its accounts' names; fails if the file is not sound."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in connection.execute("SELECT DISTINCT substr(id, 1, 3) FROM account")}


def test_every_table_is_decided_about() -> None:
    """A table that is added must be named among what comes from the backup or what stays; the head is made anew."""
    named = [
        *sql_restore.FROM_BACKUP,
        *sql_restore.OF_THE_LOG,
        *sql_restore.OF_THE_SERVERS,
        *sql_restore.NOT_KEPT,
        tables.log_head,
    ]
    assert sorted(table.name for table in named) == sorted(tables.metadata.tables)


@pytest.mark.parametrize("keep_sessions", [True, False])
def test_the_new_log_begins_above_both_logs(tmp_path: Path, keep_sessions: bool) -> None:
    """A follower of the old log gets a reset with one fact, and a floor that everything before lies under."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, log = open_sql(database)
    store.commit(change(facts=(SessionEnded("s3"), SessionEnded("s4"))))
    before = log.read(None)
    done = restore(database, backup, keep_sessions=keep_sessions)
    assert log.changed()
    answer = log.read(before.position)
    assert answer.reset
    assert answer.position == done.position
    assert answer.position.seq == before.position.seq + GAP + 1
    assert answer.position.log != before.position.log
    assert answer.floor == before.position.seq + GAP
    assert [one.fact for one in answer.facts] == [EveryoneOutdated() if keep_sessions else EveryoneEnded()]
    assert not log.read(answer.position).reset
    store.close()


def test_what_was_read_before_a_restore_cannot_be_written_after_it(tmp_path: Path) -> None:
    """Neither put nor expected: also where the record looks the same in the backup."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, _ = open_sql(database)
    found = store.account("old1")
    assert found is not None
    restore(database, backup)
    for attempt in (change(put=(found[0],)), change(expects=(found[0],), put=(a_session("s9", "old1"),))):
        with pytest.raises(Conflict):
            store.commit(attempt)
    store.close()


@pytest.mark.parametrize("keep_sessions", [True, False])
def test_a_client_that_was_ended_since_stays_out(tmp_path: Path, keep_sessions: bool) -> None:
    """The log wins over the backup: what was issued to it is dead, and its secret opens nothing."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    store, _ = open_sql(database)
    store.commit(change(put=(a_client("c1"), a_client("c2"), a_session("s8", "old1", client_id="c1"))))
    take_backup(database, backup, quiet)
    store.commit(change(facts=(ClientEnded("c1"),)))
    restore(database, backup, keep_sessions=keep_sessions)
    ended, other = store.client("c1"), store.client("c2")
    assert ended is not None
    assert other is not None
    assert ended.ended_at == NOON
    assert not stands(store, "s8")
    assert other.ended_at is None
    store.close()


def test_what_is_committed_until_the_lock_is_taken_counts(tmp_path: Path) -> None:
    """An ending that is acknowledged while the restore prepares holds; once the lock is taken nobody commits."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, _ = open_sql(database)
    refused: list[str] = []

    def step(done: int, of: int) -> None:
        if 0 < done < of and not refused:
            with closing(sqlite3.connect(database, timeout=0)) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
            # Readers see the database as it was, whole.
            assert store.session("s2") is not None

    with staged(backup, database) as copy:
        last = store.commit(change(facts=(SessionEnded("s1"),)))
        done = copy.write_into(database, restoring(), step)
    assert refused == ["database is locked"]
    assert done.continued
    assert done.position.seq > last.pos
    assert store.session("s1") is None
    assert store.session("s2") is not None
    store.close()


def test_writers_wait_for_a_restore_and_then_go_on(tmp_path: Path) -> None:
    """A commit that meets the restore is written after it, into what came from the backup."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, _ = open_sql(database)
    writer = threading.Thread(target=store.commit, args=(change(put=(an_account("new"),)),))

    def step(done: int, of: int) -> None:
        if done > 1 and writer.ident is None:
            writer.start()

    restore(database, backup, step)
    writer.join()
    store.close()
    assert names_in(database) == {"old", "new"}


def test_a_database_that_stays_locked_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds the lock for too long: one sentence, and no draft is left."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    monkeypatch.setattr(sqlite, "_PRAGMAS", ("PRAGMA busy_timeout = 10",))
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match="locked by another program"):
            restore(database, backup)
    assert not list(tmp_path.glob(".*"))
    assert names_in(database) == {"old"}


def test_a_restore_does_not_try_for_the_lock_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would: it goes on as long as nobody stops it."""
    monkeypatch.setattr(sql_restore, "_PATIENCE", 0.0)
    with closing(sqlite3.connect(":memory:")) as nothing:
        joining = sql_restore._Joining(nothing, restoring(), quiet, readable=False)
        with pytest.raises(StoreUnusable, match="locked by another program"):
            joining.stepped(sqlite3.SQLITE_BUSY, 0, 0)


def test_a_backup_is_of_the_moment_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed between two steps of the copy is not in it, and does not make it begin anew."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    store, _ = open_sql(database)
    monkeypatch.setattr(sql_backup, "_STEP_PAGES", 5)
    steps: list[int] = []

    def step(done: int, of: int) -> None:
        store.commit(change(put=(an_account(f"new{done}"),)))
        steps.append(done)

    take_backup(database, backup, step)
    store.close()
    assert len(steps) > 5
    assert steps == sorted(set(steps))
    assert names_in(backup) == {"old"}


@pytest.mark.parametrize("opens", [True, False])
def test_signing_keys_are_those_that_servers_sign_with(tmp_path: Path, opens: bool) -> None:
    """The live ones stay, unless the master key does not open them: then the backup's come in."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    store, _ = open_sql(database)
    store.commit(change(put=(a_ring_key("k1"),)))
    take_backup(database, backup, quiet)
    store.commit(change(put=(a_ring_key("k2"),)))
    how = replace(restoring(), opens=lambda keys: opens)
    with staged(backup, database) as copy:
        assert [key.id for key in copy.ring_keys()] == ["k1"]
        copy.write_into(database, how, quiet)
    assert [key.id for key in store.ring_keys()] == (["k1", "k2"] if opens else ["k1"])
    store.close()


def test_the_file_of_a_stopped_server_does_as_a_backup(tmp_path: Path) -> None:
    """A plain copy, from a folder where nothing may be written; nothing is made beside it."""
    database, folder = tmp_path / "truth.db", tmp_path / "archive"
    filled(database)
    folder.mkdir()
    shutil.copy(database, folder / "copied.db")
    store, _ = open_sql(database)
    store.commit(change(put=(an_account("new"),)))
    store.close()
    restore(database, folder / "copied.db")
    assert names_in(database) == {"old"}
    assert [one.name for one in folder.iterdir()] == ["copied.db"]


def test_a_database_in_use_does_as_a_backup(tmp_path: Path) -> None:
    """What lies in the journal beside it is part of it."""
    database, other = tmp_path / "truth.db", tmp_path / "other.db"
    filled(database)
    store, _ = open_sql(other)
    store.commit(change(put=(an_account("new"),)))
    restore(database, other)
    store.close()
    assert names_in(database) == {"new"}


def backup_until(database: Path, target: Path, moment: int) -> None:
    """Back up, and be killed at a step of the copy."""
    steps = iter(range(100_000))

    def step(done: int, of: int) -> None:
        if next(steps) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    take_backup(database, target, step, replace=True)


def restore_until(database: Path, backup: Path, moment: float) -> None:
    """Restore, and be killed when this part of the pages is done; 1 is right after the last."""

    def step(done: int, of: int) -> None:
        if done >= moment * of:
            os.kill(os.getpid(), signal.SIGKILL)

    restore(database, backup, step)


def killed(work: Callable[..., None], *given: object) -> None:
    """Let a process do this work and see it die by SIGKILL."""
    process = processes().Process(target=work, args=given)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def test_a_killed_backup_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 in the copy: the file under its name is the one before, and the next backup clears up."""
    database, target = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, target, quiet)
    store, _ = open_sql(database)
    store.commit(change(put=(an_account("new"),)))
    store.close()
    killed(backup_until, database, target, 0)
    assert names_in(target) == {"old"}
    take_backup(database, target, quiet, replace=True)
    assert names_in(target) == {"old", "new"}
    assert not list(tmp_path.glob(".kept*"))


@pytest.mark.parametrize("moment", [0.0, 0.5, 0.9])
def test_a_restore_that_is_killed_has_changed_nothing(tmp_path: Path, moment: float) -> None:
    """kill -9 with the lock in hand, half way, and near the end: the database before, whole and writable."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, log = open_sql(database)
    store.commit(change(put=(an_account("new"),), facts=(SessionEnded("s1"),)))
    before = log.read(None)
    killed(restore_until, database, backup, moment)
    # Another connection as much as the one that was open all the time.
    for one_store, one_log in ((store, log), open_sql(database)):
        assert one_log.read(before.position).position == before.position
        assert not one_log.read(before.position).reset
        one_store.commit(change(put=(an_account(f"neu{id(one_store)}"),)))
        one_store.close()
    assert names_in(database) == {"old", "new", "neu"}
    restore(database, backup)
    assert names_in(database) == {"old"}
    assert not list(tmp_path.glob(".truth*"))


def test_a_restore_that_is_killed_after_its_commit_holds(tmp_path: Path) -> None:
    """kill -9 before anything could be said: all of the backup is there, in a new log."""
    database, backup = tmp_path / "truth.db", tmp_path / "kept.db"
    filled(database)
    take_backup(database, backup, quiet)
    store, log = open_sql(database)
    store.commit(change(put=(an_account("new"),)))
    before = log.read(None)
    killed(restore_until, database, backup, 1.0)
    for one_store, one_log in ((store, log), open_sql(database)):
        assert one_log.read(before.position).reset
        one_store.close()
    assert names_in(database) == {"old"}
