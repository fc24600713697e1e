"""How big a run is. `QUICK` is the default run of some minutes, `LONG` the full sizes, `TINY` for the tests."""

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.measuring import Pace


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers of a run: paces of races in memory and of races that wait for a disk, rows, load, memory, endings.

    `node` says whether packages for Node may be fetched and raced; `rivals` is the interpreter of the environment that
    has the rivals for Python, None where there is none.
    """

    memory: Pace
    disk: Pace
    hashing: Pace
    load: Pace
    storm: Pace
    connections: int
    sessions: int
    facts: int
    known: int
    endings: int
    stops: int
    idle_seconds: float
    starts: int
    node: bool = True
    rivals: str | None = None


QUICK: Final = Sizes(
    memory=Pace(rounds=25, seconds=0.02),
    disk=Pace(rounds=15, seconds=0.1),
    hashing=Pace(rounds=15, seconds=0.05),
    load=Pace(rounds=5, seconds=0.6),
    storm=Pace(rounds=5, seconds=1.0),
    connections=16,
    sessions=1_000,
    facts=100_000,
    known=1_000_000,
    endings=500,
    stops=20,
    idle_seconds=4.0,
    starts=3,
)
LONG: Final = replace(
    QUICK,
    memory=Pace(rounds=101, seconds=0.02),
    disk=Pace(rounds=51, seconds=0.1),
    hashing=Pace(rounds=51, seconds=0.05),
    load=Pace(rounds=15, seconds=2.0),
    storm=Pace(rounds=15, seconds=2.0),
    sessions=1_000_000,
    facts=1_000_000,
    endings=1_000,
    idle_seconds=20.0,
    starts=9,
)
TINY: Final = Sizes(
    memory=Pace(rounds=2, seconds=0.0005),
    disk=Pace(rounds=2, seconds=0.002),
    hashing=Pace(rounds=2, seconds=0.0005),
    load=Pace(rounds=1, seconds=0.05),
    storm=Pace(rounds=1, seconds=0.05),
    connections=2,
    sessions=20,
    facts=200,
    known=20,
    endings=3,
    stops=2,
    idle_seconds=0.1,
    starts=1,
    # Nothing is fetched for a test.
    node=False,
)
