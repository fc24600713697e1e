"""An issuer on loopback that answers as a test says, byte for byte, and remembers every byte it was sent.

Owns a listening socket and a thread for each connection. What it answers is any function of the request; it speaks
HTTP/1.1 no better than it must, so that it can also speak it wrong.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from tests.certificates import Certificates

Answering = Callable[[bytes], bytes | Iterator[bytes]]

TRUE_OF_ADA: Final = {
    "active": True,
    "token_type": "Bearer",
    "jti": "token-1",
    "sid": "session-1",
    "sub": "ada",
    "client_id": "shop",
}


def answer(body: Any, status: int = 200, *headers: str) -> bytes:
    """A whole answer; what is no bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + raw


def active(**changes: Any) -> bytes:
    """What an issuer says of a token of `ada`'s that stands."""
    return answer(TRUE_OF_ADA | changes)


class ScriptedIssuer:
    """Answers every request with `answering(request)` until its block is left; b"" ends the connection.

    `requests` are the requests as they came, `connections` how many were opened.
    """

    def __init__(
        self, answering: Answering, certificates: Certificates | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.answering = answering
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = _context(certificates) if certificates else None
        self._socket = socket.create_server((host, 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if certificates else 'http'}://{host}:{self.port}"
        self._open: list[socket.socket] = []
        self._closed = False
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more, and end every connection there is."""
        if self._closed:
            return
        self._closed = True
        self.hang_up()
        # A close alone would leave the thread waiting in `accept`.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def hang_up(self) -> None:
        """End every connection there is."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # Whoever asks may go away at any moment, before the handshake is done or while an answer is sent.
        with suppress(OSError), connection:
            line = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with line:
                self._answer_all(line)

    def _answer_all(self, line: socket.socket) -> None:
        held = b""
        while request := _whole(line, held):
            self.requests.append(request)
            sent = self.answering(request)
            for part in [sent] if isinstance(sent, bytes) else sent:
                if not part:
                    return
                line.sendall(part)
            held = b""


def _whole(line: socket.socket, held: bytes) -> bytes:
    """One request: its head, and as much of a body as it announces; b"" where the other side has gone."""
    while b"\r\n\r\n" not in held:
        more = line.recv(65_536)
        if not more:
            return b""
        held += more
    head, _, body = held.partition(b"\r\n\r\n")
    named = [text for text in head.lower().split(b"\r\n") if text.startswith(b"content-length:")]
    length = int(named[0].partition(b":")[2]) if named else 0
    while len(body) < length:
        body += line.recv(65_536)
    return head + b"\r\n\r\n" + body


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chain, certificates.key)
    return context
