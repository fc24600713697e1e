"""What a presented refresh token means, at every boundary."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.rotation import (
    NO_GRACE,
    Ahead,
    Dead,
    Grace,
    GraceRules,
    Predecessor,
    RefreshFamily,
    Repeat,
    Replayed,
    Rotate,
    Unknown,
    decide_rotation,
    rotated,
)
from gatepost.core.secrets import RefreshHandle, digest
from gatepost.core.sessions import AHEAD, Carrier
from tests.builders import NOW, TICK, make_family, make_predecessor, make_refresh

SHORT = timedelta(seconds=10)
HORIZON = timedelta(minutes=10)
GRACE = Grace(SHORT)
LONGER = Grace(SHORT, HORIZON)
CURRENT = make_refresh(rotor="third")
PREDECESSOR = make_refresh(rotor="second")
OLDER = make_refresh(rotor="first")


def turned(**changes: object) -> RefreshFamily:
    """A family of three generations whose newest rotation was at `NOW`."""
    return make_family(CURRENT, generation=2, previous=make_predecessor(PREDECESSOR, **changes))


def turned_twice(first_at: datetime, **changes: object) -> RefreshFamily:
    """The same, with the predecessor's own predecessor, which was used at `first_at` and got the answer `older`."""
    earlier = make_predecessor(OLDER, rotated_at=first_at, sealed=b"older")
    return replace(turned(), earlier=replace(earlier, **changes))


def test_the_current_token_rotates() -> None:
    """It does so in the first generation, which has no predecessor, and in later ones."""
    assert decide_rotation(make_family(CURRENT), CURRENT, GRACE, NOW) == Rotate()
    assert decide_rotation(turned(), CURRENT, GRACE, NOW) == Rotate()
    assert decide_rotation(turned_twice(NOW), CURRENT, LONGER, NOW) == Rotate()


def test_the_predecessor_repeats_until_the_grace_ends() -> None:
    """One microsecond before the end it is given the same successor, at the very moment it is a replay."""
    assert decide_rotation(turned(), PREDECESSOR, GRACE, NOW) == Repeat(b"box")
    assert decide_rotation(turned(), PREDECESSOR, GRACE, NOW + SHORT - TICK) == Repeat(b"box")
    assert decide_rotation(turned(), PREDECESSOR, GRACE, NOW + SHORT) == Replayed()


def test_the_predecessor_of_an_unused_successor_repeats_for_a_horizon() -> None:
    """With the longer grace; one microsecond before the end of the horizon it repeats, at the end it is a replay."""
    assert decide_rotation(turned(), PREDECESSOR, LONGER, NOW + SHORT) == Repeat(b"box")
    assert decide_rotation(turned(), PREDECESSOR, LONGER, NOW + HORIZON - TICK) == Repeat(b"box")
    assert decide_rotation(turned(), PREDECESSOR, LONGER, NOW + HORIZON) == Replayed()


def test_a_horizon_shorter_than_the_grace_does_not_shorten_it() -> None:
    """The longer grace is never the smaller one."""
    grace = Grace(SHORT, timedelta(seconds=1))
    assert decide_rotation(turned(), PREDECESSOR, grace, NOW + SHORT - TICK) == Repeat(b"box")
    assert decide_rotation(turned(), PREDECESSOR, grace, NOW + SHORT) == Replayed()


@pytest.mark.parametrize("used", [PREDECESSOR, OLDER])
def test_a_grace_of_nothing_repeats_nothing(used: RefreshHandle) -> None:
    """With the grace switched off a used token is a replay in the moment of the rotation, wherever clocks are set."""
    for now in (NOW, NOW - TICK, NOW - AHEAD, NOW - timedelta(days=1)):
        assert decide_rotation(turned_twice(NOW), used, NO_GRACE, now) == Replayed()


def test_the_token_before_the_predecessor_repeats_its_own_answer_after_the_first_use_of_its_successor() -> (
    None
):
    """For the short grace from that use on, which was at `NOW`; at its very end it is a replay."""
    family = turned_twice(NOW - timedelta(minutes=1))
    assert decide_rotation(family, OLDER, LONGER, NOW) == Repeat(b"older")
    assert decide_rotation(family, OLDER, LONGER, NOW + SHORT - TICK) == Repeat(b"older")
    assert decide_rotation(family, OLDER, LONGER, NOW + SHORT) == Replayed()
    assert decide_rotation(family, PREDECESSOR, LONGER, NOW + SHORT) == Repeat(b"box")


