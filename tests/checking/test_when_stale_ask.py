"""`ask`: past the bound somebody who knows is asked about the one carrier."""

import threading
from datetime import timedelta

import anyio
import pytest

from gatepost.carriers.presented import OpaqueCookie
from gatepost.core.changes import Change
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    SessionEnded,
    TokenEnded,
)
from gatepost.core.secrets import digest
from gatepost.errors import Outdated, Revoked, Stale
from tests.builders import (
    LIMITS,
    NOW,
    TICK,
    make_account,
    make_handle,
    make_session,
    make_signing_key,
    make_visit,
)
from tests.checking.conftest import Check
from tests.checking.happenings import (
    CARRIERS,
    Happening,
    change_roles,
    held,
    lock,
    sign_out,
    staffed,
    unheard,
    unlock,
    withdraw_the_key,
)
from tests.checking.posts import BOUND, COOKIE, Post


@pytest.fixture
def asking() -> Post:
    """A process that asks the store where the log is out of reach."""
    return staffed("ask")


ENDS_BOTH = [
    sign_out,
    lock,
    unlock,
    unheard(AccountEnded("ada", keep="session-2")),
    unheard(ClientEnded("shop")),
    unheard(EveryoneEnded()),
]
ENDS_THE_TOKEN = [unheard(TokenEnded("token-1")), withdraw_the_key]
OUTDATES_THE_TOKEN = [change_roles, unheard(EveryoneOutdated())]
ENDS_NEITHER = [
    unheard(TokenEnded("token-2"), SessionEnded("session-2"), AccountEnded("bob"), ClientEnded("other")),
    unheard(AccountEnded("ada", keep="session-1"), AccountOutdated("bob")),
]


@CARRIERS
@pytest.mark.parametrize("known", [True, False])
def test_a_live_session_is_let_in_by_asking(asking: Post, check: Check, carrier: str, known: bool) -> None:
    """Met before or not: the answer is the one that a fresh process gives."""
    presented = held(asking, carrier)
    before = check(asking.guard, presented) if known else None
    asking.cut()
    answer = check(asking.guard, presented)
    assert isinstance(answer, Principal)
    assert answer.account_id == "ada"
    assert before in {None, answer}


@CARRIERS
@pytest.mark.parametrize("end", ENDS_BOTH, ids=lambda end: end.__name__)
def test_an_ending_that_was_not_heard_is_met_by_asking(
    asking: Post, check: Check, carrier: str, end: Happening
) -> None:
    """Session, account, client and everyone: the carrier is known here and no fact has arrived."""
    presented = held(asking, carrier)
    check(asking.guard, presented)
    end(asking)
    asking.cut()
    with pytest.raises(Revoked):
        check(asking.guard, presented)


@pytest.mark.parametrize("end", ENDS_THE_TOKEN, ids=lambda end: end.__name__)
def test_an_ended_token_or_key_is_met_by_asking_and_the_cookie_is_not(
    asking: Post, check: Check, end: Happening
) -> None:
    """The carrier refused is the one named."""
    presented = held(asking, "token")
    check(asking.guard, presented)
    end(asking)
    asking.cut()
    with pytest.raises(Revoked):
        check(asking.guard, presented)
    check(asking.guard, COOKIE)


@pytest.mark.parametrize("change", OUTDATES_THE_TOKEN, ids=lambda change: change.__name__)
def test_an_outdating_is_met_by_asking(asking: Post, check: Check, change: Happening) -> None:
    """The token has to be renewed; the cookie has the roles that the store has."""
    presented = held(asking, "token")
    check(asking.guard, presented)
    check(asking.guard, COOKIE)
    change(asking)
    asking.cut()
    with pytest.raises(Outdated):
        check(asking.guard, presented)
    answer = check(asking.guard, COOKIE)
    assert isinstance(answer, Principal)
    assert answer.roles == asking.account().roles


@CARRIERS
@pytest.mark.parametrize("end", ENDS_NEITHER, ids=lambda end: end.__name__)
def test_the_endings_of_others_are_no_answer(
    asking: Post, check: Check, carrier: str, end: Happening
) -> None:
    """Other tokens, sessions, accounts and clients, and an ending that kept this very session."""
    presented = held(asking, carrier)
    check(asking.guard, presented)
    end(asking)
    asking.cut()
    check(asking.guard, presented)


