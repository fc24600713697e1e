"""The life of a key: what is due, what happens when somebody asks, what happens when a key is known to others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.keys import (
    ROOT,
    SEALING,
    Forget,
    KeyRules,
    KeyState,
    Make,
    Promote,
    Retire,
    RingKey,
    Step,
    Withdraw,
    decide_rotation_now,
    decide_turn,
    decide_withdrawal,
    too_young,
)
from tests.builders import NOW, TICK

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NUMBERS = count()
RULES = KeyRules(
    in_use=("ES256", SEALING),
    rotate_every=90 * DAY,
    known_after=5 * MINUTE,
    outlives=12 * MINUTE,
    sealing_outlives=30 * DAY,
)
NEXT, ACTIVE, RETIRED, WITHDRAWN = KeyState


def a_key(
    name: str, state: KeyState = KeyState.ACTIVE, algorithm: str = "ES256", age: timedelta = DAY
) -> RingKey:
    """A key that has been in its state for so long."""
    return RingKey(name, algorithm, state, "", b"box", NOW - age, NOW - age)


def a_root() -> RingKey:
    """The record that is no key of the ring."""
    return a_key("root", algorithm=ROOT, age=1000 * DAY)


SEALS = (a_key("seal", algorithm=SEALING), a_key("seal next", NEXT, SEALING))


def of_signing(steps: Iterable[Step]) -> list[Step]:
    """The steps that are not about sealing keys."""
    return [
        step
        for step in steps
        if (step.algorithm if isinstance(step, Make) else step.key.algorithm) != SEALING
    ]


def taken(keys: Sequence[RingKey], steps: Iterable[Step], now: object = NOW) -> list[RingKey]:
    """The records after the steps, as a service writes them."""
    records = {key.id: key for key in keys}
    states = {Promote: ACTIVE, Retire: RETIRED, Withdraw: WITHDRAWN}
    for step in steps:
        if isinstance(step, Make):
            name = f"made {next(NUMBERS)}"
            records[name] = RingKey(name, step.algorithm, step.state, "", b"", now, now)  # type: ignore[arg-type]
        elif isinstance(step, Forget):
            del records[step.key.id]
        else:
            moved = replace(records[step.key.id], state=states[type(step)], since=now)  # type: ignore[arg-type]
            records[step.key.id] = moved
    return list(records.values())


def test_a_store_without_keys_needs_one_that_is_active_and_one_that_is_next_of_each_algorithm() -> None:
    """The first start; the root is not counted as a key."""
    for keys in ([], [a_root()]):
        assert decide_turn(keys, NOW, RULES) == (
            Make("ES256", ACTIVE),
            Make("ES256", NEXT),
            Make(SEALING, ACTIVE),
            Make(SEALING, NEXT),
        )


def test_nothing_is_due_while_everything_is_there_and_young() -> None:
    """The normal day."""
    assert decide_turn((a_root(), a_key("a"), a_key("n", NEXT), *SEALS), NOW, RULES) == ()


def test_a_missing_next_key_is_made() -> None:
    """It has to be published long before it signs."""
    assert decide_turn((a_key("a"), *SEALS), NOW, RULES) == (Make("ES256", NEXT),)


@pytest.mark.parametrize(("age", "due"), [(90 * DAY - TICK, False), (90 * DAY, True)])
def test_a_key_signs_for_ninety_days(age: timedelta, due: bool) -> None:
    """One tick before it is not due; at the very moment the next takes over and another becomes next."""
    old, coming = a_key("a", age=age), a_key("n", NEXT, age=age)
    steps = of_signing(decide_turn((old, coming, *SEALS), NOW, RULES))
    assert steps == ([Retire(old), Promote(coming), Make("ES256", NEXT)] if due else [])


@pytest.mark.parametrize(("age", "due"), [(5 * MINUTE - TICK, False), (5 * MINUTE, True)])
def test_a_next_key_signs_when_every_list_of_keys_has_it(age: timedelta, due: bool) -> None:
    """An old active key goes on until the next one was published for as long as the list may be kept."""
    old, coming = a_key("a", age=400 * DAY), a_key("n", NEXT, age=age)
    assert (Promote(coming) in decide_turn((old, coming, *SEALS), NOW, RULES)) is due


def test_without_a_schedule_no_key_turns() -> None:
    """`keys.rotate_every = 0`."""
    never = replace(RULES, rotate_every=None)
    keys = (a_key("a", age=4000 * DAY), a_key("n", NEXT, age=4000 * DAY), *SEALS)
    assert decide_turn(keys, NOW, never) == ()


@pytest.mark.parametrize("state", [RETIRED, WITHDRAWN])
@pytest.mark.parametrize(
    ("algorithm", "life"), [("ES256", 12 * MINUTE), ("EdDSA", 12 * MINUTE), (SEALING, 30 * DAY)]
)
def test_a_key_is_forgotten_when_nothing_of_it_can_be_around(
    algorithm: str, life: timedelta, state: KeyState
) -> None:
    """Tokens are over after minutes, sealed cookies after the longest session; a tick before it stays."""
    there = (a_key("a"), a_key("n", NEXT), *SEALS)
    over, still = (a_key("x", state, algorithm, age) for age in (life, life - TICK))
    assert decide_turn((*there, over), NOW, RULES) == (Forget(over),)
    assert decide_turn((*there, still), NOW, RULES) == ()


def test_a_clock_that_was_set_back_makes_nothing_due() -> None:
    """Keys from the future are young."""
    keys = (a_key("a", age=-DAY), a_key("n", NEXT, age=-DAY), a_key("r", RETIRED, age=-DAY), *SEALS)
    assert decide_turn(keys, NOW, RULES) == ()


def test_a_key_that_does_not_open_is_withdrawn_and_replaced() -> None:
    """Its row was damaged. A retired one is left to its time."""
    active, coming, retired = a_key("a"), a_key("n", NEXT), a_key("r", RETIRED, age=MINUTE)
    keys = (active, coming, retired, *SEALS)
    steps = decide_turn(keys, NOW, RULES, unusable={"a", "r"})
    assert steps == (Withdraw(active), Promote(coming), Make("ES256", NEXT))
    steps = decide_turn(keys, NOW, RULES, unusable={"a", "n"})
    assert steps == (Withdraw(active), Withdraw(coming), Make("ES256", ACTIVE), Make("ES256", NEXT))


def test_an_algorithm_that_nobody_asks_for_goes_on_until_its_key_is_old() -> None:
    """A server that still runs with the former setting signs with it: it is not put away under its hands."""
    there = (a_key("a"), a_key("n", NEXT), *SEALS)
    young, old = (a_key("e", algorithm="EdDSA", age=age) for age in (89 * DAY, 90 * DAY))
    coming = a_key("en", NEXT, "EdDSA", 90 * DAY)
    assert decide_turn((*there, young, coming), NOW, RULES) == ()
    assert decide_turn((*there, old, coming), NOW, RULES) == (Retire(old), Forget(coming))


def test_who_asks_for_new_keys_gets_them_at_once() -> None:
    """One of each algorithm in use, however young; and what is not in use is put away."""
    active, coming, idle = a_key("a", age=TICK), a_key("n", NEXT, age=TICK), a_key("e", algorithm="EdDSA")
    seal, seal_next = SEALS
    assert decide_rotation_now((a_root(), active, coming, idle, *SEALS), RULES) == (
        Retire(active),
        Promote(coming),
        Make("ES256", NEXT),
        Retire(seal),
        Promote(seal_next),
        Make(SEALING, NEXT),
        Retire(idle),
    )


def test_one_algorithm_can_be_turned_alone() -> None:
    """Nothing else moves."""
    seal, seal_next = SEALS
    steps = decide_rotation_now((a_key("a"), a_key("n", NEXT), *SEALS), RULES, SEALING)
    assert steps == (Retire(seal), Promote(seal_next), Make(SEALING, NEXT))


def test_a_withdrawn_active_key_is_followed_at_once() -> None:
    """By the next one, however young; a new one becomes next."""
    active, coming = a_key("a"), a_key("n", NEXT, age=TICK)
    steps = decide_withdrawal((active, coming, *SEALS), active, RULES)
    assert steps == (Withdraw(active), Promote(coming), Make("ES256", NEXT))


def test_a_withdrawn_key_that_does_not_sign_changes_nothing_else() -> None:
    """A retired one only ends; a next one is replaced as next."""
    active, coming, retired = a_key("a"), a_key("n", NEXT), a_key("r", RETIRED)
    keys = (active, coming, retired, *SEALS)
    assert decide_withdrawal(keys, retired, RULES) == (Withdraw(retired),)
    assert decide_withdrawal(keys, coming, RULES) == (Withdraw(coming), Make("ES256", NEXT))


def test_a_withdrawn_key_of_an_algorithm_not_in_use_is_not_replaced() -> None:
    """Nobody would sign with the new one."""
    idle = a_key("e", algorithm="EdDSA")
    assert decide_withdrawal((a_key("a"), idle, *SEALS), idle, RULES) == (Withdraw(idle),)


@pytest.mark.parametrize(("age", "young"), [(MINUTE - TICK, True), (MINUTE, False)])
def test_a_key_is_too_young_until_everybody_can_know_it(age: timedelta, young: bool) -> None:
    """Unless it is as old as the first key there was: then no list was ever without it."""
    active, coming = a_key("a"), a_key("n", NEXT, age=age)
    steps = decide_rotation_now((active, coming), RULES, "ES256")
    assert too_young(steps, (active, coming), NOW, MINUTE) == (coming if young else None)
    first = a_key("a", age=age)
    steps = decide_rotation_now((first, coming), RULES, "ES256")
    assert too_young(steps, (first, coming), NOW, MINUTE) is None


states = st.sampled_from(KeyState)
rings = st.lists(
    st.tuples(states, st.sampled_from(["ES256", "EdDSA", SEALING]), st.integers(-100, 60 * 24 * 400)),
    max_size=9,
)


@given(rings, st.sets(st.integers(0, 8)), st.data())
def test_after_any_decision_there_is_one_active_and_a_next_key_of_each_algorithm_in_use(
    ring: list[tuple[KeyState, str, int]], broken: set[int], data: st.DataObject
) -> None:
    """Whatever there was; and deciding again finds nothing more to do, so two deciders make no more than one."""
    keys = [
        a_key(str(number), state, algorithm, timedelta(minutes=age))
        for number, (state, algorithm, age) in enumerate(ring)
    ]
    unusable = {str(number) for number in broken}
    keys = taken(keys, decide_turn(keys, NOW, RULES, unusable))
    assert decide_turn(keys, NOW, RULES, unusable) == ()
    if keys and data.draw(st.booleans()):
        known = data.draw(st.sampled_from(keys))
        keys = taken(keys, decide_withdrawal(keys, known, RULES))
        assert all(key.state is WITHDRAWN for key in keys if key.id == known.id)
    else:
        keys = taken(keys, decide_rotation_now([k for k in keys if k.id not in unusable], RULES))
    for algorithm in RULES.in_use:
        of_it = [key.state for key in keys if key.algorithm == algorithm and key.id not in unusable]
        assert of_it.count(ACTIVE) >= 1
        assert of_it.count(NEXT) >= 1
