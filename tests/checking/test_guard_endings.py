"""What the log says, at the check: every grain, every order in which a fact and a record can arrive."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.checking.guard import Load
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    SessionEnded,
    TokenEnded,
)
from gatepost.core.secrets import digest
from gatepost.errors import Outdated, Revoked, Stale
from tests.builders import LIMITS, NOW
from tests.checking.conftest import Check
from tests.checking.posts import COOKIE, Post

ENDS_BOTH: list[Fact] = [
    SessionEnded("session-1"),
    AccountEnded("ada"),
    AccountEnded("ada", keep="session-2"),
    ClientEnded("first-party"),
    EveryoneEnded(),
]
ENDS_TOKENS: list[Fact] = [TokenEnded("token-1"), KeyEnded("key-1")]
OUTDATES: list[Fact] = [AccountOutdated("ada"), EveryoneOutdated()]
HITS_NOBODY_HERE: list[Fact] = [
    TokenEnded("token-2"),
    SessionEnded("session-2"),
    AccountEnded("bob"),
    AccountEnded("ada", keep="session-1"),
    AccountOutdated("bob"),
    ClientEnded("shop"),
    KeyEnded("key-2"),
]


@pytest.mark.parametrize("fact", ENDS_BOTH, ids=repr)
def test_an_ending_bites_at_the_next_check_of_a_known_cookie(post: Post, check: Check, fact: Fact) -> None:
    """The record in memory is not believed, and its place is free."""
    check(post.guard, COOKIE)
    post.hear(fact)
    with pytest.raises(Revoked):
        check(post.guard, COOKIE)
    assert post.guard.known == (0, 0, 0, 0)


@pytest.mark.parametrize("fact", ENDS_BOTH + ENDS_TOKENS, ids=repr)
@pytest.mark.parametrize("known", [True, False])
def test_an_ending_bites_at_the_next_check_of_a_token(
    post: Post, check: Check, fact: Fact, known: bool
) -> None:
    """Verified before or seen for the first time."""
    token = post.bearer()
    if known:
        check(post.guard, token)
    post.hear(fact)
    for _ in range(2):
        with pytest.raises(Revoked):
            check(post.guard, token)


@pytest.mark.parametrize("fact", ENDS_TOKENS, ids=repr)
def test_the_ending_of_a_token_or_key_leaves_the_session(post: Post, check: Check, fact: Fact) -> None:
    """The cookie of the same session goes on, from memory."""
    check(post.guard, COOKIE)
    post.hear(fact)
    check(post.guard, COOKIE)
    assert post.store.loads == 1


@pytest.mark.parametrize("fact", HITS_NOBODY_HERE, ids=repr)
def test_an_ending_of_others_costs_nothing(post: Post, check: Check, fact: Fact) -> None:
    """Neither a read nor a signature, and nobody is refused."""
    token = post.bearer()
    check(post.guard, COOKIE)
    check(post.guard, token)
    post.hear(fact)
    check(post.guard, COOKIE)
    check(post.guard, token)
    assert (post.store.loads, len(post.ring.asked)) == (1, 1)


@pytest.mark.parametrize("fact", OUTDATES, ids=repr)
def test_an_outdating_reloads_a_cookie_and_refuses_a_token(post: Post, check: Check, fact: Fact) -> None:
    """Nobody is signed out: the cookie's record is read again, the token has to be renewed."""
    token = post.bearer()
    check(post.guard, COOKIE)
    check(post.guard, token)
    post.hear(fact)
    check(post.guard, COOKIE)
    assert post.store.loads == 2
    with pytest.raises(Outdated):
        check(post.guard, token)
    check(post.guard, post.bearer(pos=1, jti="token-2"))


def test_a_role_taken_away_is_gone_at_the_next_check(post: Post, check: Check) -> None:
    """The cookie shows the new roles at once."""
    check(post.guard, COOKIE)
    post.hear(AccountOutdated("ada"), put=(replace(post.account(), roles=()),))
    who = check(post.guard, COOKIE)
    assert getattr(who, "roles", None) == ()


