"""The sealed cookie over HTTP: every way in, what a request costs, writes and renewals in the answer, every ending."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from gatepost.core.sessions import Carrier
from tests.services.sealed_devices import counted
from tests.web.house import ADA, PASSWORD, Build, House, is_problem, set_cookies, sign_in
from tests.web.sealed_clients import NAME, cookie_of, names_set, sealed_again, sealed_in, showing, visiting

LIFE = 30 * 24 * 3600
HORIZON = timedelta(minutes=10)
ONE_FILE = {"url": None}
BOSS = "boss@example.com"
WAYS = {
    "sign-in": ("/api/sign-in", {"email": ADA, "password": PASSWORD}, 200),
    "sign-up": ("/api/sign-up", {"email": "eve@example.com", "password": PASSWORD}, 201),
    "visit": ("/api/visit", {}, 201),
}


@pytest.fixture
def pair(building: Build) -> tuple[House, House]:
    """Two server processes over one database."""
    return building({"database": ONE_FILE}), building({"database": ONE_FILE})


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_sets_the_sealed_cookie(https: House, way: str) -> None:
    """With the name and the attributes of the interface, the csrf cookie beside it, and nothing of it in the body."""
    https.account()
    path, body, status = WAYS[way]
    client = https.browser()
    answer = client.post(path, json={**body, "carrier": "sealed"})
    assert answer.status_code == status
    first, second, *marks = set_cookies(answer)
    name, _, rest = first.partition("=")
    value, _, attributes = rest.partition("; ")
    assert name == "__Host-Http-gatepost-sealed"
    assert attributes == f"Max-Age={LIFE}; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert second.startswith("__Host-gatepost-csrf=")
    assert [mark.partition("=")[0] for mark in marks] == ["__Host-Http-gatepost-device"] * (way != "visit")
    assert value not in answer.text
    assert "tokens" not in answer.json()
    assert client.get("/api/session").json()["session"]["carrier"] == "sealed"


def test_the_session_is_read_out_of_the_cookie(pair: tuple[House, House]) -> None:
    """Word for word what the record would say, at the server that made it and at one that first sees it; no read."""
    here, there = pair
    client = sealed_in(here, ADA, "member", "support")
    client.patch("/api/session/data", json={"cart": {"book": 1}})
    told = client.get("/api/session").json()
    assert told["account"] == sign_in(here.browser()).json()["account"]
    assert told["session"]["data"] == {"cart": {"book": 1}}
    with counted(here.authority) as counts:
        for house in (here, there, there):
            assert showing(house, cookie_of(client)).get("/api/session").json() == told
    assert counts == {}


def test_a_write_comes_back_in_the_cookie_of_its_answer(house: House) -> None:
    """For one read and one commit: one Set-Cookie, kept by no cache; the next request reads it without a look-up."""
    client = sealed_in(house)
    before = cookie_of(client)
    with counted(house.authority) as counts:
        answer = client.patch("/api/session/data", json={"cart": "book", "none": None})
    assert counts == {"session": 1, "commit": 1}
    assert (answer.status_code, answer.json()) == (200, {"data": {"cart": "book"}})
    assert names_set(answer) == [NAME]
    assert f"Max-Age={LIFE}; Path=/; HttpOnly; SameSite=Lax" in set_cookies(answer)[0]
    assert answer.headers["cache-control"] == "no-store"
    assert cookie_of(client) != before
    with counted(house.authority) as counts:
        assert client.get("/api/session").json()["session"]["data"] == {"cart": "book"}
    assert counts == {}


def test_a_write_above_the_limit_is_413_and_changes_nothing(house: House) -> None:
    """With size, limit and largest keys; the cookie stays and so does the record."""
    client = sealed_in(house)
    client.patch("/api/session/data", json={"cart": "book"})
    answer = client.patch("/api/session/data", json={"essay": "x" * 3000, "note": "y" * 30})
    assert is_problem(answer, 413, "too_large")
    detail = answer.json()["detail"]
    assert "the limit is 3072" in detail
    assert "Largest keys: essay (3011 bytes), note (40 bytes), cart (14 bytes)." in detail
    assert set_cookies(answer) == []
    house.clock.turn(HORIZON)
    assert client.get("/api/session").json()["session"]["data"] == {"cart": "book"}


def test_the_limit_is_a_setting(building: Build) -> None:
    """A smaller one refuses sooner."""
    house = building({"cookies": {"sealed_limit": 1500}})
    client = sealed_in(house)
    assert client.patch("/api/session/data", json={"cart": "x" * 300}).status_code == 200
    answer = client.patch("/api/session/data", json={"cart": "x" * 1000})
    assert is_problem(answer, 413, "too_large")
    assert "the limit is 1500" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/session", 200),
        ("GET", "/api/sessions", 200),
        ("GET", "/account", 200),
        ("GET", "/", 200),
        ("GET", "/api/admin/sessions", 403),
        ("DELETE", "/api/sessions/nobody", 404),
        ("POST", "/api/password", 415),
    ],
)
def test_after_a_horizon_any_answer_brings_another_cookie(
    house: House, method: str, path: str, status: int
) -> None:
    """Of pages, of the API, of errors: one Set-Cookie, and none while the cookie is young."""
    client = sealed_in(house)
    assert set_cookies(client.request(method, path)) == []
    house.clock.turn(HORIZON)
    answer = client.request(method, path)
    assert answer.status_code == status
    assert names_set(answer) == [NAME]
    assert answer.headers["cache-control"] == "no-store"
    assert set_cookies(client.request(method, path)) == []


def test_sign_out_ends_every_copy(pair: tuple[House, House]) -> None:
    """The answer removes the cookies; copies of any age are dead at both servers, at once and after a horizon."""
    here, there = pair
    client = sealed_in(here)
    copies = [cookie_of(client)]
    client.patch("/api/session/data", json={"cart": 1})
    copies.append(cookie_of(client))
    for at in pair:
        assert [showing(at, copy).get("/api/session").status_code for copy in copies] == [200, 200]
    here.clock.turn(HORIZON)
    there.clock.turn(HORIZON)
    answer = client.post("/api/sign-out")
    assert answer.status_code == 204
    assert "Gatepost-Receipt" in answer.headers
    assert names_set(answer) == [NAME, "gatepost-csrf"]
    assert all("Max-Age=0" in cookie for cookie in set_cookies(answer))
    for _ in range(3):
        for at in pair:
            for copy in copies:
                dead = showing(at, copy).get("/api/session")
                assert is_problem(dead, 401, "invalid_token")
                assert set_cookies(dead) == []
            at.clock.turn(HORIZON)


def end_others(house: House, session_id: str) -> None:
    """Ada, at another device, ends all her other sessions."""
    assert sealed_again(house).delete("/api/sessions").status_code == 204


def end_one(house: House, session_id: str) -> None:
    """Ada, at another device, ends this one."""
    assert sealed_again(house).delete(f"/api/sessions/{session_id}").status_code == 204


def change_password(house: House, session_id: str) -> None:
    """Ada changes her password at another device."""
    body = {"current": PASSWORD, "new": "another three words or four"}
    assert sealed_again(house).post("/api/password", json=body).status_code == 204


def lock(house: House, session_id: str) -> None:
    """An administrator locks her account."""
    account = house.authority.accounts.find(ADA).id
    assert boss_of(house).post(f"/api/admin/accounts/{account}/lock").status_code == 200


def end_account(house: House, session_id: str) -> None:
    """An administrator ends everything of her account."""
    account = house.authority.accounts.find(ADA).id
    assert boss_of(house).delete(f"/api/admin/accounts/{account}/sessions").status_code == 200


def end_by_name(house: House, session_id: str) -> None:
    """An administrator ends this session."""
    assert boss_of(house).delete(f"/api/admin/sessions/{session_id}").status_code == 200


def end_everyone(house: House, session_id: str) -> None:
    """The operator ends all there is."""
    house.authority.sessions.end_all("test")


def boss_of(house: House) -> TestClient:
    """An administrator."""
    return sealed_in(house, BOSS, "admin")


@pytest.mark.parametrize(
    "end", [end_others, end_one, change_password, lock, end_account, end_by_name, end_everyone]
)
def test_every_ending_ends_a_sealed_cookie_everywhere(
    pair: tuple[House, House], end: Callable[[House, str], None]
) -> None:
    """At the next request, at both servers, for the holder and for whoever has a copy; nobody else is touched."""
    here, there = pair
    client = sealed_in(here)
    bystander = sealed_in(here, "bob@example.com")
    session_id = client.get("/api/session").json()["session"]["id"]
    copy = cookie_of(client)
    assert showing(there, copy).get("/api/session").status_code == 200
    end(there, session_id)
    for at in pair:
        assert is_problem(showing(at, copy).get("/api/session"), 401, "invalid_token")
    assert is_problem(client.patch("/api/session/data", json={"cart": 1}), 401, "invalid_token")
    expected = 401 if end is end_everyone else 200
    assert bystander.get("/api/session").status_code == expected


def test_new_roles_count_at_the_next_request(pair: tuple[House, House]) -> None:
    """Given and taken, at the other server: each time one new cookie, and the right ones may pass."""
    here, there = pair
    client = sealed_in(here)
    boss = boss_of(there)
    account = here.authority.accounts.find(ADA).id
    for roles, status in ((["member", "admin"], 200), (["member"], 403)):
        changed = boss.put(f"/api/admin/accounts/{account}/roles", json={"roles": roles})
        assert changed.status_code == 200
        answer = client.get("/api/admin/sessions")
        assert answer.status_code == status
        assert names_set(answer) == [NAME]
        assert client.get("/api/session").json()["account"]["roles"] == roles


def test_a_compromised_key_signs_nobody_out(pair: tuple[House, House]) -> None:
    """Over HTTP: what it sealed is exchanged at the next request of each server, and none of it is believed again."""
    here, there = pair
    client, boss = sealed_in(here), boss_of(there)
    client.patch("/api/session/data", json={"cart": 1})
    copy = cookie_of(client)
    kid = here.authority.ring.sealing.kid
    assert boss.post("/api/admin/keys/rotate", json={"compromised": kid}).status_code == 200
    for at in (there, here):
        answer = showing(at, copy).get("/api/session")
        assert answer.status_code == 200
        assert names_set(answer) == [NAME]
    assert client.get("/api/session").json()["session"]["data"] == {"cart": 1}
    assert set_cookies(client.get("/api/session")) == []


def test_without_the_headers_of_a_browser_the_csrf_token_is_needed(house: House) -> None:
    """For a cookie that speaks for itself and for one that has to be renewed; a dead one gives nothing to ride on."""
    client = sealed_in(house)
    token = client.cookies["gatepost-csrf"]
    program = house.program(cookie=f"{NAME}={cookie_of(client)}")
    for _ in range(2):
        assert is_problem(program.patch("/api/session/data", json={"a": 1}), 403, "cross_site")
        wrong = program.patch("/api/session/data", json={"a": 1}, headers={"x-csrf-token": "A" * 43})
        assert is_problem(wrong, 403, "cross_site")
        right = program.patch("/api/session/data", json={"a": 1}, headers={"x-csrf-token": token})
        assert right.status_code == 200
        house.clock.turn(HORIZON)
    client.post("/api/sign-out")
    dead = program.patch("/api/session/data", json={"a": 1})
    assert is_problem(dead, 401, "invalid_token")


@pytest.mark.parametrize(
    "spoil", [lambda text: text[:-4] + "AAAA", lambda text: text[:200], lambda text: "x"]
)
def test_a_forged_cookie_is_401_and_not_removed(house: House, spoil: Callable[[str], str]) -> None:
    """The late answer to a forged request must not delete the cookie of a new sign-in; pages lead to the sign-in."""
    value = spoil(cookie_of(sealed_in(house)))
    answer = showing(house, value).get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    page = showing(house, value).get("/account")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=/account")
    assert set_cookies(answer) == set_cookies(page) == []
    again = sign_in(showing(house, value), carrier="sealed")
    assert again.status_code == 200


def test_two_carriers_and_two_values_are_ambiguous(house: House) -> None:
    """400, and all of ours removed."""
    value = cookie_of(sealed_in(house))
    for second in ("gatepost=" + "A" * 43, f"{NAME}=x", "gatepost-access=x"):
        answer = house.browser(cookie=f"{NAME}={value}; {second}").get("/api/session")
        assert is_problem(answer, 400, "ambiguous_credentials")
        assert NAME in names_set(answer)
        assert all("Max-Age=0" in cookie for cookie in set_cookies(answer))


@pytest.mark.parametrize("carrier", [*Carrier])
@pytest.mark.parametrize("age", ["young", "old", "under a withdrawn key"])
def test_a_sign_in_ends_the_session_of_the_sealed_cookie(house: House, carrier: Carrier, age: str) -> None:
    """Whatever the new carrier and whether the cookie is believed or not: ended, and removed unless it is replaced."""
    client = sealed_in(house)
    old = cookie_of(client)
    if age == "old":
        house.clock.turn(HORIZON)
    elif age == "under a withdrawn key":
        house.authority.keys.withdraw(house.authority.ring.sealing.kid, "test")
    answer = sign_in(client, carrier=carrier.value)
    assert answer.status_code == 200
    removed = [cookie for cookie in set_cookies(answer) if cookie.startswith(f"{NAME}=;")]
    assert len(removed) == (carrier is not Carrier.SEALED)
    assert is_problem(showing(house, old).get("/api/session"), 401, "invalid_token")
    assert len(house.authority.sessions.of_account(answer.json()["account"]["id"])) == 1


def test_a_dead_cookie_keeps_nobody_from_signing_out_or_in(house: House) -> None:
    """Sign-out answers 204 with it, the sign-in page opens, and a new sign-in takes its place."""
    client = sealed_in(house)
    dead = cookie_of(client)
    house.authority.accounts.end_sessions(ADA, "test")
    assert showing(house, dead).get("/sign-in").status_code == 200
    assert showing(house, dead).post("/api/sign-out").status_code == 204
    assert sign_in(client, carrier="sealed").status_code == 200
    assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize("carrier", ["cookie", "sealed"])
def test_a_visit_moves_what_is_named_and_ends(building: Build, carrier: str) -> None:
    """The cart comes along, the rest does not; copies of the visit's cookie are dead."""
    house = building({"sessions": {"carry_over": ["cart"]}})
    house.account()
    client = visiting(house, cart={"book": 1}, page=3)
    assert client.get("/api/session").json()["account"] is None
    assert is_problem(client.get("/api/sessions"), 401, "signed_out")
    copy = cookie_of(client)
    assert sign_in(client, carrier=carrier).json()["session"]["data"] == {"cart": {"book": 1}}
    assert client.get("/api/session").json()["session"]["data"] == {"cart": {"book": 1}}
    assert is_problem(showing(house, copy).get("/api/session"), 401, "invalid_token")


