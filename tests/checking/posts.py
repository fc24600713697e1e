"""A guard with everything it stands on, in memory, under a clock that only a test turns.

Owns the counting store, the counting ring and the wire to the log that can be cut, slowed or listened to. They are
real stores, rings and logs that also keep count.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gatepost.carriers.jws import Compact, VerifyingKey
from gatepost.carriers.keys import KeyRing
from gatepost.carriers.presented import Bearer, OpaqueCookie
from gatepost.checking.follower import Follower, Identity
from gatepost.checking.guard import Guard
from gatepost.checking.rules import GuardRules
from gatepost.checking.staleness import REFUSE, Allow, Ask, WhenStale
from gatepost.core.accounts import Account
from gatepost.core.changes import Change, Record
from gatepost.core.ports import FollowerRow, LogAnswer, SessionStore
from gatepost.core.revocation import Fact, Logged, Position
from gatepost.core.sessions import SessionView
from gatepost.errors import Busy
from gatepost.services.introspection import DurableTruth
from gatepost.stores.memory import MemoryStore
from gatepost.testing.clock import TurnableClock
from gatepost.testing.randomness import SeededRandomness
from tests.builders import ISSUER, LIMITS, NOW, ROLES, make_claims, make_handle, make_ring
from tests.carriers.forging import forge

BOUND = 1.0
HORIZON = timedelta(minutes=10)
COOKIE = OpaqueCookie(make_handle(1))


def nothing() -> None:
    """What happens where a test wants nothing to happen."""


class CountingStore(MemoryStore):
    """A store in memory that counts reads, and lets something happen right after one."""

    def __init__(self) -> None:
        super().__init__(SeededRandomness())
        self.loads = 0
        self.after_load: Callable[[], None] = nothing

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        self.loads += 1
        view = super().session_by_handle(handle)
        self.after_load()
        return view


class FarStore(CountingStore):
    """The same, but for a read that an event loop must not wait for."""

    reads_inline = False


@dataclass(frozen=True, slots=True)
class CountingRing(KeyRing):
    """A key ring that counts how often a key was looked up to check a signature."""

    asked: list[str] = field(default_factory=list)

    def key_of(self, compact: Compact) -> VerifyingKey:
        self.asked.append(compact.header)
        return KeyRing.key_of(self, compact)


class Wire:
    """The way to a log: it can be cut (`trouble`), show an age, and let something happen before an answer arrives."""

    def __init__(self, log: MemoryStore) -> None:
        self._log = log
        self.trouble: Exception | None = None
        self.read_trouble: Exception | None = None
        self.age = 0.0
        self.reads = 0
        self.before_arrival: Callable[[], None] = nothing

    @property
    def pulses(self) -> bool:
        return self._log.pulses

    def beat(self) -> None:
        self._log.beat()

    def changed(self) -> bool:
        if self.trouble is not None:
            raise self.trouble
        return self._log.changed()

    def read(self, after: Position | None) -> LogAnswer:
        self.reads += 1
        if self.read_trouble is not None:
            raise self.read_trouble
        answer = self._log.read(after)
        self.before_arrival()
        return replace(answer, age=self.age)

    def raise_floor(self, seq: int) -> None:
        self._log.raise_floor(seq)

    def confirm(self, row: FollowerRow) -> None:
        self._log.confirm(row)

    def followers(self) -> list[FollowerRow]:
        return self._log.followers()

    def leave(self, instance: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self._log.leave(instance)


class Hasty(Follower):
    """A follower whose wait for the log is over at once: most tests of what comes after it need not wait themselves."""

    def catch_up(self, wait: float = 0.001) -> bool:
        return super().catch_up(wait)


class Post:
    """One server process: a store, a log, a follower that steps when told to, a guard."""

    def __init__(
        self,
        store: CountingStore | None = None,
        *,
        most_known: int = 1000,
        report: Callable[[Exception], None] = lambda error: None,
        read: bool = True,
        when_stale: str = "refuse",
    ) -> None:
        self.clock = TurnableClock(NOW)
        self.store = store or CountingStore()
        self.wire = Wire(self.store)
        self.ring = CountingRing(**{name: getattr(make_ring(), name) for name in KeyRing.__slots__})
        follower = Follower if when_stale == "refuse" else Hasty
        self.follower = follower(
            self.wire, self.clock, Identity("post-1", 4711), bound=BOUND, on_trouble=report
        )
        truth = DurableTruth(self.store, self.clock, LIMITS)
        policies: dict[str, WhenStale] = {"refuse": REFUSE, "ask": Ask(truth), "allow": Allow()}
        self.rules = GuardRules(ISSUER, ISSUER, LIMITS, ROLES, HORIZON, most_known, policies[when_stale])
        sessions: SessionStore = self.store
        self.guard = Guard(self.ring, self.follower, sessions, self.clock, self.rules)
        if read:
            self.follower.step()

    def put(self, *records: Record) -> None:
        """Make records durable."""
        self.store.commit(Change(at=self.clock.now(), put=records))

    def account(self) -> Account:
        """`ada` as she is stored now."""
        found = self.store.account("ada")
        assert found is not None
        return found[0]

    def append(self, *facts: Fact, put: tuple[Record, ...] = ()) -> tuple[Logged, ...]:
        """Make facts durable, as another process does: nobody here is told."""
        return self.store.commit(Change(at=self.clock.now(), put=put, facts=facts)).logged

    def hear(self, *facts: Fact, put: tuple[Record, ...] = ()) -> None:
        """Make facts durable and follow the log up to them."""
        self.append(*facts, put=put)
        self.follower.step()

    def turn(self, by: timedelta) -> None:
        """Let time pass for a process that goes on following."""
        self.clock.turn(by)
        self.follower.step()

    def bearer(self, **claims: object) -> Bearer:
        """A genuine token with these claims."""
        return Bearer(forge(self.ring.signing, payload=make_claims(**{"pos": 0, **claims})))

    def cut(self) -> None:
        """The log is out of reach, and the newest knowledge older than the bound."""
        self.wire.trouble = Busy()
        self.clock.turn(timedelta(seconds=BOUND))
