"""Ten thousand requests that are wrong (a hundred thousand with `--long`), over connections that stay open.

At every row of the table, with and without a session of every kind: no error of ours, and no memory kept.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gatepost.web.routes import ROUTES, Route
from tests.servers import UNHURRIED, RunningServer
from tests.web.malformed import Wrong

SHORT, LONG = 10_000, 100_000
# Requests after which everybody signs in again: some of the wrong ones end the session they are sent with.
ROUND = 500
AT_ONCE = 8
# What a server that waits for the rest of a request is given, before the client gives up on it.
PATIENCE = 0.3
MEGABYTE = 1024
PASSWORD = "three or four words do"
PEOPLE = {"member@example.com": "member", "admin@example.com": "admin"}
IN_FRONT = (Route("GET", "/gateway/check", len, ()), Route("GET", "/feed", len, ()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server with a member and an administrator."""
    (tmp_path / "gatepost.toml").write_text(UNHURRIED)
    with RunningServer(tmp_path) as running:
        for email, role in PEOPLE.items():
            made = running.command("account", "create", email, "--role", role, stdin=f"{PASSWORD}\n")
            assert made.code == 0, made.error
        yield running


def cookies_of_everybody(server: RunningServer) -> list[str]:
    """Cookie headers of live sessions in every carrier that a browser holds, and none."""
    held = [""]
    for email in PEOPLE:
        for carrier in ("cookie", "sealed", "token-cookie"):
            with httpx2.Client(base_url=server.url, timeout=20) as client:
                form = {"email": email, "password": PASSWORD, "carrier": carrier}
                assert client.post("/api/sign-in", json=form).status_code == 200
                held.append("; ".join(f"{one.name}={one.value}" for one in client.cookies.jar))
    return held


def resident(server: RunningServer) -> int:
    """Kilobytes of memory that the server holds."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Line:
    """A connection that is used again until one side has enough of it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def told(self, sent: bytes) -> int:
        """The status of the answer, 0 if there is none: the server waits for more, or is gone without a word."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        try:
            writer.write(sent)
            async with asyncio.timeout(10):
                await writer.drain()
            async with asyncio.timeout(PATIENCE):
                first = await reader.readexactly(1)
            async with asyncio.timeout(30):
                return await self._answer(reader, first)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            self.hang_up()
            return 0

    async def _answer(self, reader: asyncio.StreamReader, first: bytes) -> int:
        head = first + await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status == 100:
            return await self._answer(reader, b"")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length:
            await reader.readexactly(int(length[1]))
        # What has a body and no length is a stream, which would never end.
        if re.search(rb"(?i)\r\nconnection: close", head) or not (length or status == 204):
            self.hang_up()
        return status

    def hang_up(self) -> None:
        """Begin with a new connection next time."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def all_sent(port: int, wrong: Iterator[tuple[str, bytes]]) -> dict[str, int]:
    """How often there was which status; what met an error of ours is named."""
    found: dict[str, int] = {}

    async def one_line() -> None:
        line = Line(port)
        for name, sent in wrong:
            status = await line.told(sent)
            key = f"{status}" if status < 500 else f"{status} {name}: {sent[:400]!r}"
            found[key] = found.get(key, 0) + 1
        line.hang_up()

    await asyncio.gather(*(one_line() for _ in range(AT_ONCE)))
    return found


@pytest.mark.timeout(1200)
def test_wrong_requests_meet_no_error_of_ours_and_leave_nothing_in_memory(
    server: RunningServer, pytestconfig: pytest.Config
) -> None:
    """No 5xx, no traceback; the second half takes less than 10 MB more than the first; it still serves."""
    rounds = (LONG if pytestconfig.getoption("--long") else SHORT) // ROUND
    port = int(server.url.rpartition(":")[2])
    found: dict[str, int] = {}
    held: list[int] = []
    for number in range(rounds):
        wrong = Wrong(f"localhost:{port}", cookies_of_everybody(server), seed=number)
        requests = wrong.some((*ROUTES, *IN_FRONT), ROUND, start=number * ROUND)
        for status, times in asyncio.run(all_sent(port, requests)).items():
            found[status] = found.get(status, 0) + times
        held.append(resident(server))
    errors = [status for status in found if status[0] == "5"]
    assert not errors, "\n".join(errors)
    assert sum(found.values()) == rounds * ROUND
    # Most are answered; the others wait for the rest of a body that never comes.
    assert found["0"] < rounds * ROUND // 5, found
    assert held[-1] - held[rounds // 2 - 1] < 10 * MEGABYTE, held
    assert "Traceback" not in server.journal
    assert httpx2.get(f"{server.url}/readyz", timeout=20).status_code == 200
    assert len(cookies_of_everybody(server)) == 7
