"""The check: what costs nothing, what is loaded, what is refused and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, TokenCookies
from gatepost.checking.guard import Renewable
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier
from gatepost.errors import AmbiguousCredentials, Expired, Malformed, NotForUs, SignedOut
from tests.builders import (
    LIMITS,
    NOW,
    TICK,
    make_account,
    make_claims,
    make_handle,
    make_ring,
    make_session,
    make_visit,
)
from tests.carriers.forging import forge
from tests.checking.conftest import Check
from tests.checking.posts import COOKIE, HORIZON, FarStore, Post


def test_a_known_cookie_costs_no_read(post: Post, check: Check) -> None:
    """It is loaded exactly once, however often it comes."""
    answers = [check(post.guard, COOKIE) for _ in range(5)]
    assert post.store.loads == 1
    assert all(answer is answers[0] for answer in answers)
    assert post.guard.known == (1, 0, 0, 0)


def test_a_known_token_costs_no_read_and_no_signature(post: Post, check: Check) -> None:
    """It is verified exactly once, and no session is ever read for it."""
    token = post.bearer()
    answers = [check(post.guard, token) for _ in range(5)]
    assert len(post.ring.asked) == 1
    assert post.store.loads == 0
    assert all(answer is answers[0] for answer in answers)
    assert post.guard.known == (0, 1, 0, 0)


def test_a_cookie_says_who_somebody_is(post: Post, check: Check) -> None:
    """All of it from the record: roles, what they allow, the address as typed."""
    assert check(post.guard, COOKIE) == Principal(
        account_id="ada",
        session_id="session-1",
        roles=("member",),
        permissions=frozenset({"orders.read"}),
        carrier=Carrier.COOKIE,
        authenticated_at=NOW,
        email="Ada@example.com",
    )


def test_a_token_says_who_somebody_is_but_not_their_address(post: Post, check: Check) -> None:
    """All of it from the claims, which hold no private data."""
    token = post.bearer(roles=["support"], auth_time=int(NOW.timestamp()) - 60, iat=1)
    assert check(post.guard, token) == Principal(
        account_id="ada",
        session_id="session-1",
        roles=("support",),
        permissions=frozenset({"orders.read", "orders.cancel"}),
        carrier=Carrier.TOKEN,
        authenticated_at=NOW - timedelta(minutes=1),
        email=None,
    )


def test_a_visit_is_a_visitor(post: Post, check: Check) -> None:
    """Nobody has signed in yet, and nobody is made up."""
    post.put(make_visit(handle=digest(make_handle(2))))
    assert check(post.guard, OpaqueCookie(make_handle(2))) == Visitor("visit-1", Carrier.COOKIE, NOW)


def test_nothing_and_too_much_are_told_apart(post: Post, check: Check) -> None:
    """Whoever presents nothing is signed out; whoever presents two things has to choose."""
    with pytest.raises(SignedOut):
        check(post.guard, Nothing())
    with pytest.raises(AmbiguousCredentials):
        check(post.guard, Ambiguous())


@pytest.mark.parametrize("value", ["", "short", "a" * 44, "\xff" * 43, "a" * 10_000])
def test_what_cannot_be_a_cookie_of_ours_is_not_looked_up(post: Post, check: Check, value: str) -> None:
    """Its form alone refuses it."""
    with pytest.raises(Malformed):
        check(post.guard, OpaqueCookie(value))
    assert post.store.loads == 0


def test_an_unknown_cookie_is_refused_and_not_remembered(post: Post, check: Check) -> None:
    """Guesses fill no memory."""
    for _ in range(3):
        with pytest.raises(Malformed):
            check(post.guard, OpaqueCookie(make_handle(99)))
    assert post.guard.known == (0, 0, 0, 0)


def test_a_refused_token_is_not_remembered(post: Post, check: Check) -> None:
    """Forged, foreign and expired tokens fill no memory."""
    stranger = make_ring().signing
    for token, refusal in (
        (Bearer("a.b.c"), Malformed),
        (Bearer("\ud800"), Malformed),
        (Bearer(forge(stranger, payload=make_claims(aud=["orders"]))), NotForUs),
        (post.bearer(exp=int(NOW.timestamp())), Expired),
    ):
        with pytest.raises(refusal):
            check(post.guard, token)
    assert post.guard.known[0] == 0
    assert post.guard.known[1] == 0


def test_a_token_for_another_service_is_not_renewed(post: Post) -> None:
    """Its successor would be for the other service too, so each request would rotate."""
    stranger, asked = make_ring().signing, list[object]()

    def renew(carrier: Renewable) -> Renewable:
        asked.append(carrier)
        return carrier

    with pytest.raises(NotForUs):
        post.guard.check(TokenCookies(forge(stranger, payload=make_claims(aud=["orders"])), "r"), renew)
    assert asked == []


def test_a_known_token_ends_at_the_very_second(post: Post, check: Check) -> None:
    """Remembering does not prolong it, and its place is free afterwards."""
    token = post.bearer()
    check(post.guard, token)
    post.turn(timedelta(minutes=10) - TICK)
    check(post.guard, token)
    post.turn(TICK)
    with pytest.raises(Expired):
        check(post.guard, token)
    assert post.guard.known == (0, 0, 0, 0)


def test_a_cached_record_lives_half_a_horizon(post: Post, check: Check) -> None:
    """Until just before that nothing is read; from then on the record is read again."""
    check(post.guard, COOKIE)
    post.turn(HORIZON / 2 - TICK)
    check(post.guard, COOKIE)
    assert post.store.loads == 1
    post.turn(TICK)
    check(post.guard, COOKIE)
    assert post.store.loads == 2


def test_a_session_that_looks_idle_here_is_read_again_before_it_is_refused(post: Post, check: Check) -> None:
    """It may have been used at another server: then it passes."""
    post.turn(timedelta(minutes=58))
    check(post.guard, COOKIE)
    post.guard.take_seen()
    post.guard.take_seen()
    post.store.touch([("session-1", NOW + timedelta(minutes=59))])
    post.turn(timedelta(minutes=2))
    check(post.guard, COOKIE)
    assert post.store.loads == 2


def test_an_idle_session_is_refused_at_the_very_second(post: Post, check: Check) -> None:
    """Seen by nobody for its idle time, it is over; just before it is not."""
    post.turn(LIMITS.idle - TICK)
    check(post.guard, COOKIE)
    post.guard.take_seen()
    post.guard.take_seen()
    post.turn(TICK)
    with pytest.raises(Expired):
        check(post.guard, COOKIE)
    assert post.store.loads == 2
    assert post.guard.known == (0, 0, 0, 0)


def test_use_that_is_not_flushed_yet_keeps_a_session_alive(post: Post, check: Check) -> None:
    """The note of a use counts when the record is read again, before the flush and while it is under way."""
    post.turn(timedelta(minutes=50))
    check(post.guard, COOKIE)
    post.turn(timedelta(minutes=30))
    check(post.guard, COOKIE)
    post.guard.take_seen()
    post.turn(timedelta(minutes=50))
    check(post.guard, COOKIE)


def test_a_note_that_could_not_be_flushed_is_put_back(post: Post) -> None:
    """Unless there is a newer one, which says more."""
    post.guard.saw("session-1", NOW)
    assert post.guard.take_seen() == [("session-1", NOW)]
    post.guard.saw_before("session-1", NOW)
    assert post.guard.take_seen() == [("session-1", NOW)]
    post.guard.saw("session-1", NOW + TICK)
    post.guard.saw_before("session-1", NOW)
    assert post.guard.take_seen() == [("session-1", NOW + TICK)]
    assert post.guard.take_seen() == []


@pytest.mark.parametrize("carrier", ["cookie", "token"])
def test_use_is_noted_once_a_minute(post: Post, check: Check, carrier: str) -> None:
    """Not on every check, and not before a minute has passed; at the very minute it is."""
    presented = COOKIE if carrier == "cookie" else post.bearer()
    check(post.guard, presented)
    first = post.guard.take_seen()
    assert first == ([] if carrier == "cookie" else [("session-1", NOW)])
    post.turn(timedelta(minutes=1) - TICK)
    check(post.guard, presented)
    assert post.guard.take_seen() == []
    post.turn(TICK)
    check(post.guard, presented)
    check(post.guard, presented)
    assert post.guard.take_seen() == [("session-1", NOW + timedelta(minutes=1))]


@pytest.mark.parametrize(
    ("idle", "visitor_empty", "every"),
    [(60, 60, 1), (5, 60, 0.5), (60, 4, 0.4), (10, 10, 1)],
)
def test_use_is_noted_at_least_ten_times_in_an_idle_time(
    idle: float, visitor_empty: float, every: float
) -> None:
    """And at least once a minute; the lengths are in minutes."""
    limits = replace(LIMITS, idle=timedelta(minutes=idle), visitor_empty=timedelta(minutes=visitor_empty))
    assert replace(Post().rules, limits=limits).touch_every == timedelta(minutes=every)


@pytest.mark.parametrize("kind", ["cookie", "token"])
def test_memory_is_bounded_in_number(kind: str, check: Check) -> None:
    """The oldest go first, and whoever went is simply loaded or verified again."""
    post = Post(most_known=3)
    post.put(
        make_account(),
        *(make_session(id=f"s{number}", handle=digest(make_handle(number))) for number in range(5)),
    )

    cookies: list[OpaqueCookie | Bearer] = [OpaqueCookie(make_handle(number)) for number in range(5)]
    presented = cookies if kind == "cookie" else [post.bearer(jti=f"t{number}") for number in range(5)]
    for one in (*presented, presented[4]):
        check(post.guard, one)
    assert sum(post.guard.known) == 3
    assert post.store.loads + len(post.ring.asked) == 5
    check(post.guard, presented[0])
    assert post.store.loads + len(post.ring.asked) == 6
    assert sum(post.guard.known) == 3


def test_a_store_that_is_far_away_is_read_in_a_thread(check: Check) -> None:
    """The answers are the same."""
    post = Post(FarStore())
    post.put(make_account(), make_session())
    first = check(post.guard, COOKIE)
    assert check(post.guard, COOKIE) is first
    assert post.store.loads == 1


def test_times_of_a_token_are_aware_utc(post: Post, check: Check) -> None:
    """Whoever compares them with another aware time gets no surprise."""
    who: Any = check(post.guard, post.bearer())
    assert who.authenticated_at.tzinfo is UTC
    assert isinstance(who.authenticated_at, datetime)
