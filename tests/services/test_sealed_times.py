"""Sealed cookies as time passes: rest, use, absolute ends, and wall clocks that are set."""

from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.carriers.sealed import secret_digest
from gatepost.core.sessions import Carrier
from gatepost.errors import Expired
from gatepost.services.beginnings import Wish
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, Installation, add_account
from tests.services.sealed_devices import SealedDevice, passes

HORIZON = timedelta(minutes=10)
TICK = timedelta(microseconds=1)


@pytest.fixture
def device(authority: Authority) -> SealedDevice:
    """A browser of Ada's."""
    return SealedDevice(authority, add_account(authority))


def test_a_session_in_use_goes_on_for_ever_and_one_that_rests_ends(
    installation: Installation, clock: TurnableClock
) -> None:
    """Each use is noted without a look-up and flushed in a batch; the very moment after an hour of rest is over."""
    installation.sections["sessions"] = {"idle": "1h", "absolute": "30d"}
    at = installation.open()
    device = SealedDevice(at, add_account(at))
    for _ in range(20):
        clock.turn(timedelta(minutes=9))
        device.who(at)
        at.housekeeper.flush()
    clock.turn(timedelta(hours=1) - TICK)
    device.who(at)
    at.housekeeper.flush()
    clock.turn(timedelta(hours=1))
    with pytest.raises(Expired):
        device.who(at)


def test_a_use_that_is_not_written_yet_counts_at_the_renewal(
    installation: Installation, clock: TurnableClock
) -> None:
    """Idle for less than a horizon: a session in use does not look idle to the very server that saw it."""
    installation.sections["sessions"] = {"idle": "2m"}
    at = installation.unstarted()
    at.follower.start()
    installation.opened.append(at)
    device = SealedDevice(at, add_account(at))
    for _ in range(5):
        clock.turn(timedelta(seconds=70))
        device.who(at)
    clock.turn(timedelta(minutes=2))
    with pytest.raises(Expired):
        device.who(at)


@pytest.mark.parametrize("hours", [-25, -1, 1, 25])
def test_a_wall_clock_that_is_set_signs_nobody_out_and_revives_nothing(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice, hours: int
) -> None:
    """Copies are verified anew: what lived lives on by its record, what had ended stays ended."""
    ended = SealedDevice(authority, authority.accounts.find("ada@example.com"))
    for at in (authority, neighbour):
        assert passes(at, device.value)
        assert passes(at, ended.value)
    authority.sessions.sign_out(ended.who(authority), HOME)
    clock.jump(timedelta(hours=hours))
    for at in (authority, neighbour):
        at.housekeeper.watch_clock()
        assert passes(at, device.value)
        assert not passes(at, ended.value)
    clock.turn(timedelta(minutes=20))
    for at in (authority, neighbour):
        assert passes(at, device.value)
        assert not passes(at, ended.value)


def test_a_copy_that_the_clock_makes_young_again_is_outdated(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Set back past its end, an old copy would show old data for a second horizon: it is renewed instead."""
    old = device.value
    device.write(authority, {"cart": "pen"})
    clock.turn(HORIZON)
    device.who(authority)
    clock.jump(-HORIZON / 2)
    authority.housekeeper.watch_clock()
    device.copies.append(old)
    device.who(authority)
    assert device.holds(authority).data == {"cart": "pen"}


def test_an_empty_visit_is_forgotten_sooner_than_one_with_data(
    authority: Authority, clock: TurnableClock
) -> None:
    """An hour and a day as long as nobody comes by; the cookie is over in the same moment as the record."""
    for data, rest in (({}, authority.limits.visitor_empty), ({"cart": 1}, authority.limits.visitor_idle)):
        visit = SealedDevice(authority)
        if data:
            visit.write(authority, data)
        clock.turn(rest - TICK)
        copy = visit.value
        assert passes(authority, copy)
        authority.guard.take_seen()
        authority.guard.take_seen()
        clock.turn(TICK)
        with pytest.raises(Expired):
            authority.sealed.renew(copy)
        assert not passes(authority, copy)
        authority.housekeeper.sweep()
        assert authority.store.session(visit.session.id) is None


@pytest.mark.parametrize(("later", "moved"), [(-TICK, {"cart": 1}), (0 * TICK, {})])
def test_a_sign_in_moves_nothing_from_a_visit_that_is_over(
    installation: Installation, clock: TurnableClock, later: timedelta, moved: dict[str, int]
) -> None:
    """Whoever kept its cookie for longer gets nothing of what was in the cart."""
    installation.sections["sessions"] = {"carry_over": ["cart"]}
    at = installation.open()
    account, visit = add_account(at), SealedDevice(at)
    visit.write(at, {"cart": 1})
    clock.turn(at.limits.visitor_idle + later)
    brought = (secret_digest(visit.holds(at).secret),)
    device = SealedDevice(at, account, Wish(HOME, Carrier.SEALED, brought=brought))
    assert device.holds(at).data == moved


def test_a_visit_ends_absolutely(installation: Installation, clock: TurnableClock) -> None:
    """However busy: its cookie too is believed up to that moment and no longer."""
    installation.sections["sessions"] = {
        "absolute": "25m",
        "idle": "20m",
        "visitor_idle": "20m",
        "visitor_empty": "20m",
    }
    at = installation.open()
    visit = SealedDevice(at)
    visit.write(at, {"cart": 1})
    for _ in range(5):
        clock.turn(timedelta(minutes=5) - TICK)
        visit.who(at)
        at.housekeeper.flush()
    clock.turn(5 * TICK)
    with pytest.raises(Expired):
        visit.who(at)
