"""Telling of trouble without a flood: what fails in a thread fails again at once, and again.

Owns how often it is told. Where it is written is the caller's: the server's journal, or an application's own.
"""

import threading
from collections.abc import Callable
from typing import Final

from gatepost.core.ports import Clock

_EVERY: Final = 1.0


def seldom(clock: Clock, say: Callable[[Exception, int], None]) -> Callable[[Exception], None]:
    """Calls `say` with an error at most once a second, and with how many went unsaid before it."""
    said_at, unsaid, guard = float("-inf"), 0, threading.Lock()

    def tell(error: Exception) -> None:
        nonlocal said_at, unsaid
        with guard:
            now = clock.boot()
            if now < said_at + _EVERY:
                unsaid += 1
                return
            more, said_at, unsaid = unsaid, now, 0
        say(error, more)

    return tell
