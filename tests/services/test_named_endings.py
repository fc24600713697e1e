"""Ending one token or one client by its name: what dies with it everywhere, and what does not notice."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.authority import Authority
from gatepost.carriers import tokens
from gatepost.carriers.presented import Bearer
from gatepost.core.changes import Change, Event
from gatepost.core.sessions import FIRST_PARTY, Carrier
from gatepost.errors import Revoked
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.testing.records import a_client
from tests.services.installation import HOME, WAYS_TO_HOLD, Device, Installation, Person, settle_in, trail

NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def ada(authority: Authority) -> Person:
    """Somebody with a browser and a program."""
    return settle_in(authority, "ada@example.com")


@pytest.fixture
def bystander(authority: Authority) -> Person:
    """Who has nothing to do with it."""
    return settle_in(authority, "bystander@example.com")


def claims_of(at: Authority, device: Device) -> tokens.AccessClaims:
    """What the device's access token says."""
    presented = device.presented
    assert isinstance(presented, Bearer)
    issuer = at.settings.issuer
    read = tokens.read(presented.token, at.ring, issuer=issuer, audience=issuer, now=at.clock.now())
    return read.claims


def end_token(at: Authority, device: Device) -> Receipt:
    """End the device's access token as its owner does."""
    presented = device.presented
    assert isinstance(presented, Bearer)
    receipt = at.revocation.revoke(FIRST_PARTY, presented.token, HOME)
    assert receipt is not None
    return receipt


def hand_over(at: Authority, device: Device, client_id: str) -> None:
    """Make a sign-in one of another client, straight in the store: no client can sign anybody in yet."""
    view = at.store.session(device.session.id)
    assert view is not None
    at.commits.commit(Change(at=at.clock.now(), put=(replace(view.session, client_id=client_id),)))
    if device.session.carrier is Carrier.TOKEN:
        device.refresh(at)


def test_an_ended_token_is_refused_everywhere_and_its_session_goes_on(
    authority: Authority, neighbour: Authority, ada: Person, bystander: Person
) -> None:
    """The token that is named and no other: not the one beside it, not the refresh token, not the browser."""
    twin = Device(authority, ada.account, Carrier.TOKEN)
    ended = ada.program.presented
    for at in (authority, neighbour):
        at.guard.check(ended)
        at.guard.check(twin.presented)
    claims = claims_of(authority, ada.program)
    receipt = end_token(authority, ada.program)
    assert receipt.state is ReceiptState.IN_FORCE
    for at in (neighbour, authority):
        with pytest.raises(Revoked):
            at.guard.check(ended)
        at.guard.check(twin.presented)
        assert bystander.holds(at) == WAYS_TO_HOLD
    # Using the refresh token brings the same session another access token, which is not the one that was named.
    ada.program.refresh(neighbour)
    assert ada.program.who(authority).session_id == claims.sid
    assert ada.holds(authority) == WAYS_TO_HOLD


def test_an_ended_token_is_refused_by_a_process_that_starts_later(
    installation: Installation, authority: Authority, ada: Person
) -> None:
    """The fact is in the log, not in the memory of who wrote it."""
    ended = ada.program.presented
    end_token(authority, ada.program)
    with pytest.raises(Revoked):
        installation.open().guard.check(ended)


def test_an_ended_client_loses_what_it_was_issued_and_no_other_client_does(
    installation: Installation, authority: Authority, neighbour: Authority, ada: Person, bystander: Person
) -> None:
    """Cookie, access token and refresh token of one client; the same account's first-party sign-ins go on."""
    authority.commits.commit(Change(at=authority.clock.now(), put=(a_client("shop"), a_client("press"))))
    shop = [Device(authority, ada.account), Device(authority, ada.account, Carrier.TOKEN)]
    press = [Device(authority, ada.account), Device(authority, ada.account, Carrier.TOKEN)]
    for client_id, devices in (("shop", shop), ("press", press)):
        for device in devices:
            hand_over(authority, device, client_id)
            assert device.holds(neighbour) != NOTHING
    receipt = authority.clients.revoke("shop", "cli")
    assert receipt.state is ReceiptState.IN_FORCE
    for at in (neighbour, authority, installation.open()):
        assert [device.holds(at) for device in shop] == [NOTHING, NOTHING]
        assert [device.holds(at) for device in press] == [{"cookie"}, {"access", "refresh"}]
        assert ada.holds(at) == bystander.holds(at) == WAYS_TO_HOLD


def test_what_was_issued_after_an_ending_stands(authority: Authority, ada: Person) -> None:
    """The fact hits what is older than itself: nothing that an ended client could ever be issued is hit by accident."""
    authority.commits.commit(Change(at=authority.clock.now(), put=(a_client("shop"),)))
    authority.clients.revoke("shop", "cli")
    later = Device(authority, ada.account)
    hand_over(authority, later, "shop")
    assert later.holds(authority) == {"cookie"}


def test_both_endings_are_in_the_trail(authority: Authority, ada: Person) -> None:
    """Who did it, to what, and for a token until when it would have been good. No token is in any row."""
    authority.commits.commit(Change(at=authority.clock.now(), put=(a_client("shop"),)))
    claims = claims_of(authority, ada.program)
    end_token(authority, ada.program)
    authority.clients.revoke("shop", ada.account.id)
    token, client = trail(authority)[-2:]
    assert (token.event, token.actor) == (Event.TOKEN_ENDED, FIRST_PARTY)
    assert token.more["jti"] == claims.jti
    assert datetime.fromisoformat(token.more["until"]) == datetime.fromtimestamp(claims.exp, UTC)
    assert (client.event, client.actor) == (Event.CLIENT_ENDED, ada.account.id)
