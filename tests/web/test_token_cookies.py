"""Tokens in cookies over HTTP: how they are handed out, what works with them, what ends them, what renews them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.core.rotation import MOST_REPEATS
from gatepost.core.sessions import Carrier, Origin
from tests.web.house import ADA, PASSWORD, Build, House, is_problem, set_cookies, sign_in
from tests.web.token_jars import (
    ACCESS,
    ACCESS_LIFE,
    CSRF,
    REFRESH,
    held,
    in_cookies,
    in_cookies_of,
    names_removed,
    names_set,
    quiet,
    rotations,
)

MONTH = 30 * 24 * 3600
NEW_PASSWORD = "seven lanterns cross the bay"
BODY = {"email": ADA, "password": PASSWORD, "carrier": "token-cookie"}


@pytest.mark.parametrize("path", ["/api/sign-in", "/api/sign-up"])
def test_tokens_are_handed_out_in_cookies_and_nowhere_else(https: House, path: str) -> None:
    """Both out of reach of scripts and bound to this host, the cross-site token beside them; no token in the body."""
    if path == "/api/sign-in":
        https.account()
    client = https.browser()
    answer = client.post(path, json=BODY)
    assert set(answer.json()) == {"account", "session"}
    assert answer.json()["session"]["carrier"] == "token-cookie"
    strict = f"; Max-Age={MONTH}; Path=/; Secure; HttpOnly; SameSite=Lax"
    cookies = {cookie.partition("=")[0]: cookie for cookie in set_cookies(answer)}
    assert list(cookies) == [
        "__Host-Http-gatepost-access",
        "__Host-Http-gatepost-refresh",
        "__Host-gatepost-csrf",
        "__Host-Http-gatepost-device",
    ]
    for name in ("__Host-Http-gatepost-access", "__Host-Http-gatepost-refresh"):
        value = cookies[name].partition("=")[2].partition(";")[0]
        assert cookies[name] == f"{name}={value}{strict}"
        assert value not in answer.text
        assert len(cookies[name]) <= 4096
    assert "HttpOnly" not in cookies["__Host-gatepost-csrf"]
    assert client.get("/api/session").json()["account"]["email"] == ADA


def test_every_kind_of_call_works_with_tokens_in_cookies(house: House) -> None:
    """Reading, writing, the list of sessions, pages and their forms, administration."""
    client = in_cookies(house, ADA, "member", "admin")
    assert client.patch("/api/session/data", json={"cart": [1]}).json() == {"data": {"cart": [1]}}
    assert client.get("/api/session").json()["session"]["data"] == {"cart": [1]}
    assert [one["carrier"] for one in client.get("/api/sessions").json()["items"]] == ["token-cookie"]
    page = client.get("/account")
    assert page.status_code == 200
    assert "tokens in cookies" in page.text
    assert client.get("/admin").status_code == 200
    assert client.get("/api/admin/accounts").status_code == 200
    assert client.post("/account/sessions/end-others").status_code == 303
    assert client.post("/api/password", json={"current": PASSWORD, "new": NEW_PASSWORD}).status_code == 204
    assert client.post("/api/sign-out").status_code == 204


Ending = Callable[[House, TestClient], object]


def by_itself(house: House, client: TestClient) -> None:
    """Sign out with the same tokens, from another jar."""
    assert (
        quiet(house, client).post("/api/sign-out", headers={"x-csrf-token": client.cookies[CSRF]}).status_code
        == 204
    )


def from_another_device(house: House, client: TestClient) -> None:
    """One of one's own sessions."""
    other = house.browser()
    sign_in(other)
    session = client.get("/api/session").json()["session"]["id"]
    assert other.delete(f"/api/sessions/{session}").status_code == 204


def as_one_of_the_others(house: House, client: TestClient) -> None:
    """All but the one that asks."""
    other = house.browser()
    sign_in(other)
    assert other.delete("/api/sessions").status_code == 204


