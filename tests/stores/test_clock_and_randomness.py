"""The clock and the randomness that tests are given."""

from datetime import timedelta

import pytest

from gatepost.testing.clock import NOON, TurnableClock
from gatepost.testing.randomness import SeededRandomness


def test_time_passes_on_both_clocks_when_it_is_turned() -> None:
    """The wall clock and the boot clock move by the same."""
    clock = TurnableClock()
    boot = clock.boot()
    clock.turn(timedelta(minutes=1))
    assert (clock.now(), clock.boot() - boot) == (NOON + timedelta(minutes=1), 60)


def test_wall_clock_jumps_while_no_time_passes() -> None:
    """As when somebody sets it back."""
    clock = TurnableClock()
    boot = clock.boot()
    clock.jump(timedelta(days=-1))
    assert (clock.now(), clock.boot()) == (NOON - timedelta(days=1), boot)


def test_time_does_not_run_backwards() -> None:
    """A negative turn is a mistake in the test."""
    with pytest.raises(ValueError):
        TurnableClock().turn(timedelta(microseconds=-1))


def test_seed_repeats_itself() -> None:
    """The same seed gives the same bytes, another seed others."""
    one, same, other = SeededRandomness(1), SeededRandomness(1), SeededRandomness(2)
    assert [one.bytes(3), one.bytes(16)] == [same.bytes(3), same.bytes(16)]
    assert other.bytes(16) != one.bytes(16)
