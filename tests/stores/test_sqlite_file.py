"""The file: whose it is, who may read it, what is refused, and what happens when it cannot be written."""

import multiprocessing
import os
import resource
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gatepost.core.revocation import AccountEnded, KeyEnded
from gatepost.errors import Busy, StoreUnusable
from gatepost.stores.revisions import path_of
from gatepost.stores.sqlite import APPLICATION_ID
from gatepost.testing.crash_suite import whole
from gatepost.testing.crowd import processes
from gatepost.testing.opening import Opener, open_sql
from gatepost.testing.records import an_account, change

NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """A folder of a user whom file permissions bind, and that user for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def as_left(path: Path) -> bytes:
    """The bytes of a file."""
    return path.read_bytes()


def open_files() -> int:
    """How many file descriptors this process has."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - these are numbers, not files of ours


def in_a_process(work: Callable[[Path, Connection], None], path: Path) -> object:
    """What a piece of work says that is done in a process of its own."""
    hears, says = multiprocessing.Pipe(duplex=False)
    process = processes().Process(target=work, args=(path, says))
    process.start()
    says.close()
    try:
        return hears.recv()
    finally:
        process.join()
        hears.close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The database, its write-ahead log and its index are made with mode 0600 under any umask."""
    before = os.umask(0)
    try:
        store, _ = open_sql(tmp_path / "truth.db")
        store.commit(change(put=(an_account(),)))
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("truth.db", "truth.db-wal", "truth.db-shm"), 0o600)
    store.close()


def test_file_is_marked_as_ours_and_durable(tmp_path: Path) -> None:
    """It carries our application id and stays in WAL mode."""
    open_sql(tmp_path / "truth.db")[0].close()
    with closing(sqlite3.connect(tmp_path / "truth.db")) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "ä?#.db", "%(here)s.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    """Blanks, percent signs, question marks and other scripts are just names."""
    store, _ = open_sql(tmp_path / name)
    store.commit(change(put=(an_account(),)))
    store.close()
    assert (tmp_path / name).exists()


def test_url_and_path_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes for a relative path, four for an absolute one, as SQLAlchemy has it."""
    monkeypatch.chdir(tmp_path)
    absolute = tmp_path / "truth.db"
    for named in ("truth.db", absolute, "sqlite:///truth.db", f"sqlite:///{absolute}"):
        assert path_of(named) == absolute


@pytest.mark.parametrize(
    "url", ["postgresql://host/db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?mode=ro"]
)
def test_url_of_another_engine_is_refused(url: str) -> None:
    """One sentence says how a database is named."""
    with pytest.raises(StoreUnusable, match="sqlite:///FILE"):
        path_of(url)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """Folders are made by whoever chose them, not here."""
    with pytest.raises(StoreUnusable, match="does not exist"):
        open_sql(tmp_path / "missing" / "truth.db")
    assert not (tmp_path / "missing").exists()


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """The sentence names the path."""
    path = tmp_path / "truth"
    path.mkdir()
    with pytest.raises(StoreUnusable, match="truth cannot be opened"):
        open_sql(path)


def test_file_that_is_not_sqlite_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Somebody's letter stays a letter."""
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear Ada, " * 1000)
    before = as_left(path)
    with pytest.raises(StoreUnusable, match="not an SQLite database"):
        open_sql(path)
    assert as_left(path) == before