def test_an_older_copy_of_a_visit_moves_what_the_record_holds(building: Build) -> None:
    """Never what the copy says: somebody could have emptied the cart since."""
    house = building({"sessions": {"carry_over": ["*"]}})
    house.account()
    client = visiting(house, cart="book", note="mine")
    copy = cookie_of(client)
    client.patch("/api/session/data", json={"note": None, "cart": "pen"})
    assert sign_in(showing(house, copy), carrier="sealed").json()["session"]["data"] == {"cart": "pen"}


@pytest.mark.parametrize("over", [False, True])
def test_refusing_while_the_log_is_out_of_reach_touches_no_cookie(building: Build, over: bool) -> None:
    """503 with Retry-After for a cookie that speaks for itself and for one that has to be renewed."""
    house = building({"database": ONE_FILE})
    client = sealed_in(house)
    if over:
        house.clock.turn(HORIZON)
    house.authority.follower.stop()
    for _ in range(2):
        answer = client.get("/api/session")
        assert is_problem(answer, 503, "not_fresh")
        assert (answer.headers["retry-after"], set_cookies(answer)) == ("1", [])


def test_asking_while_the_log_is_out_of_reach_tells_the_roles_of_now(building: Build) -> None:
    """The cookie still says the former ones: neither the check nor the answer believes it."""
    given = {"database": ONE_FILE, "revocation": {"when_stale": "ask"}}
    deaf, neighbour = building(given), building(given)
    client = sealed_in(deaf)
    assert client.get("/api/session").json()["account"]["roles"] == ["member"]
    deaf.authority.follower.stop()
    neighbour.authority.accounts.set_roles(ADA, ["member", "support"], "test")
    assert client.get("/api/session").json()["account"]["roles"] == ["member", "support"]
    neighbour.authority.accounts.lock(ADA, "test")
    assert is_problem(client.get("/api/session"), 401, "invalid_token")
