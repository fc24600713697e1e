"""Clocks that are wrong in every way that a machine's clock can be wrong.

A machine's boot clock runs a little fast or slow and is never set; its wall clock is off by minutes and is set forwards
and back. A process that looks at a clock may be held up just before it does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from tests.simulation.scheduler import Scheduler

EPOCH: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
DRIFT: Final = 500e-6
"""How far a boot clock may be off: 0.5 ms in a second, five times what a cheap crystal does."""
_STUMBLES: Final = 0.01


@dataclass(slots=True)
class Machine:
    """One machine's clocks. `rate` is how fast they run, `booted` what the boot clock shows at the start.

    `jumped` is by how much the wall clock was set since, in seconds.
    """

    rate: float
    booted: float
    wall: timedelta
    jumped: float = 0.0

    def boot(self, true: float) -> float:
        """The boot clock at a moment of true time."""
        return self.booted + self.rate * true

    def true(self, boot: float) -> float:
        """The moment of true time at which the boot clock shows this."""
        return (boot - self.booted) / self.rate

    def now(self, true: float) -> datetime:
        """The wall clock at a moment of true time."""
        return EPOCH + self.wall + timedelta(seconds=self.rate * true + self.jumped)


def any_machine(rng: Random) -> Machine:
    """A machine with some drift, and up to 90 seconds of skew."""
    skew = rng.choice((0.0, 0.5, 2.0, 90.0)) * rng.uniform(-1, 1)
    return Machine(1 + rng.uniform(-DRIFT, DRIFT), rng.uniform(10, 1e6), timedelta(seconds=skew))


class SimulatedClock:
    """`Clock` of one process on a machine."""

    def __init__(self, machine: Machine, scheduler: Scheduler, rng: Random) -> None:
        self.machine = machine
        self._scheduler = scheduler
        self._rng = rng

    def now(self) -> datetime:
        """The wall clock, aware UTC."""
        self._stumble()
        return self.machine.now(self._scheduler.now)

    def boot(self) -> float:
        """Seconds since the machine started, as it counts them."""
        self._stumble()
        if self._scheduler.current is not None:
            self._scheduler.current.read_at = self._scheduler.now
        return self.machine.boot(self._scheduler.now)

    def true(self, boot: float) -> float:
        """When, in true time, `boot` will show this."""
        return self.machine.true(boot)

    def _stumble(self) -> None:
        # Before the look, never after: what is decided on a clock counts from that look on.
        if self._rng.random() < _STUMBLES:
            self._scheduler.sleep(self._rng.choice((0.002, 0.02, 0.2, 0.9)) * self._rng.random())
