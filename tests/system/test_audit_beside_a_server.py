"""The audit trail of a running server: it seals by itself, and the commands read beside it."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.servers import RunningServer, clean_environment, program

PASSWORD = "plenty of quiet words"
PATIENCE = 60.0


def sign_up(server: RunningServer, name: str) -> str:
    """A new account; its id."""
    credentials = {"email": f"{name}@example.com", "password": PASSWORD}
    made = httpx2.post(
        f"{server.url}/api/sign-up", json=credentials, headers={"User-Agent": "=1+1"}, timeout=20
    )
    identifier: str = made.raise_for_status().json()["account"]["id"]
    return identifier


def found(server: RunningServer, *options: str) -> dict[str, Any]:
    """What `audit verify --json` says."""
    verdict: dict[str, Any] = json.loads(server.command("audit", "verify", "--json", *options).out)
    return verdict


def eventually(happens: Callable[[], bool]) -> bool:
    """Whether something comes true before patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.2)
    return False


@contextmanager
def followed(server: RunningServer) -> Iterator["queue.SimpleQueue[str]"]:
    """The lines of `audit tail -f --json`, as they come."""
    process = subprocess.Popen(
        [*program(), "audit", "tail", "-n", "1", "-f", "--json", "--data", str(server.data)],
        cwd=server.folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    stdout = process.stdout
    assert stdout is not None

    def forward() -> None:
        for line in stdout:
            lines.put(line)

    reader = threading.Thread(target=forward, daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(PATIENCE)
        reader.join(PATIENCE)
        stdout.close()


def test_server_seals_what_happens(tmp_path: Path) -> None:
    """Within seconds nothing waits, also of what a command did beside it; a stop in good order seals the rest."""
    with RunningServer(tmp_path) as server:
        account = sign_up(server, "ada")
        assert server.command("account", "lock", account).code == 0
        assert eventually(lambda: found(server)["verdict"] == "whole")
        events = [
            item["event"] for item in json.loads(server.command("audit", "tail", "--json").out)["items"]
        ]
        assert events[-2:] == ["signed_up", "account_locked"]
        sign_up(server, "bob")
        server.stop()
        assert found(server)["verdict"] == "whole"


def test_killed_server_leaves_a_trail_that_the_next_one_goes_on_with(tmp_path: Path) -> None:
    """SIGKILL at any moment leaves rows that wait, never a broken chain; an exported seal still fits."""
    with RunningServer(tmp_path) as server:
        for name in ("ada", "bob", "eve"):
            sign_up(server, name)
            server.kill9()
            assert found(server)["verdict"] in {"whole", "unsealed"}
            server.start()
            assert eventually(lambda: found(server)["verdict"] == "whole")
            kept = server.command("audit", "seal").out
            (tmp_path / "seal.json").write_text(kept)
        sign_up(server, "mallory")
        assert found(server, "--seal", str(tmp_path / "seal.json"))["verdict"] in {"whole", "unsealed"}


def test_followed_tail_shows_what_happens_now(tmp_path: Path) -> None:
    """One JSON document a line, the last row first and then each new one; nothing in it moves a cursor."""
    with RunningServer(tmp_path) as server, followed(server) as lines:
        first = json.loads(lines.get(timeout=PATIENCE))
        account = sign_up(server, "ada")
        written = lines.get(timeout=PATIENCE)
        told = json.loads(written)
        assert (told["event"], told["account_id"]) == ("signed_up", account)
        assert told["number"] > first["number"]
        assert written.rstrip("\n").isprintable()