def test_a_token_at_the_position_of_an_outdating_is_current(asking: Post, check: Check) -> None:
    """Issued in the change that outdated the others, it already says what is true."""
    change_roles(asking)
    asking.cut()
    check(asking.guard, asking.bearer(pos=1))
    with pytest.raises(Outdated):
        check(asking.guard, asking.bearer(pos=0))


def test_a_token_older_than_the_floor_is_outdated_for_whoever_is_asked(asking: Post, check: Check) -> None:
    """As it is for a process that follows: at the floor it counts, one before it does not."""
    asking.append(AccountOutdated("bob"), AccountOutdated("bob"))
    asking.store.raise_floor(2)
    asking.cut()
    check(asking.guard, asking.bearer(pos=2))
    with pytest.raises(Outdated):
        check(asking.guard, asking.bearer(pos=1))


def test_a_token_is_worth_as_much_as_its_session(asking: Post, check: Check) -> None:
    """At the very moment at which the session has rested for too long, asking lets the token in no more."""
    asking.clock.turn(LIMITS.idle - timedelta(seconds=BOUND) - TICK)
    presented = asking.bearer(exp=int(NOW.timestamp()) + 9000)
    asking.cut()
    check(asking.guard, presented)
    asking.clock.turn(TICK)
    with pytest.raises(Revoked):
        check(asking.guard, presented)


def test_a_key_without_a_record_signs_nothing_that_counts(check: Check) -> None:
    """A withdrawn key may be deleted in the end."""
    post = Post(when_stale="ask")
    post.put(make_account(), make_session(), make_signing_key("key-2"))
    post.cut()
    with pytest.raises(Revoked):
        check(post.guard, post.bearer())


def test_a_token_without_a_session_is_worth_nothing(asking: Post, check: Check) -> None:
    """A session that was swept has left no fact behind."""
    view = asking.store.session("session-1")
    assert view is not None
    asking.store.commit(Change(at=NOW, take=(view.session,)))
    asking.cut()
    with pytest.raises(Revoked):
        check(asking.guard, held(asking, "token"))


def test_a_visitor_is_asked_about_too(asking: Post, check: Check) -> None:
    """Whoever has not signed in keeps what they have put into the basket."""
    asking.put(make_visit(handle=digest(make_handle(2))))
    asking.cut()
    assert isinstance(check(asking.guard, OpaqueCookie(make_handle(2))), Visitor)


@CARRIERS
def test_an_answer_is_neither_remembered_nor_a_lease(asking: Post, check: Check, carrier: str) -> None:
    """The next check asks again, and an ending in between is met."""
    presented = held(asking, carrier)
    check(asking.guard, presented)
    asking.cut()
    lease = asking.follower.lease
    for asked in (1, 2):
        check(asking.guard, presented)
        assert asking.guard.tally.asked == asked
    assert asking.follower.lease is lease
    assert not lease.fresh(asking.clock.boot())
    sign_out(asking)
    with pytest.raises(Revoked):
        check(asking.guard, presented)


@CARRIERS
def test_no_answer_is_stale(asking: Post, check: Check, carrier: str) -> None:
    """503, never 401, and not the error of a store that this check needs no answer from."""
    presented = held(asking, carrier)
    check(asking.guard, presented)
    asking.cut()
    asking.store.close()
    with pytest.raises(Stale) as caught:
        check(asking.guard, presented)
    assert caught.value.status == 503


def test_nobody_is_asked_while_the_lease_lasts(asking: Post, check: Check) -> None:
    """Nor where one catch-up was enough."""
    check(asking.guard, COOKIE)
    asking.clock.turn(timedelta(seconds=BOUND) - TICK)
    check(asking.guard, COOKIE)
    asking.follower.start()
    try:
        asking.clock.turn(timedelta(seconds=BOUND))
        check(asking.guard, COOKIE)
    finally:
        asking.follower.stop()
    assert (asking.guard.tally.asked, asking.guard.tally.allowed) == (0, 0)


def test_asking_does_not_block_the_loop() -> None:
    """The question goes out in a thread of its own, even where the store is near enough for an ordinary read."""
    post = staffed("ask")
    post.guard.check(COOKIE)
    post.cut()
    asked_in: list[int] = []
    post.store.after_load = lambda: asked_in.append(threading.get_ident())

    async def check_it() -> int:
        await post.guard.check_async(COOKIE)
        return threading.get_ident()

    loop = anyio.run(check_it)
    assert len(asked_in) == 1
    assert loop not in asked_in
