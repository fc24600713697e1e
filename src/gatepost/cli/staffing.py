"""How many worker processes there should be, and the next step towards that: pure decisions.

Owns replacing who died, the back-off after deaths, the order of a rolling restart (a new one answers before an old
one leaves, one at a time) and when patience ends. `workers.py` starts, tells and kills. Times are boot-clock seconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

START_SECONDS: Final = 60.0
LEAVE_SECONDS: Final = 35.0
_SETTLED: Final = 10.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_MOST_DOUBLINGS: Final = 6


class Stage(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    ANSWERING = "answering"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process. `since` is when its stage began; `generation` counts the rolling restarts before it."""

    pid: int
    generation: int
    stage: Stage
    since: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What there should be: so many workers, none of an older generation. 0 workers is the end of the server."""

    count: int
    generation: int = 0
    not_before: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker."""


@dataclass(frozen=True, slots=True)
class Retire:
    """Another worker has taken over: let this one answer what still reaches it, and end."""

    pid: int


@dataclass(frozen=True, slots=True)
class End:
    """The server ends: let this one finish the requests under way."""

    pid: int


@dataclass(frozen=True, slots=True)
class Kill:
    """This one was given time enough."""

    pid: int


Step = Start | Retire | End | Kill


def decide_steps(workers: Sequence[Worker], wanted: Wanted, now: float) -> tuple[Step, ...]:
    """What to do now; nothing means wait for something to happen."""
    late = tuple(Kill(one.pid) for one in workers if _is_late(one, now))
    working = [one for one in workers if one.stage is not Stage.LEAVING]
    if wanted.count == 0:
        return late + tuple(End(one.pid) for one in working)
    missing = wanted.count - len(working)
    if missing > 0:
        return late + (Start(),) * missing if now >= wanted.not_before else late
    return late + _next_of_restart(workers, wanted, now)


def pause_after(deaths: int) -> float:
    """How long to wait with the next start after so many deaths in a row of workers that had hardly begun."""
    if deaths == 0:
        return 0.0
    pause: float = _FIRST_PAUSE * 2 ** min(deaths - 1, _MOST_DOUBLINGS)
    return min(pause, _LONGEST_PAUSE)


def died_young(worker: Worker, now: float) -> bool:
    """Whether a worker ended so soon that the next one may fare no better."""
    return worker.stage is Stage.STARTING or now < worker.since + _SETTLED


def all_answer(workers: Iterable[Worker], count: int) -> bool:
    """Whether so many workers answer."""
    return sum(one.stage is Stage.ANSWERING for one in workers) >= count


def _is_late(worker: Worker, now: float) -> bool:
    patience = {Stage.STARTING: START_SECONDS, Stage.LEAVING: LEAVE_SECONDS}.get(worker.stage)
    return patience is not None and now >= worker.since + patience


def _next_of_restart(workers: Sequence[Worker], wanted: Wanted, now: float) -> tuple[Step, ...]:
    if any(one.stage is not Stage.ANSWERING for one in workers):
        return ()
    old = [one for one in workers if one.generation < wanted.generation]
    if not old:
        return ()
    if len(workers) > wanted.count:
        return (Retire(old[0].pid),)
    return (Start(),) if now >= wanted.not_before else ()
