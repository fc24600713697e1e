"""Which thread an endpoint runs in: one that writes waits among its like, never in the way of one that only reads.

Owns which routes write. How many may at once is `turns.py`'s. Called when the table is made into routes.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction, signature
from typing import Any

from gatepost.web import health
from gatepost.web.cross_site import SAFE
from gatepost.web.turns import in_turn

Endpoint = Callable[..., Any]


def writes(method: str, endpoint: Endpoint) -> bool:
    """Whether a route takes the database's one writer: all that change something, and the readiness that tries it."""
    return not iscoroutinefunction(endpoint) and (method not in SAFE or endpoint is health.ready)


def among_writers(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
    """The endpoint as a coroutine function that runs it in a thread when its turn has come. Raises `Busy`."""

    async def turn(**arguments: Any) -> Any:
        return await in_turn(lambda: endpoint(**arguments))

    # FastAPI reads parameters and words from here. Not by `functools.wraps`: it would look through to the plain
    # function and call this one in a thread.
    turn.__signature__ = signature(endpoint)  # type: ignore[attr-defined]
    turn.__name__, turn.__doc__ = endpoint.__name__, endpoint.__doc__
    return turn
