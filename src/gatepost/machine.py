"""What this machine gives: its clocks, its randomness, and the file of the master key.

The only place that reads a clock or the random source, so that everything above can be handed another.
"""

import os
import secrets
import stat
import time
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from contextlib import suppress
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
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeyUnusable(f"The file {path} does not hold a master key.")
    return MasterKey(raw)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
