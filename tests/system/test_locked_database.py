"""Another program holds the database: who is known goes on, nobody is signed out, no ending is lost.

A real server and a real other process. The lock is held for as long as the assertions take; with `--long` for more
than half a minute, in which the follower's row falls due as well.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from gatepost.web.turns import WRITERS
from tests.servers import RunningServer
from tests.system.faults import Person, is_busy

_HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
"""


@contextmanager
def held(file: Path) -> Iterator[None]:
    """The database, held by another program as tightly as SQLite allows."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield
        finally:
            other.communicate("\n", timeout=30)
    assert other.returncode == 0


@pytest.fixture
def person(server: RunningServer) -> Iterator[Person]:
    """Somebody signed in by cookie and by token, both known to the server."""
    with Person(server.url) as somebody:
        somebody.settle_in()
        assert (somebody.by_cookie(), somebody.by_token()) == (200, 200)
        yield somebody


def test_who_is_known_goes_on_and_no_ending_is_lost(
    server: RunningServer, person: Person, request: pytest.FixtureRequest
) -> None:
    """Checks and pages are answered all the while; what must be written is 503 and undone, and works afterwards."""
    began, least = time.monotonic(), 35.0 if request.config.getoption("--long") else 0.0
    with held(server.data / "gatepost.db"), ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(person.sign_out),
            pool.submit(person.refresh),
            pool.submit(person.sign_in, person.program),
            pool.submit(person.browser.get, "/readyz"),
        ]
        while not all(one.done() for one in asked) or time.monotonic() < began + least:
            assert (person.by_cookie(), person.by_token()) == (200, 200)
            assert person.browser.get("/account").status_code == 200
        assert [is_busy(one.result()) for one in asked] == [True] * 4
        assert (person.by_cookie(), person.by_token()) == (200, 200)
    assert person.browser.get("/readyz").status_code == 200
    assert person.refresh().status_code == 200
    assert person.sign_out().status_code == 204
    assert (person.by_cookie(), person.by_token()) == (401, 200)
    server.stop()
    assert person.found_in(server.journal) == set()
    assert "Traceback" not in server.journal


def test_writers_that_wait_leave_pages_their_threads(server: RunningServer, person: Person) -> None:
    """More writers than there are threads for them wait for the lock; pages and lists are answered before any."""
    answered: list[httpx2.Response] = []
    with ExitStack() as stack:
        stack.enter_context(held(server.data / "gatepost.db"))
        pool = stack.enter_context(ThreadPoolExecutor(WRITERS + 20))
        everybody_asks = threading.Barrier(WRITERS + 21)

        def write() -> None:
            with httpx2.Client(base_url=server.url, cookies=person.browser.cookies, timeout=60) as client:
                assert client.get("/healthz").status_code == 200
                everybody_asks.wait(30)
                headers = {"sec-fetch-site": "same-origin"}
                answered.append(client.patch("/api/session/data", json={"seen": True}, headers=headers))

        writers = [pool.submit(write) for _ in range(WRITERS + 20)]
        everybody_asks.wait(30)
        # A writer's answer is due after seconds; without threads of their own, pages would come after it.
        for path in ("/healthz", "/sign-in", "/account", "/api/sessions", "/api/session") * 3:
            assert person.browser.get(path).status_code == 200
        assert answered == []
        for one in writers:
            one.result()
    assert len(answered) == WRITERS + 20
    assert all(is_busy(answer) and answer.headers["retry-after"] for answer in answered)
    assert person.browser.patch("/api/session/data", json={"seen": True}).status_code == 200
