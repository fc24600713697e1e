"""A clock that stands still until a test turns it."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


class TurnableClock:
    """`Clock` for tests: time passes when told to, and only then. Safe from many threads."""

    def __init__(self, now: datetime = NOON, boot: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._boot = boot

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        with self._lock:
            return self._now

    def boot(self) -> float:
        """Seconds since the machine started."""
        with self._lock:
            return self._boot

    def turn(self, by: timedelta) -> None:
        """Let time pass. Raises ValueError for a negative length: time does not run backwards, see `jump`."""
        if by < timedelta():
            raise ValueError("time only passes forwards; `jump` sets the wall clock back")
        with self._lock:
            self._now += by
            self._boot += by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forwards or back while no time passes, as an administrator or NTP does."""
        with self._lock:
            self._now += by
