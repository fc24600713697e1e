"""Racing contenders: who takes how long for the same work, measured in turns so that a busy machine hits all alike.

Knows nothing of what it runs. Ratios of its medians hold on a shared machine; single times do not.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

Work = Callable[[], object]


class Part(StrEnum):
    """What somebody is in a race."""

    OURS = "ours"
    LIMIT = "limit"
    RIVAL = "rival"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work of a race. `note` says what it does not do, so that nobody compares unequal things.

    `limit` names the one in the race that does the least which this one must do: its own limit.
    """

    part: Part
    name: str
    work: Work
    note: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a race goes on: so many rounds, in each of them so many seconds for every contender."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One measured value; `low` and `high` are the quartiles of the rounds.

    `after` says what a copy of the credential is worth after a sign-out, where that was tried.
    """

    part: Part
    name: str
    value: float
    low: float
    high: float
    note: str = ""
    limit: str = ""
    after: str = ""


def race(contenders: Sequence[Contender], pace: Pace, scale: float) -> tuple[Entry, ...]:
    """The median time of one call of each, in seconds times `scale`; A B C A B C, after a round that is not counted."""
    calls = [_calls_in(contender.work, pace.seconds) for contender in contenders]
    rounds: list[list[float]] = [[] for _ in contenders]
    with _no_collection():
        for _ in range(pace.rounds):
            for contender, times, count in zip(contenders, rounds, calls, strict=True):
                times.append(_one_call(contender.work, count) * scale)
    return tuple(
        entry(contender.part, contender.name, times, contender.note, contender.limit)
        for contender, times in zip(contenders, rounds, strict=True)
    )


def entry(part: Part, name: str, values: Sequence[float], note: str = "", limit: str = "") -> Entry:
    """The median of several rounds with its quartiles."""
    ordered = sorted(values)
    low = ordered[len(ordered) // 4]
    high = ordered[math.ceil(len(ordered) * 3 / 4) - 1]
    return Entry(part, name, median(ordered), low, max(low, high), note, limit)


def single(part: Part, name: str, value: float, note: str = "") -> Entry:
    """A value that is measured once: memory, for one."""
    return Entry(part, name, value, value, value, note)


def _calls_in(work: Work, seconds: float) -> int:
    """How many calls take about that long: found by trying, which warms up as well."""
    count = 1
    while True:
        taken = _one_call(work, count) * count
        if taken >= seconds / 4 or count >= 1 << 24:
            return max(1, round(count * seconds / max(taken, 1e-9)))
        count *= 4


def _one_call(work: Work, count: int) -> float:
    repeated = range(count)
    began = time.perf_counter()
    for _ in repeated:
        work()
    return (time.perf_counter() - began) / count


@contextmanager
def _no_collection() -> Iterator[None]:
    # A collection that one contender's garbage has earned would be paid by whoever runs next.
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
