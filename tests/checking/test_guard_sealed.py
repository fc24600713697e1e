"""The check of a sealed cookie: what costs nothing, what is believed and how long, what ends it, what may renew it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.carriers.presented import SealedCookie
from gatepost.checking.tally import SEALED
from gatepost.core.changes import Change
from gatepost.core.principals import Principal, Visitor
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
from gatepost.core.secrets import encode
from gatepost.core.sessions import Carrier
from gatepost.errors import Malformed, Outdated, Refused, Revoked, Stale
from tests.builders import LIMITS, NOW, TICK, make_visit
from tests.checking.conftest import Check
from tests.checking.happenings import change_roles, lock, sign_out
from tests.checking.posts import HORIZON, Post
from tests.checking.sealed_posts import (
    RETIRED,
    STRANGE,
    WITHDRAWN,
    Ask,
    SealedPost,
    ask_async,
    ask_sync,
    cookie,
)

AHEAD = timedelta(minutes=5)
ENDINGS = [
    SessionEnded("session-1"),
    AccountEnded("ada"),
    AccountEnded("ada", keep="session-2"),
    ClientEnded("shop"),
    EveryoneEnded(),
    KeyEnded("active"),
]
OTHERS = [
    SessionEnded("session-2"),
    AccountEnded("bob"),
    AccountEnded("ada", keep="session-1"),
    ClientEnded("first-party"),
    KeyEnded("retired"),
    TokenEnded("token-1"),
    AccountOutdated("bob"),
]


@pytest.fixture
def post() -> SealedPost:
    """`ada` is signed in."""
    return SealedPost()


@pytest.fixture(params=[ask_sync, ask_async])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Both faces, with a renewal behind them."""
    asked: Ask = request.param
    return asked


def test_a_sealed_cookie_costs_no_read_and_is_opened_once(post: SealedPost, check: Check) -> None:
    """Nothing is loaded for it, first seen or known."""
    presented = cookie()
    answers = [check(post.guard, presented) for _ in range(5)]
    assert all(answer is answers[0] for answer in answers)
    assert post.store.loads == 0
    assert (post.guard.tally.misses[SEALED], post.guard.tally.accepted[SEALED]) == (1, 5)
    assert post.guard.known == (0, 0, 1, 0)


def test_a_sealed_cookie_says_who_somebody_is(post: SealedPost, check: Check) -> None:
    """All of it from the cookie; what the roles permit from the settings."""
    assert check(post.guard, cookie()) == Principal(
        account_id="ada",
        session_id="session-1",
        roles=("member",),
        permissions=frozenset({"orders.read"}),
        carrier=Carrier.SEALED,
        authenticated_at=NOW,
        email="Ada@example.com",
    )


def test_a_visit_in_a_sealed_cookie_is_a_visitor(post: SealedPost, check: Check) -> None:
    """Nobody has signed in yet."""
    presented = cookie(session=make_visit(carrier=Carrier.SEALED))
    assert check(post.guard, presented) == Visitor("visit-1", Carrier.SEALED, NOW)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("fact", ENDINGS, ids=repr)
def test_every_grain_ends_a_sealed_cookie(post: SealedPost, check: Check, fact: Fact, known: bool) -> None:
    """At the next check, whether it was met before or not, and without a look-up."""
    presented = cookie()
    if known:
        check(post.guard, presented)
    post.hear(fact)
    with pytest.raises(Revoked):
        check(post.guard, presented)
    assert post.store.loads == 0


@pytest.mark.parametrize("fact", OTHERS, ids=repr)
def test_an_ending_of_something_else_does_not_touch_it(post: SealedPost, check: Check, fact: Fact) -> None:
    """The one named is ended, and no other."""
    presented = cookie()
    who = check(post.guard, presented)
    post.hear(fact)
    assert check(post.guard, presented) is who


@pytest.mark.parametrize("fact", [AccountOutdated("ada"), EveryoneOutdated()], ids=repr)
def test_an_outdated_cookie_is_renewed_where_it_may_be(post: SealedPost, ask: Ask, fact: Fact) -> None:
    """Refused where nobody would send the new one; else it goes on with what the record says."""
    presented = cookie()
    account = replace(post.account(), roles=("support",))
    post.hear(fact, put=(account,))
    with pytest.raises(Outdated):
        post.guard.check(presented)
    found = ask(post, presented)
    assert isinstance(found, Principal)
    assert found.roles == ("support",)
    assert post.renewals == 1


