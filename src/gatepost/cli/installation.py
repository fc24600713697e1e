"""Which installation a command works on: the options that name it, its settings, and the authority opened over it.

Owns how settings are spelled on the command line, and the care that a mistyped folder is refused, not made. Every
command but `serve` opens its authority here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from gatepost.authority import Authority
from gatepost.errors import StoreUnusable
from gatepost.settings import Settings, load_settings, require_no_password
from gatepost.stores.noted_issuer import noted_issuer

ACTOR: Final = "cli"

_KEYS: Final = {
    "data": "data",
    "database": "database.url",
    "sessions": "sessions.url",
    "profile": "profile",
    "host": "server.host",
    "port": "server.port",
    "workers": "server.workers",
    "tls_cert": "server.tls_cert",
    "tls_key": "server.tls_key",
    "redirect_port": "server.redirect_port",
}
_PLACE: Final = (
    click.option("--data", metavar="DIR", help="Folder of everything the server keeps."),
    click.option("--database", metavar="URL", help="Database, if it is not in that folder."),
    click.option("--sessions", metavar="URL", help="Where session records lie, if not in the database."),
    click.option("--profile", metavar="NAME", help="development or production."),
)
_SERVER: Final = (
    click.option("--host", metavar="ADDRESS", help="Address to listen on."),
    click.option("--port", metavar="PORT", type=click.IntRange(0, 65535), help="0 takes any free one."),
    click.option("--workers", metavar="COUNT", type=int, help="Server processes."),
    click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM)."),
    click.option("--tls-key", metavar="FILE", help="Key of that certificate (PEM)."),
    click.option(
        "--redirect-port", metavar="PORT", type=click.IntRange(1, 65535), help="Plain http, sent on to https."
    ),
)

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Installation:
    """What the options of a command say about where to work."""

    given: Mapping[str, Any]

    def settings(self, *, serving: bool = False) -> Settings:
        """The settings in force. The rules about the server's own port count only for who serves."""
        for name in ("database", "sessions"):
            if self.given.get(name):
                require_no_password(self.given[name], f"--{name}")
        overrides: dict[str, Any] = {}
        for name, value in self.given.items():
            section, _, key = _KEYS[name].partition(".")
            if key:
                overrides.setdefault(section, {})[key] = value
            else:
                overrides[section] = value
        names = {_KEYS[name]: f"--{name.replace('_', '-')}" for name in self.given}
        return load_settings(overrides, option_names=names, embedded=not serving)

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[Authority]:
        """An authority beside a server that may be running. `make` lets it make what is not there yet."""
        settings = self.settings()
        file = require_file(settings)
        if not make and not file.exists():
            raise StoreUnusable(
                f"There is no database at {file}: start the server first, or name its folder with --data."
            )
        authority = Authority(settings)
        try:
            yield authority
        finally:
            authority.stop()


def place_options(command: Command) -> Command:
    """Give a command the options that name an installation; it is called with `installation` first."""
    return _with_options(command, _PLACE)


def server_options(command: Command) -> Command:
    """The same, with the options of a server."""
    return _with_options(command, (*_SERVER, *_PLACE))


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


def require_file(settings: Settings) -> Path:
    """The database file. Raises `StoreUnusable` when there is none that a second process could open."""
    if settings.database_file is None:
        raise StoreUnusable("The database is kept in the server's memory, which no other command can reach.")
    return settings.database_file


def issuer_of(settings: Settings) -> str:
    """The address people reach the server at: as set, else as whoever serves this folder noted it."""
    return settings.issuer if settings.url is not None else noted_issuer(settings.data) or settings.issuer


def _with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    @wraps(command)
    def run(**values: Any) -> Any:
        given = {name: values.pop(name) for name in _KEYS if name in values}
        return command(Installation(given), **values)

    with_options: Command = run
    for option in reversed(options):
        with_options = option(with_options)
    return with_options
