"""Accounts of other systems come over beside a running server, and their owners sign in with the password they had.

Real processes and real libraries: every kind of hash is made by what makes it elsewhere, and signs in over HTTP.
"""

import csv
import io
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.foreign import KINDS, PASSWORDS
from tests.servers import RunningServer, clean_environment, program

MEGABYTE = 1 << 20
PASSWORD = PASSWORDS[3]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests here."""
    with RunningServer(tmp_path_factory.mktemp("moving")) as running:
        yield running


def stored_hashes(server: RunningServer) -> dict[str, str]:
    """The hash of every account, by its address."""
    exported = server.command("account", "export", "--with-hashes", "--format", "jsonl")
    assert exported.code == 0, exported.error
    items = [json.loads(line) for line in exported.out.splitlines()]
    return {item["email"]: item["password_hash"] for item in items}


def signed_in(server: RunningServer, email: str, password: str) -> int:
    """The status of a sign-in."""
    credentials = {"email": email, "password": password}
    return httpx2.post(f"{server.url}/api/sign-in", json=credentials, timeout=20).status_code


def test_every_kind_signs_in_over_http_and_is_ours_afterwards(server: RunningServer, tmp_path: Path) -> None:
    """The old password opens, a wrong one does not; the hash that came is Argon2id of our profile then."""
    emails = {kind: kind.replace(" ", ".") + "@example.com" for kind in KINDS}
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["email", "password_hash"])
    rows.writerows([emails[kind], make(PASSWORD)] for kind, make in KINDS.items())
    file = tmp_path / "users.csv"
    file.write_text(text.getvalue())
    done = server.command("account", "import", str(file))
    assert (done.code, done.error, done.out) == (0, "", f"{len(KINDS)} accounts imported.\n")
    before = stored_hashes(server)
    assert not any(before[email].startswith("$argon2id$v=19$m=19456,") for email in emails.values())
    for kind, email in emails.items():
        assert signed_in(server, email, "not the password") == 401, kind
        assert signed_in(server, email, PASSWORD) == 200, kind
    after = stored_hashes(server)
    assert all(after[email].startswith("$argon2id$v=19$m=19456,t=2,p=1$") for email in emails.values())
    assert signed_in(server, emails["django scrypt"], PASSWORD) == 200


def count_in(database: Path) -> int:
    """How many accounts are in a database that somebody else works on."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    # Its tables may not be made yet.
    with closing(connection), suppress(sqlite3.OperationalError):
        return int(connection.execute("SELECT count(*) FROM account").fetchone()[0])
    return 0


def test_interrupted_import_leaves_whole_batches_and_goes_on(tmp_path: Path) -> None:
    """Ctrl+C in the middle of a real one; the same command again brings the rest."""
    # So many that it is not over before a loaded machine has looked once.
    total, database = 12_000, tmp_path / "data/gatepost.db"
    lines = "".join(f"person{number}@example.com\n" for number in range(total))
    (tmp_path / "users.csv").write_text("email\n" + lines)
    command = [*program(), "account", "import", "users.csv"]
    start = partial(subprocess.Popen, command, cwd=tmp_path, env=clean_environment(), text=True)
    with start(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        deadline = time.monotonic() + 60
        while count_in(database) == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        running.send_signal(signal.SIGINT)
        out, error = running.communicate(timeout=120)
    there = count_in(database)
    assert (running.returncode, out) == (130, "")
    assert "Run the same command again to go on" in error
    assert "Traceback" not in error
    assert 0 < there < total
    assert there % 200 == 0
    with start(stdout=subprocess.PIPE) as again:
        out, _ = again.communicate(timeout=120)
    assert out.startswith(f"{total - there} accounts imported")
    assert f"{there} already there" in out
    assert count_in(database) == total


def test_progress_is_for_a_terminal(tmp_path: Path) -> None:
    """On one: a bar, and each bad line on a line of its own. In a pipe: nothing but the report."""
    (tmp_path / "users.csv").write_text("email\nada@example.com\nbob\neve@example.com\n")
    command = [*program(), "account", "import", "users.csv"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(TERM="xterm"), stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = bytearray()
        # The other end of a terminal that nobody holds any more reads as an error.
        with suppress(OSError):
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    text = shown.decode()
    assert running.returncode == 1
    assert "Importing" in text
    assert "100%" in text
    assert "\x1b[Kline 3: email: " in text
    piped = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert (piped.returncode, piped.stderr) == (1, "")
    assert "Importing" not in piped.stdout


FLAT = """
import resource, sys
from gatepost.cli import main

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

main(["account", "import", "small.csv", "--ignore-unknown"])
before = peak()
code = main(["account", "import", "big.csv", "--ignore-unknown", "--strict"])
print(code, peak() - before)
"""


def test_large_files_come_in_flat_memory(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """64 MB, a gigabyte with `--long`, read twice: the process grows by a few megabytes at most."""
    lines = 17_000 if pytestconfig.getoption("--long") else 1100
    for name, count in (("small", 250), ("big", lines)):
        with (tmp_path / f"{name}.csv").open("wb") as file:
            file.write(b"email,note\n")
            for number in range(count):
                file.write(b"%s%d@example.com,%s\n" % (name.encode(), number, b"n" * 60_000))
    done = subprocess.run(
        [sys.executable, "-c", FLAT],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    code, grown = map(int, done.stdout.splitlines()[-1].split())
    assert code == 0, done.stdout
    assert (tmp_path / "big.csv").stat().st_size > 62 * MEGABYTE
    assert grown * 1024 < 16 * MEGABYTE
