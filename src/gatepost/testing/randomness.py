"""Randomness that repeats itself, so that a failing test fails again."""

import random
import threading


class SeededRandomness:
    """`Randomness` for tests: the same seed gives the same bytes in the same order. Safe from many threads."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._source = random.Random(seed)  # noqa: S311 - it must repeat; nothing here guards anybody

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        with self._lock:
            return self._source.randbytes(count)
