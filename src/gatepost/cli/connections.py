"""What one connection may take before its request is complete: bytes and seconds of headers.

The envelope judges requests; this is about connections that never become one. Owns nothing else of HTTP.
"""

from asyncio import BaseTransport, TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Room beside the headers for the request line, and for reads that do not end where headers do.
_SLACK: Final = 65_536


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 of one connection. `most_headers` (bytes) is set on the subclass that a server makes."""

    most_headers = 32_768
    seconds_for_headers = 15.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pending = 0
        self._awaiting_head = True
        self._head_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Somebody connected: the time for the first request's headers begins."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came in. Headers that do not end are cut off here; the parser would collect them for ever."""
        super().data_received(data)
        if not self._awaiting_head or self.transport.is_closing():
            return
        self._pending += len(data)
        if self._pending > self.most_headers + _SLACK:
            self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request: the time for its headers begins."""
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """The headers are complete."""
        self._head_arrived()
        super().on_headers_complete()

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