def by_a_new_password(house: House, client: TestClient) -> None:
    """Changed on another device."""
    other = house.browser()
    sign_in(other)
    answer = other.post("/api/password", json={"current": PASSWORD, "new": NEW_PASSWORD})
    assert answer.status_code == 204


def by_lock(house: House, client: TestClient) -> None:
    """Of the account."""
    house.authority.accounts.lock(ADA, "test")


def with_everyone(house: House, client: TestClient) -> None:
    """Everything there is."""
    house.authority.sessions.end_all("test")


ENDINGS = (by_itself, from_another_device, as_one_of_the_others, by_a_new_password, by_lock, with_everyone)


@pytest.mark.parametrize("gone", [False, True], ids=["access token in time", "refresh cookie alone"])
@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
def test_ended_tokens_are_refused_and_not_renewed(house: House, end: Ending, gone: bool) -> None:
    """401 `invalid_token` at the next request, and no cookie is touched; the sign-in page is there as ever."""
    client = in_cookies(house)
    end(house, client)
    if gone:
        client.cookies.delete(ACCESS)
    answer = client.get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    assert set_cookies(answer) == []
    assert client.get("/account").headers["location"] == "/sign-in?next=/account"
    assert client.get("/sign-in").status_code == 200


@pytest.mark.parametrize("call", ["/api/password", "/api/sessions"])
def test_whoever_ends_the_others_stays_signed_in(house: House, call: str) -> None:
    """Also past the end of the access token: the refresh token stands too."""
    client = in_cookies(house)
    other = in_cookies_of(house)
    body = {"current": PASSWORD, "new": NEW_PASSWORD}
    answer = client.post(call, json=body) if call == "/api/password" else client.delete(call)
    assert answer.status_code == 204
    assert client.get("/api/session").status_code == 200
    house.clock.turn(ACCESS_LIFE)
    assert client.get("/api/session").status_code == 200
    assert other.get("/api/session").status_code == 401


def test_changed_roles_hold_at_the_next_request(house: House) -> None:
    """The token is renewed in the request: what was given is there, what was taken away is gone, nobody signs in."""
    client = in_cookies(house)
    house.account("boss@example.com", "admin")
    assert client.get("/api/admin/accounts").status_code == 403
    house.authority.accounts.set_roles(ADA, ["admin"], "test")
    answer = client.get("/api/admin/accounts")
    assert answer.status_code == 200
    assert names_set(answer) == [ACCESS, REFRESH]
    house.authority.accounts.set_roles(ADA, ["member"], "test")
    answer = client.get("/api/admin/accounts")
    assert is_problem(answer, 403, "forbidden")
    assert names_set(answer) == [ACCESS, REFRESH]
    assert client.get("/api/session").json()["account"]["roles"] == ["member"]
    assert rotations(house, client) == 2


def test_tokens_under_a_withdrawn_key_are_renewed(house: House) -> None:
    """Nobody signs in again; the old access token is worth nothing by itself."""
    client = in_cookies(house)
    old, _ = held(client)
    house.authority.keys.withdraw(house.authority.ring.signing.verifying.kid, "test")
    answer = client.get("/api/session")
    assert (answer.status_code, names_set(answer)) == (200, [ACCESS, REFRESH])
    assert house.program(cookie=f"{ACCESS}={old}").get("/api/session").status_code == 401
    assert rotations(house, client) == 1


def test_a_repeated_answer_that_is_over_by_now_is_renewed_once_more(house: House) -> None:
    """The answer was lost on its way, and the key that signed it is gone before it is asked for again."""
    client = in_cookies(house)
    first = quiet(house, client)
    house.clock.turn(ACCESS_LIFE)
    assert first.get("/api/session").status_code == 200
    house.authority.keys.withdraw(house.authority.ring.signing.verifying.kid, "test")
    answer = client.get("/api/session")
    assert (answer.status_code, names_set(answer)) == (200, [ACCESS, REFRESH])
    assert rotations(house, client) == 2
    assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize("age", [ACCESS_LIFE - timedelta(seconds=1), ACCESS_LIFE])
