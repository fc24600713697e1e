"""Stores that can be fenced off: an answer counts only while the pulse moves."""

from datetime import timedelta

from gatepost.checking.follower import Follower, Identity
from gatepost.checking.lease import Lease
from gatepost.core.changes import Change
from gatepost.core.revocation import SessionEnded, Standing
from gatepost.stores.memory import MemoryStore
from gatepost.testing.clock import TurnableClock
from gatepost.testing.randomness import SeededRandomness
from tests.builders import NOW, make_subject

BOUND = 1.0


def following() -> tuple[Follower, MemoryStore, TurnableClock]:
    """A follower of a store with a pulse; nothing asked yet."""
    clock = TurnableClock()
    store = MemoryStore(SeededRandomness(), pulses=True)
    return Follower(store, clock, Identity("a", 1), bound=BOUND), store, clock


def test_the_first_answer_begins_no_lease() -> None:
    """It shows a pulse, but not that anybody still moves it."""
    follower, store, _ = following()
    store.beat()
    follower.step()
    assert follower.lease == Lease()


def test_a_pulse_that_moved_begins_the_lease_at_the_question_before() -> None:
    """Between the two questions there was a primary that could commit: since the first is all that is sure."""
    follower, store, clock = following()
    follower.step()
    asked = clock.boot()
    clock.turn(timedelta(milliseconds=300))
    store.beat()
    follower.step()
    assert follower.lease == Lease(asked + BOUND)


def test_answers_of_a_fenced_primary_renew_nothing() -> None:
    """It goes on answering, its pulse stands still, and the lease runs out."""
    follower, store, clock = following()
    for _ in range(2):
        store.beat()
        follower.step()
    lease = follower.lease
    assert lease.fresh(clock.boot())
    for _ in range(20):
        clock.turn(timedelta(milliseconds=100))
        store.confirm(next(iter(store.followers())))
        store.raise_floor(0)
        follower.step()
    assert follower.lease == lease
    assert not lease.fresh(clock.boot())


def test_what_a_fenced_primary_says_is_believed_when_it_ends_something() -> None:
    """Facts are folded even where the answer does not renew: refusing too much is safe."""
    follower, store, _ = following()
    follower.step()
    store.commit(Change(at=NOW, facts=(SessionEnded("session-1"),)))
    follower.step()
    assert follower.revocations.covers(make_subject(pos=0)) is Standing.ENDED
    assert follower.lease == Lease()


def test_the_pulse_is_moved_four_times_in_a_bound() -> None:
    """By the follower's thread; a store without one is never asked to."""
    follower, store, clock = following()
    for _ in range(100):
        follower.beat()
        clock.turn(timedelta(milliseconds=10))
    assert store.read(None).pulse == 4


def test_a_store_that_cannot_be_fenced_off_has_no_pulse() -> None:
    """Its answers count by themselves."""
    store = MemoryStore(SeededRandomness())
    store.beat()
    assert store.read(None).pulse is None
