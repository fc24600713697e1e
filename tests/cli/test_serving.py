"""The server process: what it prints, when it answers, how it ends, what it keeps and what it writes about itself."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.servers import RunningServer

PASSWORD = "plenty of quiet words"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server that nobody ends."""
    with RunningServer(tmp_path_factory.mktemp("serving")) as running:
        yield running


def test_the_banner_ends_with_the_one_time_link_alone(server: RunningServer) -> None:
    """It says where to sign in and what the development profile means; the port is the one really opened."""
    assert server.banner[-1] == f"{server.url}/invite/{server.invite_secret}"
    assert f"Sign in at {server.url}/sign-in" in server.banner
    assert any("without Secure" in line for line in server.banner)
    assert any(str(server.data) in line for line in server.banner)
    assert not server.url.endswith(":0")


def test_the_banner_comes_when_connections_are_answered(server: RunningServer) -> None:
    """Whoever reads the link can open it at once."""
    assert server.invite_link is not None
    assert httpx2.get(server.invite_link, timeout=20).status_code == 200


def test_the_journal_holds_json_lines_and_no_link(server: RunningServer) -> None:
    """One event a line on stderr; the link that makes an administrator is not among them."""
    assert server.invite_link is not None
    httpx2.get(f"{server.invite_link}?code=do-not-log-this", timeout=20)
    events = [json.loads(line) for line in server.journal.splitlines()]
    assert events[0]["event"] == "started"
    assert server.invite_secret not in server.journal
    assert "do-not-log-this" not in server.journal


def test_nothing_in_an_answer_names_the_server_program(server: RunningServer) -> None:
    """A Date, but no Server header."""
    headers = httpx2.get(f"{server.url}/healthz", timeout=20).headers
    assert "date" in headers
    assert "server" not in headers


def test_headers_that_never_end_are_cut_off(server: RunningServer) -> None:
    """A connection that only ever sends headers is closed and not collected for ever."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        endless = b"x" * (64 << 20)
        with pytest.raises(OSError):
            connection.sendall(endless)
    assert httpx2.get(f"{server.url}/healthz", timeout=20).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_gracefully(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl+C are a success: exit 0, an event in the journal, no traceback."""
    with RunningServer(tmp_path) as server:
        assert server.end(number) == 0
        assert json.loads(server.journal.splitlines()[-1])["event"] == "stopped"
        assert "Traceback" not in server.journal


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    """Accounts, sessions and the signing key are as they were; with an administrator there is no link any more."""
    with RunningServer(tmp_path) as server, httpx2.Client(timeout=20) as browser:
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        form = {"Origin": server.url}
        made = browser.post(server.invite_link or "", data=credentials, headers=form)
        assert made.status_code == 303
        before = browser.get(f"{server.url}/api/session").json()["session"]["id"]
        keys = httpx2.get(f"{server.url}/.well-known/jwks.json", timeout=20).json()
        server.restart()
        assert server.invite_link is None
        assert server.banner[-1] == f"Administration at {server.url}/admin"
        assert browser.get(f"{server.url}/api/session").json()["session"]["id"] == before
        assert httpx2.get(f"{server.url}/.well-known/jwks.json", timeout=20).json() == keys


def test_a_restart_without_an_administrator_prints_a_new_link(tmp_path: Path) -> None:
    """Only the newest link opens."""
    with RunningServer(tmp_path) as server:
        first = server.invite_link or ""
        server.restart()
        assert server.invite_link not in {None, first}
        assert httpx2.get(first, timeout=20).status_code == 404
        assert httpx2.get(server.invite_link or "", timeout=20).status_code == 200


def test_a_server_in_memory_writes_nothing(tmp_path: Path) -> None:
    """With memory:// there is no folder, no lock and no key on disk."""
    with RunningServer(tmp_path, "--database", "memory://") as server:
        assert any("in memory" in line for line in server.banner)
        assert httpx2.get(f"{server.url}/healthz", timeout=20).status_code == 200
    assert [path.name for path in tmp_path.iterdir()] == ["journal.txt"]


def test_everything_kept_is_readable_by_its_owner_only(server: RunningServer) -> None:
    """The folder and each file in it."""
    assert server.data.stat().st_mode & 0o077 == 0
    assert [path.name for path in server.data.iterdir() if path.stat().st_mode & 0o077] == []
