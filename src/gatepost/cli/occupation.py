"""One server for each data folder, and the lock that says so.

Owns `server.lock`. The lock is the operating system's and ends with the last of the server's processes, however those
end; the file stays, because removing it would let two servers hold the same name.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from gatepost.errors import StoreUnusable

LOCK: Final = "server.lock"


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

    def leave(self) -> None:
        """Let another server have the folder."""
        os.close(self._descriptor)
