"""A load client: a few kept-alive HTTP/1.1 connections that ask one thing again and again.

Bounded in connections and time, answers read by their Content-Length. It asks only what the benchmarks' own servers
serve on loopback; it is no tool for anything else.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as bytes, and the status that its answer must have."""

    raw: bytes
    status: int = 200


def get(path: str, port: int, *headers: str, status: int = 200) -> Request:
    """A GET of a path on loopback."""
    lines = (f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "Accept: */*", *headers, "", "")
    return Request("\r\n".join(lines).encode("latin-1"), status)


@dataclass(slots=True)
class Tally:
    """What has been answered so far, and how long each answer took, in seconds."""

    until: float
    waits: list[float] = field(default_factory=list)
    trouble: str = ""

    @property
    def answered(self) -> int:
        """How many answers came."""
        return len(self.waits)


class _Connection(asyncio.Protocol):
    """Asks, reads the whole answer, asks again until the time is over."""

    def __init__(self, request: Request, tally: Tally) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._tally = tally
        self._received = b""
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not is_whole(self._received):
            return
        now = time.perf_counter()
        status = self._received[9:12]
        if status != str(self._request.status).encode():
            self._tally.trouble = self._received[:300].decode("latin-1")
            self._close()
            return
        self._tally.waits.append(now - self._asked_at)
        self._received = b""
        if now < self._tally.until:
            self._ask()
        else:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._tally.trouble = self._tally.trouble or f"the server hung up: {exc}"
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        self._transport.write(self._request.raw)

    def _close(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()


def is_whole(received: bytes) -> bool:
    """Whether these bytes are a whole answer, by its Content-Length."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    return not named or len(body) >= int(rest.partition(b"\r\n")[0])


def load(port: int, request: Request, *, connections: int, seconds: float) -> Tally:
    """Ask for that long over that many connections. Raises RuntimeError for any answer that is not as expected."""
    tally = Tally(until=time.perf_counter() + seconds)
    uvloop.run(_load(port, request, connections, tally))
    if tally.trouble:
        raise RuntimeError(f"unexpected answer: {tally.trouble}")
    return tally


async def _load(port: int, request: Request, connections: int, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(request, tally), "127.0.0.1", port)
        for _ in range(connections)
    ]
    async with asyncio.timeout(_DEADLINE):
        await asyncio.gather(*(protocol.done for _, protocol in made))
