"""Guessing over HTTP: what a guesser is told, what an owner is told, and which cookie keeps the owner in."""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.core.clients import Power
from gatepost.services.clients import ClientWish
from tests.web.house import ADA, PASSWORD, Build, House, is_problem, set_cookies, sign_in

NEW = "another four words here"
NOBODY, LOCKED = "nobody@example.com", "locked@example.com"
WRONG = "some wrong words here"
MARK = "gatepost-device"


def wrong(client: TestClient, email: str = ADA) -> Response:
    """One wrong password."""
    return sign_in(client, email, password=WRONG)


def used_up(house: House, email: str = ADA) -> None:
    """Strangers have tried as often as they may."""
    assert {wrong(house.browser(), email).status_code for _ in range(10)} == {401}


def known(client: TestClient, house: House) -> TestClient:
    """The same browser after a sign-out: it holds its mark and nothing else."""
    return house.browser(cookie=f"{MARK}={client.cookies[MARK]}")


def test_a_guesser_is_told_to_slow_down_and_for_how_long(house: House) -> None:
    """429 `slow_down` with the seconds to wait, also for the right password; after them it is good."""
    house.account()
    used_up(house)
    for answer in (wrong(house.browser()), sign_in(house.browser())):
        assert is_problem(answer, 429, "slow_down")
        assert answer.headers["retry-after"] == "60"
        assert answer.json()["detail"] == (
            "Too many tries that did not work. Please wait a minute, then try again."
        )
    house.clock.turn(timedelta(seconds=60))
    assert sign_in(house.browser()).status_code == 200


