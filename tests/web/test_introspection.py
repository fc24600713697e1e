"""What clients are told about tokens (RFC 7662), and who is told anything at all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.core.changes import Change
from gatepost.core.clients import Power
from gatepost.core.revocation import ClientEnded, SessionEnded
from gatepost.core.secrets import parse_refresh
from gatepost.core.sessions import FIRST_PARTY
from tests.issuing import issue_to
from tests.web.asking_clients import INACTIVE, INTROSPECT, asker, ends
from tests.web.house import ADA, PASSWORD, Build, Holder, House, sign_in
from tests.web.test_oauth import ISSUER, claims_of, refresh, refused

AUDIENCES = {"tokens": {"audiences": ["orders", "billing"]}}


def tokens_for(house: House, *resource: str) -> dict[str, str]:
    """The tokens of a new account, for these audiences."""
    house.account()
    tokens: dict[str, str] = sign_in(house.program(), carrier="token", resource=list(resource)).json()[
        "tokens"
    ]
    return tokens


def test_active_access_token_is_told_whole_and_nothing_private(house: House) -> None:
    """What the token itself says, but for our log's position; never an e-mail; not to be stored."""
    held = house.holder()
    answer = asker(house).about(held.access)
    claims = claims_of(held.access)
    del claims["pos"]
    if isinstance(claims["aud"], str):
        claims["aud"] = [claims["aud"]]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    assert answer.json() == {"active": True, "token_type": "Bearer", **claims}
    assert "ada" not in answer.text.lower()


def test_active_refresh_token_is_told_as_what_it_is(house: House) -> None:
    """Its audience is this server alone and its type says so: nobody need take it for a pass."""
    held = house.holder()
    told = asker(house).about(held.refresh).json()
    claims = claims_of(held.access)
    expires_at = datetime.fromtimestamp(told.pop("exp"), UTC)
    assert expires_at == (house.clock.now() + house.authority.settings.refresh_ttl).replace(microsecond=0)
    assert told == {
        "active": True,
        "token_type": "refresh_token",
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": claims["sub"],
        "client_id": "first-party",
        "sid": claims["sid"],
    }


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something", ""])
def test_hint_is_a_hint(house: House, hint: str) -> None:
    """Right, wrong, unknown or empty: the answer is the same (RFC 7662 section 2.1)."""
    held, client = house.holder(), asker(house)
    for token in (held.access, held.refresh):
        assert client.about(token, token_type_hint=hint).content == client.about(token).content
        assert client.about(token, token_type_hint=hint).json()["active"]


@pytest.mark.parametrize("power", [Power.VERIFIER, Power.SERVICE])
def test_client_without_the_power_may_not_ask(house: House, power: Power) -> None:
    """400 `unauthorized_client`: it is known, and has to be given the power."""
    answer = asker(house, power).about(house.holder().access)
    assert refused(answer, 400, "unauthorized_client")
    assert "www-authenticate" not in answer.headers


def test_unknown_parameters_are_ignored(house: House) -> None:
    """RFC 6749 section 3.1, once or twice."""
    answer = asker(house).about(house.holder().access, colour=["blue", "red"], username="ada")
    assert answer.json()["active"]


@pytest.mark.parametrize("name", ["token", "client_secret", "access_token"])
def test_nothing_of_it_stands_in_the_address(house: House, name: str) -> None:
    """400, also where the body is whole: what is in an address ends up in logs."""
    held, client = house.holder(), asker(house)
    answer = house.program(**client.basic).post(
        INTROSPECT, params={name: held.access}, data={"token": held.access}
    )
    assert refused(answer, 400, "invalid_request")
    assert held.access not in answer.text


def test_what_is_no_token_of_ours_is_inactive(house: House) -> None:
    """Exactly one answer, whatever was sent: nonsense, a stranger's token, a guessed one, a session cookie."""
    held, client = house.holder(), asker(house)
    browser = house.browser()
    sign_in(browser, ADA)
    cookie = next(value for name, value in browser.cookies.items() if not name.endswith(("-csrf", "-device")))
    header, payload, signature = held.access.split(".")
    family, secret, rotor = held.refresh.split(".")
    strange = [
        "nonsense", "a.b.c", "." * 9, "\0", "é" * 500, "x" * 9000, cookie,
        f"{header}.{payload}.{'A' * len(signature)}",
        f"{header}.{payload}.{signature}=",
        f"{'A' * len(header)}.{payload}.{signature}",
        f"{family}.{'A' * 43}.{rotor}",
        f"{family}.{secret}.{'A' * 43}",
        f"{'A' * 22}.{secret}.{rotor}",
    ]  # fmt: skip
    for token in strange:
        assert client.about(token).content == INACTIVE, token[:40]
    assert client.finds_active(held.access)
    assert client.finds_active(held.refresh)


