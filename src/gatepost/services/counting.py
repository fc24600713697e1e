"""What tries and arrivals are counted with: the counters under names that tell nothing, and time.

Owns how a name becomes the key of a counter. Decides nothing; `guesses.py` and `visits.py` do.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final

from gatepost.core.ports import Clock, Counters

# 128 bits: two counters never meet, and a digest that is guessed opens nothing.
_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Counting:
    """The counters, their clock, the secret behind their names, and who hears of trouble."""

    counters: Counters
    clock: Clock
    secret: bytes = field(repr=False)
    on_trouble: Callable[[Exception], None] = lambda error: None

    def key(self, kind: str, name: str) -> bytes:
        """The digest under which something is counted. Without the secret nobody finds out what, not even by trying."""
        text = f"{kind}\0{name}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret, text, sha256)[:_KEY_BYTES]


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
