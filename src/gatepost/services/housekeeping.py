"""What a server does by itself: flush what was seen, sweep the dead, let followers forget.

Owns the rhythm, not the work: each step is one call that a test can make. One thread, started with the server.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatepost.checking.follower import Follower
from gatepost.checking.guard import Guard
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.ports import Log
from gatepost.core.revocation import EveryoneOutdated
from gatepost.core.rotation import GraceRules
from gatepost.errors import GatepostError
from gatepost.services.means import Means

BATCH: Final = 100
_MOST_BATCHES: Final = 50
# Two clocks that are read one after the other never move apart by exactly nothing.
_LEAST_SET: Final = 0.5


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often each step is taken, in seconds; `remember` is how long a fact stays in followers' memory.

    That is the horizon, twice the leeway, and the deadline of a request: whatever a fact could hit has ended by then.
    A wall clock that moves by more than `leeway` at once was set. `on_duty` says whether what needs doing once, by one
    of all processes, is this one's to do.
    """

    touch: float
    sweep: float
    remember: float
    grace: GraceRules
    leeway: float = 30.0
    on_duty: Callable[[], bool] = lambda: True


class Housekeeper:
    """The scheduled work of one server process."""

    def __init__(
        self,
        means: Means,
        log: Log,
        guard: Guard,
        follower: Follower,
        rhythm: Rhythm,
        on_trouble: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._means = means
        self._log = log
        self._guard = guard
        self._follower = follower
        self._rhythm = rhythm
        self._on_trouble = on_trouble
        self._duties: list[Callable[[], object]] = []
        self._swept_at = float("-inf")
        self._sweep_from = float("-inf")
        self._offset: float | None = None
        self._owes_outdating = False
        self._marks: deque[tuple[float, int]] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.swept: int = 0
        self.sweeps: int = 0

    def also(self, duty: Callable[[], object]) -> None:
        """Make something a step of every round of the process on duty, and of its end."""
        self._duties.append(duty)

    def start(self) -> None:
        """Go on until `stop`."""
        if self._thread is None:
            self._safely(self.watch_clock)
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="gatepost-housekeeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and flush what was seen."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()
            self._safely(self.flush)
            self._safely(self._do_duties)

    def flush(self) -> None:
        """Write when sessions were last seen, as one batch. What cannot be written is kept for the next time."""
        seen = self._guard.take_seen()
        if not seen:
            return
        try:
            self._means.store.touch(seen)
        except GatepostError:
            for session_id, at in seen:
                self._guard.saw_before(session_id, at)
            raise

    def sweep(self) -> int:
        """Delete dead records in small batches; how many went."""
        now, gone = self._means.clock.now(), 0
        for _ in range(_MOST_BATCHES):
            batch = self._means.store.sweep(self._means.limits, self._rhythm.grace, now, BATCH)
            gone += batch
            if batch == 0 or self._stop.is_set():
                break
        self.swept += gone
        self.sweeps += 1
        return gone

    def raise_floor(self) -> None:
        """Publish as floor the position that was the newest long enough ago, by the boot clock.

        A wall clock that jumps forward would drop facts that still hit something.
        """
        floor = self._passed()
        if floor is not None and self._rhythm.on_duty():
            self._log.raise_floor(floor)

    def _passed(self) -> int | None:
        # Also while another process is on duty: whoever takes over needs to know what was the newest, and when.
        position, now = self._follower.position, self._means.clock.boot()
        if position is None:
            return None
        if not self._marks or self._marks[-1][1] != position.seq:
            self._marks.append((now, position.seq))
        floor = None
        while self._marks and self._marks[0][0] + self._rhythm.remember < now:
            floor = self._marks.popleft()[1]
        return floor

    def watch_clock(self) -> None:
        """Notice a wall clock that was set since the last round, by comparing it with the boot clock.

        Set forward: nothing is swept on its word for as long as a fact is remembered, since it may be a mistake, and
        a session that was deleted does not come back when the clock is put right. Set back: a token that had expired
        looks young again, and no time in it tells when it was issued. Its position does: all there is is outdated,
        which costs each client one refresh and signs nobody out.
        """
        boot = self._means.clock.boot()
        offset = self._means.clock.now().timestamp() - boot
        moved = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        least = max(self._rhythm.leeway, _LEAST_SET)
        if moved > least:
            self._sweep_from = boot + self._rhythm.remember
        elif moved < -least:
            self._owes_outdating = True
        if self._owes_outdating:
            self._outdate_everyone()

    def _outdate_everyone(self) -> None:
        # Owed until it is durable: the database may be locked or full at the very moment.
        if self._rhythm.on_duty():
            now = self._means.clock.now()
            row = AuditRow(Event.CLOCK_SET_BACK, now, actor="system")
            self._means.commits.commit(Change(at=now, facts=(EveryoneOutdated(),), audit=(row,)))
        self._owes_outdating = False

    def tick(self) -> None:
        """One round of everything that is due."""
        self._safely(self.watch_clock)
        self._safely(self.flush)
        self._safely(self.raise_floor)
        self._safely(self._do_duties)
        self._safely(self._sweep_when_due)

    def _sweep_when_due(self) -> None:
        now = self._means.clock.boot()
        due = max(self._swept_at + self._rhythm.sweep, self._sweep_from)
        if now >= due and self._rhythm.on_duty():
            self._swept_at = now
            self.sweep()

    def _do_duties(self) -> None:
        if self._rhythm.on_duty():
            for duty in self._duties:
                self._safely(duty)

    def _safely(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:
            # The other steps, and the next round of this one, must not stop for it.
            self._on_trouble(error)

    def _run(self) -> None:
        while not self._stop.wait(self._rhythm.touch):
            self.tick()
