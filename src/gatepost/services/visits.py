"""How many visitor sessions one address may begin: counted in memory, per minute."""

from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gatepost.core.ports import Clock

_KIND: Final = "visit"
_WINDOW: Final = 60


def network_of(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits, because that is what one subscriber is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


class Visits:
    """A moving window over the last minute for each address."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = clock

    def wait(self, address: str) -> int:
        """Count one visit; 0 if it may begin, else the seconds until one may."""
        network = network_of(address)
        if self._limiter.hit(self._item, _KIND, network):
            return 0
        window = self._limiter.get_window_stats(self._item, _KIND, network)
        # The library counts by the machine's clock; ours may be turned. A window is a minute whatever either says.
        return min(_WINDOW, max(1, ceil(window.reset_time - self._clock.now().timestamp())))