@pytest.mark.parametrize("left", [TICK, timedelta(seconds=3), SHORT])
def test_the_token_before_the_predecessor_repeats_for_no_more_than_a_horizon(left: timedelta) -> None:
    """Its own rotation is a horizon ago before the short grace is over, or at that very moment."""
    family = turned_twice(NOW - HORIZON + left)
    assert decide_rotation(family, OLDER, LONGER, NOW + left - TICK) == Repeat(b"older")
    assert decide_rotation(family, OLDER, LONGER, NOW + left) == Replayed()


def test_without_the_longer_grace_the_token_before_the_predecessor_is_a_replay() -> None:
    """Also where the record still remembers it, as after the setting was switched off."""
    assert decide_rotation(turned_twice(NOW), OLDER, GRACE, NOW) == Replayed()
    assert decide_rotation(turned_twice(NOW), PREDECESSOR, GRACE, NOW) == Repeat(b"box")


def test_with_no_grace_after_a_use_the_token_before_the_predecessor_is_a_replay() -> None:
    """Its successor was used, so nothing of the longer grace is left for it; its successor's own has just begun."""
    grace = Grace(timedelta(), HORIZON)
    for now in (NOW, NOW - TICK, NOW - timedelta(days=1)):
        assert decide_rotation(turned_twice(NOW), OLDER, grace, now) == Replayed()
    assert decide_rotation(turned_twice(NOW), PREDECESSOR, grace, NOW + HORIZON - TICK) == Repeat(b"box")


def test_a_predecessor_whose_answer_was_cleared_is_a_replay() -> None:
    """Without the sealed answer there is nothing to give again."""
    assert decide_rotation(turned(sealed=None), PREDECESSOR, GRACE, NOW) == Replayed()
    assert decide_rotation(turned_twice(NOW, sealed=None), OLDER, LONGER, NOW) == Replayed()


@pytest.mark.parametrize("grace", [GRACE, LONGER])
def test_a_clock_set_back_does_not_bring_a_used_token_back(grace: Grace) -> None:
    """A use five minutes ahead may be a neighbour's clock; a microsecond more gives no answer and is no replay."""
    assert decide_rotation(turned(), PREDECESSOR, grace, NOW - AHEAD) == Repeat(b"box")
    for now in (NOW - AHEAD - TICK, NOW - timedelta(days=1)):
        assert decide_rotation(turned(), PREDECESSOR, grace, now) == Ahead()
        assert decide_rotation(turned(), CURRENT, grace, now) == Rotate()


def test_the_token_before_the_predecessor_is_ahead_by_either_use() -> None:
    """Its own use or that of its successor lies more than five minutes ahead: its grace is counted from both."""
    family = turned_twice(NOW - timedelta(minutes=1))
    assert decide_rotation(family, OLDER, LONGER, NOW - AHEAD) == Repeat(b"older")
    assert decide_rotation(family, OLDER, LONGER, NOW - AHEAD - TICK) == Ahead()
    own = turned_twice(NOW + AHEAD)
    assert decide_rotation(own, OLDER, LONGER, NOW) == Repeat(b"older")
    assert decide_rotation(own, OLDER, LONGER, NOW - TICK) == Ahead()


def test_what_is_over_by_every_clock_is_a_replay_however_far_it_is_ahead() -> None:
    """A clock set back excuses neither a cleared answer nor a token whose successor's first use is long enough ago."""
    day = timedelta(days=1)
    assert decide_rotation(turned(sealed=None), PREDECESSOR, LONGER, NOW - day) == Replayed()
    assert decide_rotation(turned_twice(NOW), OLDER, GRACE, NOW - day) == Replayed()
    own = turned_twice(NOW + day)
    assert decide_rotation(own, OLDER, LONGER, NOW + SHORT - TICK) == Ahead()
    assert decide_rotation(own, OLDER, LONGER, NOW + SHORT) == Replayed()


@pytest.mark.parametrize("presented", [OLDER, make_refresh(rotor="never ours")])
@pytest.mark.parametrize("grace", [GRACE, LONGER])
def test_any_other_rotor_of_the_family_is_a_replay(presented: RefreshHandle, grace: Grace) -> None:
    """A token that is not remembered as a predecessor, and a rotor we never made, come from a copy."""
    assert decide_rotation(turned(), presented, grace, NOW) == Replayed()
    assert decide_rotation(make_family(CURRENT), presented, grace, NOW) == Replayed()


def test_a_token_of_three_generations_ago_is_a_replay_whatever_the_grace() -> None:
    """Two predecessors are remembered and no more."""
    assert decide_rotation(turned_twice(NOW), make_refresh(rotor="zeroth"), LONGER, NOW) == Replayed()


