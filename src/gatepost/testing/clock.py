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

    def turn(
        self,
        by: timedelta = timedelta(),
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Let time pass: `by` and the other lengths together.

        Raises ValueError for a negative length: time does not run backwards, see `jump`.
        """
        by += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if by < timedelta():
            raise ValueError("time only passes forwards; `jump` sets the wall clock back")
        with self._lock:
            self._now += by
            self._boot += by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forwards or back while no time passes, as an administrator or NTP does."""
        with self._lock:
            self._now += by
