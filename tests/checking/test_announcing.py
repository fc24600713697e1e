"""When a follower's row is written, and what a reset does to its lease: whoever revokes relies on both."""

from datetime import timedelta

import pytest

from gatepost.checking.lease import Lease
from gatepost.core.changes import Change
from gatepost.core.ports import LogAnswer
from gatepost.core.revocation import KeyEnded, Position, SessionEnded, Standing
from gatepost.errors import Busy, StoreUnusable
from gatepost.stores.memory import MemoryStore
from gatepost.testing.randomness import SeededRandomness
from tests.builders import NOW, make_signing_key, make_subject
from tests.checking.posts import BOUND, CountingStore, Post

FACT = SessionEnded("session-1")


def test_a_follower_is_in_the_list_before_it_asks_for_the_first_time() -> None:
    """An ending that is committed after the answer was made finds somebody to wait for."""
    post = Post(read=False)
    seen: list[int] = []
    post.wire.before_arrival = lambda: seen.extend(row.seq for row in post.wire.followers())
    post.follower.step()
    assert seen == [-1]
    assert post.wire.followers()[0].seq == 0


@pytest.mark.parametrize(("waited", "is_new"), [(BOUND - 0.001, False), (BOUND, True)])
def test_a_lease_that_lapsed_is_announced_before_the_next_question(
    post: Post, waited: float, is_new: bool
) -> None:
    """Whoever revoked meanwhile has given the row up, and would not wait for the same one again."""
    post.clock.turn(timedelta(seconds=waited))
    post.append(FACT)
    post.wire.before_arrival = lambda: seen.append(post.wire.followers()[0].at > NOW)
    seen: list[bool] = []
    post.follower.step()
    assert seen == [is_new]


def test_no_lease_begins_that_could_not_be_announced() -> None:
    """A process that nobody can see must not accept anything."""
    post = Post(read=False)
    post.wire.confirm = refuse  # type: ignore[method-assign]
    with pytest.raises(Busy):
        post.follower.step()
    assert post.follower.lease == Lease()


def test_a_row_is_written_before_the_lease_is_renewed(post: Post) -> None:
    """A lease renewed first could outlive the moment at which others give the row up."""
    post.append(FACT)
    post.clock.turn(timedelta(milliseconds=500))
    before = post.follower.lease
    post.wire.confirm = refuse  # type: ignore[method-assign]
    with pytest.raises(Busy):
        post.follower.step()
    assert post.follower.lease == before
    assert post.follower.revocations.covers(make_subject(pos=0)) is Standing.ENDED


def test_a_lease_that_lapsed_during_a_question_is_not_renewed_by_it(post: Post) -> None:
    """The row was not announced for it. The next question is."""
    post.append(FACT)
    post.clock.turn(timedelta(milliseconds=500))
    post.wire.before_arrival = lambda: post.clock.turn(timedelta(milliseconds=500))
    before = post.follower.lease
    post.follower.step()
    assert post.follower.lease == before
    post.wire.before_arrival = lambda: None
    post.follower.step()
    assert post.follower.lease == Lease(post.clock.boot() + BOUND)


def test_a_reset_takes_the_old_lease_along(post: Post) -> None:
    """An old primary that does not know a position answers with less than is known: nothing vouches for that."""
    post.hear(FACT)
    assert post.follower.lease.fresh(post.clock.boot())
    elsewhere = MemoryStore(SeededRandomness(7))

    def older(after: Position | None) -> LogAnswer:
        return LogAnswer((), elsewhere.read(after).position, 0, reset=True, age=BOUND)

    post.append(SessionEnded("session-2"))
    post.wire.read = older  # type: ignore[method-assign]
    known = post.follower.knowledge
    post.follower.step()
    assert not post.follower.lease.fresh(post.clock.boot())
    assert known.revocations.covers(make_subject(pos=0)) is Standing.ENDED


def test_a_pulse_is_compared_with_one_of_the_same_primary() -> None:
    """Of two primaries that are both fenced off, one after the other answers with another pulse, for ever."""
    post = Post(CountingStore(), read=False)
    post.store.pulses = True
    shown = iter([("a", 1), ("a", 2), ("b", 7), ("a", 2), ("b", 7), ("b", 8)])

    def read(after: Position | None) -> LogAnswer:
        origin, pulse = next(shown)
        return LogAnswer((), Position("log", 0, "0"), 0, reset=False, pulse=pulse, origin=origin)

    post.wire.read = read  # type: ignore[method-assign]
    begun: list[Lease] = []
    for _ in range(6):
        post.append(FACT)
        post.clock.turn(timedelta(milliseconds=125))
        post.follower.step()
        begun.append(post.follower.lease)
    asked = post.clock.boot()
    assert begun[0] == Lease()
    assert begun[1] == begun[2] == begun[3] == begun[4] == Lease(asked - 0.625 + BOUND)
    assert begun[5] == Lease(asked - 0.125 + BOUND)


def refuse(row: object) -> None:
    """A log that can be read and not written."""
    raise Busy


def test_the_ring_is_changed_before_its_change_is_confirmed(post: Post) -> None:
    """Whoever withdrew a key is answered only when it signs nowhere: heard means that the new ring is held."""
    confirmed: list[list[int]] = []
    post.follower.when_ring_changes(lambda: confirmed.append([row.seq for row in post.wire.followers()]))
    post.follower.step()
    assert confirmed == []
    post.store.commit(Change(at=NOW, put=(make_signing_key("key-2"),), facts=(KeyEnded("key-1"),)))
    post.follower.step()
    assert confirmed == [[0]]
    assert [row.seq for row in post.wire.followers()] == [1]
    post.append(FACT)
    post.follower.step()
    assert len(confirmed) == 1


def test_a_ring_that_cannot_be_changed_leaves_its_change_unconfirmed(post: Post) -> None:
    """The lease runs out, and the next step asks again."""
    attempts: list[object] = []

    def fail() -> None:
        attempts.append(None)
        if len(attempts) == 1:
            raise StoreUnusable("unreadable for a moment")

    post.follower.when_ring_changes(fail)
    post.store.commit(Change(at=NOW, put=(make_signing_key("key-2"),), facts=(KeyEnded("key-1"),)))
    with pytest.raises(StoreUnusable):
        post.follower.step()
    assert [row.seq for row in post.wire.followers()] == [0]
    post.follower.step()
    assert len(attempts) == 2
    assert [row.seq for row in post.wire.followers()] == [1]
