"""Sealed cookies and their records: what is in them, what they cost, what old copies and stolen keys bring."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import SealedCookie
from gatepost.carriers.sealed import SealedSession
from gatepost.core.sessions import Carrier
from gatepost.errors import Malformed, Outdated, Revoked
from gatepost.services.beginnings import Wish
from gatepost.services.sealed import SealedIssued
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, PASSWORD, add_account
from tests.services.sealed_devices import SealedDevice, counted, forge, passes, stolen_key

HORIZON = timedelta(minutes=10)
TICK = timedelta(microseconds=1)


@pytest.fixture
def device(authority: Authority) -> SealedDevice:
    """A browser of Ada's."""
    return SealedDevice(authority, add_account(authority))


@pytest.mark.parametrize("way", ["sign-in", "sign-up", "visit"])
def test_the_cookie_holds_what_the_record_says(authority: Authority, way: str) -> None:
    """All of the session and of the account, whatever the way in; of its handle only the secret behind it."""
    wish = Wish(HOME, Carrier.SEALED)
    if way == "sign-up":
        begun: Any = authority.sign_in.sign_up("eve@example.com", PASSWORD, wish)
    elif way == "sign-in":
        begun = authority.sign_in.sign_in(add_account(authority).email.typed, PASSWORD, wish)
    else:
        begun = authority.sign_in.visit(Carrier.SEALED, HOME)
    assert isinstance(begun.credential, SealedIssued)
    held = authority.sealed.read(begun.credential.value.reveal())
    view = authority.store.session(begun.session.id)
    assert view is not None
    assert replace(held.session, pos=0) == replace(view.session, handle=None, pos=0)
    if view.account is None:
        assert held.account is None
    else:
        assert held.account is not None
        assert (held.account.id, held.account.email) == (view.account.id, view.account.email.typed)
        assert held.account.roles == view.account.roles


def test_neither_a_known_nor_a_first_seen_cookie_costs_a_read(
    authority: Authority, neighbour: Authority, device: SealedDevice
) -> None:
    """At the process that made it and at one that has never met it; nor is anything written."""
    with counted(authority) as counts:
        for at in (authority, neighbour):
            for _ in range(3):
                assert device.principal(at).account_id == device.session.account_id
    assert counts == {}
    assert len(device.copies) == 1


