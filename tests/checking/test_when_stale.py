"""Past the bound: what `allow` lets in and what it does not, and what is the same under every policy."""

from datetime import timedelta

import pytest

from gatepost.carriers.presented import OpaqueCookie
from gatepost.core.principals import Principal
from gatepost.core.revocation import AccountOutdated, EveryoneEnded, SessionEnded
from gatepost.errors import Busy, Expired, Malformed, Outdated, Refused, Revoked, Stale
from tests.builders import LIMITS, NOW, make_handle
from tests.checking.conftest import Check
from tests.checking.happenings import (
    CARRIERS,
    POLICIES,
    Happening,
    change_roles,
    held,
    lock,
    sign_out,
    staffed,
    unheard,
)
from tests.checking.posts import COOKIE, Post


@pytest.fixture
def allowing() -> Post:
    """One that lets in what it has verified."""
    return staffed("allow")


@CARRIERS
@pytest.mark.parametrize("known", [True, False])
def test_what_was_verified_is_allowed(allowing: Post, check: Check, carrier: str, known: bool) -> None:
    """A signature that verifies counts although the token was never met, a cookie because its record is there."""
    presented = held(allowing, carrier)
    if known:
        check(allowing.guard, presented)
    allowing.cut()
    answer = check(allowing.guard, presented)
    assert isinstance(answer, Principal)
    assert answer.account_id == "ada"


@CARRIERS
@pytest.mark.parametrize("end", [sign_out, lock, unheard(EveryoneEnded())], ids=lambda end: end.__name__)
def test_an_ending_that_was_not_heard_is_the_price_of_allowing(
    allowing: Post, check: Check, carrier: str, end: Happening
) -> None:
    """What was verified before goes on until it has to be read again, and then it is over."""
    presented = held(allowing, carrier)
    check(allowing.guard, presented)
    end(allowing)
    allowing.cut()
    check(allowing.guard, presented)
    allowing.clock.turn(timedelta(minutes=10))
    with pytest.raises(Expired if carrier == "token" else Refused) as caught:
        check(allowing.guard, presented)
    assert caught.value.status == 401


@CARRIERS
@pytest.mark.parametrize("known", [True, False])
def test_an_ending_that_was_heard_is_never_allowed(
    allowing: Post, check: Check, carrier: str, known: bool
) -> None:
    """The facts in memory refuse what they name, however old they are."""
    presented = held(allowing, carrier)
    if known:
        check(allowing.guard, presented)
    sign_out(allowing)
    allowing.follower.step()
    allowing.cut()
    with pytest.raises(Refused) as caught:
        check(allowing.guard, presented)
    assert caught.value.status == 401


def test_an_outdating_that_was_heard_is_never_allowed(allowing: Post, check: Check) -> None:
    """The token has to be renewed, and the cookie is loaded again for its new roles."""
    presented = held(allowing, "token")
    check(allowing.guard, presented)
    check(allowing.guard, COOKIE)
    change_roles(allowing)
    allowing.follower.step()
    allowing.cut()
    with pytest.raises(Outdated):
        check(allowing.guard, presented)
    answer = check(allowing.guard, COOKIE)
    assert isinstance(answer, Principal)
    assert answer.roles == ("support",)


class Telling:
    """A follower whose wait for the log is in vain, but during which something happens."""

    def __init__(self, post: Post, during: Happening) -> None:
        self._post = post
        self._during = during

    def __getattr__(self, name: str) -> object:
        return getattr(self._post.follower, name)

    def catch_up(self) -> bool:
        """Nothing was read."""
        self._during(self._post)
        return False


def tell_sign_out(post: Post) -> None:
    """This very process ends the session."""
    post.follower.tell(post.append(SessionEnded("session-1")))


def tell_outdating(post: Post) -> None:
    """This very process changes the account's roles."""
    post.follower.tell(post.append(AccountOutdated("ada")))


def let_time_pass(post: Post) -> None:
    """The wait is longer than the rest of the token's life."""
    post.clock.turn(timedelta(minutes=10))


@pytest.mark.parametrize(
    ("during", "carrier", "refusal"),
    [
        (tell_sign_out, "cookie", Revoked),
        (tell_sign_out, "token", Revoked),
        (tell_outdating, "cookie", Stale),
        (tell_outdating, "token", Outdated),
        (let_time_pass, "cookie", Stale),
        (let_time_pass, "token", Expired),
    ],
)
def test_what_is_heard_during_the_wait_counts(
    allowing: Post, check: Check, during: Happening, carrier: str, refusal: type[Refused]
) -> None:
    """Allowed is what stands after the wait. A cookie that would have to be loaded again is to try again."""
    presented = held(allowing, carrier)
    check(allowing.guard, presented)
    allowing.cut()
    allowing.guard._follower = Telling(allowing, during)  # type: ignore[assignment]
    with pytest.raises(refusal):
        check(allowing.guard, presented)


@CARRIERS
def test_a_process_that_never_read_the_log_allows_nothing(check: Check, carrier: str) -> None:
    """It has heard no fact, so it would let in what everybody else refuses."""
    post = staffed("allow", read=False)
    post.wire.trouble = Busy()
    with pytest.raises(Stale):
        check(post.guard, held(post, carrier))
    post.wire.trouble = None
    post.follower.step()
    post.cut()
    check(post.guard, held(post, carrier))


@POLICIES
def test_what_is_known_to_be_over_needs_no_log(check: Check, when_stale: str) -> None:
    """Unknown cookie, foreign text, expired token, timed-out session: refused at once under each policy."""
    post = staffed(when_stale)
    expiring = post.bearer(exp=int(NOW.timestamp()) + 1)
    check(post.guard, expiring)
    post.cut()
    with pytest.raises(Malformed):
        check(post.guard, OpaqueCookie(make_handle(9)))
    with pytest.raises(Expired):
        check(post.guard, expiring)
    post.clock.turn(LIMITS.idle)
    with pytest.raises(Expired):
        check(post.guard, COOKIE)
    assert post.guard.tally.catch_ups == 0


@CARRIERS
def test_use_is_noted_past_the_bound(check: Check, carrier: str) -> None:
    """Whoever is let in by asking or allowing does not look idle when the log is back."""
    for when_stale in ("ask", "allow"):
        post = staffed(when_stale)
        check(post.guard, held(post, carrier))
        post.guard.take_seen()
        post.clock.turn(timedelta(minutes=1))
        post.cut()
        check(post.guard, held(post, carrier))
        assert [name for name, _ in post.guard.take_seen()] == ["session-1"]


@pytest.mark.parametrize(("when_stale", "asked", "allowed"), [("ask", 3, 0), ("allow", 0, 2)])
def test_the_tally_says_how_answers_were_found(
    check: Check, when_stale: str, asked: int, allowed: int
) -> None:
    """Each wait counts, each question, and each that was let in unheard; a refusal under its reason."""
    post = staffed(when_stale)
    token = held(post, "token")
    check(post.guard, COOKIE)
    check(post.guard, token)
    post.cut()
    check(post.guard, COOKIE)
    check(post.guard, token)
    if when_stale == "ask":
        sign_out(post)
        with pytest.raises(Revoked):
            check(post.guard, COOKIE)
    tally = post.guard.tally
    accepted = {("cookie", "accepted"): 2, ("token", "accepted"): 2}
    revoked = {("cookie", "revoked"): 1} if when_stale == "ask" else {}
    assert tally.results() == accepted | revoked
    assert (tally.asked, tally.allowed, tally.catch_ups) == (asked, allowed, asked + allowed)
