"""The password, once more: what asks for it, what showing it gives in each carrier, and who gets nothing by it."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost import Gatepost
from gatepost.authority import Machine
from gatepost.core.changes import Event
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from gatepost.web.checks import freshly_signed_in
from gatepost.web.routes import PAGES
from tests.processes import wait_until
from tests.web.house import ADA, CHEAP, PASSWORD, Build, House, is_problem, set_cookies, settings_in, sign_in

BOSS = "boss@example.com"
CARRIERS = ["cookie", "sealed", "token", "token-cookie"]


def enter(house: House, carrier: str, email: str = BOSS) -> TestClient:
    """A client of an administrator who holds a new session in this carrier."""
    client = house.browser()
    bear(client, sign_in(client, email, carrier=carrier))
    return client


def bear(client: TestClient, answer: Response) -> Response:
    """Go on with the token that an answer holds, if it holds one."""
    assert answer.status_code == 200, answer.text
    if "tokens" in answer.json():
        client.headers["authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
    return answer


def later(house: House, **time: int) -> None:
    """Let time go by. On a busy machine the log is not read again within the wait of one request."""
    house.clock.turn(**time)
    wait_until(house.authority.follower.catch_up, "the log was not read again")


def dangerous(house: House, client: TestClient) -> Response:
    """An act that asks for a recent sign-in."""
    account = house.authority.accounts.find(ADA)
    return client.put(f"/api/admin/accounts/{account.id}/roles", json={"roles": ["member"]})


@pytest.fixture
def manned(house: House) -> House:
    """A house with an administrator and a member."""
    house.account(BOSS, "admin")
    house.account(ADA)
    return house


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_fresh_sign_in_is_asked_nothing(manned: House, carrier: str) -> None:
    """Whatever holds it."""
    assert dangerous(manned, enter(manned, carrier)).status_code == 200


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_old_sign_in_shows_the_password_and_goes_on(building: Build, carrier: str) -> None:
    """403 with how young it must be; after the password the same act passes, in the same carrier."""
    house = building({"sessions": {"reauthenticate_after": "5m"}})
    house.account(BOSS, "admin")
    house.account(ADA)
    client = enter(house, carrier)
    later(house, seconds=299)
    assert dangerous(house, client).status_code == 200
    later(house, seconds=1)
    refused = dangerous(house, client)
    assert is_problem(refused, 403, "reauthentication_required")
    challenge = refused.headers["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert client.get("/api/admin/accounts").status_code == 200
    shown = bear(client, client.post("/api/reauthenticate", json={"password": PASSWORD}))
    assert shown.json()["session"]["carrier"] == carrier
    assert dangerous(house, client).status_code == 200


@pytest.mark.parametrize("carrier", CARRIERS)
def test_it_is_a_new_session_that_goes_on_with_the_data(manned: House, carrier: str) -> None:
    """A new id, the old one dead with all that held it, the application's data as it was, one session in the list."""
    client = enter(manned, carrier)
    client.patch("/api/session/data", json={"language": "de"})
    before = client.get("/api/session").json()
    thief = manned.browser()
    thief.headers.update({name: value for name, value in client.headers.items() if name == "authorization"})
    thief.headers["cookie"] = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    bear(client, client.post("/api/reauthenticate", json={"password": PASSWORD}))
    after = client.get("/api/session").json()
    assert after["session"]["id"] != before["session"]["id"]
    assert after["session"]["data"] == {"language": "de"}
    assert after["account"] == before["account"]
    assert [one["id"] for one in client.get("/api/sessions").json()["items"]] == [after["session"]["id"]]
    assert thief.get("/api/session").status_code == 401


def test_a_wrong_password_gives_nothing_and_is_noted(manned: House) -> None:
    """401, no cookie touched, the session goes on as it was, and the trail says so."""
    client = enter(manned, "cookie")
    later(manned, minutes=15)
    answer = client.post("/api/reauthenticate", json={"password": "not the password at all"})
    assert is_problem(answer, 401, "invalid_credentials")
    assert set_cookies(answer) == []
    assert is_problem(dangerous(manned, client), 403, "reauthentication_required")
    boss = manned.authority.accounts.find(BOSS)
    ((_, row),) = manned.authority.audit.back(account=boss.id, limit=1)[0]
    assert (row.event, row.session_id) == (
        Event.REAUTHENTICATION_FAILED,
        client.get("/api/session").json()["session"]["id"],
    )


