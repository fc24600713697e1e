"""Backup and restore beside a real server that people are using. Nothing is restarted unless a test says so.

Real processes throughout, killed by SIGKILL where it matters.
"""

import json
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import wait_until
from tests.servers import STEADY, RunningServer, clean_environment, program

PASSWORD = "plenty of quiet words"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of this test's own, of two processes."""
    with RunningServer(tmp_path, "--workers", "2", environment=STEADY) as running:
        yield running


@contextmanager
def signed_up(server: RunningServer, email: str) -> Iterator[httpx2.Client]:
    """A browser that has just signed up."""
    with httpx2.Client(timeout=20, base_url=server.url, headers={"Origin": server.url}) as browser:
        browser.post("/api/sign-up", json={"email": email, "password": PASSWORD}).raise_for_status()
        yield browser


def tokens_of(server: RunningServer, email: str) -> dict[str, Any]:
    """A pair of tokens from a sign-in."""
    credentials = {"email": email, "password": PASSWORD, "carrier": "token"}
    answer = httpx2.post(f"{server.url}/api/sign-in", json=credentials, timeout=20)
    tokens: dict[str, Any] = answer.raise_for_status().json()["tokens"]
    return tokens


def with_token(server: RunningServer, tokens: dict[str, Any]) -> int:
    """The status that an access token gets."""
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return httpx2.get(f"{server.url}/api/session", headers=headers, timeout=20).status_code


