"""What a presented refresh token means, at every boundary."""

from datetime import timedelta

import pytest

from gatepost.core.rotation import Dead, RefreshFamily, Repeat, Replayed, Rotate, Unknown, decide_rotation
from gatepost.core.secrets import RefreshHandle
from tests.builders import NOW, TICK, make_family, make_predecessor, make_refresh

GRACE = timedelta(seconds=10)
CURRENT = make_refresh(rotor="third")
PREDECESSOR = make_refresh(rotor="second")
OLDER = make_refresh(rotor="first")


def rotated(**changes: object) -> RefreshFamily:
    """A family of three generations whose newest rotation was at `NOW`."""
    return make_family(CURRENT, generation=2, previous=make_predecessor(PREDECESSOR, **changes))


def test_the_current_token_rotates() -> None:
    """It does so in the first generation, which has no predecessor, and in later ones."""
    assert decide_rotation(make_family(CURRENT), CURRENT, GRACE, NOW) == Rotate()
    assert decide_rotation(rotated(), CURRENT, GRACE, NOW) == Rotate()


def test_the_predecessor_repeats_until_the_grace_ends() -> None:
    """One microsecond before the end it is given the same successor, at the very moment it is a replay."""
    assert decide_rotation(rotated(), PREDECESSOR, GRACE, NOW) == Repeat(b"box")
    assert decide_rotation(rotated(), PREDECESSOR, GRACE, NOW + GRACE - TICK) == Repeat(b"box")
    assert decide_rotation(rotated(), PREDECESSOR, GRACE, NOW + GRACE) == Replayed()


def test_a_grace_of_nothing_repeats_nothing() -> None:
    """With the grace switched off the predecessor is a replay in the very moment of the rotation."""
    assert decide_rotation(rotated(), PREDECESSOR, timedelta(), NOW) == Replayed()


def test_a_predecessor_whose_answer_was_cleared_is_a_replay() -> None:
    """Without the sealed answer there is nothing to give again."""
    assert decide_rotation(rotated(sealed=None), PREDECESSOR, GRACE, NOW) == Replayed()


@pytest.mark.parametrize("presented", [OLDER, make_refresh(rotor="never ours")])
def test_any_other_rotor_of_the_family_is_a_replay(presented: RefreshHandle) -> None:
    """Grace is for the immediate predecessor only; a rotor we never made comes from a copy as well."""
    assert decide_rotation(rotated(), presented, GRACE, NOW) == Replayed()
    assert decide_rotation(make_family(CURRENT), presented, GRACE, NOW) == Replayed()


@pytest.mark.parametrize("rotor", ["third", "second", "first", "never ours"])
def test_a_wrong_family_is_unknown_whatever_the_rotor(rotor: str) -> None:
    """Guessing ends nobody's session, not even with the right rotor, and is asked before anything else."""
    stranger = make_refresh(family="guess", rotor=rotor)
    assert decide_rotation(rotated(), stranger, GRACE, NOW) == Unknown()
    assert decide_rotation(rotated(), stranger, GRACE, NOW + timedelta(days=8)) == Unknown()


@pytest.mark.parametrize("presented", [CURRENT, PREDECESSOR, OLDER])
def test_a_family_past_its_end_is_dead(presented: RefreshHandle) -> None:
    """At the very moment of its end no token of it does anything, a replay included."""
    end = NOW + timedelta(seconds=5)
    family = make_family(CURRENT, expires_at=end, previous=make_predecessor(PREDECESSOR))
    assert decide_rotation(family, presented, GRACE, end) == Dead()
    assert decide_rotation(family, presented, GRACE, end - TICK) != Dead()


def test_a_token_of_two_generations_ago_is_a_replay_inside_the_newest_grace() -> None:
    """After two rotations within the grace only the later predecessor is remembered."""
    assert decide_rotation(rotated(), OLDER, GRACE, NOW + TICK) == Replayed()


def test_neither_digests_nor_the_sealed_answer_are_printed() -> None:
    """A family in a log line shows ids and times only."""
    text = repr(rotated())
    assert "box" not in text
    assert "rotor" not in text
    assert "family=b" not in text
    assert "box" not in repr(Repeat(b"box"))
