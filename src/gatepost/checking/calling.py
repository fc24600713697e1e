"""Questions to one server over HTTP/1.1, each short and bounded, over connections that are kept.

Owns the connections, the one deadline of a question whatever the server does, and how much of an answer is let in.
Knows neither tokens nor what is asked; follows no redirect, uses no proxy, prints nothing. `issuer.py` calls it.
"""

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from io import BufferedReader, RawIOBase
from pathlib import Path
from socket import socket
from typing import Any, Final

from gatepost.checking.trusted_servers import Server
from gatepost.core.ports import Clock
from gatepost.errors import SettingsError

LONGEST: Final = 16_384
"""How many bytes the body of an answer may have: the claims of the longest token take half of that."""
# Body, status line and headers together. What http.client lets in by itself is 6 MB of headers, and a chunk of a
# negative length is everything there is.
_MOST_READ: Final = 2 * LONGEST
_GONE: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent: a path below the server's own, headers, and a body. It is never printed, for it is secret."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer: its status and its body, of at most `LONGEST` bytes."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Unanswered:
    """There is no answer, and why in a few words: nothing of what was sent, and nothing that came, is in them."""

    why: str


class Caller:
    """Asks one server. Any thread may; each has a connection of its own while it asks."""

    def __init__(
        self, server: Server, clock: Clock, *, authorities: Path | None = None, kept: int = 4
    ) -> None:
        """`authorities` is a file (PEM) of those to trust in the place of the machine's; `kept` is in connections.

        Raises `SettingsError` if the file cannot be used.
        """
        self._server = server
        self._boot = clock.boot
        self._tls = _trusting(authorities) if server.secure else None
        self._most_kept = kept
        self._kept: list[HTTPConnection] = []
        self._lock = threading.Lock()

    def post(self, question: Question, until: float) -> Answered | Unanswered:
        """Ask, and wait for the answer until that moment of the boot clock. Raises nothing.

        A connection that was kept may have been closed meanwhile; then it is asked once more on a new one. So ask only
        what may be asked twice. Looking up the server's name alone is bounded by the machine's resolver.
        """
        kept = self._take()
        try:
            if kept is not None:
                with suppress(*_GONE):
                    return self._told(kept, question, until)
            return self._told(self._connected(until), question, until)
        except TimeoutError:
            return Unanswered("no answer in time")
        except (OSError, HTTPException, ValueError) as error:
            # Not its text: a server can write into it what it was sent.
            return Unanswered(f"the connection failed ({type(error).__name__})")

    def close(self) -> None:
        """Close what is kept, and keep nothing any more."""
        with self._lock:
            self._most_kept = 0
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def after_fork(self) -> None:
        """In a forked child: leave the connections to the parent. Two on one would get each other's answers."""
        self._lock = threading.Lock()
        kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def _take(self) -> HTTPConnection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _keep(self, connection: HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and len(self._kept) < self._most_kept:
                self._kept.append(connection)
                return
        connection.close()

    def _told(self, connection: HTTPConnection, question: Question, until: float) -> Answered | Unanswered:
        whole = False
        try:
            line: Any = connection.sock
            line.until = until
            path = self._server.path + question.path
            connection.request("POST", path, body=question.body, headers=dict(question.headers))
            response = connection.getresponse()
            answer = Answered(response.status, response.read(LONGEST + 1))
            whole = response.isclosed() and len(answer.body) <= LONGEST
        finally:
            # What was not read to its end would be taken for the beginning of the next answer.
            if whole:
                self._keep(connection)
            else:
                connection.close()
        return answer if whole else Unanswered("the answer is too long, or breaks off")

    def _connected(self, until: float) -> HTTPConnection:
        left = until - self._boot()
        if left <= 0:
            raise TimeoutError
        server = self._server
        connection = (
            HTTPConnection(server.host, server.port, timeout=left)
            if self._tls is None
            else HTTPSConnection(server.host, server.port, timeout=left, context=self._tls)
        )
        # An application may have switched it on for all: it prints what is sent.
        connection.set_debuglevel(0)
        connection.connect()
        timed: Any = _Timed(connection.sock, self._boot)
        connection.sock = timed
        return connection


class _Timed:
    """A socket with one deadline for all that is sent and read: its own timeout begins anew with every byte."""

    def __init__(self, wire: socket, boot: Callable[[], float]) -> None:
        self._wire = wire
        self._boot = boot
        self.until = float("-inf")

    def limit(self) -> None:
        """Let the next step take what is left of the time. Raises `TimeoutError`."""
        left = self.until - self._boot()
        if left <= 0:
            raise TimeoutError
        self._wire.settimeout(left)

    def sendall(self, sent: bytes) -> None:
        self.limit()
        self._wire.sendall(sent)

    def makefile(self, mode: str) -> BufferedReader:
        return BufferedReader(_Answer(self._wire.makefile("rb", buffering=0), self.limit))

    def close(self) -> None:
        self._wire.close()


class _Answer(RawIOBase):
    """The bytes of one answer: none after the deadline, and none once it has had more than are let in."""

    def __init__(self, raw: Any, limit: Callable[[], None]) -> None:
        self._raw = raw
        self._limit = limit
        self._left = _MOST_READ

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise HTTPException
        self._limit()
        count: int | None = self._raw.readinto(buffer)
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _trusting(authorities: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise SettingsError(f"{authorities} does not hold certificates of authorities.") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