def test_a_cookie_is_renewed_from_the_record_at_the_horizon_and_not_before(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Until its last microsecond it speaks for itself; then one read, no write, and another cookie."""
    clock.turn(HORIZON - TICK)
    with counted(authority) as counts:
        device.who(authority)
        assert counts == {}
        clock.turn(TICK)
        device.who(authority)
        device.who(authority)
    assert counts == {"session": 1}
    assert len(device.copies) == 2
    assert device.holds(authority).believed_until == clock.now() + HORIZON


def test_a_renewed_cookie_ends_when_the_session_does(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Its life in the browser is what is left of the session."""
    clock.turn(timedelta(days=3))
    life = authority.sealed.renew(device.value).life
    assert life == device.session.expires_at - clock.now()


def test_a_write_is_sealed_anew_and_nothing_else_is_lost(
    authority: Authority, neighbour: Authority, device: SealedDevice
) -> None:
    """Record and cookie hold the same data, with the next version."""
    device.write(authority, {"cart": {"book": 1}, "page": 3})
    device.write(neighbour, {"cart": {"pen": 2}, "page": None})
    assert device.holds(authority).data == {"cart": {"book": 1, "pen": 2}}
    standing = authority.sessions.current(device.who(authority))
    assert standing.session.data == device.holds(authority).data
    assert standing.session.version == device.holds(authority).version == 3


def test_a_write_is_one_read_and_one_commit(
    authority: Authority, neighbour: Authority, device: SealedDevice
) -> None:
    """Secret, merge and seal all speak of the record that was read; one more of each for whoever came in between."""
    before = device.value
    device.who(neighbour)
    with counted(neighbour) as counts:
        device.write(neighbour, {"cart": "book"})
    assert counts == {"session": 1, "commit": 1}
    assert device.holds(authority) == authority.sealed.read(authority.sealed.renew(before).value.reveal())


def test_a_write_with_another_session_named_or_a_guessed_secret_changes_nothing(
    authority: Authority, device: SealedDevice
) -> None:
    """What is written is the record whose secret is shown, whoever signs in elsewhere meanwhile."""
    key, holds = stolen_key(authority), device.holds(authority)
    other = SealedDevice(authority, authority.accounts.find("ada@example.com"))
    for forged in (
        forge(key, holds, sid=other.session.id),
        forge(key, holds, secret="g" * 43),
        forge(key, holds, sid="nobody"),
    ):
        with counted(authority) as counts, pytest.raises((Malformed, Revoked)):
            authority.sessions.merge_sealed_data(forged, {"cart": "stolen"})
        assert counts == {"session": 1}
    for one in (device, other):
        assert authority.sessions.current(one.who(authority)).session.data == {}


def test_a_write_says_when_the_session_was_last_used(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Also where that is not written yet: what is in use must not look idle in its own new cookie."""
    clock.turn(timedelta(hours=1))
    device.who(authority)
    device.write(authority, {"cart": "book"})
    assert device.holds(authority).last_seen_at == clock.now()
    assert device.holds(authority).idle_expires_at == clock.now() + authority.limits.idle


def test_a_session_that_ended_after_the_check_is_not_written(
    authority: Authority, neighbour: Authority, device: SealedDevice, clock: TurnableClock
) -> None:
    """Neither one that was ended nor one whose time is over."""
    idle = SealedDevice(authority, authority.accounts.find("ada@example.com"))
    authority.sessions.sign_out(device.who(authority), HOME)
    clock.turn(authority.limits.idle)
    for one in (device, idle):
        with pytest.raises(Revoked):
            neighbour.sessions.merge_sealed_data(one.value, {"cart": "late"})


def test_an_old_copy_brings_back_old_data_for_a_horizon_since_it_was_sealed(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """It shows what it holds until its last microsecond, then the record's; what is written with it loses nothing."""
    device.write(authority, {"cart": "book"})
    old = device.value
    clock.turn(timedelta(minutes=1))
    device.write(authority, {"cart": "pen"})
    clock.turn(HORIZON - timedelta(minutes=1) - TICK)
    with counted(authority) as counts:
        assert passes(neighbour, old)
        assert counts == {}
        clock.turn(TICK)
        assert passes(neighbour, old)
        assert counts == {"session": 1}
    assert neighbour.sealed.read(neighbour.sealed.renew(old).value.reveal()).data == {"cart": "pen"}
    assert neighbour.sessions.merge_sealed_data(old, {"note": 1}).data == {"cart": "pen", "note": 1}


def test_of_two_writers_the_record_keeps_both_and_the_browser_the_answer_that_came_last(
    authority: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """If that is the one that was sealed first, the other's change is out of sight for a horizon, and not lost."""
    both = device.value
    sealed_first = authority.sessions.merge_sealed_data(both, {"first": 1}).cookie.value.reveal()
    clock.turn(timedelta(seconds=1))
    sealed_second = authority.sessions.merge_sealed_data(both, {"second": 2}).cookie.value.reveal()
    assert authority.sealed.read(sealed_second).data == {"first": 1, "second": 2}
    device.copies += [sealed_second, sealed_first]
    clock.turn(HORIZON - timedelta(seconds=1) - TICK)
    device.who(authority)
    assert device.holds(authority).data == {"first": 1}
    clock.turn(TICK)
    device.who(authority)
    assert device.holds(authority).data == {"first": 1, "second": 2}


def test_no_copy_comes_back_after_a_sign_out(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Neither the first nor the last, at once and after every horizon, at any process."""
    device.write(authority, {"cart": "book"})
    clock.turn(timedelta(minutes=2))
    device.write(neighbour, {"cart": "pen"})
    for at in (authority, neighbour):
        assert all(passes(at, copy) for copy in device.copies)
    authority.sessions.sign_out(device.who(authority), HOME)
    for _ in range(4):
        assert [passes(at, copy) for at in (authority, neighbour) for copy in device.copies] == [False] * 6
        clock.turn(HORIZON / 2)


def test_no_copy_comes_back_after_a_lock_and_an_unlock(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """What the lock has ended stays ended, from cookie and record alike."""
    clock.turn(HORIZON)
    device.who(authority)
    authority.accounts.lock("ada@example.com", "test")
    authority.accounts.unlock("ada@example.com", "test")
    for _ in range(4):
        assert [passes(at, copy) for at in (authority, neighbour) for copy in device.copies] == [False] * 4
        clock.turn(HORIZON)


def test_new_roles_are_there_at_the_next_request_of_any_copy(
    authority: Authority, neighbour: Authority, device: SealedDevice
) -> None:
    """Outdated, not ended: one read, a new cookie, nobody signs in again."""
    device.write(authority, {"cart": "book"})
    oldest = device.copies[0]
    authority.accounts.set_roles("ada@example.com", ["member", "support"], "test")
    with counted(authority) as counts:
        assert device.principal(neighbour).roles == ("member", "support")
    assert counts == {"session": 1}
    assert device.principal(authority).roles == ("member", "support")
    device.copies.append(oldest)
    assert device.principal(authority).roles == ("member", "support")
    assert device.holds(authority).data == {"cart": "book"}


def test_a_retired_key_is_believed_until_its_cookies_are_renewed(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """The ring turns and nobody notices: no read, and the next renewal seals under the key that is active."""
    clock.turn(timedelta(minutes=6))
    before = authority.ring.sealing.kid
    authority.keys.rotate("test", "A256GCM")
    assert authority.ring.sealing.kid != before
    clock.turn(HORIZON - timedelta(minutes=6) - TICK)
    with counted(authority) as counts:
        device.who(authority)
        device.who(neighbour)
        assert counts == {}
        clock.turn(TICK)
        device.who(neighbour)
    assert counts == {"session": 1}
    assert device.value.startswith(f"{authority.ring.sealing.header}.")


def test_a_withdrawn_key_is_never_believed_and_its_cookies_are_exchanged(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """At the next request, at every process: one read, and a cookie under another key. Nobody signs in again."""
    device.write(authority, {"cart": "book"})
    key, old = stolen_key(authority), device.value
    authority.keys.withdraw(key.kid, "test")
    for at in (neighbour, authority):
        with pytest.raises((Outdated, Revoked)):
            at.guard.check(SealedCookie(old))
    with counted(authority) as counts:
        device.who(neighbour)
    assert counts == {"session": 1}
    assert not device.value.startswith(f"{key.header}.")
    assert device.holds(authority).data == {"cart": "book"}
    assert device.principal(authority).account_id == device.session.account_id
    clock.turn(timedelta(days=2))
    assert passes(neighbour, old), "whoever comes back after two days is not signed out"


def test_a_forger_with_the_stolen_key_has_nothing_once_it_is_withdrawn(
    authority: Authority, neighbour: Authority, clock: TurnableClock, device: SealedDevice
) -> None:
    """Before, any cookie of theirs is believed; after, only one whose secret is the session's, with the record's roles.

    What they can read in a captured cookie is a genuine credential, and ends with its session.
    """
    key, held = stolen_key(authority), device.holds(authority)
    assert held.account is not None
    boss = SealedSession(**{name: getattr(held, name) for name in held.__struct_fields__})
    made_up = forge(key, boss, secret="g" * 43, believed_until=clock.now() + timedelta(days=9999))
    assert passes(authority, made_up), "the window in which a stolen key is not withdrawn yet"
    authority.keys.withdraw(key.kid, "test")
    later = forge(
        key, boss, secret="g" * 43, pos=(1 << 53) - 1, sealed_at=clock.now(), believed_until=clock.now()
    )
    captured = forge(key, boss, account=None, data={"cart": "forged"})
    for at in (authority, neighbour):
        for cookie in (made_up, later):
            with pytest.raises(Malformed):
                at.sealed.renew(cookie)
            assert not passes(at, cookie)
        exchanged = at.sealed.read(at.sealed.renew(captured).value.reveal())
        assert (exchanged.account, exchanged.data) == (held.account, {})
    authority.sessions.sign_out(device.who(authority), HOME)
    assert not any(passes(at, captured) for at in (authority, neighbour))


def test_a_cookie_of_another_session_is_not_exchanged(authority: Authority, device: SealedDevice) -> None:
    """A genuine secret is worth something for the session it belongs to, and for no other; nor for an opaque one."""
    key = stolen_key(authority)
    account = authority.accounts.find("ada@example.com")
    other = SealedDevice(authority, account).holds(authority)
    opaque = authority.sign_in.sign_in(account.email.typed, PASSWORD, Wish(HOME)).session
    tokens = authority.sign_in.sign_in(account.email.typed, PASSWORD, Wish(HOME, Carrier.TOKEN)).session
    for session_id in (other.sid, opaque.id, tokens.id):
        with pytest.raises(Malformed):
            authority.sealed.renew(forge(key, device.holds(authority), sid=session_id))
