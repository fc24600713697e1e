"""A few threads that compute password hashes and nothing else, and give way to those that answer.

Owns how many they are, when they begin and end, and their priority. Knows no hash, and nobody who waits for one: how
many may wait is the gate's. Called by `password.py`.
"""

import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

# glibc has a heap for each thread and keeps there what a hash took, 19 MiB: computed by whichever thread asks, hashing
# takes that from the machine once for each of them and never gives it back. Memory of our own, by Argon2's callback,
# would be handed out in Python and be cleared by the kernel anew for every hash, and scrypt has no such callback.
# mallopt would change the allocator of the whole application that we are a part of.
# Of checks beside a flood of sign-ins on the same two cores one in a hundred waited 13 times as long as without one at
# the usual priority, 9 times with 5, 7 with 10, 3 to 8 with 15, and no less with 19. On a machine that is busy with
# other things a hash is left a thirtieth of a core.
_NICENESS: Final = 15


class _Task(Generic[T]):
    """Something to compute. Little is done around it: its thread may have to wait for a core at any moment, and while
    it does so between these lines, everybody waits for Python's own lock.
    """

    __slots__ = ("done", "error", "value", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.value: T
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class _Crew:
    """The threads of one process."""

    __slots__ = ("begun", "lock", "tasks")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[_Task[Any] | None] = SimpleQueue()
        self.begun = 0


class Computing:
    """At most `most` threads. They begin as they are needed, again in a forked child, and end with this object."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._crew = _Crew()
        _every.add(self)

    def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises, computed by one of the threads while this one waits."""
        task, crew = _Task(work), self._crew
        with crew.lock:
            if crew.begun < self._most:
                # They hold up nobody's end: whoever waits for one is waited for.
                threading.Thread(
                    target=_compute, args=(crew.tasks,), name="gatepost-hashing", daemon=True
                ).start()
                crew.begun += 1
            crew.tasks.put(task)
        task.done.acquire()
        if task.error is not None:
            raise task.error
        return task.value

    def close(self) -> None:
        """Let every thread end once it is done with what was asked before. Later calls begin others."""
        crew = self._crew
        with crew.lock:
            for _ in range(crew.begun):
                crew.tasks.put(None)
            crew.begun = 0

    def after_fork(self) -> None:
        """In the child: none of the threads is here, and one of them may have held the lock."""
        self._crew = _Crew()

    def __del__(self) -> None:
        self.close()


def _compute(tasks: "SimpleQueue[_Task[Any] | None]") -> None:
    _give_way()
    while (task := tasks.get()) is not None:
        try:
            task.value = task.work()
        except BaseException as error:
            task.error = error
        task.done.release()
        # No password is kept here until the next one comes.
        del task


def _give_way() -> None:
    """Let others have a core first. Only Linux has priorities of threads; without them all are served alike."""
    if sys.platform == "linux":
        this = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, this, os.getpriority(os.PRIO_PROCESS, this) + _NICENESS)


_every: Final[weakref.WeakSet[Computing]] = weakref.WeakSet()


def _in_child() -> None:
    for one in list(_every):
        one.after_fork()


os.register_at_fork(after_in_child=_in_child)
