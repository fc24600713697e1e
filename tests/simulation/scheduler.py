"""Simulated time: many tasks in one thread, each running until it waits.

Owns true time and the order of events. A task is a greenlet, so blocking code of Gatepost runs unchanged: where it
would wait for a wire or a sleep, another task goes on. Nothing here reads a real clock, so a run repeats itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from typing import Final, SupportsIndex, TypeVar

from greenlet import getcurrent, greenlet

from gatepost.errors import Busy

T = TypeVar("T")
_real_sleep: Final = time.sleep
_OVERSLEPT: Final = 0.02


class Owner:
    """Whoever a task runs in: a process that can be paused and killed, or a client that cannot."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused_until = 0.0


class Task:
    """One thread of a process. In true time, `asked_at` is when it last asked the facts in memory, `read_at` when it
    last looked at its boot clock.
    """

    __slots__ = ("asked_at", "owner", "read_at", "turn", "work")

    def __init__(self, owner: Owner, work: greenlet) -> None:
        self.owner = owner
        self.work = work
        self.asked_at = 0.0
        self.read_at = 0.0
        self.turn = 0


class Scheduler:
    """The queue of what happens next."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Task | None = None
        self.stopped = False
        self._hub = getcurrent()
        self._order = count()
        self._queue: list[tuple[float, int, Task, int]] = []

    def spawn(self, owner: Owner, work: Callable[[], object], after: float = 0.0) -> Task:
        """A new task of this owner, which begins `after` seconds from now."""
        task = Task(owner, greenlet(work, self._hub))
        self._push(self.now + after, task)
        return task

    def sleep(self, seconds: float) -> None:
        """Let others go on for so long; longer if the owner is paused meanwhile."""
        task = self.current
        assert task is not None
        task.turn += 1
        self._push(self.now + seconds, task)
        self._hub.switch()

    def wake(self, task: Task) -> None:
        """End a task's sleep now."""
        self._push(self.now, task)

    def ask(self, owner: Owner, question: Callable[[], T], patience: float) -> T:
        """What another owner answers, in a task of its own. Raises `Busy` if it does not come in time."""
        asking = self.current
        assert asking is not None
        answers: list[T | Busy] = []

        def answer() -> None:
            try:
                answers.append(question())
            except Busy as error:
                answers.append(error)
            if asking.turn == waiting:
                self.wake(asking)

        waiting = asking.turn + 1
        self.spawn(owner, answer)
        self.sleep(patience)
        found = answers[0] if answers else Busy(detail="no answer in time")
        if isinstance(found, Busy):
            raise found
        return found

    def run(self, until: float) -> None:
        """Let everything happen up to a moment of true time, or until somebody stops it."""
        with self._sleeping():
            while self._queue and not self.stopped and self._queue[0][0] <= until:
                self._go_on(*heappop(self._queue))

    def _go_on(self, when: float, _: int, task: Task, turn: int) -> None:
        owner = task.owner
        if turn != task.turn or not owner.alive or task.work.dead:
            return
        self.now = max(self.now, when)
        if owner.paused_until > self.now:
            self._push(owner.paused_until, task)
            return
        self.current = task
        task.work.switch()
        self.current = None

    def _push(self, when: float, task: Task) -> None:
        heappush(self._queue, (when, next(self._order), task, task.turn))

    @contextmanager
    def _sleeping(self) -> Iterator[None]:
        """Whoever calls `time.sleep` in a task sleeps in simulated time, and oversleeps as on a busy machine."""

        def sleep(seconds: float | SupportsIndex) -> None:
            if self.current is None or getcurrent() is not self.current.work:
                _real_sleep(seconds)
            else:
                self.sleep(float(seconds) + _OVERSLEPT)

        time.sleep, before = sleep, time.sleep
        try:
            yield
        finally:
            time.sleep = before