def test_a_locked_account_is_refused_with_every_carrier(post: Post, check: Check) -> None:
    """From memory, and by the truth alone where nothing was remembered."""
    token = post.bearer()
    check(post.guard, COOKIE)
    check(post.guard, token)
    post.hear(AccountEnded("ada"), put=(replace(post.account(), locked_at=NOW),))
    for _ in range(2):
        with pytest.raises(Revoked):
            check(post.guard, COOKIE)
        with pytest.raises(Revoked):
            check(post.guard, token)


@pytest.mark.parametrize("fact", [SessionEnded("session-1"), AccountEnded("ada"), EveryoneEnded()], ids=repr)
def test_a_record_that_was_read_before_an_ending_and_kept_after_it_is_refused(post: Post, fact: Fact) -> None:
    """The race of a slow read: the position it was read at says which came first."""
    handle = digest(COOKIE.value)
    view = post.store.session_by_handle(handle)
    post.hear(fact)
    post.guard.admit(handle, view)
    with pytest.raises(Revoked):
        post.guard.step(COOKIE)


def test_a_record_that_was_read_before_an_outdating_is_read_again(post: Post) -> None:
    """Kept after the fact, it still carries the older position."""
    handle = digest(COOKIE.value)
    view = post.store.session_by_handle(handle)
    post.hear(AccountOutdated("ada"))
    post.guard.admit(handle, view)
    assert post.guard.step(COOKIE) == Load(handle)


def test_an_ending_during_the_read_is_not_missed(post: Post, check: Check) -> None:
    """It is committed and heard after the record was read and before it is remembered."""
    post.store.after_load = lambda: post.hear(SessionEnded("session-1"))
    with pytest.raises(Revoked):
        check(post.guard, COOKIE)


def test_an_outdating_during_the_read_costs_one_more_read(post: Post, check: Check) -> None:
    """The second answer is the new one."""

    def outdate() -> None:
        post.store.after_load = lambda: None
        post.hear(AccountOutdated("ada"), put=(replace(post.account(), roles=("support",)),))

    post.store.after_load = outdate
    assert getattr(check(post.guard, COOKIE), "roles", None) == ("support",)
    assert post.store.loads == 2


def test_a_record_that_never_catches_up_with_the_log_signs_nobody_out(post: Post, check: Check) -> None:
    """Nobody has ended the session, so the answer is to try again, after a bounded number of reads."""
    post.store.after_load = lambda: post.hear(AccountOutdated("ada"))
    with pytest.raises(Stale):
        check(post.guard, COOKIE)
    assert post.store.loads == 4


def test_what_the_log_has_forgotten_is_asked_of_the_truth(post: Post, check: Check) -> None:
    """A record older than the floor is read again; a token older than the floor has to be renewed."""
    old, newer = post.bearer(), post.bearer(jti="token-2", pos=1)
    for presented in (COOKIE, old, newer):
        check(post.guard, presented)
    post.append(SessionEnded("somebody's"))
    post.wire.raise_floor(1)
    post.follower.step()
    check(post.guard, COOKIE)
    assert post.store.loads == 2
    check(post.guard, newer)
    with pytest.raises(Outdated):
        check(post.guard, old)


def test_an_ending_outlives_what_readers_remember(post: Post, check: Check) -> None:
    """Long forgotten by the followers, it stands on the account's row, which every load compares."""
    post.hear(AccountEnded("ada"))
    post.wire.raise_floor(1)
    post.follower.step()
    assert len(post.follower.revocations) == 0
    with pytest.raises(Revoked):
        check(post.guard, COOKIE)


def test_an_ended_session_past_its_time_is_not_an_error(post: Post, check: Check) -> None:
    """Whatever ends first, the refusal is a refusal."""
    post.hear(AccountEnded("ada"))
    post.turn(LIMITS.absolute + timedelta(days=1))
    with pytest.raises(Revoked):
        check(post.guard, COOKIE)


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_switches")
def test_many_threads_may_crowd_a_full_memory(post: Post) -> None:
    """Making room while others do the same is no error, and the bound holds but for one each."""
    crowded = Post(most_known=2).guard
    view = post.store.session_by_handle(digest(COOKIE.value))
    failed: list[BaseException] = []

    def crowd(first: int) -> None:
        try:
            for turn in range(5000):
                crowded.admit(bytes([(first + turn) % 50]), view)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=crowd, args=(7 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert crowded.known[0] <= 2 + len(threads)
