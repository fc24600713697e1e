"""The follower's own thread: what wakes it, and what it looks after besides the log."""

import threading
from datetime import timedelta

from gatepost.core.revocation import SessionEnded
from tests.checking.posts import Post

PATIENCE = 60.0


def test_the_thread_notices_a_clock_that_was_set(post: Post) -> None:
    """Not in each of its rounds, but without anybody asking."""
    noticed = threading.Event()
    post.follower.when_clock_is_set(noticed.set)
    post.follower.start()
    try:
        post.clock.jump(timedelta(hours=1))
        assert noticed.wait(PATIENCE)
    finally:
        post.follower.stop()


def test_a_follower_told_twice_before_it_wakes_has_heard_both(post: Post) -> None:
    """To be woken twice is to be woken: nothing is lost and nothing raised, whether the thread runs or not."""
    for number in range(2):
        post.follower.tell(post.append(SessionEnded(f"session-{number}")))
    assert len(post.follower.revocations) == 2
    post.follower.start()
    try:
        for number in range(2, 4):
            post.follower.tell(post.append(SessionEnded(f"session-{number}")))
    finally:
        post.follower.stop()
    assert len(post.follower.revocations) == 4
