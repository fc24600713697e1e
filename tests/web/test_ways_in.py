"""Visiting, signing up, signing in and out over HTTP: statuses, bodies and what happens to what was brought."""

from datetime import datetime

import pytest
from httpx2 import Response

from tests.web.house import ADA, PASSWORD, Build, House, is_problem, session_cookie, sign_in

ACCOUNT = {"id", "email", "email_verified", "roles", "permissions"}
SESSION = {
    "id", "carrier", "started_at", "last_seen_at", "idle_expires_at", "expires_at", "device", "address", "data",
}  # fmt: skip
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def refused_everywhere(house: House, cookie: str) -> bool:
    """Whether a saved cookie signs nobody in any more."""
    answer = house.program(cookie=f"gatepost={cookie}").get("/api/session")
    return is_problem(answer, 401, "invalid_token")


def times_of(answer: Response) -> list[datetime]:
    """The times of the session in an answer."""
    session = answer.json()["session"]
    names = ("started_at", "last_seen_at", "idle_expires_at", "expires_at")
    assert all(session[name].endswith("Z") for name in names)
    return [datetime.fromisoformat(session[name]) for name in names]


def test_visit_begins_a_session_without_an_account(house: House) -> None:
    """201, `account` null, a cookie; the session can be read by it and is forgotten after an hour."""
    client = house.browser()
    answer = client.post("/api/visit", json={})
    assert answer.status_code == 201
    assert set(answer.json()) == {"account", "session"}
    assert answer.json()["account"] is None
    assert set(answer.json()["session"]) == SESSION
    assert answer.json()["session"]["carrier"] == "cookie"
    started, _, idle, _ = times_of(answer)
    assert (idle - started).total_seconds() == 3600
    read = client.get("/api/session")
    assert read.status_code == 200
    assert read.json()["account"] is None


def test_sign_up_makes_a_member_and_signs_in(house: House) -> None:
    """201 with account, session and nothing else; a new account has the role `member` only."""
    client = house.browser(**{"user-agent": FIREFOX})
    answer = client.post("/api/sign-up", json={"email": "Ada@Example.com", "password": PASSWORD})
    assert answer.status_code == 201
    assert set(answer.json()) == {"account", "session"}
    account, session = answer.json()["account"], answer.json()["session"]
    assert set(account) == ACCOUNT
    assert account["email"] == "Ada@Example.com"
    assert (account["roles"], account["permissions"], account["email_verified"]) == (["member"], [], False)
    assert set(session) == SESSION
    assert (session["device"], session["address"]) == ("Firefox on Linux", "testclient")
    assert client.get("/api/session").json()["account"] == account


def test_session_lasts_as_the_settings_say(house: House) -> None:
    """The times of an answer: begun now, idle after 7 days, over after 30."""
    started, seen, idle, over = times_of(sign_in(house.signed_in(), ADA))
    assert started == seen == house.clock.now()
    assert ((idle - started).days, (over - started).days) == (7, 30)


@pytest.mark.parametrize("again", ["ada@example.com", "ADA@EXAMPLE.COM", "ada@EXAMPLE.com"])
def test_second_sign_up_with_one_address_is_refused(house: House, again: str) -> None:
    """409 `email_taken`, however the address is written; no second account."""
    house.account()
    answer = house.browser().post("/api/sign-up", json={"email": again, "password": PASSWORD})
    assert is_problem(answer, 409, "email_taken")
    assert house.counts()[:2] == (1, 0)


@pytest.mark.parametrize(
    ("password", "said"),
    [("short of fifteen"[:14], "15 characters"), ("a" * 1025, "1,024"), ("password" * 2, "")],
)
def test_weak_password_makes_no_account(house: House, password: str, said: str) -> None:
    """422 `weak_password` for one that is too short, too long or too common."""
    answer = house.browser().post("/api/sign-up", json={"email": ADA, "password": password})
    assert is_problem(answer, 422, "weak_password")
    assert said in answer.json()["detail"]
    assert house.counts() == (0, 0, 0)


