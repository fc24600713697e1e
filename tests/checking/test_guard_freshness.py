"""Freshness: past the bound nobody is let in and nobody is signed out."""

import threading
from datetime import timedelta

import anyio
import pytest

from gatepost.carriers.presented import Nothing, OpaqueCookie
from gatepost.checking.follower import CATCH_UP, POLL, Knowledge
from gatepost.checking.guard import CatchUp, Guard
from gatepost.core.revocation import AccountOutdated, RevocationSet, SessionEnded, Standing, Subject
from gatepost.errors import Busy, Expired, Malformed, Revoked, SignedOut, Stale
from tests.builders import NOW, make_handle
from tests.checking.conftest import Check
from tests.checking.posts import BOUND, COOKIE, Post

TICK = timedelta(milliseconds=1)


def test_knowledge_counts_until_just_before_the_bound(post: Post) -> None:
    """At the very bound the log has to be asked."""
    post.guard.check(COOKIE)
    token = post.bearer()
    post.guard.check(token)
    post.clock.turn(timedelta(seconds=BOUND) - TICK)
    assert not isinstance(post.guard.step(COOKIE), CatchUp)
    assert not isinstance(post.guard.step(token), CatchUp)
    post.clock.turn(TICK)
    assert isinstance(post.guard.step(COOKIE), CatchUp)
    assert isinstance(post.guard.step(token), CatchUp)


@pytest.mark.parametrize("carrier", ["cookie", "token"])
@pytest.mark.parametrize("known", [True, False])
def test_out_of_reach_of_the_log_the_answer_is_to_try_again(
    post: Post, check: Check, carrier: str, known: bool
) -> None:
    """503, never 401, for what is remembered and for what is not."""
    presented = COOKIE if carrier == "cookie" else post.bearer()
    if known:
        check(post.guard, presented)
    post.cut()
    with pytest.raises(Stale) as caught:
        check(post.guard, presented)
    assert (caught.value.status, caught.value.code) == (503, "not_fresh")
    assert caught.value.retry_after >= 1


def test_out_of_reach_a_refusal_is_still_a_refusal(post: Post, check: Check) -> None:
    """What is known to be over does not come back, so it need not wait."""
    token = post.bearer(exp=int(NOW.timestamp()) + 1)
    check(post.guard, token)
    check(post.guard, COOKIE)
    post.hear(SessionEnded("session-1"))
    post.cut()
    with pytest.raises(Expired):
        check(post.guard, token)
    with pytest.raises(Revoked):
        check(post.guard, COOKIE)
    with pytest.raises(Malformed):
        check(post.guard, OpaqueCookie(make_handle(9)))
    with pytest.raises(SignedOut):
        check(post.guard, Nothing())


def test_when_the_log_comes_back_so_does_everybody(post: Post, check: Check) -> None:
    """Nothing has to be started again, and nothing was forgotten."""
    first = check(post.guard, COOKIE)
    post.cut()
    with pytest.raises(Stale):
        check(post.guard, COOKIE)
    post.wire.trouble = None
    post.follower.step()
    assert check(post.guard, COOKIE) is first
    assert post.store.loads == 1


def test_the_wait_for_a_log_that_hangs_is_bounded(post: Post, check: Check) -> None:
    """The answer comes while the log still hangs: the wait is 200 ms, whatever the log does."""
    assert CATCH_UP == 0.2
    check(post.guard, COOKIE)
    released, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        released.wait(30)

    post.follower.start()
    try:
        post.wire.before_arrival = hang
        post.append(AccountOutdated("bob"))
        assert hanging.wait(30)
        post.clock.turn(timedelta(seconds=BOUND))
        with pytest.raises(Stale):
            check(post.guard, COOKIE)
        assert not released.is_set()
    finally:
        released.set()
        post.follower.stop()


def test_a_process_that_fell_behind_catches_up_inside_the_check(post: Post, check: Check) -> None:
    """Woken from a suspend, it asks the log once and answers; what ended meanwhile is refused."""
    check(post.guard, COOKIE)
    post.follower.start()
    try:
        post.clock.turn(timedelta(seconds=30))
        check(post.guard, COOKIE)
        post.append(SessionEnded("session-1"))
        post.clock.turn(timedelta(seconds=30))
        with pytest.raises(Revoked):
            check(post.guard, COOKIE)
    finally:
        post.follower.stop()
    assert POLL < CATCH_UP


class Interrupted(RevocationSet):
    """Facts under which the process is stopped right after they have answered, once."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self.post: Post | None = post

    def covers(self, subject: Subject) -> Standing:
        standing = super().covers(subject)
        post, self.post = self.post, None
        if post is not None:
            post.append(SessionEnded("session-1"))
            post.turn(timedelta(seconds=5))
        return standing


@pytest.mark.parametrize("carrier", ["cookie", "token"])
def test_a_lease_renewed_during_a_pause_does_not_vouch_for_older_facts(
    post: Post, check: Check, carrier: str
) -> None:
    """The process sleeps between the facts and the lease; it wakes with a fresh lease and an old answer."""
    presented = COOKIE if carrier == "cookie" else post.bearer()
    check(post.guard, presented)
    post.follower.knowledge = Knowledge(Interrupted(post), post.follower.lease)
    with pytest.raises(Revoked):
        check(post.guard, presented)


def test_an_outdating_met_while_catching_up_does_not_sign_anybody_out(post: Post, check: Check) -> None:
    """Load, catch up, load again, answer: the longest honest way through a check."""
    guard, before = post.guard, post.clock.boot()

    def pass_the_bound() -> None:
        post.store.after_load = lambda: None
        post.append(AccountOutdated("ada"))
        post.clock.turn(timedelta(seconds=BOUND))

    post.store.after_load = pass_the_bound
    post.wire.trouble = None
    post.follower.start()
    try:
        check(guard, COOKIE)
    finally:
        post.follower.stop()
    assert post.clock.boot() == before + BOUND


def test_trouble_in_the_store_is_no_refusal(post: Post, check: Check) -> None:
    """A session that cannot be loaded is nobody's fault: the error goes up as it is."""

    def break_down() -> None:
        raise Busy

    post.store.after_load = break_down
    with pytest.raises(Busy):
        check(post.guard, COOKIE)


def test_all_who_wait_on_a_loop_share_one_wait(post: Post) -> None:
    """A hundred requests that meet a stale lease ask the follower once, and are all let in by its answer."""
    asked = 0
    catch_up = post.follower.catch_up

    class Counting:
        """The same follower, counting who waits on it."""

        def __getattr__(self, name: str) -> object:
            return getattr(post.follower, name)

        def catch_up(self) -> bool:
            nonlocal asked
            asked += 1
            post.follower.step()
            return catch_up()

    post.guard.check(COOKIE)
    guard = Guard(post.ring, Counting(), post.store, post.clock, post.rules)  # type: ignore[arg-type]
    guard.check(COOKIE)
    post.clock.turn(timedelta(seconds=BOUND))
    asked = 0

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(guard.check_async, COOKIE)

    anyio.run(crowd)
    assert asked == 1
