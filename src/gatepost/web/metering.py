"""How long requests took and which errors they were answered with, as plain numbers.

Owns the outermost layer that measures, and nothing it measures: who may read the numbers, and in which form, is
`metrics.py`'s. No path, no address and no header is kept; a request is one of six kinds.
"""

from bisect import bisect_left
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.core.ports import Clock
from gatepost.errors import GatepostError

# Seconds. A known check takes a fraction of the first, a password hash lies in the middle, the bound is 1.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ELSEWHERE: Final = "none"
_KEY: Final = "gatepost.meter"


class Durations:
    """How many requests of one kind took how long: one count for each bucket, and one for what was slower still."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: list[int] = [0] * (len(BUCKETS) + 1)
        self.total: float = 0.0

    def add(self, seconds: float) -> None:
        """One more request."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class Meter:
    """The numbers of one application."""

    def __init__(self) -> None:
        self.durations: dict[str, Durations] = {}
        self.errors: dict[str, int] = {}

    def answered(self, kind: str, seconds: float) -> None:
        """A request of this kind ended."""
        durations = self.durations.get(kind)
        if durations is None:
            durations = self.durations.setdefault(kind, Durations())
        durations.add(seconds)

    def failed(self, error: GatepostError) -> None:
        """A request was answered with this error."""
        self.errors.setdefault(error.code, 0)
        self.errors[error.code] += 1


def meter_of(scope: Scope) -> Meter:
    """The numbers of the application that this request came to."""
    meter: Meter = scope[_KEY]
    return meter


class Metered:
    """Measures every request of the application behind, from its arrival to the end of its answer."""

    def __init__(self, app: ASGIApp, meter: Meter, clock: Clock) -> None:
        self._app = app
        self._meter = meter
        self._boot = clock.boot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_KEY] = self._meter
        began = self._boot()
        try:
            await self._app(scope, receive, send)
        finally:
            # Refused before a route was found, or found in a copy of the scope: no kind.
            self._meter.answered(scope.get("gatepost.kind", _ELSEWHERE), self._boot() - began)