def test_address_that_is_none_is_named(house: House) -> None:
    """422 `invalid_fields`, with one sentence for the field."""
    answer = house.browser().post("/api/sign-up", json={"email": "ada", "password": PASSWORD})
    assert is_problem(answer, 422, "invalid_fields")
    assert set(answer.json()["errors"]) == {"email"}


def test_mass_assignment_is_refused(house: House) -> None:
    """A role, an id or a flag sent along with a sign-up is an unknown field: 422, and no account."""
    for name, value in {"roles": ["admin"], "id": "me", "email_verified": True, "role": "admin"}.items():
        body = {"email": ADA, "password": PASSWORD, name: value}
        answer = house.browser().post("/api/sign-up", json=body)
        assert is_problem(answer, 422, "invalid_fields")
        assert set(answer.json()["errors"]) == {name}
    assert house.counts() == (0, 0, 0)


def test_sign_in_by_cookie_answers_with_account_and_session(house: House) -> None:
    """200; no `tokens`, and the cookie's value stands nowhere in the body."""
    house.account()
    client = house.browser()
    answer = sign_in(client)
    assert answer.status_code == 200
    assert set(answer.json()) == {"account", "session"}
    assert set(answer.json()["session"]) == SESSION
    assert session_cookie(client) not in answer.text


def test_sign_in_by_token_answers_with_tokens(house: House) -> None:
    """`tokens` has exactly its four members, for `token` only; no cookie is set."""
    house.account()
    answer = sign_in(house.program(), carrier="token")
    assert answer.status_code == 200
    tokens = answer.json()["tokens"]
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert answer.json()["session"]["carrier"] == "token"
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("carrier", ["Cookie", "token_cookie", "paper", "", 3, None, ["cookie"]])
@pytest.mark.parametrize("path", ["/api/sign-in", "/api/sign-up", "/api/visit"])
def test_carrier_that_does_not_exist_is_refused(house: House, path: str, carrier: object) -> None:
    """422 `carrier_unavailable`, and no session has begun."""
    body = (
        {"carrier": carrier}
        if path == "/api/visit"
        else {"email": ADA, "password": PASSWORD, "carrier": carrier}
    )
    answer = house.browser().post(path, json=body)
    assert is_problem(answer, 422, "carrier_unavailable")
    assert house.counts() == (0, 0, 0)


def test_visit_by_token_is_refused(house: House) -> None:
    """A visitor holds a cookie."""
    assert is_problem(
        house.program().post("/api/visit", json={"carrier": "token"}), 422, "carrier_unavailable"
    )


def test_sign_in_gives_a_new_id_moves_the_data_and_ends_the_visit(house: House) -> None:
    """A9: what was put into the cart before the sign-in is there after it, and the old cookie is dead."""
    house.account()
    client = house.browser()
    visit = client.post("/api/visit", json={}).json()["session"]["id"]
    client.patch("/api/session/data", json={"cart": [1, 2], "language": "cy"})
    before = session_cookie(client)
    session = sign_in(client).json()["session"]
    assert session["id"] != visit
    assert session["data"] == {"cart": [1, 2], "language": "cy"}
    assert session_cookie(client) != before
    assert refused_everywhere(house, before)


def test_only_the_data_that_is_named_moves(building: Build) -> None:
    """`sessions.carry_over` says which."""
    house = building({"sessions": {"carry_over": ["cart"]}})
    client = house.browser()
    client.post("/api/visit", json={})
    client.patch("/api/session/data", json={"cart": [1], "language": "cy"})
    answer = client.post("/api/sign-up", json={"email": ADA, "password": PASSWORD})
    assert answer.json()["session"]["data"] == {"cart": [1]}


def test_data_of_a_signed_in_session_stays_with_its_account(house: House) -> None:
    """Signing in as somebody else in the same browser hands nothing over."""
    client = house.signed_in()
    client.patch("/api/session/data", json={"cart": [1]})
    house.account("bob@example.com")
    assert sign_in(client, "bob@example.com").json()["session"]["data"] == {}


