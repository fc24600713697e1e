"""How large a sealed cookie may be: at a sign-in, at a write, at a renewal, and what happens where it is larger."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.carriers.sealed import LONGEST
from gatepost.core.changes import Change, Event
from gatepost.core.sessions import Carrier
from gatepost.errors import Outdated, TooLarge
from gatepost.services.beginnings import Wish
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, PASSWORD, Installation, add_account, trail
from tests.services.sealed_devices import SealedDevice, forge, passes, stolen_key

HORIZON = timedelta(minutes=10)
TICK = timedelta(microseconds=1)
NAME = "gatepost-sealed"


@pytest.fixture
def device(authority: Authority) -> SealedDevice:
    """A browser of Ada's."""
    return SealedDevice(authority, add_account(authority))


def length_of(value: str) -> int:
    """How many bytes name and value have as they are sent."""
    return len(NAME) + len(value)


def fill(at: Authority, device: SealedDevice) -> int:
    """Make the data as long as can be; how long that is."""
    fits, too_long = 0, 4096
    while too_long - fits > 1:
        half = (fits + too_long) // 2
        try:
            device.write(at, {"filling": "x" * half})
            fits = half
        except TooLarge:
            too_long = half
    return fits


def test_a_write_above_the_limit_changes_nothing(authority: Authority, device: SealedDevice) -> None:
    """It says the size, the limit and the largest keys; record and cookie are as before."""
    device.write(authority, {"cart": "book", "note": "y" * 100})
    before = device.value
    with pytest.raises(TooLarge) as caught:
        device.write(authority, {"essay": "x" * 3000})
    assert "the limit is 3072" in caught.value.message
    assert "Largest keys: essay (3011 bytes), note (110 bytes), cart (14 bytes)." in caught.value.message
    assert device.value == before
    assert authority.sessions.current(device.who(authority)).session.data == {
        "cart": "book",
        "note": "y" * 100,
    }


def test_the_limit_counts_name_and_value_as_they_are_sent(authority: Authority, device: SealedDevice) -> None:
    """The fullest cookie is as long as the limit, but for what base64 and one more letter make of it."""
    fill(authority, device)
    assert 3072 - 3 <= length_of(device.value) <= 3072


def test_a_limit_of_4096_counts_the_whole_set_cookie_value(installation: Installation) -> None:
    """With its attributes a full cookie stays below what browsers keep, also when its numbers have grown."""
    installation.sections["cookies"] = {"sealed_limit": 4096}
    at = installation.open()
    device = SealedDevice(at, add_account(at))
    fill(at, device)
    rest = len("=; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax")
    assert LONGEST - 64 - 4 <= length_of(device.value) + rest <= LONGEST - 64
    held = device.holds(at)
    old = stolen_key(at)
    grown = forge(old, held, pos=(1 << 53) - 1, version=(1 << 53) - 1, last_seen_at=held.last_seen_at + TICK)
    assert length_of(grown) + rest <= LONGEST


def test_a_full_cookie_is_renewed_whatever_grows(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Nobody is turned away because the log has got longer, or an administrator has given a role or ten."""
    fill(authority, device)
    for _ in range(300):
        authority.commits.commit(Change(clock.now(), facts=()))
    roles = tuple(f"role-{number}" for number in range(60))
    account = authority.accounts.find("ada@example.com")
    authority.commits.commit(Change(clock.now(), put=(replace(account, roles=roles),)))
    clock.turn(HORIZON)
    assert device.principal(authority).roles == roles
    assert length_of(device.value) > 3072


def test_what_no_browser_would_keep_is_a_refusal_and_nobody_is_locked_out(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """401 like any carrier that does not stand: signing in again brings a cookie without the old session's data."""
    fill(authority, device)
    roles = tuple(f"role-number-{number}" for number in range(95))
    account = authority.accounts.find("ada@example.com")
    authority.commits.commit(Change(clock.now(), put=(replace(account, roles=roles),)))
    clock.turn(HORIZON)
    with pytest.raises(Outdated) as caught:
        device.who(authority)
    assert caught.value.status == 401
    assert "bytes" in caught.value.detail
    again = SealedDevice(authority, account, Wish(HOME, Carrier.SEALED))
    assert again.principal(authority).roles == roles


def test_who_has_too_many_roles_is_told_so_at_sign_in(authority: Authority) -> None:
    """And signs in with another carrier."""
    account = add_account(authority, roles=tuple(f"a-role-with-a-name-{number}" for number in range(120)))
    with pytest.raises(TooLarge) as caught:
        SealedDevice(authority, account)
    assert "the account's roles are too many" in caught.value.message
    assert authority.sessions.of_account(account.id) == []
    assert (
        authority.sign_in.sign_in(account.email.typed, PASSWORD, Wish(HOME)).session.carrier is Carrier.COOKIE
    )


def test_a_full_visit_leaves_room_for_the_longest_address(installation: Installation) -> None:
    """Whoever has filled a cart to the brim can still sign in with it, below the same limit."""
    installation.sections["sessions"] = {"carry_over": ["*"]}
    at = installation.open()
    name = ".".join(["a" * 60] * 3)
    account = add_account(at, f"{'b' * 64}@{name}.ex", roles=("member", "support"))
    assert len(account.email.typed) >= 250
    visit = SealedDevice(at)
    filled = fill(at, visit)
    assert filled > 1200
    handle = at.store.session(visit.session.id)
    assert handle is not None
    assert handle.session.handle is not None
    device = SealedDevice(at, account, Wish(HOME, Carrier.SEALED, brought=(handle.session.handle,)))
    assert device.holds(at).data == {"filling": "x" * filled}
    assert length_of(device.value) <= 3072
    assert not passes(at, visit.value)


def test_a_visit_too_large_to_move_is_left_as_it_is(installation: Installation) -> None:
    """A large cart behind an opaque cookie does not fit a sealed one: nobody is signed in, the visit goes on."""
    installation.sections["sessions"] = {"carry_over": ["*"]}
    at = installation.open()
    account = add_account(at)
    visit = at.sign_in.visit(Carrier.COOKIE, HOME)
    held = at.store.session(visit.session.id)
    assert held is not None
    assert held.session.handle is not None
    full = replace(held.session, data={"cart": "x" * 5000})
    at.commits.commit(Change(at.clock.now(), put=(full,)))
    with pytest.raises(TooLarge) as caught:
        SealedDevice(at, account, Wish(HOME, Carrier.SEALED, brought=(held.session.handle,)))
    assert "Largest keys: cart (5010 bytes)." in caught.value.message
    assert at.sessions.of_account(account.id) == []
    after = at.store.session(visit.session.id)
    assert after is not None
    assert after.session.data == full.data
    assert not any(row.event is Event.SIGNED_IN for row in trail(at))
