"""Which server processes have heard of an ending, and how long it took each of them.

Owns the comparison of the list of followers with one position. How long anybody waits for the silent is `commits.py`'s.
"""

from dataclasses import dataclass

from gatepost.core.ports import Clock, FollowerRow, Log


@dataclass(frozen=True, slots=True)
class Hearing:
    """One server process. `seconds` is how long it took to confirm; None if it has not."""

    instance: str
    pid: int
    seconds: float | None


class RollCall:
    """Asks who has confirmed a position, from the moment in which it was committed. `own` has heard at once."""

    def __init__(self, log: Log, clock: Clock, own: str, seq: int) -> None:
        self._log = log
        self._clock = clock
        self._own = own
        self._seq = seq
        self._began = clock.boot()
        self._heard: dict[str, Hearing] = {}

    @property
    def seconds(self) -> float:
        """How long it has been."""
        return self._clock.boot() - self._began

    def silent(self) -> set[FollowerRow]:
        """Ask once: the rows of those who have not confirmed yet."""
        rows, seconds = self._log.followers(), self.seconds
        missing = {row for row in rows if row.seq < self._seq and row.instance != self._own}
        for row in rows:
            if row not in missing and row.instance not in self._heard:
                took = 0.0 if row.instance == self._own else seconds
                self._heard[row.instance] = Hearing(row.instance, row.pid, took)
        return missing

    def hearings(self, silent: set[FollowerRow]) -> tuple[Hearing, ...]:
        """All that were asked, those who stayed silent among them, by their names."""
        missing = [Hearing(row.instance, row.pid, None) for row in silent]
        return tuple(sorted([*self._heard.values(), *missing], key=lambda one: one.instance))
