"""What a wall clock that somebody sets does to what is already known, and what it cannot do."""

from datetime import timedelta

import pytest

from gatepost.errors import Expired
from tests.checking.posts import BOUND, COOKIE, Post


def test_a_token_that_a_clock_set_forward_has_expired_is_refused(post: Post) -> None:
    """At the next question to the log, milliseconds later, everything known is verified anew."""
    bearer = post.bearer()
    post.guard.check(bearer)
    post.clock.jump(timedelta(hours=1))
    post.follower.step()
    with pytest.raises(Expired):
        post.guard.check(bearer)


def test_a_session_is_loaded_again_after_the_clock_was_set(post: Post) -> None:
    """Whether it has timed out is for the truth to say, on the new time."""
    post.guard.check(COOKIE)
    loads = post.store.loads
    post.clock.jump(timedelta(hours=-1))
    post.follower.step()
    post.guard.check(COOKIE)
    assert post.store.loads == loads + 1


def test_a_clock_that_is_only_corrected_a_little_costs_nothing(post: Post) -> None:
    """NTP moves it by milliseconds all day."""
    post.guard.check(COOKIE)
    loads = post.store.loads
    for _ in range(10):
        post.clock.jump(timedelta(milliseconds=400))
        post.follower.step()
    post.guard.check(COOKIE)
    assert post.store.loads == loads


def test_a_clock_that_is_set_does_not_touch_the_lease(post: Post) -> None:
    """A lease runs on the boot clock: a day forward does not end it, a day back does not lengthen it."""
    lease = post.follower.lease
    for days in (1, -2):
        post.clock.jump(timedelta(days=days))
        post.follower.step()
        assert post.follower.lease == lease
    assert lease.until == post.clock.boot() + BOUND
