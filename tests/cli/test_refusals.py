"""Bad input to the real program, a process for each: one sentence on stderr, a non-zero exit code, no traceback.

What was there before is there afterwards, and nothing else.
"""

import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.servers import Finished, RunningServer, clean_environment, program, run_gatepost


def sentence_of(done: Finished) -> str:
    """The one sentence with which the program ended."""
    assert done.out == ""
    assert done.error.startswith("gatepost: ")
    assert done.error.endswith((".\n", "?\n"))
    assert done.error.count("\n") == 1
    return done.error.removeprefix("gatepost: ").removesuffix("\n")


def serve(folder: Path, *options: str | Path, **variables: str) -> str:
    """The sentence with which `gatepost serve` refuses to start; a port given in `options` counts."""
    done = run_gatepost("serve", "--port", "0", *options, folder=folder, environment=variables)
    assert done.code == 1
    return sentence_of(done)


@contextmanager
def taken_port() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_port_in_use_stops_the_start_before_anything_is_written(tmp_path: Path) -> None:
    """The folder is as empty as before."""
    with taken_port() as port:
        assert serve(tmp_path, "--port", str(port)) == f"Port {port} is in use: choose another with --port."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "variables", "part"),
    [
        ([], {"GATEPOST_SERVER__PROT": "1"}, "GATEPOST_SERVER__PROT is not a setting"),
        (["--workers", "65"], {}, "--workers must be at most 64"),
        (["--workers", "2", "--database", "memory://"], {}, "--workers must be 1 with --database memory://"),
        (["--profile", "relaxed"], {}, "--profile must be one of"),
        (["--host", "0.0.0.0"], {}, "--host must be a loopback address"),
        (["--database", "postgresql://me:secret@db/gatepost"], {}, "--database holds a password"),
        (["--database", "sqlite:///missing/folder/my.db"], {}, "missing/folder does not exist"),
        (["--tls-cert", "none.pem", "--tls-key", "none.pem"], {}, "--tls-cert "),
    ],
)
def test_a_setting_that_does_not_do_stops_the_start(
    tmp_path: Path, options: list[str], variables: dict[str, str], part: str
) -> None:
    """One sentence names the setting as it was given; a password in it is not repeated."""
    sentence = serve(tmp_path, *options, **variables)
    assert part in sentence
    assert "secret" not in sentence


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The file stays what it was."""
    (tmp_path / "data").write_text("mine")
    assert "--data must name a folder" in serve(tmp_path, "--data", "data")
    assert (tmp_path / "data").read_text() == "mine"


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before anything is written; and no terminal is asked for a password of the key."""
    (tmp_path / "chain.pem").write_text("not a certificate")
    assert "both must be PEM" in serve(tmp_path, "--tls-cert", "chain.pem", "--tls-key", "chain.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["chain.pem"]


def foreign(path: Path) -> None:
    """Another application's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (it)")
        connection.commit()


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (foreign, "belongs to another application"),
        (lambda path: path.write_bytes(b"x" * 4096), "is not an SQLite"),
    ],
    ids=["foreign", "no database"],
)
@pytest.mark.parametrize(
    "command", [["serve", "--port", "0"], ["account", "list"], ["migrate"]], ids=" ".join
)
def test_a_file_that_is_not_ours_is_refused_and_kept(
    tmp_path: Path, command: list[str], make: Callable[[Path], None], part: str
) -> None:
    """Whoever names the wrong file by mistake loses nothing."""
    path = tmp_path / "theirs.db"
    make(path)
    before = path.read_bytes()
    done = run_gatepost(*command, "--database", "sqlite:///theirs.db", folder=tmp_path)
    assert done.code == 1
    assert part in sentence_of(done)
    assert path.read_bytes() == before


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that has run and was stopped."""
    folder = tmp_path_factory.mktemp("left")
    with RunningServer(folder):
        pass
    return folder


def test_a_locked_database_is_one_sentence(left_behind: Path) -> None:
    """Another program holds the file for writing."""
    with closing(sqlite3.connect(left_behind / "data/gatepost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sentence = serve(left_behind)
    assert "is locked by another program" in sentence


def test_a_foreign_master_key_is_one_sentence(left_behind: Path) -> None:
    """A key of the right form that opens nothing here; and one that is missing is not made anew."""
    path = left_behind / "data/master.key"
    ours = path.read_text()
    path.write_text("A" * 43 + "\n")
    try:
        assert "does not open the signing key" in serve(left_behind)
        path.unlink()
        assert "is missing" in serve(left_behind)
        assert not path.exists()
    finally:
        path.touch(mode=0o600)
        path.write_text(ours)


def test_a_master_key_open_to_others_is_one_sentence(left_behind: Path) -> None:
    """The sentence names the command that closes it."""
    path = left_behind / "data/master.key"
    path.chmod(0o644)
    try:
        assert f"run chmod 600 {path}" in serve(left_behind)
    finally:
        path.chmod(0o600)


def test_a_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    """For whoever may not write there; the superuser may, so an immutable place stands in for it."""
    place = tmp_path / "data"
    place.mkdir(mode=0o500)
    if os.access(place, os.W_OK):
        place = Path("/proc/gatepost-has-no-place-here")
    assert " cannot be " in serve(tmp_path, "--data", place)


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """One process a folder; the first is not disturbed, and its end lets the next one in."""
    with RunningServer(tmp_path) as first:
        assert "Another server works on the data folder" in serve(tmp_path)
        first.kill9()
    with RunningServer(tmp_path):
        pass


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["account", "lock"],
        ["account", "list", "--nonsense"],
        ["serve", "--port", "many"],
        ["serve", "--port", "65536"],
        ["account", "roles", "somebody"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_two(tmp_path: Path, arguments: list[str]) -> None:
    """With a sentence and where to read on; nothing is written."""
    done = run_gatepost(*arguments, folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("gatepost: ")
    assert "--help" in done.error
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_no_error(left_behind: Path) -> None:
    """`gatepost settings show | head -0` says nothing on stderr."""
    process = subprocess.Popen(
        [*program(), "settings", "show"],
        cwd=left_behind,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate(timeout=200)
    assert (process.returncode, error) == (1, b"")
