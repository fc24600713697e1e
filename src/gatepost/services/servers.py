"""The server processes that follow the log, as an administrator sees them.

Owns how far behind each is said to be. Who waits for them when something is ended is `commits.py`'s.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.core.ports import Clock, Log, Store

# Two of a follower's heartbeats: one may be late.
_QUIET: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Server:
    """One server process. `behind` counts facts of the log that it has not confirmed; `quiet` that it says nothing."""

    instance: str
    pid: int
    behind: int
    heard_at: datetime
    quiet: bool
    own: bool


class Servers:
    """All of them."""

    def __init__(self, store: Store, log: Log, clock: Clock, own: str) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._own = own

    def listed(self) -> list[Server]:
        """Every process that has not left, in the order of their numbers."""
        # The head is read last: a process that confirms in between is not shown as ahead of it.
        rows, now = self._log.followers(), self._clock.now()
        head = self._store.position()
        found = [
            Server(
                instance=row.instance,
                pid=row.pid,
                behind=max(0, head - row.seq),
                heard_at=row.at,
                quiet=now - row.at > _QUIET,
                own=row.instance == self._own,
            )
            for row in rows
        ]
        return sorted(found, key=lambda one: (one.pid, one.instance))
