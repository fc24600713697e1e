"""The list of verifiers: written before anybody is answered, seldom after that, and never too short."""

import threading
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.core.verifiers import AHEAD, MOST_OF_CLIENT, NOTHING, InstanceKey, Policy, VerifierRow
from gatepost.errors import Busy
from gatepost.services.verifiers import Batch, Caller, Verifiers
from gatepost.stores.memory_verifiers import MemoryVerifiers
from gatepost.testing.clock import TurnableClock

REMEMBER = 690.0
CALLER = Caller("orders", "one", Policy.REFUSE, 1.0, "192.0.2.7")


class Counted(MemoryVerifiers):
    """A list that counts its writes, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[VerifierRow]] = []
        self.trouble: Busy | None = None
        self.meanwhile: Any = None

    def announce(self, rows: Sequence[VerifierRow], dropped: Collection[InstanceKey], boot: float) -> None:
        """Write, and count it."""
        if self.meanwhile:
            self.meanwhile()
        if self.trouble:
            raise self.trouble
        self.writes.append(list(rows))
        super().announce(rows, dropped, boot)


class Desk:
    """A server process: its part of the list, and an answer to who asks there."""

    def __init__(self, kept: MemoryVerifiers, clock: TurnableClock) -> None:
        self.troubles: list[Exception] = []
        self.clock = clock
        self.verifiers = Verifiers(kept, clock, remember=REMEMBER, on_trouble=self.troubles.append)

    def ask(self, caller: Caller = CALLER, seq: int = 0) -> None:
        """What `/feed` does before it answers."""
        until = self.clock.boot() + caller.bound
        if not self.verifiers.is_promised(caller, seq, until):
            batch = self.verifiers.gather(caller, seq, until)
            self.verifiers.write(batch, caller, seq, until)


@pytest.fixture
def kept() -> Counted:
    """An empty list."""
    return Counted()


@pytest.fixture
def desk(kept: Counted) -> Desk:
    """A server process on it."""
    return Desk(kept, TurnableClock())


def test_an_instance_is_on_the_list_before_it_is_answered(desk: Desk, kept: Counted) -> None:
    """With everything it said, and a promise that goes beyond its lease."""
    desk.ask()
    clock = desk.clock
    until = clock.boot() + CALLER.bound + AHEAD
    row = VerifierRow("orders", "one", 0, until, Policy.REFUSE, 1.0, clock.now(), "192.0.2.7")
    assert kept.verifiers() == [row]


def test_three_hundred_questions_without_news_are_a_handful_of_writes(desk: Desk, kept: Counted) -> None:
    """A hundred seconds of them: one write for each time that the promise has run out."""
    for _ in range(300):
        desk.ask()
        desk.clock.turn(timedelta(seconds=1 / 3))
    assert 9 <= len(kept.writes) <= 11


def test_a_promise_is_renewed_before_an_answer_goes_beyond_it(desk: Desk, kept: Counted) -> None:
    """At the very moment it still covers, nothing is written."""
    desk.ask()
    desk.clock.turn(seconds=AHEAD)
    desk.ask()
    assert len(kept.writes) == 1
    desk.clock.turn(seconds=0.001)
    desk.ask()
    assert len(kept.writes) == 2


@pytest.mark.parametrize(
    ("caller", "seq"),
    [
        (CALLER, 1),
        (Caller("orders", "one", Policy.ALLOW, 1.0), 0),
        (Caller("orders", "one", Policy.REFUSE, 0.5), 0),
        (Caller("orders", "two", Policy.REFUSE, 1.0), 0),
        (Caller("carts", "one", Policy.REFUSE, 1.0), 0),
    ],
)
def test_whatever_is_new_is_written_at_once(desk: Desk, kept: Counted, caller: Caller, seq: int) -> None:
    """Another position, policy, bound, instance, client."""
    desk.ask()
    desk.ask(caller, seq)
    assert [(row.key, row.seq, row.policy, row.bound) for row in kept.writes[1]] == [
        (caller.key, seq, caller.policy, caller.bound)
    ]


def test_who_begins_anew_is_written_each_time(desk: Desk, kept: Counted) -> None:
    """A neighbour may have written meanwhile that it has heard, which it has not any more."""
    neighbour = Desk(kept, desk.clock)
    desk.ask(seq=NOTHING)
    neighbour.ask(seq=5)
    desk.ask(seq=NOTHING)
    assert [row.seq for row in kept.verifiers()] == [NOTHING]


def test_many_of_one_moment_are_one_write(desk: Desk, kept: Counted) -> None:
    """Those that come while it is written are the next."""
    callers = [Caller("orders", f"{number}", Policy.REFUSE, 1.0) for number in range(64)]
    batch, *others = [desk.verifiers.gather(caller, 0, 1001.0) for caller in callers]
    assert all(other is batch for other in others)
    late: list[Batch] = []
    kept.meanwhile = lambda: late.append(desk.verifiers.gather(CALLER, 0, 1001.0))
    for caller in callers:
        desk.verifiers.write(batch, caller, 0, 1001.0)
    assert [len(rows) for rows in kept.writes] == [64]
    assert late[0] is not batch
    kept.meanwhile = None
    desk.verifiers.write(late[0], CALLER, 0, 1001.0)
    assert [len(rows) for rows in kept.writes] == [64, 1]


def test_threads_share_a_write(desk: Desk, kept: Counted) -> None:
    """Who comes second finds it done."""
    callers = [Caller("orders", f"{number}", Policy.REFUSE, 1.0) for number in range(8)]
    [batch, *_] = [desk.verifiers.gather(caller, 0, 1001.0) for caller in callers]
    threads = [
        threading.Thread(target=desk.verifiers.write, args=(batch, caller, 0, 1001.0)) for caller in callers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.writes) == 1


def test_where_the_list_cannot_be_written_nobody_is_answered_who_needs_it(desk: Desk, kept: Counted) -> None:
    """Nobody new, nobody whose promise has run out, nobody who begins anew."""
    desk.ask(seq=3)
    kept.trouble = Busy()
    with pytest.raises(Busy):
        desk.ask(Caller("orders", "two", Policy.REFUSE, 1.0))
    with pytest.raises(Busy):
        desk.ask(seq=NOTHING)
    with pytest.raises(Busy):
        desk.ask(seq=2)
    with pytest.raises(Busy):
        desk.ask(Caller("orders", "one", Policy.ALLOW, 1.0), 3)
    desk.clock.turn(seconds=AHEAD + 0.001)
    with pytest.raises(Busy):
        desk.ask(seq=3)
    assert len(desk.troubles) == 5


def test_who_has_confirmed_more_is_answered_and_says_it_again(desk: Desk, kept: Counted) -> None:
    """While the list cannot be written it says less than is true, which harms nobody."""
    desk.ask(seq=3)
    kept.trouble = Busy()
    desk.ask(seq=4)
    assert [row.seq for row in kept.verifiers()] == [3]
    kept.trouble = None
    desk.ask(seq=4)
    assert [row.seq for row in kept.verifiers()] == [4]


def test_a_full_list_refuses_a_newcomer_and_answers_the_others(desk: Desk, kept: Counted) -> None:
    """Until one of them is gone."""
    for number in range(MOST_OF_CLIENT):
        desk.ask(Caller("orders", f"{number}", Policy.REFUSE, 1.0))
    with pytest.raises(Busy):
        desk.ask(Caller("orders", "new", Policy.REFUSE, 1.0))
    desk.ask(Caller("orders", "0", Policy.REFUSE, 1.0))
    assert len(kept.verifiers()) == MOST_OF_CLIENT
    desk.clock.turn(seconds=1 + AHEAD)
    desk.ask(Caller("orders", "new", Policy.REFUSE, 1.0))
    assert len(kept.verifiers()) == MOST_OF_CLIENT


def test_an_instance_is_forgotten_a_day_after_it_was_last_heard_of(desk: Desk, kept: Counted) -> None:
    """Not before, not while it counts, and looked for once a minute at most."""
    desk.ask()
    desk.clock.turn(timedelta(days=1))
    desk.verifiers.sweep()
    assert len(kept.verifiers()) == 1
    desk.clock.turn(seconds=59)
    desk.verifiers.sweep()
    assert len(kept.verifiers()) == 1
    desk.clock.turn(seconds=1)
    desk.verifiers.sweep()
    assert kept.verifiers() == []


def test_a_wall_clock_set_forward_sweeps_nobody_who_counts(desk: Desk, kept: Counted) -> None:
    """A day by the wall clock is no time at all by the other one."""
    desk.ask()
    desk.clock.jump(timedelta(days=3))
    desk.verifiers.sweep()
    assert len(kept.verifiers()) == 1


def test_the_instances_of_an_ended_client_count_for_one_bound_more(desk: Desk, kept: Counted) -> None:
    """Their leases may have begun a moment before; nobody answers them any more."""
    desk.ask()
    desk.ask(Caller("orders", "two", Policy.REFUSE, 3.0))
    desk.ask(Caller("carts", "one", Policy.REFUSE, 1.0))
    desk.verifiers.leave("orders")
    desk.clock.turn(seconds=2.999)
    assert len(desk.verifiers.counting()) == 3
    desk.clock.turn(seconds=0.001)
    assert [row.client_id for row in desk.verifiers.counting()] == ["carts"]


class Machine:
    """Two server processes over one list, and a verifier elsewhere whose leases go by real time."""

    def __init__(self) -> None:
        self.kept = Counted()
        self.real = 0.0
        self.lease = float("-inf")
        self.start(1000.0)

    def start(self, boot: float) -> None:
        """The machine is up, with nothing in memory."""
        self.clock = TurnableClock(boot=boot)
        self.desks = [Desk(self.kept, self.clock), Desk(self.kept, self.clock)]

    def ask(self, at: int, bound: float) -> None:
        """A question that is answered; the lease ends when it does, whatever becomes of the machine."""
        self.desks[at].ask(Caller("orders", "one", Policy.REFUSE, bound))
        self.lease = max(self.lease, self.real + bound)

    def turn(self, seconds: float) -> None:
        """Time passes."""
        self.real += seconds
        self.clock.turn(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.clock.jump(timedelta(seconds=seconds))

    def restart(self, down: float, boot: float) -> None:
        """The machine is off for a while; its boot clock begins anew."""
        self.real += down + boot
        self.start(boot)

    def judge(self) -> None:
        """While it may hold a lease it is never taken for gone, by no process."""
        if self.real < self.lease:
            for desk in self.desks:
                assert len(desk.verifiers.counting()) == 1


bounds = st.sampled_from([0.05, 1.0, 7.5, 60.0])
steps = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([0, 1]), bounds),
    st.tuples(st.just("turn"), st.sampled_from([0.01, 0.5, 3.0, 9.99, 10.0, 30.0, 59.0])),
    st.tuples(st.just("jump"), st.sampled_from([-86400.0, -1.0, 1.0, 86400.0])),
    st.tuples(st.just("restart"), st.sampled_from([0.0, 5.0]), st.sampled_from([0.0, 0.5, 20.0])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=25))
def test_a_lease_is_never_said_to_be_over_before_it_is(history: list[tuple[Any, ...]]) -> None:
    """Whatever the wall clock does, whichever process answers, and however often the machine restarts."""
    machine = Machine()
    for name, *values in history:
        getattr(machine, name)(*values)
        machine.judge()
