"""Many hands at once: threads of one process, or of several, all let go at the same moment.

Owns no promise; the race and crash suites use it. Work that is sent to other processes must be a function that can be
pickled, and so must the opener.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from typing import Any, TypeVar

from gatepost.core.ports import Store
from gatepost.testing.opening import Opener

T = TypeVar("T")
Work = Callable[[Store, int], T]

_PATIENCE = 60.0
_met: Any = None


def processes() -> ForkServerContext:
    """How other processes are started: forked from a server that has the imports done and runs no threads."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["gatepost.stores.sql", "gatepost.testing.crash_suite"])
    return context


class Crowd:
    """Runs one piece of work by many hands, numbered from 0, and gives back what each of them returned."""

    def __init__(self, pool: ProcessPoolExecutor | None = None, size: int = 0) -> None:
        self._pool = pool
        self._size = size

    def run(self, opener: Opener, work: Work[T], hands: int) -> list[T]:
        """`hands` threads here; or so many in all, shared out among the processes."""
        if self._pool is None:
            return _by_threads(opener, work, 0, hands)
        each = hands // self._size
        parts = [self._pool.submit(_by_process, opener, work, n * each, each) for n in range(self._size)]
        return [result for part in parts for result in part.result()]


@contextmanager
def crowd(size: int) -> Iterator[Crowd]:
    """A crowd of `size` processes; of threads of this process for 1."""
    if size == 1:
        yield Crowd()
        return
    context = processes()
    with ProcessPoolExecutor(size, context, initializer=_meet, initargs=(context.Barrier(size),)) as pool:
        yield Crowd(pool, size)


def _meet(barrier: Any) -> None:
    global _met  # noqa: PLW0603 - a barrier can be handed to a process only when it starts
    _met = barrier


def _by_process(opener: Opener, work: Work[T], first: int, hands: int) -> list[T]:
    _met.wait(_PATIENCE)
    return _by_threads(opener, work, first, hands)


def _by_threads(opener: Opener, work: Work[T], first: int, hands: int) -> list[T]:
    store, _ = opener()
    together = threading.Barrier(hands)

    def one(number: int) -> T:
        together.wait(_PATIENCE)
        return work(store, number)

    with ThreadPoolExecutor(hands) as threads:
        return list(threads.map(one, range(first, first + hands)))