def test_the_page_says_it_in_kind_words_and_keeps_what_was_typed(house: House) -> None:
    """With the status and the header that programs read."""
    used_up(house)
    house.clock.turn(timedelta(seconds=60))
    wrong(house.browser())
    answer = house.browser().post("/sign-in", data={"email": ADA, "password": WRONG, "next": "/account"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "120")
    assert "Too many tries that did not work. Please wait 2 minutes, then try again." in answer.text
    assert f'value="{ADA}"' in answer.text
    assert 'value="/account"' in answer.text


def test_known_unknown_and_locked_accounts_are_slowed_alike(house: House) -> None:
    """The same answers to the byte at every one of fourteen tries, by JSON and by the form."""
    house.account()
    house.authority.accounts.lock(house.account(LOCKED).id, "test")
    told: dict[str, list[tuple[object, ...]]] = {}
    for email in (ADA, NOBODY, LOCKED):
        told[email] = []
        for _ in range(11):
            answer = wrong(house.browser(), email)
            told[email].append((answer.status_code, answer.content, answer.headers.multi_items()))
        for _ in range(3):
            answer = house.browser().post("/sign-in", data={"email": email, "password": WRONG})
            text = answer.text.replace(email, "E")
            told[email].append((answer.status_code, text, answer.headers.get("retry-after")))
    assert [status for status, *_ in told[ADA]] == [401] * 10 + [429] * 4
    assert told[ADA] == told[NOBODY] == told[LOCKED]


def test_the_owner_s_browser_is_not_shut_out_by_strangers(house: House) -> None:
    """It signed in before and was signed out; by JSON and by the form it comes in, while a stranger waits."""
    client = house.signed_in()
    client.post("/api/sign-out")
    used_up(house)
    assert wrong(house.browser()).status_code == 429
    assert sign_in(known(client, house)).status_code == 200
    entered = known(client, house).post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert entered.status_code == 303


@pytest.mark.parametrize("way", ["sign-in", "sign-up", "page", "sealed", "token-cookie"])
def test_every_way_in_that_sets_cookies_makes_the_browser_known(https: House, way: str) -> None:
    """For 400 days, out of reach of scripts and bound to this host; a visit, and tokens for a program, do not."""
    client, name = https.browser(), "__Host-Http-gatepost-device"
    body = {"email": ADA, "password": PASSWORD}
    if way != "sign-up":
        https.account()
    match way:
        case "sign-up":
            answer = client.post("/api/sign-up", json=body)
        case "page":
            answer = client.post("/sign-in", data=body)
        case _:
            answer = sign_in(client, carrier=way if way != "sign-in" else "cookie")
    (mark,) = (cookie for cookie in set_cookies(answer) if cookie.startswith(f"{name}="))
    assert mark.endswith("; Max-Age=34560000; Path=/; Secure; HttpOnly; SameSite=Lax")
    value = mark.partition("=")[2].partition(";")[0]
    assert https.authority.guesses.devices.known(ADA, (value,)) is not None
    others = https.browser().post("/api/visit", json={}), sign_in(https.browser(), carrier="token")
    assert not any("-device=" in cookie for other in others for cookie in set_cookies(other))


def test_a_mark_signs_nobody_in(house: House) -> None:
    """Alone it is nothing at all, at every address that wants somebody."""
    client = known(house.signed_in(), house)
    for path in ("/api/session", "/api/sessions", "/gateway/check"):
        assert client.get(path).status_code == 401
    assert client.get("/account").status_code == 303


@pytest.mark.parametrize("act", ["password", "others", "password page", "others page"])
def test_the_browser_that_ends_everything_else_stays_known(house: House, act: str) -> None:
    """Every other mark of the account is void, a copy of its own from before among them."""
    client, other = house.signed_in(), house.browser()
    sign_in(other)
    before, elsewhere = client.cookies[MARK], other.cookies[MARK]
    acts: dict[str, Callable[[], Response]] = {
        "password": lambda: client.post("/api/password", json={"current": PASSWORD, "new": NEW}),
        "others": lambda: client.delete("/api/sessions"),
        "password page": lambda: client.post("/account/password", data={"current": PASSWORD, "new": NEW}),
        "others page": lambda: client.post("/account/sessions/end-others"),
    }
    assert acts[act]().status_code in {204, 303}
    devices = house.authority.guesses.devices
    assert devices.known(ADA, (before,)) is None
    assert devices.known(ADA, (elsewhere,)) is None
    assert devices.known(ADA, (client.cookies[MARK],)) is not None


def test_a_session_without_a_mark_does_not_make_a_browser_known(house: House) -> None:
    """Whoever has stolen the session alone gets none by ending the others."""
    client = house.signed_in()
    thief = house.browser(cookie=f"gatepost={client.cookies['gatepost']}")
    assert MARK not in "".join(set_cookies(thief.delete("/api/sessions")))


def test_a_family_s_browser_is_known_to_each_of_them(house: House) -> None:
    """Four accounts at one browser, one after the other."""
    names = [f"{name}@example.com" for name in ("ada", "bob", "cy", "dee")]
    client = house.browser()
    for email in names:
        house.account(email)
        sign_in(client, email)
    devices = house.authority.guesses.devices
    assert all(devices.known(email, (client.cookies[MARK],)) for email in names)
    assert len(client.cookies[MARK]) < 256


@pytest.mark.parametrize("value", ["", "x", "." * 4000, "!~", "A" * 55, '"quoted"', "a.b.c.d.e.f"])
def test_a_broken_mark_makes_a_stranger_and_no_trouble(house: House, value: str) -> None:
    """It is judged as if it were not there, and replaced at the sign-in."""
    house.account()
    client = house.browser(cookie=f"{MARK}={value}")
    answer = sign_in(client)
    assert answer.status_code == 200
    assert any(MARK in cookie for cookie in set_cookies(answer))
    used_up(house)
    assert wrong(client).status_code == 429


def test_a_password_change_is_guessed_as_slowly(house: House) -> None:
    """By JSON and by the form together, and with the right one too; another session of the owner's is free."""
    client, other = house.signed_in(), house.browser()
    sign_in(other)
    for number in range(10):
        tries = {"current": WRONG, "new": NEW}
        answer = (
            client.post("/api/password", json=tries)
            if number % 2
            else client.post("/account/password", data=tries)
        )
        assert answer.status_code == 401
    slow = client.post("/api/password", json={"current": PASSWORD, "new": NEW})
    assert is_problem(slow, 429, "slow_down")
    assert slow.headers["retry-after"] == "60"
    page = client.post("/account/password", data={"current": PASSWORD, "new": NEW})
    assert (page.status_code, page.headers["retry-after"]) == (429, "60")
    assert "Please wait a minute" in page.text
    assert other.post("/api/password", json={"current": PASSWORD, "new": NEW}).status_code == 204


def asks(house: House, client_id: str, secret: str) -> Response:
    """A client that shows a secret where tokens are introspected."""
    basic = b64encode(f"{client_id}:{secret}".encode()).decode()
    return house.program(authorization=f"Basic {basic}").post("/oauth/introspect", data={"token": "x"})


def test_a_client_s_wrong_secrets_are_slowed_and_its_right_one_never(house: House) -> None:
    """429 in OAuth's own form, for a client that exists and for one that does not."""
    made = house.authority.clients.create(ClientWish("orders", (Power.INTROSPECT,)), (), "test")
    for client_id in (made.client.id, "no-such-client"):
        tries = [asks(house, client_id, "wrong") for _ in range(12)]
        assert [answer.status_code for answer in tries] == [401] * 10 + [429] * 2
        assert tries[-1].json()["error"] == "slow_down"
        assert tries[-1].headers["retry-after"] == "60"
    assert asks(house, made.client.id, made.secret.reveal()).status_code == 200


def test_names_of_clients_are_tried_as_slowly_as_those_of_accounts(building: Build) -> None:
    """Each under another name, all from one address."""
    house = building({"guesses": {"per_address": 5}})
    tries = [asks(house, f"client-{number}", "wrong").status_code for number in range(7)]
    assert tries == [401] * 5 + [429] * 2


@pytest.mark.parametrize("path", ["/api/sign-up", "/sign-up"])
def test_sign_ups_are_limited_per_address(building: Build, path: str) -> None:
    """Each says whether an e-mail is taken, so whatever comes of it counts; JSON and the form together."""
    house = building({"limits": {"sign_ups_per_minute": 3}})
    house.account()
    for number in range(3):
        body = {"email": ADA if number else "bob@example.com", "password": PASSWORD}
        house.browser().post("/api/sign-up", json=body)
    body = {"email": "eve@example.com", "password": PASSWORD}
    client = house.browser()
    answer = client.post(path, json=body) if path.startswith("/api") else client.post(path, data=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    house.clock.turn(timedelta(seconds=60))
    assert house.browser().post("/api/sign-up", json=body).status_code == 201


def test_a_page_of_somebody_else_uses_up_nothing(building: Build) -> None:
    """The cross-site checks come first: a foreign page cannot make its visitors guess for it, or shut them out."""
    house = building({"limits": {"sign_ups_per_minute": 1, "visits_per_minute": 1}})
    house.account()
    for site in ("cross-site", "same-site"):
        forged = house.browser(**{"sec-fetch-site": site})
        for _ in range(15):
            assert wrong(forged).status_code == 403
            assert forged.post("/sign-in", data={"email": ADA, "password": WRONG}).status_code == 403
            assert forged.post("/api/sign-up", json={"email": NOBODY, "password": WRONG}).status_code == 403
            assert forged.post("/api/visit", json={}).status_code == 403
    assert house.authority.guesses.sweep() == 0
    assert wrong(house.browser()).status_code == 401
    assert house.browser().post("/api/visit", json={}).status_code == 201


def test_metrics_say_who_is_slowed_and_nobody_s_name(house: House) -> None:
    """Counted by limit, at all limits from the start."""
    house.account()
    used_up(house)
    wrong(house.browser())
    guesses = house.authority.guesses
    assert {limit.value: count for limit, count in guesses.slowed.items()} == {
        "account": 1, "device": 0, "session": 0, "client": 0, "address": 0, "overall": 0,
    }  # fmt: skip
    assert sum(guesses.reached.values()) == 1
