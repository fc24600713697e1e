"""The ways from a process to whoever holds the truth: messages that are late, out of order, lost, or held back.

A question is answered at one moment between its sending and its answer's arrival. It may be lost on the way there, so
that nothing happened, or on the way back, so that it happened and nobody was told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TypeVar

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Change, Committed
from gatepost.core.keys import RingKey
from gatepost.core.ports import Clock, FollowerRow, Log, LogAnswer
from gatepost.core.revocation import Position
from gatepost.core.rotation import RefreshView
from gatepost.core.sessions import SessionLimits, SessionView
from gatepost.errors import Busy
from gatepost.stores.memory_counters import MemoryCounters
from tests.simulation.primary import Primary
from tests.simulation.scheduler import Owner, Scheduler

T = TypeVar("T")
_KEPT = 0.25


@dataclass(slots=True)
class Weather:
    """What the way is like: mean delay and chance of loss, and what happens to it now and then (true time)."""

    delay: float
    loss: float
    cut_until: float = 0.0
    held_until: float = 0.0
    slow_until: float = 0.0


class Wire:
    """The way from one process to the primary it believes in."""

    def __init__(self, scheduler: Scheduler, weather: Weather, rng: Random, primary: Primary) -> None:
        self.primary = primary
        self.weather = weather
        self._scheduler = scheduler
        self._rng = rng

    def ask(self, question: Callable[[Primary], T]) -> T:
        """One question and its answer. Raises `Busy` if either is lost."""
        self._travel()
        answer = question(self.primary)
        self._travel()
        return answer

    def _travel(self) -> None:
        weather, now = self.weather, self._scheduler.now
        if now < weather.cut_until or (weather.loss and self._rng.random() < weather.loss):
            self._scheduler.sleep(0.1)
            raise Busy(detail="a message was lost")
        delay = self._rng.expovariate(1 / weather.delay) * (40 if now < weather.slow_until else 1)
        self._scheduler.sleep(max(weather.held_until - now, 0.0) + delay)


class LogWire:
    """`Log` over a wire, for the follower of one process."""

    def __init__(self, wire: Wire) -> None:
        self.pulses = wire.primary.pulses
        self._wire = wire
        self._seen: tuple[int, int] | None = None

    def beat(self) -> None:
        self._wire.ask(lambda primary: primary.beat())

    def changed(self) -> bool:
        """Whether anything was written. Of a primary that can be fenced off the pulse is asked every time."""
        if self.pulses:
            return True
        before, self._seen = self._seen, self._wire.ask(lambda primary: primary.version)
        return before != self._seen

    def read(self, after: Position | None) -> LogAnswer:
        return self._wire.ask(lambda primary: primary.read(after))

    def raise_floor(self, seq: int) -> None:
        self._wire.ask(lambda primary: primary.raise_floor(seq))

    def confirm(self, row: FollowerRow) -> None:
        self._wire.ask(lambda primary: primary.confirm(row))

    def followers(self) -> list[FollowerRow]:
        return self._wire.ask(lambda primary: primary.followers())

    def leave(self, instance: str) -> None:
        self._wire.ask(lambda primary: primary.leave(instance))


class StoreWire:
    """`Store` over a wire: what the services of the simulation ask for."""

    reads_inline = False

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def commit(self, change: Change) -> Committed:
        return self._wire.ask(lambda primary: primary.commit(change))

    def position(self) -> int:
        return self._wire.ask(lambda primary: primary.position())

    def counters(self) -> MemoryCounters:
        # No limit is met in the simulation: every server counts for itself, and asks nobody.
        return MemoryCounters()

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        return self._wire.ask(lambda primary: primary.session_by_handle(handle))

    def session(self, session_id: str) -> SessionView | None:
        return self._wire.ask(lambda primary: primary.session(session_id))

    def sessions_of(self, account_id: str) -> list[SessionView]:
        return self._wire.ask(lambda primary: primary.sessions_of(account_id))

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        self._wire.ask(lambda primary: primary.touch(seen))

    def account(self, account_id: str) -> tuple[Account, int] | None:
        return self._wire.ask(lambda primary: primary.account(account_id))

    def account_by_email(self, key: str) -> tuple[Account | None, int]:
        return self._wire.ask(lambda primary: primary.account_by_email(key))

    def refresh(self, family_id: str) -> RefreshView | None:
        return self._wire.ask(lambda primary: primary.refresh(family_id))

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        return self._wire.ask(lambda primary: primary.count_repeat(family_id, generation, audit))

    def accounts(self, *, after: str | None, limit: int, search: str = "") -> list[Account]:
        return self._wire.ask(lambda primary: primary.accounts(after=after, limit=limit, search=search))

    def has_role(self, role: str) -> bool:
        return self._wire.ask(lambda primary: primary.has_role(role))

    def sessions(self, *, after: str | None, limit: int) -> list[SessionView]:
        return self._wire.ask(lambda primary: primary.sessions(after=after, limit=limit))

    def invitation(self, digest: bytes) -> Invitation | None:
        return self._wire.ask(lambda primary: primary.invitation(digest))

    def invitations(self, role: str) -> list[Invitation]:
        return self._wire.ask(lambda primary: primary.invitations(role))

    def ring_keys(self) -> list[RingKey]:
        return self._wire.ask(lambda primary: primary.ring_keys())

    def audit_rows(self, *, account_id: str | None, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        return self._wire.ask(
            lambda primary: primary.audit_rows(account_id=account_id, after=after, limit=limit)
        )

    def sweep(self, limits: SessionLimits, grace: object, now: datetime, most: int) -> int:
        raise NotImplementedError("nothing is swept in a simulation of seconds")

    def ready(self) -> None:
        self._wire.ask(lambda primary: primary.ready())

    def close(self) -> None:
        """Nothing to let go of."""


class NoSessions:
    """The `SessionStore` of a verifier, which has none."""

    reads_inline = True

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        return None

    def session(self, session_id: str) -> SessionView | None:
        return None

    def sessions_of(self, account_id: str) -> list[SessionView]:
        return []

    def touch(self, seen: Sequence[tuple[str, datetime]]) -> None:
        """Nothing to touch."""


class Feed:
    """What a server tells verifiers: the log's answer, for a moment the same one, and how old its knowledge is.

    `vouched` is since when what the server knows is known to be the truth, `heard` how far it has read.
    """

    def __init__(
        self, log: Log, clock: Clock, vouched: Callable[[], float], heard: Callable[[], int]
    ) -> None:
        self._log = log
        self._clock = clock
        self._vouched = vouched
        self._heard = heard
        self._answers: dict[Position | None, tuple[float, LogAnswer]] = {}

    def read(self, after: Position | None) -> LogAnswer:
        """An answer with the age of what it says: no younger than our own question, nor than what our lease stands on.

        Both are looked at before the question is sent: an old primary may answer it, and a new one renew the lease. One
        that knows less than this server did is not passed on: no age of ours is true of it.
        """
        since, answer = self._answers.get(after, (float("-inf"), None))
        if answer is None or self._clock.boot() >= since + _KEPT:
            since, heard = min(self._clock.boot(), self._vouched()), self._heard()
            answer = self._log.read(after)
            if answer.position.seq < heard:
                raise Busy(detail="an older copy of the log answered")
            self._answers[after] = since, answer
        return replace(answer, age=self._clock.boot() - since, pulse=None)


class FeedWire:
    """`Log` for the follower of a verifier: it asks a server, and confirms to nobody."""

    pulses = False

    def __init__(
        self, scheduler: Scheduler, wire: Wire, server: Callable[[], tuple[Owner, Feed] | None]
    ) -> None:
        self._scheduler = scheduler
        self._wire = wire
        self._server = server

    def beat(self) -> None:
        """The servers do."""

    def changed(self) -> bool:
        """Unknown without asking."""
        return True

    def read(self, after: Position | None) -> LogAnswer:
        return self._wire.ask(lambda _: self._ask_server(after))

    def raise_floor(self, seq: int) -> None:
        """Not a verifier's to say."""

    def confirm(self, row: FollowerRow) -> None:
        """Its next question says how far it is."""

    def followers(self) -> list[FollowerRow]:
        return []

    def leave(self, instance: str) -> None:
        """There is no row."""

    def _ask_server(self, after: Position | None) -> LogAnswer:
        server = self._server()
        if server is None:
            raise Busy(detail="no server is there")
        owner, feed = server
        return self._scheduler.ask(owner, lambda: feed.read(after), patience=2.0)
