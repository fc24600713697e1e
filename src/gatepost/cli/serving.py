"""`gatepost serve`: the server, from the first check of its settings to a graceful end.

Owns the order of a start (settings, port, data folder, database, connections, and only then the banner) and what the
banner says. One process serves by itself, several under a supervisor. Which requests are answered how is the web
floor's.
"""

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import click

from gatepost import __version__
from gatepost.authority import Authority, Machine
from gatepost.cli.answering import Server
from gatepost.cli.installation import Installation, server_options
from gatepost.cli.journal import log, open_journal, trouble_reporter
from gatepost.cli.listening import Listening, listening
from gatepost.cli.occupation import Occupation
from gatepost.cli.workers import Line, Supervisor
from gatepost.errors import SettingsError
from gatepost.machine import SystemClock, SystemRandomness, make_folder
from gatepost.settings import Settings

Begun = Callable[[str], None]
"""What is done with the banner once connections are answered."""


@click.command()
@server_options
def serve(installation: Installation) -> None:
    """Start the server. Ctrl+C or SIGTERM ends it after the requests under way; SIGHUP replaces its workers."""
    settings = installation.settings(serving=True)
    _require_certificate(settings)
    with listening(settings.server.host, settings.server.port, settings.server.redirect_port) as opened:
        _serve(settings.with_port(opened.port), opened)


def _serve(settings: Settings, opened: Listening) -> None:
    open_journal(settings.log)
    serve_all = _serve_alone if settings.server.workers == 1 else _serve_with_workers
    with _occupied(settings):
        serve_all(settings, opened, partial(_say_started, settings))
    log.info("stopped")


def _serve_alone(settings: Settings, opened: Listening, begun: Begun) -> None:
    with _running(settings) as authority:
        Server(authority, lambda: begun(banner(authority))).answer(opened)


def _serve_with_workers(settings: Settings, opened: Listening, begun: Begun) -> None:
    # Migrated, keys made, the link for the banner drawn, and all of it closed again before the first fork.
    authority = Authority(settings, _machine())
    try:
        text = banner(authority)
    finally:
        authority.stop()

    def work(line: Line) -> None:
        with _running(settings) as authority:
            Server(authority, line.answers, line).answer(opened)

    Supervisor(settings.server.workers, work, lambda: begun(text), opened, SystemClock()).run()


@contextmanager
def _running(settings: Settings) -> Iterator[Authority]:
    authority = Authority(settings, _machine())
    try:
        # Before the loop: what stops it here is one sentence to whoever typed the command.
        authority.start()
        yield authority
    finally:
        authority.stop()


def _machine() -> Machine:
    clock = SystemClock()
    return Machine(clock, SystemRandomness(), trouble_reporter(clock))


def _say_started(settings: Settings, text: str) -> None:
    log.info("started", issuer=settings.issuer)
    # Who started us may have stopped reading; that is no reason to stop serving.
    with suppress(BrokenPipeError):
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def _occupied(settings: Settings) -> Iterator[None]:
    if settings.database_file is None:
        yield
        return
    make_folder(settings.data)
    occupation = Occupation(settings.data)
    try:
        yield
    finally:
        occupation.leave()


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
