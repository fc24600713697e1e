"""`gatepost serve`: the server process, from the first check of its settings to a graceful end.

Owns the order of a start (settings, port, data folder, database, connections, and only then the banner) and what the
banner says. Which requests are answered how is the web floor's.
"""

import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import click
import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp

from gatepost import __version__
from gatepost.authority import Authority, Machine
from gatepost.cli.connections import BoundedProtocol
from gatepost.cli.installation import Installation, server_options
from gatepost.cli.journal import log, open_journal, trouble_reporter
from gatepost.cli.listening import listen
from gatepost.cli.occupation import Occupation
from gatepost.errors import SettingsError
from gatepost.machine import SystemClock, SystemRandomness, make_folder
from gatepost.settings import Settings
from gatepost.web.app import make_app, with_lifespan

_GRACE: Final = 30
_KEEP_ALIVE: Final = 5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@click.command()
@server_options
def serve(installation: Installation) -> None:
    """Start the server. Ctrl+C or SIGTERM ends it after the requests under way."""
    settings = installation.settings(serving=True)
    _require_certificate(settings)
    sockets = listen(settings.server.host, settings.server.port)
    try:
        _serve(settings.with_port(sockets[0].getsockname()[1]), sockets)
    finally:
        for one in sockets:
            one.close()


def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    open_journal(settings.log)
    with _occupied(settings) as occupation:
        clock = SystemClock()
        authority = Authority(settings, Machine(clock, SystemRandomness(), trouble_reporter(clock)))
        try:
            # Before the loop: what stops it here is one sentence to whoever typed the command.
            authority.start()
            if occupation is not None:
                occupation.announce(settings.issuer)
            _Server(_config(authority), authority).run(sockets)
        finally:
            authority.stop()
    log.info("stopped")


@contextmanager
def _occupied(settings: Settings) -> Iterator[Occupation | None]:
    if settings.database_file is None:
        yield None
        return
    make_folder(settings.data)
    occupation = Occupation(settings.data)
    try:
        yield occupation
    finally:
        occupation.leave()


class _Server(uvicorn.Server):
    """A server that says so once connections are answered, and whose end by a signal is a success."""

    def __init__(self, config: uvicorn.Config, authority: Authority) -> None:
        super().__init__(config)
        self._authority = authority

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer connections, then print the banner."""
        await super().startup(sockets)
        text = await to_thread.run_sync(banner, self._authority)
        log.info("started", issuer=self._authority.settings.issuer)
        # Who started us may have stopped reading; that is no reason to stop serving.
        with suppress(BrokenPipeError):
            sys.stdout.write(text)
            sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal ends gracefully, a second Ctrl+C at once. They are not raised again afterwards."""
        before = {one: signal.signal(one, self._end) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)


def banner(authority: Authority) -> str:
    """What a started server says: where to sign in and, while there is no administrator, how to become the first."""
    settings, root = authority.settings, authority.settings.issuer
    profile = "production"
    if settings.development:
        profile = "development (this machine only; its cookies travel without Secure)"
    kept = "in memory, gone at the end" if settings.database_file is None else f"in {settings.data}"
    lines = [
        f"Gatepost {__version__}",
        f"Profile: {profile}",
        f"Kept {kept}",
        f"Sign in at {root}/sign-in",
    ]
    if authority.store.has_role("admin"):
        lines.append(f"Administration at {root}/admin")
    else:
        lines.append("There is no administrator yet. This link makes the first one, once, within 30 minutes")
        lines.append("(another: gatepost account invite --role admin):")
        lines.append(f"{root}/invite/{authority.accounts.invite('admin', 'system').reveal()}")
    return "\n".join(lines) + "\n"


def _config(authority: Authority) -> uvicorn.Config:
    settings = authority.settings
    app: ASGIApp = with_lifespan(make_app(authority, with_docs=settings.docs is not False), authority)
    protocol = type("Protocol", (BoundedProtocol,), {"most_headers": settings.limits.headers})
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


def _require_certificate(settings: Settings) -> None:
    certificate, key = settings.server.tls_cert, settings.server.tls_key
    if certificate is None:
        return
    try:
        # With a password at hand the library does not ask the terminal for one and wait.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The certificate {certificate} and the key {key} cannot be used: both must be PEM, "
            "belong together, and have no password."
        ) from error
