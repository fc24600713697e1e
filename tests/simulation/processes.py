"""A server or a verifier: Gatepost's own guard, follower, services and housekeeping, put together as `authority` does.

Simulated are only the ports: clocks, wires, the cost of a password hash, and the two waits of a thread (between two
steps of the follower, and for a catch-up).
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, lru_cache
from random import Random
from typing import TYPE_CHECKING, Final, cast

from cryptography.hazmat.primitives.asymmetric import ec

from gatepost.carriers.cookie import names_for
from gatepost.carriers.jws import VerifyingKey
from gatepost.carriers.keys import KeyRing
from gatepost.carriers.presented import Presented
from gatepost.carriers.sealed import SealingTerms
from gatepost.checking.follower import CATCH_UP, Follower, Identity
from gatepost.checking.guard import CatchUp, Guard, Load
from gatepost.checking.rules import GuardRules
from gatepost.core.passwords import PasswordRules, Verified
from gatepost.core.principals import Principal, Visitor
from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import SessionLimits
from gatepost.errors import GatepostError
from gatepost.factors.blocklist import Blocklist
from gatepost.services.accounts import Accounts
from gatepost.services.beginnings import Beginnings
from gatepost.services.commits import Commits
from gatepost.services.housekeeping import Housekeeper, Rhythm
from gatepost.services.identifiers import Identifiers
from gatepost.services.means import Means
from gatepost.services.passwords import PasswordPolicy
from gatepost.services.sealed import SealedForm, SealedSessions
from gatepost.services.sessions import Sessions
from gatepost.services.sign_in import SignIn
from gatepost.services.tokens import TokenRules, Tokens
from gatepost.testing.guesses import unhurried
from tests.builders import make_ring
from tests.simulation.clocks import Machine, SimulatedClock
from tests.simulation.links import Feed, FeedWire, LogWire, NoSessions, StoreWire, Wire
from tests.simulation.primary import Primary, RepeatableRandomness
from tests.simulation.scheduler import Owner, Scheduler, Task

if TYPE_CHECKING:
    from tests.simulation.world import World

ISSUER: Final = "https://auth.example.com"
BOUND: Final = 1.0
HORIZON: Final = timedelta(seconds=3)
REQUEST_DEADLINE: Final = 1.0
ROLES: Final = {f"role-{number}": () for number in range(64)}
LIMITS: Final = SessionLimits(
    idle=timedelta(days=30),
    absolute=timedelta(days=60),
    visitor_idle=timedelta(days=30),
    visitor_empty=timedelta(days=30),
    per_account=8,
)
_RHYTHM: Final = Rhythm(
    touch=0.5,
    sweep=3600,
    remember=HORIZON.total_seconds() + REQUEST_DEADLINE,
    grace=GraceRules(timedelta(seconds=10), HORIZON, tokens_too=False),
)


class RememberingKey:
    """A public key that checks no signature twice: a million runs would do little else."""

    def __init__(self, public: ec.EllipticCurvePublicKey) -> None:
        self.verify = lru_cache(4096)(public.verify)


@cache
def one_ring() -> KeyRing:
    """The keys of the installation."""
    ring = make_ring()
    return replace(ring, headers={header: _remembering(key) for header, key in ring.headers.items()})


def _remembering(key: VerifyingKey) -> VerifyingKey:
    return replace(key, public=cast(ec.EllipticCurvePublicKey, RememberingKey(key.public)))


class SimulatedFollower(Follower):
    """The follower without its thread: a task of the simulation steps it."""

    scheduler: Scheduler
    task: Task
    resting = False

    def catch_up(self, wait: float = CATCH_UP) -> bool:
        """Ask for a step now and wait for a fresh lease, as the real one does with a condition variable."""
        over = self.scheduler.now + wait
        while not self.lease.fresh(self._clock.boot()):
            if self.scheduler.now >= over:
                return False
            if self.resting:
                self.resting = False
                self.scheduler.wake(self.task)
            self.scheduler.sleep(0.01)
        return True


class SimulatedGuard(Guard):
    """The guard, which also notes when it last asked the facts."""

    scheduler: Scheduler

    def step(self, presented: Presented) -> Principal | Visitor | Load | CatchUp:
        """One look at memory."""
        task = self.scheduler.current
        assert task is not None
        task.asked_at = self.scheduler.now
        return super().step(presented)


class SimulatedHashing:
    """A password hash that costs time and nothing else."""

    def __init__(self, scheduler: Scheduler, rng: Random) -> None:
        self._scheduler = scheduler
        self._rng = rng

    def hash(self, password: bytes) -> str:
        """Not called: nobody signs up here."""
        raise NotImplementedError

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified:
        """Always right, after a while."""
        self._scheduler.sleep(self._rng.uniform(0.02, 0.4))
        return Verified(needs_rehash=False)


@dataclass(frozen=True, slots=True)
class Parts:
    """Which classes a world is made of. A planted fault replaces one of them."""

    primary: type[Primary] = Primary
    clock: type[SimulatedClock] = SimulatedClock
    follower: type[SimulatedFollower] = SimulatedFollower
    guard: type[SimulatedGuard] = SimulatedGuard


class Process(Owner):
    """One process that checks: its machine, its wire, its guard and its follower."""

    def __init__(self, name: str, world: "World", machine: Machine, wire: Wire, rng: Random) -> None:
        super().__init__(name)
        self.world = world
        self.machine = machine
        self.wire = wire
        self.rng = rng
        self.clock = world.parts.clock(machine, world.scheduler, rng)
        self.position_seen: tuple[int, object] = (0, None)

    def _follow(self, log: LogWire | FeedWire) -> None:
        self.follower = self.world.parts.follower(log, self.clock, Identity(self.name, 0), bound=BOUND)
        self.follower.scheduler = self.world.scheduler
        self.follower.task = self.world.scheduler.spawn(self, self._run, self.rng.uniform(0, 0.1))

    def _check_with(self, sessions: StoreWire | NoSessions) -> None:
        rules = GuardRules(ISSUER, ISSUER, LIMITS, ROLES, HORIZON)
        self.guard = self.world.parts.guard(one_ring(), self.follower, sessions, self.clock, rules)
        self.guard.scheduler = self.world.scheduler

    def _run(self) -> None:
        pace = self.rng.uniform(0.03, 0.25)
        while True:
            try:
                self.follower.beat()
                self.follower.step()
            except GatepostError as error:
                self.world.note(self, "follower", type(error).__name__)
            self.world.oracle.stepped(self)
            self.follower.resting = True
            self.world.scheduler.sleep(pace * self.rng.random())
            self.follower.resting = False


class Server(Process):
    """A process that issues, ends and checks."""

    def __init__(self, name: str, world: "World", machine: Machine, wire: Wire, rng: Random) -> None:
        super().__init__(name, world, machine, wire, rng)
        log, store = LogWire(wire), StoreWire(wire)
        self.log = log
        self._follow(log)
        self._check_with(store)
        self.commits = Commits(
            store, log, self.clock, bound=BOUND, tell=self.follower.tell, instance=self.name
        )
        identifiers = Identifiers(RepeatableRandomness(rng.getrandbits(32)))
        guesses = unhurried(store, self.clock, RepeatableRandomness(0))
        means = Means(store, self.commits, self.clock, identifiers, LIMITS, self.guard.saw, guesses=guesses)
        hashing = SimulatedHashing(world.scheduler, rng)
        policy = PasswordPolicy(PasswordRules(_words()))
        grace = GraceRules(timedelta(seconds=10), HORIZON, tokens_too=False)
        token_rules = TokenRules(ISSUER, (ISSUER,), HORIZON, timedelta(days=1), grace)
        self.tokens = Tokens(means, one_ring(), token_rules)
        form = SealedForm(names_for("gatepost", secure=True), 3072)
        sealed = SealedSessions(means, one_ring(), SealingTerms(ISSUER, LIMITS, HORIZON), form)
        self.sign_in = SignIn(means, Beginnings(means, self.tokens, sealed, ()), hashing, policy)
        self.sessions = Sessions(means, sealed, 4096)
        self.accounts = Accounts(means, hashing, policy, ROLES)
        self.feed = Feed(log, self.clock, self._vouched, self._heard)
        self.housekeeper = Housekeeper(means, log, self.guard, self.follower, _RHYTHM)
        world.scheduler.spawn(self, self._keep_house, rng.uniform(0, 0.5))

    def _heard(self) -> int:
        return self.follower.position.seq if self.follower.position else 0

    def _vouched(self) -> float:
        return self.follower.lease.until - BOUND if self.log.pulses else self.clock.boot()

    def _keep_house(self) -> None:
        while True:
            try:
                self.housekeeper.raise_floor()
            except GatepostError as error:
                self.world.note(self, "housekeeper", type(error).__name__)
            self.world.scheduler.sleep(_RHYTHM.touch)


class Verifier(Process):
    """A process of another service: it checks tokens and asks a server what was ended."""

    def __init__(self, name: str, world: "World", machine: Machine, wire: Wire, rng: Random) -> None:
        super().__init__(name, world, machine, wire, rng)
        self._follow(FeedWire(world.scheduler, wire, self._server))
        self._check_with(NoSessions())

    def _server(self) -> tuple[Owner, Feed] | None:
        servers = [server for server in self.world.servers if server.alive]
        if not servers:
            return None
        server = self.rng.choice(servers)
        return server, server.feed


@cache
def _words() -> Blocklist:
    return Blocklist()
