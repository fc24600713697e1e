"""What a real server holds after two hundred sign-ins from forty clients at once: a hash for each slot, and no more."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import UNHURRIED, RunningServer

SLOTS, CLIENTS, EACH = 2, 40, 5
PASSWORD = "three or four words do"
PATIENCE = 60.0
MEGABYTE = 1024
HASH = 19 * MEGABYTE
# A thread that has written keeps its connection to the database, and what Python and the allocator keep for it.
THREAD = 2 * MEGABYTE


def ask(server: RunningServer, path: str, email: str, password: str) -> int:
    """The status of a sign-up or a sign-in."""
    body = json.dumps({"email": email, "password": password})
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    line = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    with closing(line):
        line.request("POST", path, body, headers)
        return line.getresponse().status


def resident(server: RunningServer) -> int:
    """Kilobytes of memory that the server holds."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_memory_is_bounded_by_the_hashes_at_once_and_not_by_the_threads_that_ask(tmp_path: Path) -> None:
    """Whichever threads ask, those that compute are as many as `limits.hashes`, and only theirs hold a hash."""
    (tmp_path / "gatepost.toml").write_text(UNHURRIED)
    room = {
        "GATEPOST_LIMITS__HASHES": str(SLOTS),
        "GATEPOST_LIMITS__HASH_QUEUE": "100",
        "GATEPOST_LIMITS__HASH_WAIT": f"{PATIENCE:.0f}s",
    }
    with RunningServer(tmp_path, environment=room) as server:
        assert ask(server, "/api/sign-up", "ada@example.com", PASSWORD) == 201
        before = resident(server)

        def come(number: int) -> set[int]:
            right = number % 2
            email, password = (
                ("ada@example.com", PASSWORD) if right else (f"{number}@example.com", "wrong words")
            )
            return {ask(server, "/api/sign-in", email, password) for _ in range(EACH)}

        with ThreadPoolExecutor(CLIENTS) as clients:
            told = set[int]().union(*clients.map(come, range(CLIENTS)))
        grown = resident(server) - before
    # Of one account no more than ten tries are made at a time: 429.
    assert {200, 401} <= told <= {200, 401, 429}
    assert grown < SLOTS * HASH + CLIENTS * THREAD, grown // MEGABYTE