def is_sound(file: Path) -> bool:
    """Whether SQLite finds nothing wrong with a database."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def under_load(server: RunningServer, browser: httpx2.Client) -> Iterator[Counter[int]]:
    """Three clients that check, write data and refresh, over and over; how often each status was answered."""
    seen: Counter[int] = Counter()
    enough = threading.Event()
    tokens = tokens_of(server, "ada@example.com")
    cookies = dict(browser.cookies)

    def check() -> None:
        with httpx2.Client(timeout=20, base_url=server.url, cookies=cookies) as mine:
            while not enough.is_set():
                seen[mine.get("/api/session").status_code] += 1

    def write() -> None:
        number = 0
        with httpx2.Client(
            timeout=20, base_url=server.url, cookies=cookies, headers={"Origin": server.url}
        ) as mine:
            while not enough.is_set():
                number += 1
                seen[mine.patch("/api/session/data", json={"number": number}).status_code] += 1

    def refresh() -> None:
        token = tokens["refresh_token"]
        with httpx2.Client(timeout=20, base_url=server.url) as mine:
            while not enough.is_set():
                form = {"grant_type": "refresh_token", "refresh_token": token}
                answer = mine.post("/oauth/token", data=form)
                seen[answer.status_code] += 1
                token = answer.json().get("refresh_token", token)

    clients = [threading.Thread(target=work) for work in (check, write, refresh)]
    for client in clients:
        client.start()
    try:
        yield seen
    finally:
        enough.set()
        for client in clients:
            client.join()


def test_backups_under_load_disturb_nobody(server: RunningServer, tmp_path: Path) -> None:
    """Three backups while three clients hammer: each is sound, and not one request fails."""
    with signed_up(server, "ada@example.com") as browser, under_load(server, browser) as seen:
        for number in range(3):
            assert server.command("backup", f"{number}.db").code == 0
            assert is_sound(tmp_path / f"{number}.db")
    assert set(seen) == {200}


def test_a_restore_is_in_force_when_the_command_returns(server: RunningServer) -> None:
    """The next request of everybody is refused, new sign-ins work, and what came after the backup is gone."""
    with signed_up(server, "ada@example.com") as ada:
        tokens = tokens_of(server, "ada@example.com")
        assert server.command("backup", "kept.db").code == 0
        with signed_up(server, "bob@example.com") as bob:
            assert with_token(server, tokens) == ada.get("/api/session").status_code == 200
            done = server.command("restore", "kept.db", "--json")
            statuses = (
                ada.get("/api/session").status_code,
                bob.get("/api/session").status_code,
                with_token(server, tokens),
            )
        assert statuses == (401, 401, 401)
        assert json.loads(done.out)["receipt"]["state"] == "in_force"
        assert with_token(server, tokens_of(server, "ada@example.com")) == 200
        gone = httpx2.post(
            f"{server.url}/api/sign-in",
            json={"email": "bob@example.com", "password": PASSWORD},
            timeout=20,
        )
        assert gone.status_code == 401


def test_kept_sessions_go_on_without_a_restart(server: RunningServer) -> None:
    """A cookie passes at once; a token is renewed by what a client does on 401 anyway; a later session is gone."""
    with signed_up(server, "ada@example.com") as ada:
        tokens = tokens_of(server, "ada@example.com")
        assert server.command("backup", "kept.db").code == 0
        with signed_up(server, "bob@example.com") as bob:
            assert server.command("restore", "kept.db", "--keep-sessions").code == 0
            assert ada.get("/api/session").status_code == 200
            assert bob.get("/api/session").status_code == 401
        assert with_token(server, tokens) == 401
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        renewed = httpx2.post(f"{server.url}/oauth/token", data=form, timeout=20).raise_for_status().json()
        assert with_token(server, renewed) == 200


def test_a_restore_under_load_keeps_everybody_whose_session_is_kept(server: RunningServer) -> None:
    """Nobody is signed out by two restores of it: writers wait, at worst they are told to come again."""
    with signed_up(server, "ada@example.com") as browser, under_load(server, browser) as seen:
        for number in range(2):
            assert server.command("backup", f"{number}.db").code == 0
            done = server.command("restore", f"{number}.db", "--keep-sessions", "--json")
            assert json.loads(done.out)["log_continued"] is True
        # How many are told to come again is the machine's affair; that everybody is answered again is ours.
        answered = seen[200]
        wait_until(lambda: seen[200] > answered + 50, "nobody is answered after a restore")
    assert set(seen) <= {200, 503}
    assert is_sound(server.data / "gatepost.db")
    assert server.command("audit", "verify").code == 0


def test_a_server_that_is_stopped_bounds_a_restore(tmp_path: Path) -> None:
    """It cannot confirm; when it goes on, it refuses at once."""
    with RunningServer(tmp_path) as alone, signed_up(alone, "ada@example.com") as ada:
        assert alone.command("backup", "kept.db").code == 0
        alone.pause()
        done = alone.command("restore", "kept.db", "--json")
        alone.go_on()
        assert ada.get("/api/session").status_code == 401
    assert json.loads(done.out)["receipt"]["state"] == "bounded"


def run_for(server: RunningServer, arguments: list[str], seconds: float) -> float:
    """Run a command beside a server, by SIGKILL not longer than this; how long it ran."""
    began = time.monotonic()
    doomed = subprocess.Popen(
        [*program(), *arguments, "--data", str(server.data)],
        cwd=server.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        doomed.wait(seconds)
    except subprocess.TimeoutExpired:
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    return time.monotonic() - began


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_kill_9_at_any_moment_leaves_old_or_new(server: RunningServer, command: str) -> None:
    """Five processes killed at random moments beside a server: it goes on, and starts again on a whole database."""
    moments = random.Random(8)
    arguments = [command, "kept.db", "--force" if command == "backup" else "--keep-sessions"]
    with signed_up(server, "ada@example.com") as ada:
        assert server.command("backup", "kept.db").code == 0
        whole = run_for(server, arguments, 60)
        for _ in range(5):
            # The first part of it is the interpreter's own start.
            run_for(server, arguments, moments.uniform(0.5, 1) * whole)
            assert ada.get("/api/session").status_code == 200
            assert is_sound(server.folder / "kept.db")
        server.kill9()
        assert is_sound(server.data / "gatepost.db")
        server.start()
        assert ada.get("/api/session").status_code == 200
        assert server.command("restore", "kept.db").code == 0
        assert ada.get("/api/session").status_code == 401
