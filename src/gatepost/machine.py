"""What this machine gives: its clocks, its randomness, and the file of the master key.

The only place that reads a clock or the random source, so that everything above can be handed another.
"""

import fcntl
import os
import secrets
import stat
import time
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gatepost.carriers.sealing import KEY_BYTES, MasterKey
from gatepost.core.ports import Randomness
from gatepost.core.secrets import encode
from gatepost.errors import KeyUnusable, StoreUnusable

_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        return datetime.now(UTC)

    def boot(self) -> float:
        """Seconds since the machine started.

        The monotonic clock would stand still through suspend, and every lease with it.
        """
        return time.clock_gettime(_BOOT_CLOCK)


class SystemRandomness:
    """The operating system's random source."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""
        return secrets.token_bytes(count)


def make_folder(path: Path) -> None:
    """Make the data folder, readable by its owner only. Raises `StoreUnusable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(f"The data folder {path} cannot be made: {error.strerror}.") from error


class MasterKeyFile:
    """The master key in a file of its own, and in a draft beside it while it is being changed.

    The draft is durable before anything is sealed under it and takes the file's place afterwards, in one step. So at
    every moment one of the two opens the database, and whoever opens it finds out which.
    """

    def __init__(self, path: Path, randomness: Randomness) -> None:
        self._path = path
        self._draft = path.with_name(f"{path.name}.next")
        self._randomness = randomness

    def first(self) -> MasterKey:
        """The master key in the file; made, in a folder made for it, if there is none. Raises `KeyUnusable`."""
        make_folder(self._path.parent)
        return read_or_make_master_key(self._path, self._randomness)

    def candidates(self) -> tuple[MasterKey, ...]:
        """The one in the file, and the draft if there is one. Raises `KeyUnusable`."""
        if not self._draft.exists():
            return (read_master_key(self._path),)
        drafted = read_master_key(self._draft)
        return (read_master_key(self._path), drafted) if self._path.exists() else (drafted,)

    def found(self, in_force: MasterKey) -> None:
        """Put the draft into the file's place if it is the one that opens, unless somebody is at it just now."""
        if self._draft.exists():
            with suppress(BlockingIOError), self._alone(fcntl.LOCK_NB):
                self.settle(in_force)

    @contextmanager
    def changing(self) -> Iterator["MasterKeyFile"]:
        """Change the master key, alone among all processes."""
        with self._alone():
            yield self

    def settle(self, in_force: MasterKey) -> None:
        """Put the draft into the file's place if it is the one that opens; another draft is of no use to anybody."""
        if self._draft.exists() and read_master_key(self._draft) == in_force:
            self.finish()

    def successor(self) -> MasterKey:
        """A new master key, durable as the draft. Raises `KeyUnusable`."""
        try:
            self._draft.unlink(missing_ok=True)
            _make_master_key(self._draft, self._randomness.bytes(KEY_BYTES))
        except OSError as error:
            raise KeyUnusable(f"The master key {self._draft} cannot be made: {error.strerror}.") from error
        return read_master_key(self._draft)

    def finish(self) -> None:
        """Put the draft into the file's place, for good."""
        self._draft.replace(self._path)
        _sync_folder(self._path.parent)

    @contextmanager
    def _alone(self, more: int = 0) -> Iterator[None]:
        path = self._path.with_name(f"{self._path.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | more)
            yield
        finally:
            os.close(descriptor)


class GivenMasterKey:
    """A master key that the settings hold, and the one before it as long as they hold that too.

    Changing it is the operator's: both are given, the database is sealed under the newer, the older is taken away.
    """

    def __init__(self, master: MasterKey, before: MasterKey | None = None) -> None:
        self._master = master
        self._before = before

    def first(self) -> MasterKey:
        """The newer one."""
        return self._master

    def candidates(self) -> tuple[MasterKey, ...]:
        """The newer and the older."""
        return (self._master,) if self._before is None else (self._master, self._before)

    def found(self, in_force: MasterKey) -> None:
        """Nothing is kept here that could be put right."""

    @contextmanager
    def changing(self) -> Iterator["GivenMasterKey"]:
        """Change it; of two who do so at once one finds the keys changed."""
        yield self

    def settle(self, in_force: MasterKey) -> None:
        """Raise `KeyUnusable` if the newer one is in force already, for then there is nothing to change to."""
        if in_force == self._master:
            raise KeyUnusable(
                "The keys are sealed under keys.master already: put a new master key there and this one into "
                "keys.master_before, then do this again."
            )

    def successor(self) -> MasterKey:
        """The newer one."""
        return self._master

    def finish(self) -> None:
        """Nothing is left to do but to take keys.master_before away."""


def read_or_make_master_key(path: Path, randomness: Randomness) -> MasterKey:
    """The master key in this file; made, with mode 0600, if there is none. Raises `KeyUnusable`."""
    if not path.exists():
        try:
            _make_master_key(path, randomness.bytes(KEY_BYTES))
        except OSError as error:
            raise KeyUnusable(f"The master key {path} cannot be made: {error.strerror}.") from error
    return read_master_key(path)


def _make_master_key(path: Path, raw: bytes) -> None:
    # Written whole under another name, then linked into place: of two that start at once one wins, and the other never
    # reads a file that is still empty.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(encode(raw) + "\n")
        file.flush()
        # Durable before the first thing is sealed under it: a key lost at power failure takes all of that with it.
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def read_master_key(path: Path) -> MasterKey:
    """The master key in this file. Raises `KeyUnusable` if it is missing, open to others, or not a key."""
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
    except FileNotFoundError as error:
        raise KeyUnusable(
            f"The master key {path} is missing: put back the file that belongs to this database."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"The master key {path} cannot be read.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyUnusable(f"The master key {path} is open to other users: run chmod 600 {path}.")
    master = parse_master_key(text)
    if master is None:
        raise KeyUnusable(f"The file {path} does not hold a master key.")
    return master


def parse_master_key(text: str) -> MasterKey | None:
    """The master key that a text stands for (256 bits in base64url), or None."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raw = b""
    return MasterKey(raw) if len(raw) == KEY_BYTES else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