def test_token_is_inactive_from_the_very_second_of_its_end(house: House) -> None:
    """The access token at its `exp`, the refresh token at its own end, both sides."""
    house.clock.turn(timedelta(microseconds=1_000_000 - house.clock.now().microsecond))
    held, client = house.holder(), asker(house)
    settings = house.authority.settings
    for token, life in ((held.access, settings.access_ttl), (held.refresh, settings.refresh_ttl)):
        began = house.clock.now()
        fresh = house.holder_of(ADA)
        mine = fresh.access if token is held.access else fresh.refresh
        step = settings.sessions.idle - timedelta(seconds=1)
        while house.clock.now() + step < began + life:
            house.clock.turn(step)
            house.authority.store.touch([(claims_of(fresh.access)["sid"], house.clock.now())])
        house.clock.turn(began + life - house.clock.now() - timedelta(microseconds=1))
        assert client.finds_active(mine)
        house.clock.turn(timedelta(microseconds=1))
        assert not client.finds_active(mine)


def lock(house: House, held: Holder) -> None:
    """The account is locked."""
    house.authority.accounts.lock(ADA, "test")


def sign_out(house: House, held: Holder) -> None:
    """The session signs out."""
    assert held.client.post("/api/sign-out").status_code == 204


def change_password(house: House, held: Holder) -> None:
    """The operator sets another password."""
    house.authority.accounts.set_password(ADA, "four other words of it", "test")


def end_everyone(house: House, held: Holder) -> None:
    """Everything ends."""
    house.authority.sessions.end_all("test")


def end_client(house: House, held: Holder) -> None:
    """Everything of the client that the tokens were issued to ends."""
    authority = house.authority
    # Our own pages have no record to be ended with, so only the fact is left to say it.
    authority.commits.end(Change(at=authority.clock.now(), facts=(ClientEnded(FIRST_PARTY),)))


def revoke_refresh(house: House, held: Holder) -> None:
    """The holder ends the refresh token."""
    assert ends(house, held.refresh).status_code == 200


def replay(house: House, held: Holder) -> None:
    """The refresh token is used, and after the grace once more."""
    refresh(house, held.refresh)
    house.clock.turn(house.authority.settings.refresh_grace)
    refresh(house, held.refresh)


def change_roles(house: House, held: Holder) -> None:
    """Ada's roles change."""
    house.authority.accounts.set_roles(ADA, ["support"], "test")


Ending = Callable[[House, Holder], None]
WHOLE = [lock, sign_out, change_password, end_everyone, revoke_refresh, replay]


@pytest.mark.parametrize("end", WHOLE, ids=lambda end: end.__name__)
def test_both_tokens_are_inactive_at_once_after_an_ending(house: House, end: Ending) -> None:
    """The very next question gets the short answer; somebody else's token stays active."""
    held, other, client = house.holder(), house.holder("bob@example.com"), asker(house)
    assert client.finds_active(held.access)
    assert client.finds_active(held.refresh)
    end(house, held)
    assert not client.finds_active(held.access)
    assert not client.finds_active(held.refresh)
    assert client.finds_active(other.access) is (end is not end_everyone)


def test_tokens_of_an_ended_client_are_inactive_at_once(house: House) -> None:
    """Of that client alone: not those of another, nor our own."""
    held, client = house.holder(), asker(house)
    shop, press = asker(house, Power.SERVICE), asker(house, Power.SERVICE)
    account = house.authority.accounts.find(ADA)
    mine, other = (issue_to(house.authority, account, one.id) for one in (shop, press))
    assert client.about(mine.access).json()["client_id"] == shop.id
    house.authority.clients.revoke(shop.id, "test")
    assert not client.finds_active(mine.access)
    assert not client.finds_active(mine.refresh)
    for token in (other.access, other.refresh, held.access, held.refresh):
        assert client.finds_active(token)


def test_tokens_of_a_withdrawn_key_are_inactive_at_once(house: House) -> None:
    """The session and its refresh token are not the key's: what is issued next is active."""
    held, client = house.holder(), asker(house)
    house.authority.keys.withdraw(house.authority.ring.signing.verifying.kid, "test")
    assert not client.finds_active(held.access)
    assert client.finds_active(held.refresh)
    assert client.finds_active(refresh(house, held.refresh).json()["access_token"])


def test_token_with_roles_of_yesterday_is_inactive(house: House) -> None:
    """Its successor is active, with the roles of now; the refresh token was never out of date."""
    held, client = house.holder(), asker(house)
    house.authority.accounts.set_roles(ADA, ["support"], "test")
    assert not client.finds_active(held.access)
    assert client.finds_active(held.refresh)
    renewed = refresh(house, held.refresh).json()["access_token"]
    assert client.about(renewed).json()["roles"] == ["support"]


