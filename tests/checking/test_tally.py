"""What a guard counts: every check once, by carrier and result, whatever it had to fetch for it."""

from datetime import timedelta

import pytest

from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, Presented
from gatepost.core.revocation import AccountEnded, AccountOutdated
from gatepost.errors import Busy, GatepostError
from tests.builders import make_handle
from tests.checking.conftest import Check
from tests.checking.posts import COOKIE, Post

UNKNOWN = OpaqueCookie(make_handle(9))


def refused(check: Check, post: Post, presented: Presented) -> None:
    """A check that does not pass."""
    with pytest.raises(GatepostError):
        check(post.guard, presented)


def test_every_accepted_check_counts_once(post: Post, check: Check) -> None:
    """The one that loads or verifies, and each that finds it in memory."""
    token = post.bearer()
    for _ in range(3):
        check(post.guard, COOKIE)
    for _ in range(2):
        check(post.guard, token)
    tally = post.guard.tally
    assert tally.results() == {("cookie", "accepted"): 3, ("token", "accepted"): 2}
    assert (tally.misses, tally.catch_ups) == ([1, 1, 0, 0], 0)


def test_refusals_count_under_their_reason(post: Post, check: Check) -> None:
    """Each carrier and each reason apart."""
    refused(check, post, Nothing())
    refused(check, post, Ambiguous())
    refused(check, post, UNKNOWN)
    refused(check, post, Bearer("no.token.atall"))
    assert post.guard.tally.results() == {
        ("none", "nothing_presented"): 1,
        ("none", "ambiguous"): 1,
        ("cookie", "malformed"): 1,
        ("token", "malformed"): 1,
    }


def test_endings_and_expiries_count_under_their_reason(post: Post, check: Check) -> None:
    """Revoked, outdated, expired and meant for another service."""
    token = post.bearer()
    check(post.guard, COOKIE)
    check(post.guard, token)
    post.hear(AccountOutdated("ada"))
    refused(check, post, token)
    post.hear(AccountEnded("ada"))
    refused(check, post, token)
    refused(check, post, COOKIE)
    refused(check, post, post.bearer(aud=["elsewhere"]))
    post.turn(timedelta(minutes=30))
    refused(check, post, token)
    results = post.guard.tally.results()
    assert results["token", "outdated"] == 1
    assert results["token", "revoked"] == 1
    assert results["cookie", "revoked"] == 1
    assert results["token", "expired"] == 1
    assert results["token", "not_for_us"] == 1


def test_a_stale_check_counts_as_stale_and_as_a_wait(post: Post, check: Check) -> None:
    """At the very end of the bound; a moment before memory still answers."""
    check(post.guard, COOKIE)
    post.cut()
    refused(check, post, COOKIE)
    tally = post.guard.tally
    assert tally.results() == {("cookie", "accepted"): 1, ("cookie", "stale"): 1}
    assert tally.catch_ups == 1


def test_a_store_that_is_busy_counts_as_busy(post: Post, check: Check) -> None:
    """Neither accepted nor refused for a fault of the carrier."""

    def fail() -> None:
        raise Busy

    post.store.after_load = fail
    refused(check, post, COOKIE)
    assert post.guard.tally.results() == {("cookie", "busy"): 1}