@pytest.mark.parametrize("end", [sign_out, lock], ids=lambda end: end.__name__)
def test_what_has_ended_is_not_renewed(post: SealedPost, ask: Ask, end: Callable[[Post], None]) -> None:
    """The record says the same as the fact, however often it is asked."""
    presented = cookie()
    ask(post, presented)
    end(post)
    post.follower.step()
    for _ in range(2):
        with pytest.raises(Revoked):
            ask(post, presented)


@pytest.mark.parametrize("known", [True, False])
def test_it_is_believed_until_the_horizon_and_not_a_moment_longer(
    post: SealedPost, ask: Ask, known: bool
) -> None:
    """At the very moment it is renewed; its place in memory is free, the new one has taken it."""
    presented = cookie()
    if known:
        ask(post, presented)
    post.turn(HORIZON - TICK)
    ask(post, presented)
    assert post.renewals == 0
    post.turn(TICK)
    with pytest.raises(Outdated):
        post.guard.check(presented)
    ask(post, presented)
    assert post.renewals == 1
    assert post.guard.known == (0, 0, 1, 0)


def test_a_cookie_that_comes_after_its_time_takes_no_place(post: SealedPost, check: Check) -> None:
    """First seen when it is over already: it is not remembered, and does not count as one that was."""
    post.turn(HORIZON)
    with pytest.raises(Outdated) as caught:
        check(post.guard, cookie())
    assert "renewed from the record" in caught.value.detail
    assert (post.guard.tally.misses[SEALED], post.guard.known) == (0, (0, 0, 0, 0))


def test_a_horizon_that_was_shortened_counts_for_older_cookies(ask: Ask) -> None:
    """A cookie that says it is good for ten minutes is good for the two that the settings say now."""
    post = SealedPost(believed=timedelta(minutes=2))
    presented = cookie()
    post.turn(timedelta(minutes=2) - TICK)
    ask(post, presented)
    assert post.renewals == 0
    post.turn(TICK)
    ask(post, presented)
    assert post.renewals == 1


def test_a_cookie_never_outlives_the_rest_of_its_session(post: SealedPost, check: Check) -> None:
    """What it says of itself ends it sooner than the horizon."""
    presented = cookie(believed_until=NOW + timedelta(minutes=1))
    post.turn(timedelta(minutes=1) - TICK)
    check(post.guard, presented)
    post.turn(TICK)
    with pytest.raises(Outdated):
        check(post.guard, presented)


def test_a_cookie_from_the_future_is_renewed(post: SealedPost, ask: Ask) -> None:
    """Five minutes ahead a neighbour's clock may be; one microsecond more and our own was set back since."""
    until = NOW + timedelta(days=1)
    ask(post, cookie(sealed_at=NOW + AHEAD, believed_until=until))
    assert post.renewals == 0
    ask(post, cookie(sealed_at=NOW + AHEAD + TICK, believed_until=until))
    assert post.renewals == 1


def test_a_wall_clock_that_is_set_makes_it_be_opened_again(post: SealedPost, ask: Ask) -> None:
    """Ten minutes forward: over, and renewed. Ten minutes back: from the future, and renewed."""
    for by in (HORIZON, -2 * HORIZON):
        presented = SealedCookie(post.service.renew(cookie().value).value.reveal())
        ask(post, presented)
        before = post.renewals
        post.clock.jump(by)
        post.follower.step()
        ask(post, presented)
        assert post.renewals == before + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b.c.d.e",
        "\xff" * 200,
        "\ud800",
        cookie().value[:-1],
        cookie().value[:-1] + "!",
        cookie().value.replace("..", ".x."),
        cookie().value + "A" * 5000,
        cookie(STRANGE).value,
        cookie(iss="https://elsewhere.example.com").value,
        encode(b'{"alg":"none"}') + "....",
    ],
    ids=lambda text: f"{text[:12]!r} of {len(text)}",
)
def test_what_does_not_open_is_malformed_and_nothing_follows(post: SealedPost, ask: Ask, text: str) -> None:
    """No read, no renewal, no place in memory."""
    with pytest.raises(Malformed):
        ask(post, SealedCookie(text))
    assert (post.renewals, post.store.loads, post.guard.known) == (0, 0, (0, 0, 0, 0))
    assert post.guard.tally.results() == {("sealed", "malformed"): 1}


