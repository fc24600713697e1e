"""The gate in front of password hashing: how many at once, how many in line, for how long, in which order."""

import signal
from collections.abc import Callable
from threading import Event, Thread, main_thread
from time import monotonic
from types import FrameType

import pytest

from gatepost.errors import Busy
from gatepost.factors.password import Gate


def wait_until(reached: Callable[[], bool]) -> None:
    """Return once `reached` holds; fail after ten seconds."""
    deadline = monotonic() + 10
    pause = Event()
    while not reached():
        assert monotonic() < deadline
        pause.wait(0.001)


class Visitor:
    """A thread that goes through a gate and stays inside until it is told to leave."""

    def __init__(self, gate: Gate, order: list[int] | None = None, number: int = 0) -> None:
        self.leave = Event()
        self.outcome = ""
        self._gate, self._order, self._number = gate, order, number
        self.thread = Thread(target=self._go)
        self.thread.start()

    def _go(self) -> None:
        try:
            with self._gate:
                if self._order is not None:
                    self._order.append(self._number)
                self.outcome = "inside"
                self.leave.wait(30)
        except Busy:
            self.outcome = "busy"

    def gone(self) -> str:
        """Tell it to leave, wait until it has, and say how it fared."""
        self.leave.set()
        self.thread.join()
        return self.outcome


def test_who_got_no_turn_is_counted() -> None:
    """Once for a full queue and once for a wait that was too long; nobody who came in."""
    full, slow = Gate(slots=1, queue=0, wait=30), Gate(slots=1, queue=1, wait=0.001)
    for gate in (full, slow):
        assert gate.turned_away == 0
        with gate:
            with pytest.raises(Busy), gate:
                pytest.fail("a second came in")
            assert gate.turned_away == 1
        with gate:
            assert gate.turned_away == 1


def test_the_call_beyond_slots_and_queue_is_refused_at_once() -> None:
    """With one slot and a queue of two the fourth call at the same time is Busy without waiting."""
    gate = Gate(slots=1, queue=2, wait=30)
    first = Visitor(gate)
    wait_until(lambda: gate.in_use == 1)
    queued = [Visitor(gate), Visitor(gate)]
    wait_until(lambda: gate.waiting == 2)
    begun = monotonic()
    with pytest.raises(Busy) as caught, gate:
        pytest.fail("a fourth came in")
    assert monotonic() - begun < 15
    assert caught.value.retry_after == 1
    assert (gate.in_use, gate.waiting) == (1, 2)
    assert [visitor.gone() for visitor in [first, *queued]] == ["inside"] * 3
    assert (gate.in_use, gate.waiting) == (0, 0)


def test_whoever_came_first_goes_in_first() -> None:
    """Six in line are let in in the order in which they came."""
    gate = Gate(slots=1, queue=6, wait=30)
    order: list[int] = []
    first = Visitor(gate)
    wait_until(lambda: gate.in_use == 1)
    line = []
    for number in range(6):
        line.append(Visitor(gate, order, number))
        wait_until(lambda expected=number + 1: gate.waiting == expected)  # type: ignore[misc]
    for visitor in [first, *line]:
        wait_until(lambda seen=visitor: seen.outcome == "inside")  # type: ignore[misc]
        visitor.gone()
    assert order == [0, 1, 2, 3, 4, 5]


def test_whoever_waited_too_long_leaves_the_line() -> None:
    """After `wait` seconds the answer is Busy, and the place in the line is free again."""
    gate = Gate(slots=1, queue=1, wait=0)
    first = Visitor(gate)
    wait_until(lambda: gate.in_use == 1)
    with pytest.raises(Busy), gate:
        pytest.fail("nobody had left")
    assert (gate.in_use, gate.waiting) == (1, 0)
    assert first.gone() == "inside"
    with gate:
        assert gate.in_use == 1
    assert gate.in_use == 0


class Interrupted(BaseException):
    """What a signal handler raises in the middle of a wait, as Ctrl-C does."""


def test_whoever_is_interrupted_while_waiting_leaves_the_line() -> None:
    """A signal that ends the wait takes the caller out of the line: the slot is not handed to somebody who is gone."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise Interrupted

    gate = Gate(slots=1, queue=1, wait=30)
    first = Visitor(gate)
    wait_until(lambda: gate.in_use == 1)
    waits_here = main_thread().ident
    assert waits_here is not None
    before = signal.signal(signal.SIGUSR1, interrupt)

    def send() -> None:
        wait_until(lambda: gate.waiting == 1)
        signal.pthread_kill(waits_here, signal.SIGUSR1)

    sender = Thread(target=send)
    sender.start()
    try:
        with pytest.raises(Interrupted), gate:
            pytest.fail("nobody had left")
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert (gate.in_use, gate.waiting) == (1, 0)
    assert first.gone() == "inside"
    assert gate.in_use == 0


def test_a_slot_is_given_back_when_the_work_fails() -> None:
    """An exception inside leaves nobody inside."""
    gate = Gate(slots=1, queue=0, wait=0)
    with pytest.raises(RuntimeError), gate:
        raise RuntimeError
    assert gate.in_use == 0


def test_no_slot_is_lost_when_waits_end_as_turns_come() -> None:
    """Two thousand visits whose patience ends around the moment of their turn leave the gate empty and usable."""
    gate = Gate(slots=2, queue=6, wait=0.0005)
    outcomes: list[str] = []

    def visit() -> None:
        for _ in range(250):
            try:
                with gate:
                    assert gate.in_use <= 2
                    Event().wait(0.0004)
                outcomes.append("inside")
            except Busy:
                outcomes.append("busy")

    threads = [Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 2_000
    assert set(outcomes) == {"inside", "busy"}
    assert (gate.in_use, gate.waiting) == (0, 0)
