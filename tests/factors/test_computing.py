"""The threads that compute hashes: how many, how long, in whose favour, and what becomes of them."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread, current_thread, get_native_id, main_thread
from time import monotonic
from types import FrameType

import pytest

from gatepost.factors.computing import Computing
from gatepost.factors.foreign import OutOfMemory
from gatepost.factors.password import PasswordFactor, Profile

TINY = Profile("tiny", memory_kib=8, time_cost=1)


def wait_until(reached: Callable[[], bool]) -> None:
    """Return once `reached` holds; fail after ten seconds."""
    deadline, pause = monotonic() + 10, Event()
    while not reached():
        assert monotonic() < deadline
        pause.wait(0.001)


def alive() -> set[Thread]:
    """Every thread there is."""
    return set(threading.enumerate())


def over(threads: set[Thread]) -> bool:
    """Whether all of these have ended."""
    return not any(thread.is_alive() for thread in threads)


def used(computing: Computing, most: int) -> set[Thread]:
    """Its threads, after it was asked for more at once than it has."""
    with ThreadPoolExecutor(4 * most) as askers:
        return set(askers.map(lambda _: computing.run(current_thread), range(20 * most)))


def test_many_ask_and_few_compute() -> None:
    """Threads of its own, no more than it was told, from the first use on and no sooner."""
    before = alive()
    computing = Computing(3)
    assert alive() == before
    found = used(computing, 3)
    assert len(found) <= 3
    assert {thread.name for thread in found} == {"gatepost-hashing"}
    assert current_thread() not in found
    computing.close()


def test_no_thread_begins_before_it_is_needed() -> None:
    """Whoever asks once, as a command does, begins one."""
    before = alive()
    computing = Computing(16)
    assert computing.run(lambda: 7) == 7
    assert len(alive() - before) == 1
    computing.close()


def test_what_goes_wrong_is_told_to_whoever_asked() -> None:
    """Any error, and the thread goes on."""
    computing = Computing(1)

    def fail() -> None:
        raise OutOfMemory("no room")

    with pytest.raises(OutOfMemory, match="no room"):
        computing.run(fail)
    with pytest.raises(KeyboardInterrupt):
        computing.run(lambda: signal.default_int_handler(2, None))
    assert computing.run(lambda: 7) == 7
    computing.close()


def test_threads_end_when_they_are_closed_and_begin_again_when_they_are_needed() -> None:
    """What was asked before the end is still computed."""
    computing, inside, go = Computing(1), Event(), Event()

    def work() -> Thread:
        inside.set()
        go.wait(10)
        return current_thread()

    with ThreadPoolExecutor(2) as askers:
        first = askers.submit(computing.run, work)
        inside.wait(10)
        second = askers.submit(computing.run, current_thread)
        wait_until(lambda: computing._crew.tasks.qsize() == 1)
        computing.close()
        go.set()
        thread = first.result()
        assert second.result() is thread
    wait_until(lambda: over({thread}))
    assert computing.run(current_thread).is_alive()
    computing.close()
    computing.close()


def test_threads_end_with_whoever_made_them() -> None:
    """A factor that nobody has any more leaves nothing behind."""
    before = alive()
    factor = PasswordFactor(TINY, slots=2, queue=8, wait=10)
    for _ in range(4):
        factor.verify(None, b"quiet river stone")
    begun = alive() - before
    assert len(begun) == 2
    del factor
    gc.collect()
    wait_until(lambda: over(begun))


def test_nothing_is_kept_of_what_was_computed() -> None:
    """What was asked for, and with it a password, is gone once it is answered, not when the next one comes."""

    class Secret:
        def __call__(self) -> int:
            return 7

    computing, secret = Computing(1), Secret()
    gone = weakref.ref(secret)
    assert computing.run(secret) == 7
    del secret
    wait_until(lambda: gone() is None)
    computing.close()


class Interrupted(BaseException):
    """What a signal handler raises in the middle of a wait, as Ctrl-C does."""


def test_no_more_are_computed_at_once_though_a_caller_went_away() -> None:
    """An interrupted caller leaves a computation behind; the next one waits until it is done."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted

    computing, inside, go = Computing(1), Event(), Event()
    waits_here = main_thread().ident
    assert waits_here is not None
    before = signal.signal(signal.SIGUSR1, interrupt)

    def work() -> None:
        inside.set()
        go.wait(10)

    def send() -> None:
        inside.wait(10)
        signal.pthread_kill(waits_here, signal.SIGUSR1)

    sender = Thread(target=send)
    sender.start()
    try:
        with pytest.raises(Interrupted):
            computing.run(work)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    with ThreadPoolExecutor(1) as asker:
        later = asker.submit(computing.run, go.is_set)
        wait_until(lambda: computing._crew.tasks.qsize() == 1)
        go.set()
        assert later.result() is True
    computing.close()


def test_whoever_answers_comes_first() -> None:
    """The threads have a lower priority than those that ask, which keep theirs. Only Linux gives one to a thread."""
    computing, own = Computing(1), os.getpriority(os.PRIO_PROCESS, get_native_id())
    theirs = computing.run(lambda: os.getpriority(os.PRIO_PROCESS, get_native_id()))
    assert theirs == (min(19, own + 15) if sys.platform == "linux" else own)
    assert os.getpriority(os.PRIO_PROCESS, get_native_id()) == own
    computing.close()


FORKED = """
import os
from threading import Thread
from gatepost.factors.password import PasswordFactor, Profile

factor = PasswordFactor(Profile("tiny", memory_kib=8, time_cost=1), slots=1, queue=8, wait=10)
stored = factor.hash(b"quiet river stone")
factor._computing._crew.lock.acquire()
child = os.fork()
if not child:
    os._exit(0 if factor.verify(stored, b"quiet river stone") and factor.hashes_done == 2 else 1)
factor._computing._crew.lock.release()
print(os.waitpid(child, 0)[1], type(factor.verify(stored, b"quiet river stone")).__name__)
"""


def test_forked_process_has_threads_of_its_own() -> None:
    """Also where it was forked while another thread was asking; the parent goes on with those it has."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=30)
    assert done.stdout.split() == ["0", "Verified"]