def test_tokens_are_renewed_from_the_very_second_of_their_end(house: House, age: timedelta) -> None:
    """Not before; and then once, not at every request."""
    client = in_cookies(house)
    house.clock.turn(age)
    over = age == ACCESS_LIFE
    for _ in range(3):
        assert client.get("/api/session").status_code == 200
    assert rotations(house, client) == (1 if over else 0)


Ask = Callable[[TestClient], Response]
ANSWERS: dict[str, tuple[Ask, int]] = {
    "json in front of the router": (lambda client: client.get("/api/session"), 200),
    "json": (lambda client: client.get("/api/sessions"), 200),
    "head": (lambda client: client.head("/api/session"), 200),
    "page": (lambda client: client.get("/account"), 200),
    "greeting page": (lambda client: client.get("/"), 200),
    "redirect": (lambda client: client.post("/account/sessions/end-others"), 303),
    "nothing": (lambda client: client.delete("/api/sessions"), 204),
    "forbidden": (lambda client: client.get("/api/admin/accounts"), 403),
    "forbidden page": (lambda client: client.get("/admin"), 403),
    "not found": (lambda client: client.delete("/api/sessions/nobody"), 404),
    "invalid": (lambda client: client.post("/api/password", json={}), 422),
    "malformed": (lambda client: client.patch("/api/session/data", json=[]), 400),
    "refused form": (
        lambda client: client.post("/account/password", data={"current": "no", "new": "no"}),
        401,
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_of_answer_of_ours_brings_the_renewed_tokens(house: House, kind: str) -> None:
    """One access and one refresh cookie, never to be stored; the next request needs no renewal."""
    client = in_cookies(house)
    house.clock.turn(ACCESS_LIFE)
    ask, status = ANSWERS[kind]
    answer = ask(client)
    assert answer.status_code == status
    assert names_set(answer) == [ACCESS, REFRESH]
    assert answer.headers.get_list("cache-control") == ["no-store"]
    strict = f"; Max-Age={MONTH - int(ACCESS_LIFE.total_seconds())}; Path=/; HttpOnly; SameSite=Lax"
    assert all(cookie.endswith(strict) for cookie in set_cookies(answer) if "-device=" not in cookie)
    again = client.get("/api/session")
    assert (again.status_code, set_cookies(again)) == (200, [])
    assert rotations(house, client) == 1


@pytest.mark.parametrize("access", [None, "", "garbage", "a.b.c"])
def test_the_refresh_cookie_alone_is_renewed(house: House, access: str | None) -> None:
    """Whatever became of the access token's cookie."""
    client = in_cookies(house)
    _, refresh = held(client)
    shown = f"{REFRESH}={refresh}" if access is None else f"{ACCESS}={access}; {REFRESH}={refresh}"
    answer = house.program(cookie=shown).get("/api/session")
    assert (answer.status_code, names_set(answer)) == (200, [ACCESS, REFRESH])


@pytest.mark.parametrize("refresh", [None, "", "garbage", "a.b.c"])
def test_an_access_token_without_its_refresh_token_ends_by_itself(house: House, refresh: str | None) -> None:
    """Good until its end, then 401; no cookie is touched."""
    client = in_cookies(house)
    access, _ = held(client)
    shown = f"{ACCESS}={access}" if refresh is None else f"{ACCESS}={access}; {REFRESH}={refresh}"
    program = house.program(cookie=shown)
    assert program.get("/api/session").status_code == 200
    house.clock.turn(ACCESS_LIFE)
    answer = program.get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    assert set_cookies(answer) == []


def test_an_access_token_for_somebody_else_is_no_reason_to_renew(building: Build) -> None:
    """Its successor would be for somebody else too, at every request: 401, and nothing is rotated."""
    house = building({"tokens": {"audiences": ["orders"]}})
    client = in_cookies(house)
    orders = sign_in(house.program(), carrier="token", resource="orders").json()["tokens"]["access_token"]
    _, refresh = held(client)
    answer = house.program(cookie=f"{ACCESS}={orders}; {REFRESH}={refresh}").get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    assert (set_cookies(answer), rotations(house, client)) == ([], 0)


def test_tokens_in_cookies_are_always_for_us_too(building: Build) -> None:
    """Whomever else a sign-in has named: the browser shows them here."""
    house = building({"tokens": {"audiences": ["orders", "stock"]}})
    house.account()
    client = house.browser()
    assert sign_in(client, carrier="token-cookie", resource="orders").status_code == 200
    assert client.get("/api/session").status_code == 200
    house.clock.turn(ACCESS_LIFE)
    assert client.get("/api/session").status_code == 200
    assert rotations(house, client) == 1


@pytest.mark.parametrize("shown", [{ACCESS, REFRESH, CSRF}, {REFRESH}], ids=["both", "refresh cookie alone"])
def test_sign_out_with_tokens_that_are_over_ends_the_session(house: House, shown: set[str]) -> None:
    """The cookies that were shown are removed, none is set, and the refresh token is dead."""
    client = in_cookies(house)
    _, refresh = held(client)
    for name in {ACCESS, REFRESH, CSRF} - shown:
        client.cookies.delete(name)
    house.clock.turn(ACCESS_LIFE)
    answer = client.post("/api/sign-out")
    assert (answer.status_code, names_set(answer)) == (204, [])
    assert names_removed(answer) == shown
    assert "gatepost-receipt" in answer.headers
    assert house.program(cookie=f"{REFRESH}={refresh}").get("/api/session").status_code == 401
    assert house.counts()[1] == 0


def test_too_many_repeats_are_told_to_wait_and_lock_nobody_out(house: House) -> None:
    """429 with Retry-After and no cookie touched; the sign-in page is there, and a new sign-in ends the old session."""
    client = in_cookies(house)
    _, first = held(client)
    for _ in range(MOST_REPEATS + 1):
        house.authority.tokens.refresh(first, Origin("testclient", ""), carrier=Carrier.TOKEN_COOKIE)
    house.clock.turn(ACCESS_LIFE - timedelta(seconds=1))
    client.cookies.delete(ACCESS)
    answer = client.get("/api/session")
    assert is_problem(answer, 429, "slow_down")
    assert (answer.headers["retry-after"], set_cookies(answer)) == ("10", [])
    assert client.get("/sign-in").status_code == 200
    answer = client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert answer.status_code == 303
    assert names_removed(answer) == {REFRESH}
    assert [one["carrier"] for one in client.get("/api/sessions").json()["items"]] == ["cookie"]


def test_a_request_that_says_nothing_of_itself_needs_the_cross_site_token(house: House) -> None:
    """Tokens in cookies are a session to a forger: 403 without the token, also where they are to be renewed first."""
    client = in_cookies(house)
    token = client.cookies[CSRF]
    for renewed in (False, True):
        program = quiet(house, client)
        refused = program.delete("/api/sessions")
        assert is_problem(refused, 403, "cross_site")
        assert names_set(refused) == ([ACCESS, REFRESH] if renewed else [])
        for foreign in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            answer = program.delete("/api/sessions", headers={"x-csrf-token": token, **foreign})
            assert is_problem(answer, 403, "cross_site")
        assert program.delete("/api/sessions", headers={"x-csrf-token": token}).status_code == 204
        house.clock.turn(ACCESS_LIFE)


def test_sign_out_with_an_access_token_that_is_over_ends_its_session(house: House) -> None:
    """All by itself it lets nobody in any more, but it is genuine and says what to end; its cookie goes."""
    client = in_cookies(house)
    lone = house.browser(cookie=f"{ACCESS}={held(client)[0]}")
    house.clock.turn(ACCESS_LIFE)
    answer = lone.post("/api/sign-out")
    assert (answer.status_code, names_removed(answer)) == (204, {ACCESS})
    assert "gatepost-receipt" in answer.headers
    assert client.get("/api/session").status_code == 401
