"""How many visitor sessions one address may begin: counted in memory, per minute."""

from math import ceil
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gatepost.core.ports import Clock

_KIND: Final = "visit"
_WINDOW: Final = 60


class Visits:
    """A moving window over the last minute for each address."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = clock

    def wait(self, address: str) -> int:
        """Count one visit; 0 if it may begin, else the seconds until one may."""
        if self._limiter.hit(self._item, _KIND, address):
            return 0
        window = self._limiter.get_window_stats(self._item, _KIND, address)
        # The library counts by the machine's clock; ours may be turned. A window is a minute whatever either says.
        return min(_WINDOW, max(1, ceil(window.reset_time - self._clock.now().timestamp())))