def test_planted_cookie_is_never_adopted(house: House) -> None:
    """Fixation: an id chosen before sign-in is worth nothing after it, and stands in no answer."""
    house.account()
    client = house.browser(cookie="gatepost=" + "A" * 43)
    answer = sign_in(client)
    assert answer.status_code == 200
    assert session_cookie(client) != "A" * 43
    assert refused_everywhere(house, "A" * 43)


def test_sign_in_ends_the_session_that_the_browser_held(house: House) -> None:
    """One browser, one session: the old cookie and its session are dead."""
    client = house.signed_in()
    before = session_cookie(client)
    sign_in(client)
    assert refused_everywhere(house, before)
    assert len(client.get("/api/sessions").json()["items"]) == 1


def test_sign_in_ends_the_session_of_a_token(house: House) -> None:
    """What an Authorization header presents is ended like a cookie."""
    held = house.holder()
    client = house.browser(authorization=f"Bearer {held.access}")
    assert sign_in(client).status_code == 200
    assert is_problem(held.client.get("/api/session"), 401, "invalid_token")


def test_sign_in_by_token_removes_the_cookie_it_came_with(house: House) -> None:
    """The other carrier's cookies go, and the session they held ends."""
    client = house.signed_in()
    before = session_cookie(client)
    assert sign_in(client, carrier="token").status_code == 200
    assert set(client.cookies) <= {"gatepost-device"}
    assert refused_everywhere(house, before)


@pytest.mark.parametrize("by", ["cookie", "token"])
def test_sign_out_ends_every_carrier_with_a_receipt(house: House, by: str) -> None:
    """204, the receipt as one line of JSON in `Gatepost-Receipt`; the carrier is refused from then on."""
    client = house.signed_in() if by == "cookie" else house.holder().client
    cookie = session_cookie(client) if by == "cookie" else None
    answer = client.post("/api/sign-out")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "\n" not in answer.headers["gatepost-receipt"]
    assert set(client.cookies) <= {"gatepost-device"}
    again = house.program(cookie=f"gatepost={cookie}") if cookie else client
    assert is_problem(again.get("/api/session"), 401, "invalid_token")


def test_sign_out_of_a_dead_session_is_done_already(house: House) -> None:
    """204 too, by cookie and by token, and the dead cookie is taken out of the browser."""
    client = house.signed_in()
    cookie = session_cookie(client)
    client.post("/api/sign-out")
    late = house.browser(cookie=f"gatepost={cookie}")
    answer = late.post("/api/sign-out")
    assert answer.status_code == 204
    assert "gatepost-receipt" not in answer.headers
    assert answer.headers["set-cookie"].startswith("gatepost=; Max-Age=0")
    held = house.holder("bob@example.com")
    assert [held.client.post("/api/sign-out").status_code for _ in range(2)] == [204, 204]


def test_outdated_token_is_not_told_that_it_signed_out(house: House) -> None:
    """Its session lives: 401, so that the client renews and tries again; then it is over."""
    held = house.holder()
    account = house.authority.accounts.find(ADA)
    house.authority.accounts.set_roles(account.id, ["member", "support"], "test")
    assert is_problem(held.client.post("/api/sign-out"), 401, "invalid_token")
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
    renewed = house.program().post("/oauth/token", data=form).json()
    answer = house.program(authorization=f"Bearer {renewed['access_token']}").post("/api/sign-out")
    assert answer.status_code == 204


def test_visits_are_limited_per_address(building: Build) -> None:
    """429 `slow_down` with Retry-After; sign-in is not touched by it."""
    house = building({"limits": {"visits_per_minute": 3}})
    answers = [house.browser().post("/api/visit", json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert is_problem(answers[-1], 429, "slow_down")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert house.counts()[1] == 0
    house.account()
    assert sign_in(house.browser()).status_code == 200
