"""Following the log: what is heard when, what a lease stands on, and what trouble does."""

import threading
from datetime import timedelta

import pytest

from gatepost.checking.follower import HEARTBEAT
from gatepost.checking.lease import Lease
from gatepost.core.ports import FollowerRow
from gatepost.core.revocation import AccountEnded, SessionEnded, Standing, TokenEnded
from gatepost.errors import Busy, StoreUnusable
from tests.builders import NOW, make_subject
from tests.checking.posts import BOUND, Post

ENDED, LIVE = Standing.ENDED, Standing.LIVE
SUBJECT = make_subject(pos=0)
FACT = SessionEnded("session-1")


def standing(post: Post) -> Standing:
    """What the follower's facts say of the subject."""
    return post.follower.revocations.covers(SUBJECT)


def seq(post: Post) -> int:
    """How far the follower has read."""
    assert post.follower.position is not None
    return post.follower.position.seq


def test_facts_committed_by_others_are_heard(post: Post) -> None:
    """With one step for all of them, in order; the position moves to the newest."""
    post.append(AccountEnded("bob"), FACT)
    post.append(TokenEnded("token-9"))
    assert standing(post) is LIVE
    post.follower.step()
    assert standing(post) is ENDED
    assert seq(post) == 3
    assert len(post.follower.revocations) == 3


def test_nothing_is_read_while_nothing_changed(post: Post) -> None:
    """The cheap question is enough to renew the lease."""
    reads = post.wire.reads
    post.turn(timedelta(seconds=3))
    assert post.wire.reads == reads
    assert post.follower.lease == Lease(post.clock.boot() + BOUND)


def test_what_is_told_bites_before_it_is_read(post: Post) -> None:
    """The position stays behind, so that what others committed in between is still read."""
    post.append(AccountEnded("bob"))
    post.follower.tell(post.append(FACT))
    assert standing(post) is ENDED
    assert seq(post) == 0
    post.follower.step()
    assert seq(post) == 2
    assert len(post.follower.revocations) == 2


def test_a_reader_before_the_floor_builds_its_facts_anew_and_aside(post: Post) -> None:
    """Whoever asks during the reset is answered by the old set, which is never emptied in place."""
    post.hear(FACT)
    before = post.follower.revocations
    post.append(AccountEnded("ada"), TokenEnded("token-1"))
    post.wire.raise_floor(2)
    post.follower.step()
    assert post.follower.revocations is not before
    assert before.covers(SUBJECT) is ENDED
    assert post.follower.revocations.floor == 2
    assert len(post.follower.revocations) == 1
    assert standing(post) is ENDED


def test_the_published_floor_is_followed(post: Post) -> None:
    """A reader that is up to date forgets in place what the log has let go."""
    post.hear(FACT)
    before = post.follower.revocations
    post.wire.raise_floor(1)
    post.follower.step()
    assert post.follower.revocations is before
    assert len(before) == 0
    assert before.floor == 1


def test_a_fact_told_while_a_reset_is_on_its_way_is_not_lost(post: Post) -> None:
    """The answer was given before the commit; the new set holds the fact all the same."""
    post.append(AccountEnded("bob"), AccountEnded("bob"))
    post.wire.raise_floor(2)
    post.wire.before_arrival = lambda: post.follower.tell(post.append(FACT))
    post.follower.step()
    post.wire.before_arrival = lambda: None
    assert standing(post) is ENDED
    assert seq(post) == 2
    post.follower.step()
    assert seq(post) == 3


def test_a_change_is_read_although_the_first_reading_failed(post: Post) -> None:
    """The log says only once that it changed; a lease must not be renewed over facts that were never read."""
    post.append(FACT)
    lease = post.follower.lease
    post.clock.turn(timedelta(milliseconds=500))
    post.wire.read_trouble = Busy()
    with pytest.raises(Busy):
        post.follower.step()
    assert post.follower.lease == lease
    post.wire.read_trouble = None
    post.follower.step()
    assert standing(post) is ENDED


def test_a_lease_begins_when_the_question_is_sent(post: Post) -> None:
    """An answer that takes 400 ms has used up 400 ms of the bound: meanwhile anything may have been committed."""
    sent = post.clock.boot()
    post.append(FACT)
    post.wire.before_arrival = lambda: post.clock.turn(timedelta(milliseconds=400))
    post.follower.step()
    assert post.follower.lease == Lease(sent + BOUND)


def test_the_age_of_the_answer_is_taken_off(post: Post) -> None:
    """One who asks a copy of the log knows no more than the copy does."""
    post.turn(timedelta(seconds=10))
    post.append(FACT)
    post.clock.turn(timedelta(seconds=5))
    post.wire.age = 0.3
    post.follower.step()
    assert post.follower.lease == Lease(post.clock.boot() - 0.3 + BOUND)


def test_a_lease_never_moves_back(post: Post) -> None:
    """An answer with old knowledge takes nothing away from what is known already."""
    before = post.follower.lease
    post.append(FACT)
    post.wire.age = 60.0
    post.follower.step()
    assert post.follower.lease == before
    assert standing(post) is ENDED


