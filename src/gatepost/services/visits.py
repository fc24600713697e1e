"""How many visits and sign-ups one address may begin in a minute, counted by all server processes together."""

from functools import partial
from math import ceil
from typing import Final

from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from gatepost.services.counting import Counting, network_of
from gatepost.stores.counter_storage import CounterStorage

_WINDOW: Final = 60


class Visits:
    """A window of a minute for each address, from its first on. `kind` keeps what is counted apart from the rest."""

    def __init__(self, kind: str, per_minute: int, counting: Counting) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._clock = counting.clock
        storage = CounterStorage(counting.counters, counting.clock, partial(counting.key, kind))
        self._limiter = FixedWindowRateLimiter(storage)

    def wait(self, address: str) -> int:
        """Count one; 0 if it may begin, else the seconds until one may. Raises `Busy`."""
        item, network = self._item, network_of(address)
        # Asked first, which only reads: a flood that is turned away writes nothing.
        if self._limiter.test(item, network) and self._limiter.hit(item, network):
            return 0
        ends_at = self._limiter.get_window_stats(item, network).reset_time
        return min(_WINDOW, max(1, ceil(ends_at - self._clock.now().timestamp())))