@pytest.mark.parametrize(
    ("end", "standing"),
    [(lock, "ended"), (sign_out, "ended"), (change_roles, "outdated")],
    ids=["lock", "sign_out", "change_roles"],
)
def test_client_that_follows_the_log_is_told_what_became_of_an_access_token(
    house: House, end: Ending, standing: str
) -> None:
    """The log holds it anyway. Nobody else is told, nor anybody of a token that is not theirs or of no token."""
    held = house.holder()
    both = (Power.VERIFIER, Power.INTROSPECT)
    follower, asks = asker(house, *both), asker(house)
    elsewhere = asker(house, *both, audiences=("https://orders.example.com",))
    assert follower.finds_active(held.access)
    end(house, held)
    assert follower.about(held.access).json() == {"active": False, "standing": standing}
    for client, token in ((asks, held.access), (elsewhere, held.access), (follower, f"{held.access}x")):
        assert client.about(token).content == INACTIVE
    house.clock.turn(house.authority.settings.access_ttl)
    assert follower.about(held.access).content == INACTIVE


def test_refresh_token_of_an_idle_session_is_inactive(house: House) -> None:
    """From the very moment at which the session has rested for too long, both sides."""
    held, client = house.holder(), asker(house)
    house.authority.store.touch(house.authority.guard.take_seen())
    house.clock.turn(house.authority.settings.sessions.idle - timedelta(microseconds=1))
    assert client.finds_active(held.refresh)
    house.clock.turn(timedelta(microseconds=1))
    assert not client.finds_active(held.refresh)


def test_refresh_token_older_than_an_ending_is_inactive_though_its_session_is_not(house: House) -> None:
    """As at the token endpoint: what was read before the account was signed out counts for nothing after it."""
    held, client = house.holder(), asker(house)
    authority = house.authority
    handle = parse_refresh(issue_to(authority, authority.accounts.find(ADA), "first-party").refresh)
    assert handle is not None
    view = authority.store.refresh(handle.id)
    assert view is not None
    assert view.session is not None
    authority.accounts.end_sessions(ADA, "test")
    young = replace(view.session.session, id="young", pos=authority.store.position(), version=0)
    old = replace(view.family, id="B" * 22, session_id="young", version=0)
    authority.store.commit(Change(at=house.clock.now(), put=(young, old)))
    token = replace(handle, id=old.id).token.reveal()
    assert not client.finds_active(token)
    assert refused(refresh(house, token), 400, "invalid_grant")
    assert not client.finds_active(held.refresh)


def test_used_up_refresh_token_is_inactive_and_asking_ends_nothing(house: House) -> None:
    """Inside the grace and after it; the session goes on, for only to use it would be a replay."""
    held, client = house.holder(), asker(house)
    successor = refresh(house, held.refresh).json()
    assert not client.finds_active(held.refresh)
    house.clock.turn(house.authority.settings.refresh_grace)
    position = house.authority.store.position()
    assert not client.finds_active(held.refresh)
    assert house.authority.store.position() == position
    assert client.finds_active(successor["refresh_token"])
    assert client.finds_active(successor["access_token"])


def test_answer_is_the_stores_and_not_this_processs_memory(house: House) -> None:
    """What has just been committed elsewhere counts here, before any follower has read it."""
    held, client = house.holder(), asker(house)
    assert held.client.get("/api/session").status_code == 200
    house.authority.follower.stop()
    sid = claims_of(held.access)["sid"]
    view = house.authority.store.session(sid)
    assert view is not None
    change = Change(at=house.clock.now(), take=(view.session,), facts=(SessionEnded(sid),))
    house.authority.store.commit(change)
    assert not client.finds_active(held.access)
    assert not client.finds_active(held.refresh)


def test_client_is_told_of_its_own_audiences_only(building: Build) -> None:
    """Any of the token's audiences is enough; a token for others alone is inactive, as is any refresh token."""
    house = building(AUDIENCES)
    orders, both = asker(house, audiences=("orders",)), asker(house, audiences=("billing", "orders"))
    anything = asker(house)
    tokens = tokens_for(house, "billing", ISSUER)
    told = [one.finds_active(tokens["access_token"]) for one in (orders, both, anything)]
    assert told == [False, True, True]
    assert [one.finds_active(tokens["refresh_token"]) for one in (orders, both, anything)] == [
        False,
        False,
        True,
    ]
    house.authority.accounts.create("bob@example.com", PASSWORD, ("member",), "test")
    more = sign_in(house.program(), "bob@example.com", carrier="token", resource=["orders", "billing"]).json()
    assert orders.about(more["tokens"]["access_token"]).json()["aud"] == ["orders", "billing"]


def test_token_is_looked_at_no_more_than_asked(house: House) -> None:
    """A question is no use of the session: it does not keep it from being idle."""
    held, client = house.holder(), asker(house)
    settings = house.authority.settings
    house.authority.store.touch(house.authority.guard.take_seen())
    house.clock.turn(settings.access_ttl - timedelta(seconds=1))
    assert client.finds_active(held.access)
    assert house.authority.guard.take_seen() == []
