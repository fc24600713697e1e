"""Following the log: one thread per process that keeps the live facts in memory and the lease renewed.

Owns the `RevocationSet`, the position and the lease. Guards read them; the services tell it what they have just
committed, so that an ending bites in this process before the call that made it is answered.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final

from gatepost.checking.chronicle import Chronicle
from gatepost.checking.lease import Lease, renewed
from gatepost.core.ports import Clock, FollowerRow, Log, LogAnswer
from gatepost.core.revocation import Logged, Position, RevocationSet
from gatepost.errors import GatepostError

# More often would take more than a hundredth of a core of a server that nobody asks.
POLL: Final = 0.015
HEARTBEAT: Final = 30.0
CATCH_UP: Final = 0.2
_SET: Final = 0.5
_CLOCK_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """How this process is named in the log's list of followers."""

    instance: str
    pid: int


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Facts, and how long they may be believed: one value, for a lease must not vouch for another set than its own."""

    revocations: RevocationSet
    lease: Lease


class Follower:
    """The live facts of one log, kept up to date by a thread that is started at the first use."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        identity: Identity,
        *,
        bound: float,
        on_trouble: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self.knowledge: Knowledge = Knowledge(RevocationSet(), Lease())
        self.chronicle: Chronicle = Chronicle()
        self._log = log
        self._clock = clock
        self._identity = identity
        self._bound = bound
        self._on_trouble = on_trouble
        self._position: Position | None = None
        self._behind = True
        self._told: list[Logged] = []
        self._pulse: tuple[str, int] | None = None
        self._pulse_asked = float("-inf")
        self._beaten_at = float("-inf")
        self._offset: float | None = None
        self._on_clock_set: Callable[[], None] = _nothing
        self._ring: int | None = None
        self._on_ring: Callable[[], None] = _nothing
        self._begin: Callable[[], None] | None = None
        self._confirmed = -1
        self._confirmed_at = float("-inf")
        self._folding = threading.Lock()
        self._asked = _Bell()
        self._answered = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def when_clock_is_set(self, act: Callable[[], None]) -> None:
        """What to do, in the follower's thread, when the wall clock was set by more than half a second."""
        self._on_clock_set = act

    def when_ring_changes(self, act: Callable[[], None]) -> None:
        """What to do, in the follower's thread, when a key of the ring was made, turned or withdrawn.

        It is done before this process says that it has heard: a key whose ending is in force signs nowhere.
        """
        self._on_ring = act

    def when_first_asked(self, begin: Callable[[], None]) -> None:
        """What starts this follower if it has not been started when a check finds no lease: in a forked process."""
        self._begin = begin

    @property
    def revocations(self) -> RevocationSet:
        """The live facts."""
        return self.knowledge.revocations

    @property
    def lease(self) -> Lease:
        """How long they may be believed."""
        return self.knowledge.lease

    @property
    def position(self) -> Position | None:
        """How far this process has read, None before the first answer."""
        return self._position

    @property
    def told_up_to(self) -> int:
        """The newest fact that was told here and is not read yet, 0 for none: it bites already, and is on no page."""
        return max((entry.seq for entry in self._told), default=0)

    def start(self) -> None:
        """Read the log once, so that the first check finds a lease, then go on in a thread."""
        with self._folding:
            if self._thread is not None:
                return
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="gatepost-follower", daemon=True)
        try:
            self.step()
        except BaseException:
            # Nothing runs, so nothing is there to stop, and starting may be tried again.
            self._thread = None
            raise
        self._thread.start()

    def stop(self) -> None:
        """End the thread and leave the list of followers."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping = True
        self._asked.ring()
        thread.join()
        self.knowledge = Knowledge(self.revocations, Lease())
        self._confirmed = -1
        try:
            self._log.leave(self._identity.instance)
        except GatepostError as error:
            # The row stays; whoever revokes waits one bound for it and then forgets it.
            self._on_trouble(error)

    def tell(self, logged: Iterable[Logged]) -> None:
        """Take in facts that this process has just committed, ahead of reading them.

        The position stays: others may have committed in between, and only the log knows the order.
        """
        with self._folding:
            for entry in logged:
                self.revocations.fold(entry.seq, entry.fact)
                self._told.append(entry)
        self._asked.ring()

    def catch_up(self, wait: float = CATCH_UP) -> bool:
        """Wait until the lease is fresh, at most `wait` seconds. All who wait share one question to the log."""
        if self._thread is None and self._begin is not None:
            self._begin()
        with self._answered:
            self._asked.ring()
            return self._answered.wait_for(lambda: self.lease.fresh(self._clock.boot()), timeout=wait)

    def beat(self) -> None:
        """Move the pulse of a store that has one, four times in a bound."""
        now = self._clock.boot()
        if self._log.pulses and now >= self._beaten_at + self._bound / 4:
            self._beaten_at = now
            self._log.beat()

    def step(self) -> None:
        """Look whether the clock was set, ask the log once, fold, say so in the follower's row, renew the lease."""
        self._watch_clock(self._clock.boot())
        self._ask()

    def _ask(self) -> None:
        sent = self._clock.boot()
        # Whoever revokes waits for no row that is missing or has lapsed. A lease that begins is announced before the
        # question is asked: announced later, an ending in between would be answered while this process accepts.
        held = self.lease
        begins = not held.fresh(sent)
        if begins:
            self._confirm(sent)
        # A stranger's commit after `changed` has answered is met by the next question; the lease began before both.
        # Kept until a read has succeeded: the log says only once that it changed.
        self._behind = self._log.changed() or self._behind
        answer = self._log.read(self._position) if self._behind else None
        if answer is not None:
            if answer.reset or answer.ring != self._ring:
                self._on_ring()
                self._ring = answer.ring
            with self._folding:
                self._take(answer)
        if self._seq != self._confirmed:
            self._confirm(sent)
        # Facts first, row second, lease third: a fresh lease never stands over knowledge that has not arrived, nor
        # behind a row that others have given up.
        if begins or held.fresh(self._clock.boot()):
            self._renew(answer, sent)
        with self._answered:
            self._answered.notify_all()
        if begins or (answer is not None and answer.reset):
            self.chronicle.bell.ring()
        if sent >= self._confirmed_at + HEARTBEAT:
            self._confirm(sent)

    def _take(self, answer: LogAnswer) -> None:
        if answer.reset:
            # Built aside and swapped whole: emptied in place, it would for a moment refuse nobody.
            fresh = RevocationSet(answer.floor)
            # Also what was committed here while the log was answering: it is not in the answer and bites already.
            for entry in (*answer.facts, *self._told):
                fresh.fold(entry.seq, entry.fact)
            # An old primary or an older copy may say this. What it has not heard is forgotten here, so the lease that
            # stood on it goes in the same moment, and another begins with what this one vouches for.
            self.knowledge = Knowledge(fresh, Lease())
        else:
            for entry in answer.facts:
                self.revocations.fold(entry.seq, entry.fact)
            self.revocations.forget(answer.floor)
        self._told = [entry for entry in self._told if entry.seq > answer.position.seq]
        # After the swap and before the lease: who reads both never takes an old lease for one over another log. Whoever
        # waits hears of it now and not after our own row, for which a writer's turn is needed.
        if self.chronicle.take(answer):
            self.chronicle.bell.ring()
        self._position = answer.position
        self._behind = False

    def _watch_clock(self, boot: float) -> None:
        # What is known ends by the boot clock, which nobody sets. A wall clock that was set has another opinion of
        # every expiry, so all of it is verified anew: cheaper than asking a second clock at every check.
        offset = self._clock.now().timestamp() - boot
        if self._offset is not None and abs(offset - self._offset) > _SET:
            self._on_clock_set()
        self._offset = offset

    def _renew(self, answer: LogAnswer | None, sent: float) -> None:
        if self._log.pulses:
            if answer is None or answer.pulse is None:
                return
            # A pulse that moved since the question before shows a primary that could still commit after that one. A
            # pulse that stands still shows nothing: an old primary, fenced off, answers just like that. Nor does one
            # that differs because another answered: both may be fenced off.
            before, vouched = self._pulse, self._pulse_asked
            self._pulse, self._pulse_asked = (answer.origin, answer.pulse), sent
            if before is None or before[0] != answer.origin or before[1] == answer.pulse:
                return
            sent = vouched
        lease = renewed(self.lease, sent=sent, age=answer.age if answer else 0.0, bound=self._bound)
        self.knowledge = Knowledge(self.revocations, lease)

    @property
    def _seq(self) -> int:
        return self._position.seq if self._position else -1

    def _confirm(self, now: float) -> None:
        identity, seq = self._identity, self._seq
        self._log.confirm(FollowerRow(identity.instance, identity.pid, seq, self._clock.now()))
        self._confirmed, self._confirmed_at = seq, now

    def _run(self) -> None:
        for rounds in count():
            if self._stopping:
                return
            try:
                self.beat()
                # The wall clock is read at every tenth round only: it takes a tenth of one.
                step = self._ask if rounds % _CLOCK_ROUNDS else self.step
                step()
            except Exception as error:
                # Whatever it was, the lease runs out by itself and nothing is accepted unheard; a thread that died of
                # it would never hear again.
                self._on_trouble(error)
            self._asked.wait(POLL)


class _Bell:
    """What wakes the one thread that waits: rung at any time, heard once. An `Event` makes a lock for every wait."""

    def __init__(self) -> None:
        self._quiet = threading.Lock()
        self._quiet.acquire()

    def ring(self) -> None:
        # Rung by another in the same moment: one ring is enough.
        with suppress(RuntimeError):
            self._quiet.release()

    def wait(self, seconds: float) -> None:
        self._quiet.acquire(timeout=seconds)


def _nothing() -> None:
    """What is done when nobody asked for more."""
