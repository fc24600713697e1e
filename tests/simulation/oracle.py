"""The invariants, judged after every event, in true time.

A boot clock may be off by `DRIFT`, so a second of a lease may last that much longer; `SLACK` is all that is allowed for
it. A check counts against the bound from its look at the clock, and against an answer from its look at the facts: one
that looked before the answer was on its way together with the ending.
"""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gatepost.carriers.jws import parse_compact
from gatepost.carriers.presented import Bearer
from gatepost.carriers.tokens import parse_claims
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    Fact,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)
from gatepost.errors import GatepostError, Outdated, Revoked
from tests.simulation.clocks import DRIFT
from tests.simulation.processes import BOUND, HORIZON, Process, Server
from tests.simulation.scheduler import Task
from tests.simulation.truth import Name

if TYPE_CHECKING:
    from tests.simulation.clients import Credential
    from tests.simulation.world import World

SLACK: Final = 3 * DRIFT * BOUND + 1e-6


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold: which, when (true time), and by what."""

    invariant: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.4f}: {self.text}"


class Oracle:
    """Compares what processes do with what is true. Keeps the first violation and stops the world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.violation: Violation | None = None
        self.accepted_count = 0
        self.refused_count = 0

    def accepted(self, process: Process, credential: "Credential", who: Principal | Visitor) -> None:
        """Something was accepted: was it over, and should this process have known?"""
        self.accepted_count += 1
        task = self._world.scheduler.current
        assert task is not None
        assert isinstance(who, Principal)
        names: list[Name] = [("session", who.session_id), ("roles", who.account_id, who.roles)]
        if credential.jti is not None:
            names.append(("token", credential.jti))
        for name in names:
            self._judge(process, name, task)

    def _judge(self, process: Process, name: Name, task: Task) -> None:
        ending = self._world.truth.over.get(name)
        if ending is None:
            return
        if task.read_at > ending.committed + BOUND + SLACK:
            self._found(
                "accepted later than the bound",
                f"{process.name} accepted {name}, over at {ending.committed:.4f}",
            )
        elif isinstance(process, Server) and task.asked_at > ending.answered + self._world.slack_of_waiting:
            self._found(
                "accepted after the answer",
                f"{process.name} accepted {name}, answered at {ending.answered:.4f}",
            )

    def refused(self, process: Process, credential: "Credential", error: GatepostError) -> None:
        """Something was refused: was anybody honest told that it had ended?"""
        self.refused_count += 1
        truth, now = self._world.truth, self._world.scheduler.now
        ended = not truth.ending.isdisjoint({("session", credential.session_id), ("token", credential.jti)})
        if isinstance(error, Revoked) and not ended:
            self._found("refused what nobody ended", f"{process.name} refused {credential.session_id}")
        young = now < credential.asked_at + HORIZON.total_seconds()
        if (
            isinstance(error, Outdated)
            and young
            and not ended
            and self._has_no_other_reason(process, credential)
        ):
            self._found("a fact was dropped too early", f"{process.name} called a young token outdated")

    def _has_no_other_reason(self, process: Process, credential: "Credential") -> bool:
        return not self._changed_roles(credential) and not self._is_of_the_future(process, credential)

    def _is_of_the_future(self, process: Process, credential: "Credential") -> bool:
        # A minute less than the code allows: it looked at its clock a moment ago.
        presented, wall = credential.presented, process.machine.now(self._world.scheduler.now)
        if not isinstance(presented, Bearer):
            return False
        payload = parse_compact(presented.token).payload
        return parse_claims(urlsafe_b64decode(f"{payload}==")).iat > (wall + timedelta(minutes=4)).timestamp()

    def _changed_roles(self, credential: "Credential") -> bool:
        return any(name[:2] == ("roles", credential.account_id) for name in self._world.truth.ending)

    def stepped(self, process: Process) -> None:
        """A follower has taken a step: what does it know, and for how long does its lease vouch for that?"""
        follower, truth = process.follower, self._world.truth
        position = follower.position
        if position is None:
            return
        lease_end = process.clock.true(follower.lease.until)
        for row in truth.unheard(position):
            if lease_end > row.at + BOUND + SLACK and not knows(follower.revocations, row.seq, row.fact):
                self._found(
                    "a lease outlives its knowledge",
                    f"{process.name} at {position.seq} until {lease_end:.4f}, fact {row.seq} was at {row.at:.4f}",
                )
        seen = (position.seq, follower.revocations)
        if seen == process.position_seen or not truth.is_here(position):
            return
        process.position_seen = seen
        for row in truth.rows:
            heard = follower.revocations.floor < row.seq <= position.seq
            if heard and not knows(follower.revocations, row.seq, row.fact):
                self._found(
                    "a fact was skipped", f"{process.name} is at {position.seq} without fact {row.seq}"
                )

    def _found(self, invariant: str, text: str) -> None:
        if self.violation is None:
            self.violation = Violation(invariant, self._world.scheduler.now, text)
            self._world.scheduler.stopped = True


def knows(revocations: RevocationSet, seq: int, fact: Fact) -> bool:
    """Whether a set holds a fact: it says so of whom only this fact (or a newer one like it) hits."""
    session_id, account_id, jti = "nobody", None, None
    match fact:
        case SessionEnded(ended):
            session_id = ended
        case TokenEnded(ended):
            jti = ended
        case AccountEnded(ended, _) | AccountOutdated(ended):
            account_id = ended
        case _:
            pass
    subject = Subject(seq - 1, session_id, account_id, "first-party", jti, None)
    return revocations.covers(subject) is not Standing.LIVE
