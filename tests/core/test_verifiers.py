"""Until when an instance of a verifier may answer by itself, and for whom there is room on the list."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.core.verifiers import (
    AHEAD,
    LONGEST_BOUND,
    MOST,
    MOST_OF_CLIENT,
    NOTHING,
    Policy,
    VerifierRow,
    counts,
    is_live,
    lease_end,
    make_room,
    merged,
)
from gatepost.testing.clock import NOON

BOOT = 1000.0
ROW = VerifierRow("orders", "one", 7, BOOT + 11.0, Policy.REFUSE, 1.0, NOON)
REMEMBER = 690.0
GONE = BOOT - 1000


def test_an_instance_is_live_until_the_very_moment_it_was_promised() -> None:
    """Not a moment longer."""
    assert is_live(ROW, ROW.until - 0.000001)
    assert not is_live(ROW, ROW.until)


def test_a_promise_of_another_boot_ends_when_this_boot_is_as_old_as_the_longest_bound() -> None:
    """The machine was off for a second, perhaps, and a verifier elsewhere holds its lease."""
    just_started = 3.0
    assert lease_end(ROW, just_started) == LONGEST_BOUND
    assert is_live(ROW, LONGEST_BOUND - 0.001)
    assert not is_live(ROW, LONGEST_BOUND)


def test_the_furthest_promise_of_this_boot_is_believed() -> None:
    """One that lies beyond it is of another."""
    furthest = replace(ROW, until=BOOT + LONGEST_BOUND + AHEAD)
    assert lease_end(furthest, BOOT) == furthest.until
    assert lease_end(replace(furthest, until=furthest.until + 0.001), BOOT) == LONGEST_BOUND


@pytest.mark.parametrize("policy", Policy)
def test_only_who_goes_on_without_a_lease_counts_beyond_it(policy: Policy) -> None:
    """For as long as what it knew to be good can be shown."""
    row = replace(ROW, policy=policy)
    beyond = policy is Policy.ALLOW
    assert counts(row, row.until - 0.001, REMEMBER)
    assert counts(row, row.until, REMEMBER) is beyond
    assert counts(row, row.until + REMEMBER - 0.001, REMEMBER) is beyond
    assert not counts(row, row.until + REMEMBER, REMEMBER)


def full(count: int, client: str = "orders", until: float = BOOT + 5) -> list[VerifierRow]:
    """So many instances of a client."""
    return [
        replace(ROW, client_id=client, instance=f"{number}", until=until, at=NOON + timedelta(seconds=number))
        for number in range(count)
    ]


def test_below_its_limit_a_client_drops_nobody() -> None:
    """The last place is taken, nobody goes."""
    room = make_room(full(MOST_OF_CLIENT - 1), [replace(ROW, instance="new")], BOOT, REMEMBER)
    assert (room.dropped, room.refused) == (frozenset(), frozenset())


def test_at_its_limit_a_client_s_longest_gone_makes_room() -> None:
    """Of those that do not count."""
    there = [*full(3, until=GONE), *full(MOST_OF_CLIENT)[3:]]
    wanted = [replace(ROW, instance=f"new {number}") for number in range(4)]
    room = make_room(there, wanted, BOOT, REMEMBER)
    assert room.dropped == {("orders", "0"), ("orders", "1"), ("orders", "2")}
    assert room.refused == {("orders", "new 3")}


def test_whoever_counts_is_never_dropped() -> None:
    """Nor is one without a lease that goes on."""
    there = [replace(row, policy=Policy.ALLOW) for row in full(MOST_OF_CLIENT, until=BOOT - 1)]
    room = make_room(there, [replace(ROW, instance="new")], BOOT, REMEMBER)
    assert (room.dropped, room.refused) == (frozenset(), {("orders", "new")})


def test_one_client_does_not_take_the_places_of_another() -> None:
    """Its own are full; the other's are not."""
    room = make_room(full(MOST_OF_CLIENT), [replace(ROW, client_id="carts")], BOOT, REMEMBER)
    assert (room.dropped, room.refused) == (frozenset(), frozenset())


def test_all_together_are_limited_too() -> None:
    """Then anybody's that is gone makes room, and else nobody."""
    clients = [full(MOST_OF_CLIENT, f"client {number}") for number in range(MOST // MOST_OF_CLIENT)]
    there = [row for rows in clients for row in rows]
    assert make_room(there, [ROW], BOOT, REMEMBER).refused == {ROW.key}
    there[700] = replace(there[700], until=GONE)
    room = make_room(there, [ROW], BOOT, REMEMBER)
    assert (room.dropped, room.refused) == ({there[700].key}, frozenset())


def test_who_is_on_the_list_needs_no_room() -> None:
    """However full it is."""
    there = full(MOST_OF_CLIENT)
    assert make_room(there, [there[0]], BOOT, REMEMBER).refused == frozenset()


def test_of_two_words_of_one_moment_neither_claims_more_than_both() -> None:
    """The least that was heard, the longest that was promised."""
    first = replace(ROW, seq=NOTHING, until=BOOT + 20)
    later = replace(ROW, seq=9, address="192.0.2.8")
    assert merged({ROW.key: first}, later) == replace(later, seq=NOTHING, until=BOOT + 20)
    assert merged({}, later) == later
