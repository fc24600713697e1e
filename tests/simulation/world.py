"""One run of the simulation: machines, processes and people are put together, and a plan happens to them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.emails import parse_email
from tests.builders import make_account
from tests.simulation.clients import PEOPLE, Clients
from tests.simulation.clocks import EPOCH, Machine, any_machine
from tests.simulation.links import Weather, Wire
from tests.simulation.oracle import SLACK, Oracle, Violation
from tests.simulation.plans import Action, Deed, Plan
from tests.simulation.primary import Primary
from tests.simulation.processes import Parts, Process, Server, Verifier
from tests.simulation.scheduler import Owner, Scheduler
from tests.simulation.truth import Truth


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went: what was violated, if anything, how much was checked, and what happened."""

    violation: Violation | None
    accepted: int
    refused: int
    trace: list[tuple[object, ...]]


class _Birth(NamedTuple):
    """What a new process is given of its own."""

    wire: Wire
    rng: Random


class World:
    """Everything there is in one run."""

    def __init__(self, plan: Plan, parts: Parts) -> None:
        self.plan = plan
        self.parts = parts
        self.rng = Random(plan.seed * 7919 + 1)
        self.scheduler = Scheduler()
        self.truth = Truth()
        self.oracle = Oracle(self)
        self.outside = Owner("outside")
        self.trace: list[tuple[object, ...]] = []
        self.primary = parts.primary(self.scheduler, self.truth, plan.seed, pulses=not plan.one_file)
        self.primary.commit(Change(at=EPOCH, put=tuple(_account(name) for name in PEOPLE)))
        self.clients = Clients(self, Random(plan.seed * 7919 + 2))
        self._machines = [any_machine(self.rng) for _ in range(4)]
        self._backup = 0
        self._born = 0
        self.servers = [self._server(self._machines[self._place(number)]) for number in range(plan.servers)]
        self.verifiers = [self._verifier() for _ in range(plan.verifiers)]
        self._mishaps: dict[Deed, Callable[[Process, Action], None]] = {
            Deed.PAUSE: self._pause,
            Deed.KILL: self._kill,
            Deed.SUSPEND: self._suspend,
            Deed.CUT: self._cut,
            Deed.HOLD: self._hold,
            Deed.SLOW: self._slow,
            Deed.JUMP: self._jump,
            Deed.FAIL_OVER: self._fail_over,
            Deed.RESTORE: self._restore,
        }

    @property
    def processes(self) -> list[Process]:
        """Everybody who checks."""
        return [*self.servers, *self.verifiers]

    @property
    def slack_of_waiting(self) -> float:
        """By how much a wait for a silent server may end before that server's lease, measured on another clock."""
        return 0.0 if self.plan.one_file else SLACK

    def note(self, owner: Owner, *words: object) -> None:
        """Add a line to the trace."""
        self.trace.append((self.scheduler.now, owner.name, *words))

    def run(self) -> Outcome:
        """Let the plan happen."""
        for action in self.plan.actions:
            self.scheduler.spawn(self.outside, partial(self._perform, action), action.at)
        self.scheduler.run(self.plan.length)
        oracle = self.oracle
        return Outcome(oracle.violation, oracle.accepted_count, oracle.refused_count, self.trace)

    def _place(self, number: int) -> int:
        return 0 if self.plan.one_file else number % 3

    def _perform(self, action: Action) -> None:
        if self.clients.can(action.deed):
            self.clients.do(self.servers[action.process % len(self.servers)], action)
        else:
            self._mishaps[action.deed](self.processes[action.process % len(self.processes)], action)

    def _server(self, machine: Machine) -> Server:
        delay, loss = (0.0005, 0.0) if self.plan.one_file else (self.rng.choice((0.002, 0.03)), 0.01)
        birth = self._birth(Weather(delay, loss))
        return Server(f"server-{self._born}", self, machine, birth.wire, birth.rng)

    def _verifier(self) -> Verifier:
        birth = self._birth(Weather(0.01, 0.01))
        return Verifier(f"verifier-{self._born}", self, self._machines[3], birth.wire, birth.rng)

    def _birth(self, weather: Weather) -> _Birth:
        self._born += 1
        rng = Random(self.plan.seed * 7919 + 100 + self._born)
        return _Birth(Wire(self.scheduler, weather, rng, self.primary), rng)

    def _pause(self, process: Process, action: Action) -> None:
        self.note(process, "paused for", action.length)
        process.paused_until = max(process.paused_until, self.scheduler.now + action.length)

    def _suspend(self, process: Process, action: Action) -> None:
        for other in self.processes:
            if other.machine is process.machine:
                self._pause(other, action)

    def _kill(self, process: Process, action: Action) -> None:
        self.note(process, "killed")
        process.alive = False
        new: Process
        if isinstance(process, Server):
            new = born = self._server(process.machine)
            self.servers = [born if old is process else old for old in self.servers]
        else:
            new = watching = self._verifier()
            self.verifiers = [watching if old is process else old for old in self.verifiers]
        new.wire.weather = process.wire.weather
        new.paused_until = self.scheduler.now + action.length
        self.note(new, "starts")

    def _cut(self, process: Process, action: Action) -> None:
        # Between a process and its file this is another program that locks the file.
        self.note(process, "loses messages for", action.length)
        process.wire.weather.cut_until = self.scheduler.now + action.length

    def _hold(self, process: Process, action: Action) -> None:
        self.note(process, "gets no messages for", action.length)
        process.wire.weather.held_until = self.scheduler.now + action.length

    def _slow(self, process: Process, action: Action) -> None:
        self.note(process, "has slow messages for", action.length)
        process.wire.weather.slow_until = self.scheduler.now + action.length

    def _jump(self, process: Process, action: Action) -> None:
        self.note(process, "wall clock set by", action.length)
        process.machine.jumped += action.length

    def _fail_over(self, process: Process, action: Action) -> None:
        """The old primary is fenced off first. Some go on reading it: its answers grow old."""
        if self.plan.one_file or self.primary.fenced:
            return
        self.note(self.outside, "the primary is fenced off")
        old = self.primary
        old.fence()
        rng = Random(action.chosen)
        self.scheduler.sleep(rng.choice((0.0, 0.02, 0.3)))
        self.primary = old.copied(old.writes)
        self.note(self.outside, "another is the primary")
        for other in self.processes:
            self._move(other, None, rng.choice((0.0, rng.uniform(0, 2.5))))
            if rng.random() < 0.2:
                # An old address is found again for a while.
                back = rng.uniform(0, 3)
                self._move(other, old, back)
                self._move(other, None, back + 0.5)

    def _move(self, process: Process, primary: Primary | None, after: float) -> None:
        """Let a process believe in this primary from then on, or in whoever is the true one at that time."""

        def move() -> None:
            process.wire.primary = primary or self.primary

        self.scheduler.spawn(self.outside, move, after)

    def _restore(self, process: Process, action: Action) -> None:
        """An older copy takes the place of the truth, at one moment for everybody."""
        old = self.primary
        if old.fenced:
            return
        copy = old.copied(int(old.writes * (0.3 + 0.7 * action.chosen / 1000)))
        copy.take_over_from(old)
        self.note(self.outside, "restored from", copy.position(), "replaces", old.position())
        self.primary = copy
        for other in self.processes:
            if other.wire.primary is old:
                other.wire.primary = copy


def _account(name: str) -> Account:
    return make_account(
        id=name, email=parse_email(f"{name}@example.com"), password_hash="$", roles=("role-0",)
    )


def simulate(plan: Plan, parts: Parts | None = None) -> Outcome:
    """Run a plan with Gatepost's own parts, or with others in the place of some."""
    return World(plan, parts or Parts()).run()