@pytest.mark.parametrize("mark", ["PRAGMA application_id = 42", "CREATE TABLE theirs (id INTEGER)"])
def test_database_of_another_application_is_refused_and_left_alone(tmp_path: Path, mark: str) -> None:
    """By its mark, or by tables in a file without our mark."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(mark)
        connection.commit()
    before = as_left(path)
    with pytest.raises(StoreUnusable, match="another application"):
        open_sql(path)
    assert as_left(path) == before


def test_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """As `touch` or a temporary file leaves it."""
    path = tmp_path / "truth.db"
    path.touch()
    store, _ = open_sql(path)
    assert store.position() == 0
    store.close()


def test_damaged_database_is_refused(tmp_path: Path) -> None:
    """A page of rubbish is noticed at the latest when it is read, and named as damage."""
    path = tmp_path / "truth.db"
    store, _ = open_sql(path)
    store.commit(change(put=(an_account(),)))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"damaged|another application|not an SQLite"):
        open_sql(path)[0].account("ada")


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_database_that_cannot_be_written_is_refused(locked: str) -> None:
    """A read-only file, or a folder in which no write-ahead log can be made."""
    with ordinary_user() as folder:
        path = folder / "truth.db"
        open_sql(path)[0].close()
        (path if locked == "file" else folder).chmod(0o400 if locked == "file" else 0o500)
        with pytest.raises(StoreUnusable, match="Let the user that runs Gatepost"):
            open_sql(path)


def test_folder_that_takes_no_file_is_refused() -> None:
    """The database cannot be made there."""
    with ordinary_user() as folder:
        folder.chmod(0o500)
        with pytest.raises(StoreUnusable, match="cannot be made"):
            open_sql(folder / "truth.db")


def test_database_that_another_program_holds_is_refused_at_start_and_busy_later(tmp_path: Path) -> None:
    """A start says who is in the way; a running server asks its callers to come again, and recovers."""
    path = tmp_path / "truth.db"
    store, _ = open_sql(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(2) as both:
            start = both.submit(open_sql, path)
            commit = both.submit(store.commit, change(put=(an_account(),)))
        with pytest.raises(StoreUnusable, match="locked by another program"):
            start.result()
        with pytest.raises(Busy):
            commit.result()
        assert store.account("ada") is None
        other.execute("ROLLBACK")
    store.commit(change(put=(an_account(),)))
    store.ready()
    store.close()


def test_closed_store_refuses_to_answer(sqlite: Opener) -> None:
    """In the thread that used it, in another, for writes, and for the log."""
    store, log = sqlite()
    store.position()
    log.read(None)
    store.close()
    store.close()
    for ask in (
        store.position,
        store.ready,
        log.changed,
        lambda: store.commit(change()),
        lambda: log.read(None),
    ):
        with pytest.raises(StoreUnusable, match="closed"):
            ask()


def test_connections_of_ended_threads_are_closed(sqlite: Opener) -> None:
    """A server that starts threads for years does not run out of file descriptors."""
    store, _ = sqlite()
    store.position()

    def ask_in_a_thread() -> None:
        thread = threading.Thread(target=store.position)
        thread.start()
        thread.join()

    # SQLite keeps the descriptor of the first for the next, because closing it would drop the locks of all others.
    ask_in_a_thread()
    before = open_files()
    for _ in range(20):
        ask_in_a_thread()
    assert open_files() == before
    store.close()


def test_restored_older_copy_is_noticed(tmp_path: Path) -> None:
    """The same sequence names another row there, so a reader of the lost rows starts over; older ones read on."""
    store, _ = open_sql(tmp_path / "truth.db")
    shared = store.commit(change(facts=(KeyEnded("k1"), KeyEnded("k2")))).position
    with (
        closing(sqlite3.connect(tmp_path / "truth.db")) as source,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        source.backup(copy)
    lost = store.commit(change(facts=(AccountEnded("ada"),))).position
    store.close()
    restored, its_log = open_sql(tmp_path / "copy.db")
    assert its_log.read(lost).reset
    restored.commit(change(facts=(KeyEnded("k3"),)))
    answer = its_log.read(lost)
    assert answer.reset
    assert [one.fact for one in answer.facts] == [KeyEnded("k1"), KeyEnded("k2"), KeyEnded("k3")]
    assert not its_log.read(shared).reset
    restored.close()


def write_in_both_after_fork(path: Path, says: Connection) -> None:
    """Use a store, fork, use it in both, and say what came of it."""
    store, log = open_sql(path)
    store.commit(change(put=(an_account("before"),)))
    log.changed()
    before = open_files()
    child = os.fork()
    if not child:
        left_alone = open_files() == before
        known = store.account("before") is not None
        opened = open_files() > before
        store.commit(change(put=(an_account("child"),), facts=(AccountEnded("child"),)))
        os._exit(0 if left_alone and known and opened and log.changed() else 1)
    store.commit(change(put=(an_account("parent"),)))
    _, status = os.waitpid(child, 0)
    store.ready()
    says.send((status, sorted(account.id for account in store.accounts(after=None, limit=9))))


def test_forked_process_has_connections_of_its_own(tmp_path: Path) -> None:
    """A child neither uses nor closes what its parent opened, and both go on."""
    assert in_a_process(write_in_both_after_fork, tmp_path / "truth.db") == (0, ["before", "child", "parent"])


def write_until_full(path: Path, says: Connection) -> None:
    """Commit until the disk takes no more, then make room and commit once more; say how many were acknowledged."""
    store, _ = open_sql(path)
    wal = path.with_name(f"{path.name}-wal")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 200_000, most))
    number = 0
    refused = 0
    while refused < 3:
        try:
            store.commit(whole(number))
            number += 1
        except Busy:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    store.commit(whole(number))
    says.send(number + 1)


def start_on_a_full_disk(path: Path, says: Connection) -> None:
    """Open a new database where no file may grow; say how that was refused."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, most))
    try:
        open_sql(path)
    except StoreUnusable as refusal:
        says.send(refusal.message)


def test_full_disk_stops_the_start(tmp_path: Path) -> None:
    """With a sentence that says so, and nothing that the next start could trip over."""
    path = tmp_path / "truth.db"
    assert str(in_a_process(start_on_a_full_disk, path)).endswith("Is the disk full?")
    store, _ = open_sql(path)
    store.ready()
    store.close()


def test_full_disk_is_busy_and_loses_nothing(tmp_path: Path) -> None:
    """Every refused commit left nothing behind, every acknowledged one is whole, and room makes it well again."""
    path = tmp_path / "truth.db"
    acknowledged = in_a_process(write_until_full, path)
    store, log = open_sql(path)
    assert isinstance(acknowledged, int)
    assert acknowledged > 1
    assert store.position() == len(log.read(None).facts) == acknowledged
    assert len(store.sessions(after=None, limit=10_000)) == acknowledged
    assert len(store.audit_rows(account_id=None, after=0, limit=10_000)) == acknowledged
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