def test_facts_are_in_before_the_lease_is_renewed(post: Post) -> None:
    """While the answer is on its way the lease is still the old one."""
    post.append(FACT)
    post.clock.turn(timedelta(milliseconds=500))
    seen: list[Lease] = []
    post.wire.before_arrival = lambda: seen.append(post.follower.lease)
    before = post.follower.lease
    post.follower.step()
    assert seen == [before]
    assert post.follower.lease.until > before.until


def test_a_row_says_how_far_this_process_has_heard(post: Post) -> None:
    """Whoever revokes waits for it; it is written at once when something was heard."""
    assert post.wire.followers() == [FollowerRow("post-1", 4711, 0, NOW)]
    post.turn(timedelta(seconds=1))
    post.hear(FACT)
    assert post.wire.followers() == [FollowerRow("post-1", 4711, 1, NOW + timedelta(seconds=1))]


def test_a_quiet_follower_confirms_at_every_heartbeat(post: Post) -> None:
    """Not before, so that an idle server writes next to nothing."""
    pace = timedelta(milliseconds=500)
    for _ in range(int(HEARTBEAT / pace.total_seconds()) - 1):
        post.turn(pace)
    assert post.wire.followers()[0].at == NOW
    post.turn(pace)
    assert post.wire.followers()[0].at == NOW + timedelta(seconds=HEARTBEAT)


def test_a_started_follower_hears_by_itself(post: Post) -> None:
    """A commit by somebody else is in force here before the next catch-up has answered."""
    post.follower.start()
    try:
        post.follower.start()
        assert threading.active_count() >= 2
        post.append(FACT)
        post.clock.turn(timedelta(seconds=BOUND))
        assert post.follower.catch_up(30)
        assert standing(post) is ENDED
    finally:
        post.follower.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "gatepost-follower"]


def test_a_stopped_follower_leaves_and_vouches_for_nothing(post: Post) -> None:
    """Nobody waits for it any more; stopping again, or before the start, does nothing."""
    post.follower.stop()
    assert post.wire.followers()
    post.follower.start()
    post.follower.stop()
    post.follower.stop()
    assert post.wire.followers() == []
    assert post.follower.lease == Lease()
    assert not post.follower.catch_up(0.01)


def test_a_follower_that_cannot_leave_stops_all_the_same() -> None:
    """The trouble is reported; whoever revokes waits one bound for the row that stays."""
    reported: list[Exception] = []
    post = Post(report=reported.append)
    post.follower.start()
    post.wire.trouble = Busy()
    post.follower.stop()
    assert reported[-1] is post.wire.trouble
    assert post.wire.followers()
    assert post.follower.lease == Lease()


def test_a_follower_that_is_started_again_is_waited_for_again(post: Post) -> None:
    """Its row is back at once, not at the next heartbeat."""
    post.follower.start()
    post.follower.stop()
    post.follower.start()
    try:
        assert [row.instance for row in post.wire.followers()] == ["post-1"]
    finally:
        post.follower.stop()


def test_a_start_that_fails_can_be_tried_again(post: Post) -> None:
    """The operator reads why; nothing half started is left to stop."""
    post.wire.trouble = StoreUnusable("The database is read-only.")
    with pytest.raises(StoreUnusable):
        post.follower.start()
    post.follower.stop()
    post.wire.trouble = None
    post.follower.start()
    post.clock.turn(timedelta(seconds=BOUND))
    try:
        assert post.follower.catch_up(30)
    finally:
        post.follower.stop()


@pytest.mark.parametrize("trouble", [Busy(), StoreUnusable("gone"), ValueError("a fault of ours")], ids=repr)
def test_trouble_does_not_end_the_following(trouble: Exception) -> None:
    """It is reported, the lease runs out by itself, and the thread goes on when the trouble is over."""
    told = threading.Event()
    reported: list[Exception] = []

    def report(error: Exception) -> None:
        reported.append(error)
        told.set()

    post = Post(report=report)
    post.follower.start()
    try:
        post.wire.trouble = trouble
        assert told.wait(30)
        post.clock.turn(timedelta(seconds=BOUND))
        assert not post.follower.lease.fresh(post.clock.boot())
        post.wire.trouble = None
        assert post.follower.catch_up(30)
    finally:
        post.follower.stop()
    assert reported[0] is trouble


def test_all_who_wait_share_one_question(post: Post) -> None:
    """Twenty requests that find the lease over are answered by the same reading of the log."""
    released, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        released.wait(30)

    post.follower.start()
    try:
        reads = post.wire.reads
        post.wire.before_arrival = hang
        post.clock.turn(timedelta(seconds=BOUND))
        post.append(FACT)
        assert hanging.wait(30)
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(post.follower.catch_up(30))) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        released.set()
        for thread in threads:
            thread.join()
        assert answers == [True] * 20
        assert post.wire.reads <= reads + 2
    finally:
        released.set()
        post.follower.stop()


def test_a_follower_that_has_not_read_has_no_position() -> None:
    """Nothing is believed before the first answer."""
    post = Post(read=False)
    assert post.follower.position is None
    assert not post.follower.catch_up(0.01)
