"""One kept-alive connection in the hands of whoever measures: to ask, or to send now and take the answer when it comes.

For measurements where the order of two connections counts; rates are `client.py`'s.
"""

import json
import socket
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Final

from benchmarks.client import is_whole

_DEADLINE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    head: str
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def credential(self) -> str:
        """The header line that presents what a sign-in has given, whatever the carrier is."""
        tokens = self.json().get("tokens")
        if tokens:
            return f"Authorization: Bearer {tokens['access_token']}"
        cookies: SimpleCookie = SimpleCookie()
        for line in self.head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "set-cookie" and "max-age=0" not in value.lower():
                cookies.load(value)
        held = [f"{name}={one.value}" for name, one in cookies.items() if one["httponly"]]
        return f"Cookie: {'; '.join(held)}"


def raw(method: str, path: str, port: int, *headers: str, body: bytes = b"") -> bytes:
    """A request to whoever calls itself localhost at `port`, as our own pages would send it."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: localhost:{port}",
        f"Origin: http://localhost:{port}",
        *headers,
    ]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def raw_json(path: str, port: int, body: dict[str, str]) -> bytes:
    """A POST with a JSON body."""
    return raw("POST", path, port, "Content-Type: application/json", body=json.dumps(body).encode())


class Wire:
    """A connection on loopback, with one request under way at most."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def fileno(self) -> int:
        """The descriptor, to wait for several at once."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send a request."""
        self._socket.sendall(request)

    def take(self) -> Answer | None:
        """The answer if all of it is there. Waits for the first bytes; raises ConnectionError at the server's end."""
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the server hung up")
        self._received += received
        if not is_whole(self._received):
            return None
        head, _, body = self._received.partition(b"\r\n\r\n")
        self._received = b""
        return Answer(int(head[9:12]), head.decode("latin-1"), body)

    def ask(self, request: bytes, *expected: int) -> Answer:
        """Send and wait. Raises RuntimeError for a status that is not expected."""
        self.send(request)
        while (answer := self.take()) is None:
            pass
        if answer.status not in expected:
            raise RuntimeError(f"unexpected answer: {answer.head.splitlines()[0]} {answer.body[:200]!r}")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
