"""Which of the processes on one database file does the scheduled work that needs doing once.

Owns `<file>.duty` and the lock on it. The lock is the operating system's and ends with its holder however that ends,
so there is no time-out to choose and nobody to vote. The file stays: removing it would let two hold the same name.
"""

import fcntl
import os
from pathlib import Path

from gatepost.errors import StoreUnusable


class Duty:
    """One process's share in the question. `mine` may be asked at any rate; whoever has the duty keeps it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.duty")
        self._descriptor: int | None = None

    def mine(self) -> bool:
        """Whether the work is this process's; takes it if nobody has it. Raises `StoreUnusable`."""
        if self._descriptor is None:
            self._descriptor = self._taken()
        return self._descriptor is not None

    def leave(self) -> None:
        """Let another process have it. In a forked child this lets go of a copy; the parent keeps the duty."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _taken(self) -> int | None:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(f"The file {self._path} cannot be written: {error.strerror}.") from error
        try:
            # Not a POSIX lock: that one is dropped when anybody in this process closes the same file.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        # For people who wonder which process it is; nothing reads it.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor
