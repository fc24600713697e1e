"""Ports that stop in the middle of their work until a test lets them go on.

They stand where the real password factor and the real random source stand and do the same work, so that a race that
lasts microseconds can be looked at for as long as a test likes. Called by the race suites.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from gatepost.core.passwords import Verified, Wrong
from gatepost.core.ports import PasswordHashing, Randomness

PATIENCE: Final = 10.0
"""Seconds after which a test that waits for another thread gives up."""

T = TypeVar("T")


class Hold:
    """A place where one thread can be made to wait. Everybody else passes, and the next one too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed = 0
        self._inside = threading.Semaphore(0)
        self._go = threading.Event()

    def arm(self, threads: int = 1) -> None:
        """Stop the next threads that come by."""
        with self._lock:
            self._armed = threads
            self._go.clear()

    def wait_inside(self) -> None:
        """Come back when a thread has been stopped."""
        if not self._inside.acquire(timeout=PATIENCE):
            raise TimeoutError("nobody came to the place where a thread was to be held")

    def release(self) -> None:
        """Let everybody go on."""
        self._go.set()

    def pass_by(self) -> None:
        """What a held port calls in the middle of its work."""
        with self._lock:
            stops = self._armed > 0
            self._armed -= stops
        if stops:
            self._inside.release()
            if not self._go.wait(PATIENCE):
                raise TimeoutError("a held thread was never released")


class HeldHashing:
    """`PasswordHashing` that computes as the real one does, and can be held when it has the result in hand."""

    def __init__(self, hashing: PasswordHashing) -> None:
        self.hashing = hashing
        self.verifying: Hold = Hold()
        self.making: Hold = Hold()

    def hash(self, password: bytes) -> str:
        """A new hash in PHC form."""
        made = self.hashing.hash(password)
        self.making.pass_by()
        return made

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified | Wrong:
        """Whether this is the password."""
        verdict = self.hashing.verify(stored, password, as_typed)
        self.verifying.pass_by()
        return verdict

    def refusal_of(self, stored: str) -> str | None:
        """Why a hash would never be verified."""
        return self.hashing.refusal_of(stored)

    def decoy_like(self, stored: str) -> str | None:
        """A hash of the same kind that no password is known to match."""
        return self.hashing.decoy_like(stored)


class HeldRandomness:
    """`Randomness` that can be held: a service draws between what it has read and what it commits."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self.drawing: Hold = Hold()

    def bytes(self, count: int) -> bytes:
        """`count` bytes of the real source."""
        self.drawing.pass_by()
        return self._randomness.bytes(count)


def meanwhile(hold: Hold, act: Callable[[], T], happens: Callable[[], object]) -> Future[T]:
    """Run `act` in a thread; when it has come to the hold, do what happens meanwhile; then let it finish.

    The answer is the finished future: its result is what `act` returned, or its exception what it raised.
    """
    hold.arm()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act)
        try:
            hold.wait_inside()
            happens()
        finally:
            hold.release()
    return done


def at_once(hold: Hold, *acts: Callable[[], T]) -> list[Future[T]]:
    """Run acts in threads of their own; none goes past the hold before all have come to it."""
    hold.arm(len(acts))
    with ThreadPoolExecutor(len(acts)) as pool:
        done = [pool.submit(act) for act in acts]
        try:
            for _ in acts:
                hold.wait_inside()
        finally:
            hold.release()
    return done
