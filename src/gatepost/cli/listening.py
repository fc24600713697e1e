"""Opening the port, before anything is written: a port in use stops the start with nothing to clean up.

Owns sockets and the sentences for why one cannot be had. Who answers on them is no business of this file.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gatepost.errors import SettingsError

_WAITING: Final = 2048


@dataclass(frozen=True, slots=True)
class Listening:
    """The sockets of a server: those it serves on, and those on which plain http is only sent on to https."""

    serving: tuple[socket.socket, ...]
    redirecting: tuple[socket.socket, ...] = ()

    @property
    def port(self) -> int:
        """The port that was opened."""
        port: int = self.serving[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Close them in this process."""
        for one in (*self.serving, *self.redirecting):
            one.close()


@contextmanager
def listening(host: str, port: int, redirect_port: int | None) -> Iterator[Listening]:
    """All that a server listens on, closed at the end of the block. Raises `SettingsError`."""
    opened = Listening(tuple(listen(host, port)))
    try:
        if redirect_port is not None:
            opened = Listening(opened.serving, tuple(listen(host, redirect_port)))
        yield opened
    finally:
        opened.close()


def listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of `host`, all on one port; 0 takes any free one. Raises `SettingsError`.

    They listen from here on: a port that is only bound can be bound by a second server too, until one of them listens.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host):
            chosen = opened[0].getsockname()[1] if opened else port
            opened.append(_listening(family, address, chosen))
    except OSError as error:
        for one in opened:
            one.close()
        raise SettingsError(_sentence(error, host, port)) from error
    return opened


def _addresses(host: str) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listening(family: int, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A server that was restarted gets its port back while old connections are still being forgotten.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen(_WAITING)
    except OSError:
        opened.close()
        raise
    return opened


def _sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: choose another with --port."
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Port {port} may not be opened by this user: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is not an address of this machine: choose another with --host."
    return f"Port {port} on {host} cannot be opened: {error.strerror}."