def test_a_retired_key_is_believed_and_a_withdrawn_one_only_exchanged(post: SealedPost, ask: Ask) -> None:
    """Under a withdrawn key nothing is remembered: each time it is shown, the record is asked."""
    ask(post, cookie(RETIRED))
    assert post.renewals == 0
    for times in (1, 2):
        with pytest.raises(Outdated):
            post.guard.check(cookie(WITHDRAWN))
        ask(post, cookie(WITHDRAWN))
        assert post.renewals == times


def test_under_a_withdrawn_key_only_the_secret_of_the_session_is_exchanged(
    post: SealedPost, ask: Ask
) -> None:
    """Neither a guess nor the secret of another session."""
    for forged in (cookie(WITHDRAWN, secret="g" * 43), cookie(WITHDRAWN, sid="session-2")):
        with pytest.raises(Refused):
            ask(post, forged)
    assert post.guard.known == (0, 0, 0, 0)


def test_no_more_cookies_are_remembered_than_there_is_room_for(ask: Ask) -> None:
    """The oldest is forgotten, and still stands when it comes again."""
    post = SealedPost(most_known=3)
    presented = [cookie() for _ in range(5)]
    for one in presented:
        ask(post, one)
    assert post.guard.known == (0, 0, 3, 0)
    ask(post, presented[0])
    assert post.guard.known == (0, 0, 3, 0)
    assert post.guard.tally.misses[SEALED] == 6


def test_its_use_is_noted_once_a_minute_at_most(post: SealedPost, check: Check) -> None:
    """By what it says of its last use, first seen here or not: no look-up is needed for it."""
    presented = cookie()
    check(post.guard, presented)
    post.turn(timedelta(minutes=1) - TICK)
    check(post.guard, presented)
    assert post.guard.take_seen() == []
    post.turn(TICK)
    check(post.guard, presented)
    check(post.guard, presented)
    assert post.guard.take_seen() == [("session-1", NOW + timedelta(minutes=1))]
    check(post.guard, cookie(last_seen_at=NOW + timedelta(seconds=1)))
    assert post.guard.take_seen() == []
    assert LIMITS.visitor_empty / 10 == timedelta(minutes=1)


@pytest.mark.parametrize("over", [False, True])
def test_refusing_renews_nothing_and_says_later(ask: Ask, over: bool) -> None:
    """Past the bound it is 503 and no cookie is touched, whether the cookie speaks for itself or is to be renewed."""
    post = SealedPost()
    presented = cookie(WITHDRAWN) if over else cookie()
    post.cut()
    with pytest.raises(Stale):
        ask(post, presented)
    assert post.renewals == 0


@pytest.mark.parametrize("end", [sign_out, lock], ids=lambda end: end.__name__)
def test_asking_meets_endings_that_were_not_heard(ask: Ask, end: Callable[[Post], None]) -> None:
    """The record is found by the secret inside, so who asks learns what this process could not hear."""
    post = SealedPost(when_stale="ask")
    presented = cookie()
    ask(post, presented)
    end(post)
    post.cut()
    with pytest.raises(Revoked):
        ask(post, presented)
    assert post.guard.tally.asked == 1


def test_asking_meets_new_roles_and_renews_what_is_over(ask: Ask) -> None:
    """Both from the record."""
    post = SealedPost(when_stale="ask")
    presented = cookie()
    change_roles(post)
    post.cut()
    found = ask(post, presented)
    assert isinstance(found, Principal)
    assert found.roles == ("support",)
    assert post.renewals == 0
    post.clock.turn(HORIZON)
    assert isinstance(ask(post, presented), Principal)
    assert post.renewals == 1


def test_allowing_goes_on_with_what_was_verified_and_renews_what_is_over(ask: Ask) -> None:
    """An ending that was not heard is the price, until the horizon: then the record decides."""
    post = SealedPost(when_stale="allow")
    presented = cookie()
    ask(post, presented)
    post.store.commit(Change(NOW, facts=(AccountEnded("ada"),)))
    post.cut()
    ask(post, presented)
    assert (post.guard.tally.allowed, post.renewals) == (1, 0)
    post.clock.turn(HORIZON)
    with pytest.raises(Revoked):
        ask(post, presented)
