"""Which line of a file named something first, however many lines there are.

Owns a private temporary database that lies in memory while it is small and on disk when it grows, and is gone with its
connection. Keeps eight bytes of a digest for each name. Made by the command that reads the file.
"""

import sqlite3
from hashlib import blake2b
from types import TracebackType
from typing import Final, Self

_DIGEST_BYTES: Final = 8
_CACHE_KIB: Final = 16_384


class TemporarySightings:
    """Names and the lines they came on first; to be used in a `with` block, by one thread."""

    def __init__(self) -> None:
        # An empty name is a database of this connection alone, in a file that has no name.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("CREATE TABLE seen (name INTEGER PRIMARY KEY, line INTEGER NOT NULL)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def first(self, name: str, line: int) -> int:
        """The line that named this first; `line` itself, which is kept, if none did before."""
        raw = blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()
        key = int.from_bytes(raw, "big", signed=True)
        made = self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, line))
        if made.rowcount == 1:
            return line
        [(first,)] = self._connection.execute("SELECT line FROM seen WHERE name = ?", (key,)).fetchall()
        return int(first)
