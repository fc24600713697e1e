"""From a rival's credential to who is signed in, without HTTP: `python -m benchmarks.rivals_inside NAME FOLDER ...`.

Runs in the rivals' environment, one rival a process: Django is set up once and for all. The answer is JSON on the
standard output, in microseconds of one call. Started by `beside.py` only.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.measuring import Contender, Pace, Part, Work, race
from benchmarks.rivals_serving import module_of

_AT_ONCE: Final = 16
_MICROSECONDS: Final = 1e6


def main(name: str, folder: str, email: str, password: str, rounds: str, seconds: str) -> None:
    """Race it against nobody, and print the median with the quartiles."""
    read = module_of(name).reading(name, Path(folder), email, password)
    work, calls = _in_a_loop(read) if inspect.iscoroutinefunction(read) else (read, 1)
    work()
    pace = Pace(int(rounds), float(seconds))
    (found,) = race((Contender(Part.RIVAL, name, work),), pace, _MICROSECONDS / calls)
    print(json.dumps({"value": found.value, "low": found.low, "high": found.high}))


def _in_a_loop(read: Callable[[], Awaitable[object]]) -> tuple[Work, int]:
    """Several calls one after the other, so that entering the event loop is no part of any."""
    loop = asyncio.new_event_loop()

    async def several() -> None:
        for _ in range(_AT_ONCE):
            await read()

    return lambda: loop.run_until_complete(several()), _AT_ONCE


if __name__ == "__main__":
    main(*sys.argv[1:])
