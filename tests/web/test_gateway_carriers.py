"""`GET /gateway/check` with every carrier, while keys turn, and while the log is out of reach."""

from datetime import timedelta

import jwt
import pytest
from starlette.testclient import TestClient

from tests.web.house import ADA, Build, House, is_problem, set_cookies, sign_in
from tests.web.proxy import check, claims_of, identity, short_jwt

CARRIERS = ["cookie", "sealed", "token", "token-cookie"]
ONE_FILE = {"database": {"url": None}}
PROXIED = {"proxy": {"trusted": ["192.0.2.0/24"]}}
POSTED = {"x-original-method": "POST", "x-forwarded-for": "192.0.2.1"}


def held_by(house: House, carrier: str, email: str = ADA) -> TestClient:
    """A client that holds a new session of a new account in this carrier, and says nothing of where it is from."""
    house.account(email, "member", "support")
    client = house.browser()
    answer = sign_in(client, email, carrier=carrier)
    assert answer.status_code == 200, answer.text
    if carrier == "token":
        client.headers["authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
    del client.headers["sec-fetch-site"]
    return client


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_passes(house: House, carrier: str) -> None:
    """The same account, roles and session as the API tells; the e-mail unless only a token was checked."""
    client = held_by(house, carrier)
    who = client.get("/api/session").json()
    answer = check(client)
    claims, told = claims_of(house, answer), identity(answer)
    assert (claims["sub"], claims["sid"]) == (who["account"]["id"], who["session"]["id"])
    assert claims["exp"] - claims["iat"] == 30
    assert told["x-auth-roles"] == "member,support"
    assert told["x-auth-email"] == ("" if carrier.startswith("token") else ADA)
    assert short_jwt(check(client)) == short_jwt(answer)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_is_ended_at_once(house: House, carrier: str) -> None:
    """The check after the ending is refused."""
    client = held_by(house, carrier)
    assert check(client).status_code == 204
    house.authority.accounts.lock(ADA, "test")
    assert is_problem(check(client), 401, "invalid_token")


def test_tokens_in_cookies_are_not_renewed_here(building: Build) -> None:
    """An access token that has ended is 401 and no cookie is touched; whoever then asks us renews it, and passes."""
    house = building(PROXIED)
    client = held_by(house, "token-cookie")
    house.clock.turn(timedelta(minutes=10))
    for headers in ({}, POSTED):
        answer = check(client, **headers)
        assert is_problem(answer, 401, "invalid_token")
        assert set_cookies(answer) == []
    assert client.get("/api/session").status_code == 200
    assert check(client).status_code == 204


def test_a_sealed_cookie_is_renewed_and_passes(house: House) -> None:
    """Also where the proxy keeps the renewed one: the old one is exchanged again."""
    client = held_by(house, "sealed")
    old = client.cookies["gatepost-sealed"]
    house.clock.turn(timedelta(minutes=10))
    for _ in range(2):
        answer = check(house.program(cookie=f"gatepost-sealed={old}"))
        assert claims_of(house, answer)["exp"] - claims_of(house, answer)["iat"] == 30
        assert len(set_cookies(answer)) == 1


def test_what_is_renewed_is_held_to_the_rules_too(building: Build) -> None:
    """A cookie that must be renewed is no dead one: another site's request does not pass with it."""
    house = building(PROXIED)
    client = held_by(house, "sealed")
    for passed in (timedelta(), timedelta(minutes=10)):
        house.clock.turn(passed)
        assert is_problem(check(client, **POSTED), 403, "cross_site")
    assert check(client).status_code == 204


@pytest.mark.parametrize("carrier", CARRIERS)
def test_new_keys_sign_at_once(house: House, carrier: str) -> None:
    """After a turn the next short JWT is the new key's: what an older one signed may be refused from now on."""
    client = held_by(house, carrier)
    before = jwt.get_unverified_header(short_jwt(check(client)))["kid"]
    house.authority.keys.rotate("test")
    answer = check(client)
    after = jwt.get_unverified_header(short_jwt(answer))["kid"]
    assert before != after
    assert claims_of(house, answer)["exp"]
    house.authority.keys.withdraw(after, "test")
    if carrier.startswith("cookie"):
        assert jwt.get_unverified_header(short_jwt(check(client)))["kid"] not in {before, after}


def deaf(building: Build, when_stale: str) -> House:
    """A server that will hear nothing of the log any more; its database it can read."""
    return building({**ONE_FILE, "revocation": {"when_stale": when_stale}})


@pytest.mark.parametrize("carrier", CARRIERS)
def test_nobody_passes_unheard(building: Build, carrier: str) -> None:
    """503 `not_fresh` with Retry-After, no identity, no cookie touched."""
    house = deaf(building, "refuse")
    client = held_by(house, carrier)
    assert check(client).status_code == 204
    house.authority.follower.stop()
    answer = check(client)
    assert is_problem(answer, 503, "not_fresh")
    assert answer.headers["retry-after"] == "1"
    assert set(identity(answer).values()) == {""}
    assert set_cookies(answer) == []


@pytest.mark.parametrize("carrier", ["cookie", "sealed", "token"])
def test_whoever_knows_is_asked(building: Build, carrier: str) -> None:
    """With `ask`: the truth's answer, and a JWT from no later than what was remembered."""
    house = deaf(building, "ask")
    neighbour = building(ONE_FILE)
    client = held_by(house, carrier)
    pos = claims_of(house, check(client))["pos"]
    house.authority.follower.stop()
    neighbour.account("bob@example.com")
    neighbour.authority.accounts.lock("bob@example.com", "test")
    answer = check(client)
    assert identity(answer)["x-auth-roles"] == "member,support"
    assert claims_of(house, answer)["pos"] == pos < house.authority.store.position()
    neighbour.authority.accounts.lock(ADA, "test")
    assert is_problem(check(client), 401, "invalid_token")
