"""One server for each data folder: the lock that says so, and the note that names the server's address.

Owns `server.lock`. The lock is the operating system's and ends with the last of the server's processes, however those
end; the file stays, because removing it would let two servers hold the same name. Commands read the note to print
links that work.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Final

from gatepost.errors import StoreUnusable

LOCK: Final = "server.lock"
_LONGEST: Final = 4096


class Occupied(StoreUnusable):
    """Another server works on this data folder."""


class Occupation:
    """The data folder is ours until `leave`. Raises `Occupied` or `StoreUnusable` when it cannot be."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"The data folder {folder} cannot be written to: {error.strerror}."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise Occupied(
                f"Another server works on the data folder {folder}: stop it, or name another folder with --data."
            ) from error

    def announce(self, issuer: str) -> None:
        """Write down under which address this server is reached."""
        text = json.dumps({"pid": os.getpid(), "issuer": issuer}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def leave(self) -> None:
        """Let another server have the folder."""
        os.close(self._descriptor)


def last_issuer(folder: Path) -> str | None:
    """The address of the server that runs on this folder, or ran last; None if that is not known."""
    try:
        with (folder / LOCK).open("rb") as file:
            noted = json.loads(file.read(_LONGEST))
    except (OSError, ValueError):
        return None
    issuer = noted.get("issuer") if isinstance(noted, dict) else None
    return issuer if isinstance(issuer, str) else None