def test_tries_are_limited(manned: House) -> None:
    """Whoever has stolen a session does not guess the password by it: 429 after ten."""
    client = enter(manned, "cookie")
    wrong = {"password": "not the password at all"}
    tried = [client.post("/api/reauthenticate", json=wrong).status_code for _ in range(11)]
    assert tried == [401] * 10 + [429]
    assert client.post("/api/reauthenticate", json={"password": PASSWORD}).status_code == 429
    assert dangerous(manned, enter(manned, "cookie")).status_code == 200


def test_one_s_own_password_is_asked_for_and_not_anybody_s(manned: House) -> None:
    """A visit has none; the body names no account."""
    visitor = manned.browser()
    visitor.post("/api/visit", json={})
    assert is_problem(visitor.post("/api/reauthenticate", json={"password": PASSWORD}), 401, "signed_out")
    client = enter(manned, "cookie")
    answer = client.post("/api/reauthenticate", json={"password": PASSWORD, "email": ADA})
    assert is_problem(answer, 422, "invalid_fields")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/admin/accounts/{id}/lock", None),
        ("POST", "/api/admin/accounts/{id}/unlock", None),
        ("PUT", "/api/admin/accounts/{id}/roles", {"roles": ["member"]}),
        ("DELETE", "/api/admin/sessions?confirm=everyone", None),
        ("POST", "/api/admin/keys/rotate", {}),
        ("POST", "/api/admin/keys/rotate", {"compromised": "no such key"}),
    ],
)
def test_every_dangerous_call_asks(manned: House, method: str, path: str, body: Any) -> None:
    """And nothing has happened."""
    client = enter(manned, "cookie")
    later(manned, minutes=15)
    before = manned.counts()
    account = manned.authority.accounts.find(ADA)
    answer = client.request(method, path.format(id=account.id), json=body)
    assert is_problem(answer, 403, "reauthentication_required")
    assert manned.counts() == before
    assert manned.authority.accounts.find(ADA) == account


def test_every_dangerous_form_asks_and_leads_back_to_a_page() -> None:
    """Each act by a button that asks as a call asks as a form, and has a page at the same address to come back to."""
    pages = {route.path for route in PAGES if route.method == "GET"}
    forms = {route.path for route in PAGES if freshly_signed_in in route.checks and route.method == "POST"}
    assert forms == {
        "/admin/everyone",
        "/admin/keys/rotate",
        "/admin/keys/{kid}/withdraw",
        "/admin/accounts/{account_id}/lock",
        "/admin/accounts/{account_id}/unlock",
        "/admin/accounts/{account_id}/roles",
    }
    assert forms <= pages


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/admin/accounts/{id}/lock", {}),
        ("/admin/accounts/{id}/unlock", {}),
        ("/admin/accounts/{id}/roles", {"roles": ["support"]}),
        ("/admin/everyone", {"confirm": "everyone"}),
        ("/admin/keys/rotate", {}),
        ("/admin/keys/{kid}/withdraw", {"confirm": "withdraw"}),
    ],
)
def test_every_dangerous_button_asks(manned: House, path: str, form: dict[str, Any]) -> None:
    """And nothing has happened; with the password shown the way back is a page that is there."""
    client = enter(manned, "cookie")
    account = manned.authority.accounts.lock(ADA, "test").account
    kid = manned.authority.ring.signing.verifying.kid
    later(manned, minutes=15)
    before = manned.counts()
    sent = client.post(path.format(id=account.id, kid=kid), data=form)
    assert (sent.status_code, manned.counts()) == (303, before)
    assert manned.authority.accounts.find(ADA) == account
    (back,) = parse_qs(urlsplit(sent.headers["location"]).query)["next"]
    done = client.post("/reauthenticate", data={"password": PASSWORD, "next": back})
    assert (done.status_code, done.headers["location"]) == (303, back)
    assert client.get(back, follow_redirects=True).status_code == 200


def test_from_the_unlock_button_the_way_back_is_the_account(manned: House) -> None:
    """There the button is pressed again, and now it does what it says."""
    client = enter(manned, "cookie")
    account = manned.authority.accounts.lock(ADA, "test").account
    path = f"/admin/accounts/{account.id}/unlock"
    later(manned, minutes=15)
    assert client.post(path).headers["location"] == f"/reauthenticate?next={quote_plus(path)}"
    client.post("/reauthenticate", data={"password": PASSWORD, "next": path})
    page = client.get(path)
    assert (page.status_code, f'action="{path}"' in page.text, ADA in page.text) == (200, True, True)
    assert "The account is unlocked." not in page.text
    assert "The account is unlocked." in client.post(path).text
    assert manned.authority.accounts.find(ADA).locked_at is None


