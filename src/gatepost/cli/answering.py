"""One server process: answering connections on sockets that are open already, until a signal ends it.

Owns uvicorn's set-up and which signal ends what: SIGTERM the requests under way and then the process, SIGUSR1 the same
when another worker has taken over, so that even a connection that is idle is answered once more. Run by `serve`, alone
or once in each worker.
"""

import signal
import socket
from asyncio import get_running_loop
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp

from gatepost.authority import Authority
from gatepost.cli.connections import BoundedProtocol
from gatepost.cli.listening import Listening
from gatepost.cli.workers import RETIRE, Line
from gatepost.web.app import make_app, with_lifespan

_GRACE: Final = 30
# Longer than a proxy in front keeps an idle connection (nginx: 60 s). If we were the first to hang up, a request could
# be on its way at that moment, and one that must not be sent twice would be answered 502.
_KEEP_ALIVE: Final = 75


class Server(uvicorn.Server):
    """A server that says so once connections are answered, and whose end by a signal is a success.

    With a line to a supervisor it is a worker: Ctrl+C is not for it, and it ends when the supervisor is gone.
    """

    def __init__(self, authority: Authority, answering: Callable[[], None], line: Line | None = None) -> None:
        class Protocol(BoundedProtocol):
            """The connections of this server alone."""

            most_headers = authority.settings.limits.headers

        self._protocol = Protocol
        super().__init__(_config(authority, self._protocol))
        self._authority = authority
        self._answering = answering
        self._line = line
        self._redirecting: tuple[socket.socket, ...] = ()

    def answer(self, opened: Listening) -> None:
        """Answer on these sockets until a signal ends it."""
        self._redirecting = opened.redirecting
        self.run(list(opened.serving))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer connections, then say so."""
        await super().startup(sockets)
        for one in self._redirecting:
            # The same application without TLS. It knows a request in the clear by its scheme, sends pages on and
            # refuses the rest: a second little server would need the bounds of this one again.
            self.servers.append(await get_running_loop().create_server(self._plain_protocol, sock=one))
        if self._line is not None:
            get_running_loop().add_reader(self._line.fileno(), self._supervisor_gone)
        await to_thread.run_sync(self._answering)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no connection any more, and let every answer from here on be its connection's last."""
        self._protocol.draining = True
        self._authority.leaving = True
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal ends gracefully, a second Ctrl+C at once. They are not raised again afterwards."""
        handlers = {signal.SIGTERM: self._end, RETIRE: self._retire}
        if self._line is None:
            handlers[signal.SIGINT] = self._end
        before = {one: signal.signal(one, handler) for one, handler in handlers.items()}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _plain_protocol(self) -> BoundedProtocol:
        return self._protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._protocol.patient = False
        self.handle_exit(number, frame)

    def _retire(self, number: int, frame: FrameType | None) -> None:
        self._protocol.patient = True
        self.should_exit = True

    def _supervisor_gone(self) -> None:
        if self._line is not None:
            get_running_loop().remove_reader(self._line.fileno())
        self.should_exit = True


def _config(authority: Authority, protocol: type[BoundedProtocol]) -> uvicorn.Config:
    settings = authority.settings
    app: ASGIApp = with_lifespan(make_app(authority, with_docs=settings.docs is not False), authority)
    return uvicorn.Config(
        app,
        loop=_loop(),
        http=protocol,
        ws="none",
        lifespan="on",
        # The journal is open already. An address line can hold a one-time link, so requests are not logged.
        log_config=None,
        access_log=False,
        proxy_headers=bool(settings.proxy.trusted),
        forwarded_allow_ips=[str(network) for network in settings.proxy.trusted],
        server_header=False,
        date_header=True,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
        ssl_certfile=settings.server.tls_cert,
        ssl_keyfile=settings.server.tls_key,
    )


def _loop() -> str:
    try:
        import uvloop  # noqa: F401, PLC0415
    except ImportError:
        return "asyncio"
    return "uvloop"
