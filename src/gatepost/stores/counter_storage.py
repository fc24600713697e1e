"""The counters as the library `limits` asks for them, so that its strategies count for all server processes together.

Owns the translation of its keys and windows. It goes by our clock, never by the machine's. The failures of sign-ins
need several counters in one step and go to `Counters` directly (services/guesses.py). Called by `services/visits.py`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from limits.storage import Storage

from gatepost.core.guesses import Tally, settled
from gatepost.core.ports import Clock, Counters
from gatepost.errors import GatepostError


class CounterStorage(Storage):
    """A storage of `limits` for fixed windows. `named` turns its keys, which hold addresses, into digests."""

    STORAGE_SCHEME = None

    def __init__(self, counters: Counters, clock: Clock, named: Callable[[str], bytes]) -> None:
        super().__init__()
        self._counters = counters
        self._clock = clock
        self._named = named

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong here, passed on as it is."""
        return GatepostError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count; the window of `expiry` seconds begins with the first. How many there are in it."""
        name, now, count = self._named(key), self._clock.now(), 0

        def decide(found: Mapping[bytes, Tally]) -> Mapping[bytes, Tally | None]:
            nonlocal count
            tally = settled(found.get(name), now)
            count = (tally.count if tally else 0) + amount
            at, expires_at = (tally.at, tally.expires_at) if tally else (now, now + timedelta(seconds=expiry))
            return {name: Tally(count, at, expires_at)}

        self._counters.recount([name], decide)
        return count

    def get(self, key: str) -> int:
        """How many there are in the window."""
        tally = self._tally(key)
        return tally.count if tally else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since 1970; now if there is none."""
        tally = self._tally(key)
        return (tally.expires_at if tally else self._clock.now()).timestamp()

    def check(self) -> bool:
        """Whether the counters can be read."""
        try:
            self._counters.tallies([])
        except GatepostError:
            return False
        return True

    def reset(self) -> int | None:
        """Not offered: the failures of sign-ins lie beside these counters."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Forget one window."""
        name = self._named(key)
        self._counters.recount([name], lambda found: {name: None})

    def _tally(self, key: str) -> Tally | None:
        name = self._named(key)
        return settled(self._counters.tallies([name]).get(name), self._clock.now())
