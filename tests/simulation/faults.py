"""Faults that a system like this one could have: each takes the place of one step, and each must be found.

They show that the simulation would see it if Gatepost had them.
"""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from gatepost.core.changes import Committed
from gatepost.core.ports import LogAnswer
from gatepost.core.revocation import Logged, Position
from gatepost.core.sessions import SessionView
from tests.simulation.clocks import SimulatedClock
from tests.simulation.primary import Primary
from tests.simulation.processes import HORIZON, REQUEST_DEADLINE, Parts, SimulatedFollower, SimulatedGuard


class LeaseFromArrival(SimulatedFollower):
    """The lease begins when the answer has arrived, not when its question was sent."""

    def _renew(self, answer: LogAnswer | None, sent: float) -> None:
        super()._renew(answer, self._clock.boot())


class WallClock(SimulatedClock):
    """Lengths of time are taken from the wall clock, which people set."""

    def boot(self) -> float:
        return super().boot() + self.machine.jumped

    def true(self, boot: float) -> float:
        return super().true(boot - self.machine.jumped)


class SequenceOrder(Primary):
    """Numbers are given when a transaction begins, as a plain sequence gives them: a later one may be visible first."""

    def __init__(self, *arguments: Any, pulses: bool) -> None:
        super().__init__(*arguments, pulses=pulses)
        self._hidden: set[int] = set()
        self._luck = Random(self._seed)

    def _appear(self, committed: Committed) -> None:
        if committed.logged and self._luck.random() < 0.3:
            numbers = {logged.seq for logged in committed.logged}
            self._hidden |= numbers
            self._scheduler.sleep(self._luck.uniform(0.05, 0.5))
            self._hidden -= numbers

    def read(self, after: Position | None) -> LogAnswer:
        answer = super().read(after)
        visible = [seq for seq in range(answer.position.seq + 1) if seq not in self._hidden]
        seq = max(visible)
        facts = tuple(logged for logged in answer.facts if logged.seq not in self._hidden)
        return replace(answer, facts=facts, position=Position(answer.position.log, seq, self._tags[seq]))


class FloorByOwnClock(SimulatedFollower):
    """Facts are forgotten when they look old on one's own wall clock, not when the log says so."""

    _heard: tuple[Logged, ...] = ()

    def step(self) -> None:
        super().step()
        long_ago = self._clock.now() - HORIZON - timedelta(seconds=REQUEST_DEADLINE)
        old = [logged.seq for logged in self._heard if logged.at < long_ago]
        self.revocations.forget(max(old, default=0))

    def _take(self, answer: LogAnswer) -> None:
        super()._take(answer)
        self._heard = answer.facts if answer.reset else (*self._heard, *answer.facts)


class InsertedWithoutPosition(SimulatedGuard):
    """What was loaded is remembered as of now, though it was read before: what was heard in between does not hit it."""

    def admit(self, handle: bytes, view: SessionView | None) -> None:
        position = self._follower.position
        if view is not None and position is not None:
            view = replace(view, pos=position.seq)
        super().admit(handle, view)


class PositionReused(Primary):
    """A restored copy goes on counting where it had stopped, so that its numbers are given a second time."""

    def _gap(self, head: int, lost_head: int) -> int:
        return 0


FAULTS: Final = {
    "lease-from-arrival": Parts(follower=LeaseFromArrival),
    "wall-clock": Parts(clock=WallClock),
    "sequence-order": Parts(primary=SequenceOrder),
    "floor-by-own-clock": Parts(follower=FloorByOwnClock),
    "inserted-without-position": Parts(guard=InsertedWithoutPosition),
    "position-reused": Parts(primary=PositionReused),
}