@pytest.mark.parametrize("rotor", ["third", "second", "first", "never ours"])
def test_a_wrong_family_is_unknown_whatever_the_rotor(rotor: str) -> None:
    """Guessing ends nobody's session, not even with the right rotor, and is asked before anything else."""
    stranger = make_refresh(family="guess", rotor=rotor)
    assert decide_rotation(turned_twice(NOW), stranger, LONGER, NOW) == Unknown()
    assert decide_rotation(turned_twice(NOW), stranger, LONGER, NOW + timedelta(days=8)) == Unknown()


@pytest.mark.parametrize("presented", [CURRENT, PREDECESSOR, OLDER])
def test_a_family_past_its_end_is_dead(presented: RefreshHandle) -> None:
    """At the very moment of its end no token of it does anything, a replay included."""
    end = NOW + timedelta(seconds=5)
    family = replace(turned_twice(NOW), expires_at=end)
    assert decide_rotation(family, presented, LONGER, end) == Dead()
    assert decide_rotation(family, presented, LONGER, end - TICK) != Dead()


def test_neither_digests_nor_the_sealed_answer_are_printed() -> None:
    """A family in a log line shows ids and times only."""
    text = repr(turned())
    assert "box" not in text
    assert "rotor" not in text
    assert "family=b" not in text
    assert "box" not in repr(Repeat(b"box"))


@pytest.mark.parametrize(
    ("carrier", "tokens_too", "while_unused"),
    [
        (Carrier.TOKEN, False, None),
        (Carrier.TOKEN, True, HORIZON),
        (Carrier.TOKEN_COOKIE, False, HORIZON),
        (Carrier.TOKEN_COOKIE, True, HORIZON),
    ],
)
def test_tokens_in_cookies_have_the_longer_grace_and_others_by_setting(
    carrier: Carrier, tokens_too: bool, while_unused: timedelta | None
) -> None:
    """In a browser an answer is easily lost on the way."""
    assert GraceRules(SHORT, HORIZON, tokens_too).of(carrier) == Grace(SHORT, while_unused)


def test_a_rotation_remembers_two_predecessors_where_two_may_be_asked_for() -> None:
    """With the longer grace `previous` becomes `earlier`; without it, nobody may ask for that answer, and it goes."""
    used = make_predecessor(CURRENT)
    for grace, earlier in ((LONGER, turned().previous), (GRACE, None)):
        after = rotated(turned_twice(NOW), b"next", used, grace)
        assert (after.rotor, after.generation, after.previous) == (b"next", 3, used)
        assert after.earlier == earlier


_STEPS = st.lists(
    st.tuples(st.integers(-1, 3), st.sampled_from([0, 1, 4, 5, 9, 10, 11, 30, 59, 60, 61])), max_size=14
)


@given(_STEPS, st.sampled_from([None, 0, 1, 30, 60]), st.sampled_from([0, 10]))
def test_a_family_has_one_head_and_a_repeat_makes_nothing(
    steps: list[tuple[int, int]], horizon: int | None, after: int
) -> None:
    """Tokens of any age presented at any time: only the newest rotates, and what is repeated is what was answered.

    Each step presents the token so many generations before the newest (-1: one never made), so many seconds later. The
    answer to the token of generation n is sealed as n; `used_at[n]` is when it was given first.
    """
    grace = Grace(timedelta(seconds=after), None if horizon is None else timedelta(seconds=horizon))
    longest = max(after, horizon or 0)
    family, used_at, second = make_family(make_refresh(rotor="0")), [], 0
    for back, later in steps:
        second += later
        now = NOW + timedelta(seconds=second)
        age = len(used_at) - back
        meaning = decide_rotation(family, make_refresh(rotor=str(age)), grace, now)
        head = len(used_at)
        match meaning:
            case Rotate():
                assert age == head
                used = Predecessor(family.rotor, now, b"%d" % age, "", "")
                family = rotated(family, digest(make_refresh(rotor=str(age + 1)).rotor), used, grace)
                used_at.append(second)
                assert family.generation == len(used_at)
            case Repeat(sealed):
                assert sealed == b"%d" % age
                assert second < used_at[age] + longest
                assert age == head - 1 or second < used_at[age + 1] + after
                assert age >= head - (1 if horizon is None else 2)
            case Replayed():
                assert age != head
                assert not (age == head - 1 >= 0 and second < used_at[age] + longest)
                fresh = horizon is not None and age == head - 2 >= 0 and second < used_at[age + 1] + after
                assert not (fresh and second < used_at[age] + longest)
            case other:
                raise AssertionError(other)
