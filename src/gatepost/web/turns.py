"""Turns for writing: how many calls of one event loop write at once, and how long the next waits for its turn.

Owns the line and the threads of those who stand in it. What is written, and how long the database may take over it, is
the store's. Called for endpoints that write, and where a request rotates tokens on its way through the checks.
"""

from collections.abc import Callable
from math import inf
from typing import Final, TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from gatepost.errors import Busy

T = TypeVar("T")

# While another program holds the database, every write stands still for as long as the store is patient. In the threads
# that all share they would soon be all there is, and pages would wait for a lock that they do not need.
WRITERS: Final = 40
# As long as a write may wait for the database itself.
TURN_SECONDS: Final = 5.0

_writers: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-writers")
_threads: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-writing-threads")


async def in_turn(write: Callable[[], T]) -> T:
    """What `write` returns, run in a thread once fewer than `WRITERS` others are under way.

    Raises `Busy` if the turn does not come within `TURN_SECONDS`; nothing was done then.
    """
    writers, borrower = _limiter(_writers, WRITERS), object()
    with move_on_after(TURN_SECONDS) as waited:
        await writers.acquire_on_behalf_of(borrower)
    if waited.cancelled_caught:
        raise Busy(detail="too many writes are under way")
    try:
        return await to_thread.run_sync(write, limiter=_limiter(_threads, inf))
    finally:
        writers.release_on_behalf_of(borrower)


def _limiter(of_loop: RunVar[CapacityLimiter], most: float) -> CapacityLimiter:
    found = of_loop.get(None)
    if found is None:
        found = CapacityLimiter(most)
        of_loop.set(found)
    return found
