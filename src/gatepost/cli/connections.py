"""What one connection may take before its request is complete, and how it ends when its server does.

The envelope judges requests; this is about connections that never become one, and about closing none under a request.
Owns nothing else of HTTP.
"""

from asyncio import BaseTransport, TimerHandle
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gatepost.errors import BadRequest, GatepostError, HeadersTooLarge
from gatepost.web.answers import PROBLEM, encode_problem
from gatepost.web.gateway import PEER

# Room beside the headers for the request line, and for reads that do not end where headers do.
_SLACK: Final = 65_536
_MOST_DRAINED: Final = 4 * 1024 * 1024
_SECONDS_TO_DRAIN: Final = 2.0


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 of one connection. `most_headers` (bytes) is set on the subclass that a server makes.

    `draining` is set there too when the server ends: every answer is then its connection's last. With `patient` a
    connection between two requests is left open until it is answered once more or its keep-alive time is over: its
    client may have sent the next request already, and is told in the answer not to use it again.
    """

    most_headers = 32_768
    seconds_for_headers: float = 15.0
    draining = False
    patient = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pending = 0
        self._refused = False
        self._drained = 0
        self._awaiting_head = True
        self._head_timer: TimerHandle | None = None
        self._under_way: list[RequestResponseCycle] = []

    def connection_made(self, transport: BaseTransport) -> None:
        """Somebody connected: the time for the first request's headers begins."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came in. Headers that do not end are refused here; the parser would collect them for ever."""
        if self._refused:
            self._drained += len(data)
            if self._drained > _MOST_DRAINED:
                self.transport.close()
            return
        super().data_received(data)
        if not self._awaiting_head or self.transport.is_closing():
            return
        self._pending += len(data)
        if self._pending > self.most_headers + _SLACK:
            self._head_arrived()
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        """The first byte of a request: the time for its headers begins."""
        super().on_message_begin()
        # Before anything reads X-Forwarded-For and puts the proxy's client in its place.
        self.scope["state"][PEER] = self.client[0] if self.client else ""
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        self._head_arrived()
        self._require_own_target()
        super().on_headers_complete()
        # Requests may come before the answer to the one before them: then the newest is not the one being answered.
        self._under_way = [one for one in self._under_way if not one.response_complete] + [self.cycle]
        if self.draining:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server ends: close as soon as that cuts no request off."""
        if self._awaiting_head and self._pending > 0:
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not (self.patient and self.cycle.response_started):
            # The answer says that it is the last. One that has begun without saying so is followed by another.
            self.cycle.keep_alive = False
        elif not answering and not self.patient:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is refused in the same form as everything else."""
        self._refuse(BadRequest("This is not a valid HTTP request."))

    def _refuse(self, error: GatepostError) -> None:
        # Closed with bytes unread, the kernel would reset the connection, and the client never see the answer. So our
        # side ends, and what still comes is thrown away, within bounds.
        self._refused = True
        self._let_go()
        body = encode_problem(error)
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\nContent-Type: {PROBLEM}\r\n"
            f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_SECONDS_TO_DRAIN, self.transport.close)

    def _let_go(self) -> None:
        # Whatever is still being worked on is a request whose body turned out to be none, or one before it. Its answer
        # would come after ours, on a side that has ended, and fail there.
        self.pipeline.clear()
        for cycle in self._under_way:
            cycle.disconnected = True
            cycle.message_event.set()

    def _require_own_target(self) -> None:
        # A target in absolute form overrides the Host header (RFC 9112 section 3.2.2), which is what we check.
        if self.url.startswith(b"/") or self.url == b"*":
            return
        authority = self.url.partition(b"://")[2].partition(b"/")[0]
        if [value for name, value in self.headers if name == b"host"] != [authority]:
            raise ValueError("the target names another host than the Host header")

    def _expect_head(self) -> None:
        self._head_arrived()
        self._awaiting_head, self._pending = True, 0
        self._head_timer = self.loop.call_later(self.seconds_for_headers, self.timeout_keep_alive_handler)

    def _head_arrived(self) -> None:
        self._awaiting_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: some clients ask for HTTP/2 with every request, and get HTTP/1.1."""
