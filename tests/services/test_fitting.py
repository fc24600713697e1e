"""Roles that would not fit into a carrier are refused when they are given, and not at somebody's next renewal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest

from gatepost.authority import Authority
from gatepost.carriers.cookie import write_cookie
from gatepost.carriers.presented import Bearer, SealedCookie, TokenCookies
from gatepost.core.changes import Event
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier
from gatepost.errors import Outdated, TooLarge
from gatepost.services.beginnings import Wish
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair
from tests.services.installation import HOME, PASSWORD, Installation, add_account, trail

ROLES = {f"r{number:02}{'r' * 29}": [f"p{number:02}:read"] for number in range(60)}
MANY = list(ROLES)
Open = Callable[..., Authority]


@pytest.fixture
def opened(installation: Installation) -> Open:
    """`opened(tokens={...})`: an authority with these settings."""

    def opening(**sections: Any) -> Authority:
        installation.sections = {"roles": ROLES, **sections}
        return installation.open()

    return opening


def most(at: Authority) -> int:
    """How many of the roles an account can be given, found by giving them; each one more is refused."""
    account, given = add_account(at), 0
    for count in range(len(MANY) + 1):
        try:
            at.accounts.set_roles(account.id, MANY[:count], "cli")
        except TooLarge:
            continue
        assert count in {0, given + 1}
        given = count
    return given


def refusal(at: Authority, account_id: str, roles: list[str]) -> str:
    """What a change of roles is refused with, after which nothing has changed."""
    before, position, rows = at.accounts.find(account_id), at.store.position(), len(trail(at))
    with pytest.raises(TooLarge) as caught:
        at.accounts.set_roles(account_id, roles, "cli")
    assert (at.accounts.find(account_id), at.store.position(), len(trail(at))) == (before, position, rows)
    return caught.value.message


def test_what_fits_at_the_change_fits_in_every_carrier_and_one_role_more_does_not(opened: Open) -> None:
    """With as many roles as can be given, all four carriers are made, a role more stays out with its sizes."""
    at = opened(tokens={"permissions": True}, cookies={"sealed_limit": 4096})
    count = most(at)
    assert 40 < count < len(MANY)
    account = at.accounts.find("ada@example.com")
    assert account.roles == tuple(MANY[:count])
    for carrier in Carrier:
        begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, carrier))
        if carrier is Carrier.TOKEN_COOKIE:
            assert isinstance(begun.credential, TokenPair)
            life = begun.session.expires_at - at.clock.now()
            cookie = write_cookie(at.cookies.access, begun.credential.access, life, secure=at.cookies.secure)
            assert 4096 - 100 < len(cookie) <= 4096
    message = refusal(at, account.id, MANY[: count + 1])
    assert message.startswith(
        "Nothing was changed: with these roles it would not fit. The access token in a cookie"
    )
    assert f"roles ({35 * (count + 1) + 1} bytes)" in message


def test_the_sealed_cookie_is_the_narrower_one_where_its_limit_is_low(opened: Open) -> None:
    """An account that is never signed in by sealed cookie is measured for one all the same: it may be tomorrow."""
    at = opened(cookies={"sealed_limit": 1024})
    account = add_account(at)
    assert "The session's cookie would have" in refusal(at, account.id, MANY[:20])
    assert "limit is 1024" in refusal(at, account.id, MANY[:20])


def test_a_live_sealed_session_is_measured_with_its_data(opened: Open) -> None:
    """What fits an empty cookie need not fit beside a full basket; once that session is over it does."""
    at = opened()
    account = add_account(at)
    begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.SEALED))
    assert isinstance(begun.credential, SealedIssued)
    who = at.guard.check(SealedCookie(begun.credential.value.reveal()))
    at.sessions.merge_data(who, {"basket": "b" * 1400})
    assert "basket (1" in refusal(at, account.id, MANY[:40])
    at.sessions.sign_out(who, HOME)
    assert len(at.accounts.set_roles(account.id, MANY[:40], "cli").account.roles) == 40


@pytest.mark.parametrize("measuring", ["require_writable", "rewritten"])
def test_data_and_roles_that_fit_each_alone_are_not_both_written(opened: Open, measuring: str) -> None:
    """Of two at once the later one looks again: the data is put only beside the roles that it was measured with."""
    at = opened()
    account = add_account(at)
    begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.SEALED))
    assert isinstance(begun.credential, SealedIssued)
    cookie = begun.credential.value.reveal()
    who = at.guard.check(SealedCookie(cookie))
    measured, once = getattr(at.sealed, measuring), []

    def meanwhile(*arguments: Any) -> Any:
        made = measured(*arguments)
        if not once:
            once.append(made)
            at.accounts.set_roles(account.id, MANY[:40], "cli")
        return made

    setattr(at.sealed, measuring, meanwhile)
    basket = {"basket": "b" * 1400}
    with pytest.raises(TooLarge):
        _ = (
            at.sessions.merge_sealed_data(cookie, basket)
            if measuring == "rewritten"
            else at.sessions.merge_data(who, basket)
        )
    assert at.sessions.find(begun.session.id).session.data == {}
    assert len(at.accounts.find(account.id).roles) == 40


def test_roles_are_measured_again_where_data_came_in_between(opened: Open) -> None:
    """The other way about: what is written into a sealed session while roles are changed is seen before they count."""
    at = opened()
    account = add_account(at)
    begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.SEALED))
    assert isinstance(begun.credential, SealedIssued)
    who = at.guard.check(SealedCookie(begun.credential.value.reveal()))
    measured, seen = at.sealed.require_fits, []

    def meanwhile(view: Any) -> None:
        measured(view)
        seen.append(view.session.id)
        if seen.count(begun.session.id) == 1 and view.session.id == begun.session.id:
            at.sessions.merge_data(who, {"basket": "b" * 1400})

    at.sealed.require_fits = meanwhile  # type: ignore[method-assign]
    with pytest.raises(TooLarge, match="basket"):
        at.accounts.set_roles(account.id, MANY[:40], "cli")
    assert at.accounts.find(account.id).roles == ("member",)


def test_an_account_is_not_made_and_no_link_is_printed_with_what_does_not_fit(opened: Open) -> None:
    """Neither `create` nor `invite` writes a row."""
    at = opened(tokens={"permissions": True}, roles={"wide": [f"p{number:04}" for number in range(330)]})
    before = len(trail(at))
    with pytest.raises(TooLarge, match="permissions"):
        at.accounts.create("eve@example.com", PASSWORD, ["wide"], "cli")
    with pytest.raises(TooLarge, match="permissions"):
        at.accounts.invite("wide", "cli")
    assert at.accounts.page(after=None, limit=10)[0] == []
    assert len(trail(at)) == before


def test_permissions_are_in_a_token_by_choice(opened: Open) -> None:
    """Those that the roles held at issue, sorted, each once; without the setting there is no such claim."""
    roles = {"clerk": ["orders:read", "orders:cancel"], "reader": ["orders:read"]}
    for chosen in (False, True):
        at = opened(tokens={"permissions": chosen}, roles=roles)
        if not chosen:
            add_account(at, roles=["clerk", "reader"])
        begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.TOKEN))
        assert isinstance(begun.credential, TokenPair)
        claims = jwt.decode(begun.credential.access.reveal(), options={"verify_signature": False})
        assert claims.get("permissions") == (["orders:cancel", "orders:read"] if chosen else None)


def test_the_servers_own_check_goes_by_what_the_roles_hold_now(opened: Open) -> None:
    """A token that says more than its role holds since the settings changed gives no more than that."""
    at = opened(tokens={"permissions": True}, roles={"clerk": ["orders:read", "orders:cancel"]})
    add_account(at, roles=["clerk"])
    begun = at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.TOKEN))
    assert isinstance(begun.credential, TokenPair)
    later = opened(tokens={"permissions": True}, roles={"clerk": ["orders:read"]})
    who = later.guard.check(Bearer(begun.credential.access.reveal()))
    assert isinstance(who, Principal)
    assert who.permissions == {"orders:read"}


def test_roles_that_are_taken_away_always_fit(opened: Open) -> None:
    """An account that holds too much since a limit was lowered can be given less, and the trail says so."""
    at = opened(cookies={"sealed_limit": 4096})
    account = at.accounts.set_roles(add_account(at).id, MANY[:30], "cli").account
    narrow = opened(cookies={"sealed_limit": 1024})
    assert "limit is 1024" in refusal(narrow, account.id, [*MANY[:30]])
    assert narrow.accounts.set_roles(account.id, ["member"], "cli").account == replace(
        narrow.accounts.find(account.id), roles=("member",)
    )
    assert trail(narrow)[-1].event is Event.ROLES_CHANGED


def test_tokens_in_cookies_that_settings_made_too_large_are_refused_and_not_an_error(opened: Open) -> None:
    """Since tokens say what roles permit, somebody's fit no more: their renewal is a refusal of the carrier, no 413."""
    at = opened(cookies={"sealed_limit": 4096})
    account = at.accounts.set_roles(add_account(at).id, MANY, "cli").account
    begun = at.sign_in.sign_in(account.email.typed, PASSWORD, Wish(HOME, Carrier.TOKEN_COOKIE))
    assert isinstance(begun.credential, TokenPair)
    later = opened(tokens={"permissions": True}, cookies={"sealed_limit": 4096})
    shown = TokenCookies(None, begun.credential.refresh.reveal())
    with pytest.raises(Outdated, match="Renew"):
        later.renewals.renew(shown, HOME)
    assert later.sessions.find(begun.session.id).session.id == begun.session.id