def test_the_page_leads_back_to_what_was_being_done(manned: House) -> None:
    """From the form with the roles that were ticked, over the password, to the same page with the same roles."""
    client = enter(manned, "cookie")
    account = manned.authority.accounts.find(ADA)
    path = f"/admin/accounts/{account.id}/roles"
    later(manned, minutes=15)
    sent = client.post(path, data={"roles": ["member", "support"], "csrf": "x"})
    assert sent.status_code == 303
    asked = client.get(sent.headers["location"])
    assert 'type="password"' in asked.text
    back = f"{path}?roles=member&roles=support"
    wrong = client.post("/reauthenticate", data={"password": "not the password", "next": back})
    assert wrong.status_code == 401
    assert "The password is not right." in wrong.text
    assert back.replace("&", "&amp;") in wrong.text
    done = client.post("/reauthenticate", data={"password": PASSWORD, "next": back})
    assert (done.status_code, done.headers["location"]) == (303, back)
    preview = client.get(back)
    assert preview.text.count('name="roles" value="support"') == 1
    saved = client.post(path, data={"roles": ["member", "support"]})
    assert saved.status_code == 200
    assert manned.authority.accounts.find(ADA).roles == ("member", "support")


def test_a_page_that_was_only_looked_at_leads_back_with_its_address(manned: House) -> None:
    """The query of the address line, as it was."""
    client = enter(manned, "cookie")
    later(manned, minutes=15)
    account = manned.authority.accounts.find(ADA)
    sent = client.get(f"/admin/accounts/{account.id}/roles?roles=support")
    assert sent.headers["location"] == (
        f"/reauthenticate?next=%2Fadmin%2Faccounts%2F{account.id}%2Froles%3Froles%3Dsupport"
    )


def test_it_leads_there_and_back_under_a_prefix(tmp_path: Path) -> None:
    """Mounted in an application, every address begins with the prefix; so does the one that a live page follows."""
    clock = TurnableClock()
    auth = Gatepost(settings_in(tmp_path), machine=Machine(clock, SystemRandomness(), profile=CHEAP))
    app = FastAPI()
    auth.init_app(app, prefix="/auth")
    house = House(auth.authority, app, clock)
    account, client = house.account(BOSS, "admin"), house.browser()
    client.post("/auth/api/sign-in", json={"email": BOSS, "password": PASSWORD})
    assert 'data-follow="/auth/admin/live"' in client.get("/auth/admin").text
    later(house, minutes=15)
    back = f"/auth/admin/accounts/{account.id}/roles?roles=admin"
    sent = client.get(back)
    assert sent.headers["location"].startswith("/auth/reauthenticate?next=%2Fauth%2Fadmin")
    assert 'action="/auth/reauthenticate"' in client.get(sent.headers["location"]).text
    done = client.post("/auth/reauthenticate", data={"password": PASSWORD, "next": back})
    assert done.headers["location"] == back
    assert client.get(back).status_code == 200
    house.close()


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "x"]
)
def test_the_page_leads_nowhere_else(manned: House, wanted: str) -> None:
    """Another site's address is dropped."""
    client = enter(manned, "cookie")
    done = client.post("/reauthenticate", data={"password": PASSWORD, "next": wanted})
    assert (done.status_code, done.headers["location"]) == (303, "/account")


def test_who_was_signed_out_while_the_password_was_hashing_stays_out(manned: House) -> None:
    """Ended between the look and the write: no session begins in its place."""
    client = enter(manned, "cookie")
    account = manned.authority.accounts.find(BOSS)
    hashing = manned.authority.hashing
    verify = hashing.verify

    def ended_meanwhile(*arguments: Any) -> Any:
        verdict = verify(*arguments)
        manned.authority.accounts.end_sessions(account.id, "test")
        return verdict

    hashing.verify = ended_meanwhile  # type: ignore[method-assign]
    answer = client.post("/api/reauthenticate", json={"password": PASSWORD})
    assert is_problem(answer, 401, "invalid_token")
    assert manned.authority.sessions.of_account(account.id) == []
