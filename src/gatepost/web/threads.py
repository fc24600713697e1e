"""Which thread an endpoint runs in: one that writes waits among its like, never in the way of one that only reads.

Owns how many writing calls of one event loop are under way at once and how long the next waits for its turn. What is
written, and how long the database may take over it, is the store's. Called when the table is made into routes.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction, signature
from math import inf
from typing import Any, Final

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from gatepost.errors import Busy
from gatepost.web import health
from gatepost.web.cross_site import SAFE

Endpoint = Callable[..., Any]

# While another program holds the database, every write stands still for as long as the store is patient. In the threads
# that all share they would soon be all there is, and pages would wait for a lock that they do not need.
WRITERS: Final = 40
# As long as a write may wait for the database itself.
TURN_SECONDS: Final = 5.0

_writers: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-writers")
_threads: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-writing-threads")


def writes(method: str, endpoint: Endpoint) -> bool:
    """Whether a route takes the database's one writer: all that change something, and the readiness that tries it."""
    return not iscoroutinefunction(endpoint) and (method not in SAFE or endpoint is health.ready)


def among_writers(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    """The endpoint as a coroutine function that runs it in a thread once fewer than `WRITERS` others are under way.

    Raises `Busy` if the turn does not come within `TURN_SECONDS`; nothing was done then.
    """

    async def turn(**arguments: Any) -> Any:
        writers, borrower = _limiter(_writers, WRITERS), object()
        with move_on_after(TURN_SECONDS) as waited:
            await writers.acquire_on_behalf_of(borrower)
        if waited.cancelled_caught:
            raise Busy(detail="too many writes are under way")
        try:
            return await to_thread.run_sync(lambda: endpoint(**arguments), limiter=_limiter(_threads, inf))
        finally:
            writers.release_on_behalf_of(borrower)

    # FastAPI reads parameters and words from here. Not by `functools.wraps`: it would look through to the plain
    # function and call this one in a thread.
    turn.__signature__ = signature(endpoint)  # type: ignore[attr-defined]
    turn.__name__, turn.__doc__ = endpoint.__name__, endpoint.__doc__
    return turn


def _limiter(of_loop: RunVar[CapacityLimiter], most: float) -> CapacityLimiter:
    found = of_loop.get(None)
    if found is None:
        found = CapacityLimiter(most)
        of_loop.set(found)
    return found
