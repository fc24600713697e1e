"""The table "What a thief gets" of docs/concepts.md: each theft performed, and what ends it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.authority import Authority, Machine
from gatepost.core.sessions import Carrier
from gatepost.errors import Expired, InvalidGrant, KeyUnusable, NotFound, Refused
from gatepost.machine import SystemRandomness
from gatepost.services.beginnings import Wish
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from tests.docs.household import ADA, HERE, PASSWORD, Household

TICK = timedelta(microseconds=1)


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """Ada holds a token pair as "this" and a cookie as "other"."""
    house = Household(tmp_path / "house")
    yield house.people(Carrier.TOKEN, Carrier.COOKIE)
    house.authority.stop()


def steal(house: Household, name: str) -> None:
    """A thief copies what somebody holds."""
    house.held["thief's"] = replace(house.held[name])


def test_stolen_cookie_is_that_session_until_it_ends(household: Household) -> None:
    """The thief acts as Ada, in the same entry of her list; her sign-out ends both."""
    steal(household, "other")
    assert household.principal("thief's") == household.principal("other")
    household.authority.sessions.sign_out(household.principal("other"), HERE)
    with pytest.raises(Refused):
        household.principal("thief's")


def test_stolen_access_token_lasts_ten_minutes_at_most(household: Household) -> None:
    """It passes until the very second of its end, and not from then on."""
    steal(household, "this")
    household.turn(timedelta(minutes=10) - TICK)
    household.principal("thief's")
    household.turn(TICK)
    with pytest.raises(Expired):
        household.principal("thief's")


def test_stolen_refresh_token_ends_the_session_when_its_owner_comes_back(household: Household) -> None:
    """The thief refreshes first; the owner's token is then a used-up one, and both are out."""
    steal(household, "this")
    household.renew("thief's")
    household.turn(timedelta(seconds=10))
    with pytest.raises(InvalidGrant):
        household.renew("this")
    assert household.dead() == {"this", "thief's"}


def test_thief_inside_the_grace_is_delayed_and_not_excluded(household: Household) -> None:
    """Owner and thief get the same pair; the next refresh that comes 10 s after the other's ends the session."""
    steal(household, "this")
    household.renew("this")
    household.turn(timedelta(seconds=10) - TICK)
    household.renew("thief's")
    ours, theirs = household.held["this"].credential, household.held["thief's"].credential
    assert isinstance(ours, TokenPair)
    assert isinstance(theirs, TokenPair)
    assert (ours.access, ours.refresh) == (theirs.access, theirs.refresh)
    household.renew("thief's")
    household.turn(timedelta(seconds=10))
    with pytest.raises(InvalidGrant):
        household.renew("this")
    assert household.dead() == {"this", "thief's"}


def test_stolen_database_holds_nothing_that_signs_in(household: Household) -> None:
    """Neither a password nor a cookie, a token or a link stands in the files beside the master key."""
    house = household
    house.renew("this")
    link = house.authority.accounts.invite("support", "cli")
    pair, cookie = house.held["this"].credential, house.held["other"].credential
    assert isinstance(pair, TokenPair)
    assert isinstance(cookie, str)
    _, family, rotor = pair.refresh.reveal().split(".")
    secrets = [PASSWORD, cookie, family, rotor, pair.access.reveal(), link.reveal()]
    files = [path for path in (house.folder / "data").iterdir() if path.name != "master.key"]
    stolen = b"".join(path.read_bytes() for path in files)
    assert ADA.encode() in stolen
    assert not [secret for secret in secrets if secret.encode() in stolen]


@pytest.mark.parametrize("key", ["missing", "another"])
def test_database_does_not_open_without_its_master_key(
    household: Household, tmp_path: Path, key: str
) -> None:
    """Whoever has the database alone cannot start a server on it, nor can its owner who lost the key."""
    household.authority.stop()
    copy = tmp_path / "copy"
    shutil.copytree(household.folder, copy)
    (copy / "data/master.key").unlink()
    if key == "another":
        stranger = Household(tmp_path / "stranger")
        stranger.authority.stop()
        shutil.copy(tmp_path / "stranger/data/master.key", copy / "data/master.key")
    settings = load_settings({}, environ={}, directory=copy)
    with pytest.raises(KeyUnusable, match=r"master\.key"):
        Authority(settings, Machine(household.clock, SystemRandomness()))


def test_one_time_link_is_good_once_and_for_thirty_minutes(household: Household) -> None:
    """It works until just before its end; used, replaced by a newer one, or too late, it is nothing."""
    accounts, ways_in = household.authority.accounts, household.authority.sign_in
    replaced, used = accounts.invite("support", "cli"), accounts.invite("support", "cli")
    with pytest.raises(NotFound):
        ways_in.open_invitation(replaced.reveal())
    household.turn(timedelta(minutes=30) - TICK)
    begun = ways_in.accept_invitation(used.reveal(), "carol@example.com", PASSWORD, Wish(HERE))
    assert begun.account.roles == ("support", "member")
    late = accounts.invite("support", "cli")
    household.turn(timedelta(minutes=30))
    for secret in (used, late):
        with pytest.raises(NotFound):
            ways_in.open_invitation(secret.reveal())
