"""How fast somebody may try: every boundary of the pace and of the windows."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.guesses import (
    WINDOW,
    Allowed,
    Awaited,
    GuessRules,
    Limit,
    Seen,
    Slowed,
    Tally,
    after_failure,
    decide_guess,
    settled,
)
from tests.builders import NOW, TICK

MINUTE = timedelta(minutes=1)
RULES = GuessRules(
    free=10,
    first_wait=MINUTE,
    longest_wait=15 * MINUTE,
    remembered=180 * MINUTE,
    per_address=100,
    overall=1000,
)


def paced(count: int, at: datetime = NOW) -> Tally:
    """A counter with a pace."""
    return Tally(count, at, at + RULES.remembered)


def window(count: int, at: datetime = NOW) -> Tally:
    """A counter of a minute."""
    return Tally(count, at, at + WINDOW)


def stranger(account: Tally | None, address: Tally | None = None, overall: Tally | None = None) -> Seen:
    """What the try of an unknown browser falls under."""
    return {Limit.ACCOUNT: account, Limit.ADDRESS: address, Limit.OVERALL: overall}


def test_ten_tries_are_free_and_the_eleventh_waits_a_minute() -> None:
    """To the very tick, on both sides."""
    assert decide_guess(stranger(paced(9)), {}, RULES, NOW) == Allowed()
    after = stranger(after_failure(Limit.ACCOUNT, paced(9), RULES, NOW))
    assert decide_guess(after, {}, RULES, NOW) == Slowed(Limit.ACCOUNT, NOW + MINUTE)
    assert isinstance(decide_guess(after, {}, RULES, NOW + MINUTE - TICK), Slowed)
    assert isinstance(decide_guess(after, {}, RULES, NOW + MINUTE), Allowed)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 0), (9, 0), (10, 1), (11, 2), (12, 4), (13, 8), (14, 15), (15, 15), (10_000, 15)],
)
def test_the_wait_doubles_up_to_a_quarter_of_an_hour(failures: int, minutes: int) -> None:
    """Failures in, minutes out."""
    assert RULES.wait_after(failures) == minutes * MINUTE


def test_nothing_is_learned_by_waiting_for_the_count_to_be_forgotten() -> None:
    """Going on at the slowest pace gives more tries a day than coming back for ten free ones."""
    day = timedelta(days=1)
    assert RULES.free * (day / RULES.remembered) < day / RULES.longest_wait


def test_failures_are_forgotten_after_their_time() -> None:
    """To the very tick: until then the slow pace holds."""
    slow = paced(20)
    assert after_failure(Limit.ACCOUNT, slow, RULES, slow.expires_at - TICK).count == 21
    assert after_failure(Limit.ACCOUNT, slow, RULES, slow.expires_at) == paced(1, slow.expires_at)


def test_an_address_has_a_hundred_in_a_minute_that_begins_with_the_first() -> None:
    """The window does not move while it is counted in."""
    assert decide_guess(stranger(None, window(99)), {}, RULES, NOW + MINUTE / 2) == Allowed()
    assert after_failure(Limit.ADDRESS, window(99), RULES, NOW + MINUTE / 2) == window(100)
    full = stranger(None, window(100))
    assert decide_guess(full, {}, RULES, NOW + WINDOW - TICK) == Slowed(Limit.ADDRESS, NOW + WINDOW)
    assert decide_guess(full, {}, RULES, NOW + WINDOW) == Allowed()
    assert after_failure(Limit.ADDRESS, window(100), RULES, NOW + WINDOW) == window(1, NOW + WINDOW)


def test_too_many_of_all_leave_each_address_a_tenth() -> None:
    """Nobody is shut out by what all others do; whoever has tried often already waits."""
    many = window(1000)
    assert isinstance(decide_guess(stranger(None, window(9), many), {}, RULES, NOW), Allowed)
    assert isinstance(decide_guess(stranger(None, window(10), many), {}, RULES, NOW), Slowed)
    assert isinstance(decide_guess(stranger(None, window(10), window(999)), {}, RULES, NOW), Allowed)
    assert isinstance(decide_guess(stranger(None, None, window(10**9)), {}, RULES, NOW), Allowed)
    small = replace(RULES, per_address=3)
    assert isinstance(decide_guess(stranger(None, None, many), {}, small, NOW), Allowed)
    assert isinstance(decide_guess(stranger(None, window(1), many), {}, small, NOW), Slowed)


def test_the_longest_of_several_waits_is_named() -> None:
    """Whoever comes back after it is not told to wait again for another reason."""
    both = stranger(paced(20), window(100))
    assert decide_guess(both, {}, RULES, NOW) == Slowed(Limit.ACCOUNT, NOW + 15 * MINUTE)
    late = stranger(paced(10, NOW - MINUTE + TICK), window(100))
    assert decide_guess(late, {}, RULES, NOW) == Slowed(Limit.ADDRESS, NOW + WINDOW)


def test_a_known_device_falls_under_its_own_count_alone() -> None:
    """Nothing that strangers do is among what is asked."""
    assert decide_guess({Limit.DEVICE: None}, {}, RULES, NOW) == Allowed()


@pytest.mark.parametrize("ahead", [TICK, MINUTE, timedelta(days=1), timedelta(days=3650)])
def test_a_clock_that_is_set_back_shuts_nobody_out_for_longer_than_the_longest_wait(ahead: timedelta) -> None:
    """A count of a time to come is taken as of now, once, and runs down from there."""
    later = stranger(paced(20, NOW + ahead), window(100, NOW + ahead))
    slowed = decide_guess(later, {}, RULES, NOW)
    assert slowed == Slowed(
        Limit.ACCOUNT, NOW + 15 * MINUTE, {Limit.ACCOUNT: paced(20), Limit.ADDRESS: window(100)}
    )
    assert isinstance(slowed, Slowed)
    assert isinstance(
        decide_guess(stranger(slowed.tallies[Limit.ACCOUNT]), {}, RULES, NOW + 15 * MINUTE), Allowed
    )


@pytest.mark.parametrize(
    ("seen", "limit", "left"),
    [
        (stranger(None), Limit.ACCOUNT, 10),
        (stranger(paced(7)), Limit.ACCOUNT, 3),
        (stranger(paced(9)), Limit.ACCOUNT, 1),
        (stranger(paced(14, NOW - 15 * MINUTE)), Limit.ACCOUNT, 1),
        (stranger(None), Limit.ADDRESS, 100),
        (stranger(None, window(60)), Limit.ADDRESS, 40),
        (stranger(None, window(6), window(1000)), Limit.ADDRESS, 4),
        ({Limit.DEVICE: paced(4)}, Limit.DEVICE, 6),
    ],
)
def test_what_is_in_flight_takes_the_places_that_failures_left(seen: Seen, limit: Limit, left: int) -> None:
    """At the very last place; what comes then is no refusal of a guesser but waits for those in flight."""
    assert decide_guess(seen, {limit: left - 1}, RULES, NOW) == Allowed()
    assert decide_guess(seen, {limit: left}, RULES, NOW) == Awaited(limit)


def test_a_limit_that_failures_have_reached_is_named_before_what_is_in_flight() -> None:
    """Whoever waits for those in flight would be told to wait again."""
    seen, in_flight = stranger(None, window(100)), {Limit.ACCOUNT: 10}
    assert decide_guess(seen, in_flight, RULES, NOW) == Slowed(Limit.ADDRESS, NOW + WINDOW)


def test_all_together_wait_for_nobody() -> None:
    """Else a few slow tries would be in everybody's way."""
    assert decide_guess(stranger(None), {Limit.OVERALL: 10_000}, RULES, NOW) == Allowed()


def test_a_try_that_may_be_made_brings_a_counter_of_a_time_to_come_back_to_now() -> None:
    """A window that lay ahead ends a minute from now."""
    ahead = stranger(None, window(7, NOW + MINUTE))
    assert decide_guess(ahead, {}, RULES, NOW) == Allowed({Limit.ADDRESS: window(7)})
    assert after_failure(Limit.ADDRESS, window(7, NOW + MINUTE), RULES, NOW) == window(8)


@given(st.integers(0, 40), st.integers(0, 300), st.integers(0, 20_000))
def test_no_state_shuts_anybody_out_for_longer_than_the_longest_wait(count: int, own: int, all_: int) -> None:
    """Whatever the counters say."""
    seen = stranger(*(tally if tally.count else None for tally in (paced(count), window(own), window(all_))))
    match decide_guess(seen, {}, RULES, NOW):
        case Slowed(_, until, _):
            assert NOW < until <= NOW + RULES.longest_wait
        case other:
            assert other == Allowed()


def test_what_is_over_counts_as_nothing() -> None:
    """At its very moment."""
    assert settled(window(5), NOW + WINDOW) is None
    assert settled(window(5), NOW + WINDOW - TICK) == window(5)
    assert settled(None, NOW) is None
