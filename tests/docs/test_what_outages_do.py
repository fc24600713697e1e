"""The table "What outages do" of docs/concepts.md, for what a process can do to itself; tests/system kills servers."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.core.sessions import Carrier
from gatepost.errors import Stale, StoreUnusable
from tests.docs.household import Household

BOUND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """Ada holds a token pair as "this" and a cookie as "other", both known to the guard."""
    house = Household(tmp_path).people(Carrier.TOKEN, Carrier.COOKIE)
    house.in_use("this", "other")
    yield house
    # Where a test took the store away, leaving the list of followers cannot succeed.
    with suppress(StoreUnusable):
        house.authority.stop()


@pytest.mark.parametrize("name", ["this", "other"])
def test_known_carrier_is_refused_as_stale_once_the_log_is_out_of_reach_for_the_bound(
    household: Household, name: str
) -> None:
    """Up to the bound memory answers; from then on the answer is 503 with Retry-After and never 401."""
    household.authority.store.close()
    household.clock.turn(BOUND - TICK)
    household.principal(name)
    household.clock.turn(TICK)
    with pytest.raises(Stale) as refused:
        household.principal(name)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (503, "not_fresh", 1)


def test_everybody_is_still_signed_in_when_the_server_is_back(household: Household) -> None:
    """What was signed in before is signed in after, by cookie and by token."""
    household.authority.stop()
    household.clock.turn(timedelta(minutes=5))
    back = Household(household.folder, household.clock, household.held)
    try:
        assert back.dead() == set()
    finally:
        back.authority.stop()


def test_endings_have_no_clock(household: Household) -> None:
    """A wall clock set back by a year, or on by a minute, revives nothing that was ended."""
    household.authority.accounts.lock("ada@example.com", "cli")
    for jump in (timedelta(days=-365), timedelta(days=365, minutes=1)):
        household.clock.jump(jump)
        assert {"this", "other"} <= household.dead()
