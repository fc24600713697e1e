"""From one carrier to another: old cookies go, their session ends, and nothing left behind locks anybody out."""

from itertools import permutations

import pytest
from starlette.testclient import TestClient

from tests.web.house import ADA, DEAD, PASSWORD, House, is_problem, set_cookies, sign_in
from tests.web.token_jars import (
    ACCESS,
    ACCESS_LIFE,
    CSRF,
    REFRESH,
    cookie_header,
    family,
    held,
    in_cookies,
    in_cookies_of,
    names_removed,
    names_set,
    rotations,
)

CARRIERS = ("cookie", "sealed", "token", "token-cookie")
OPAQUE, SEALED = "gatepost", "gatepost-sealed"
HELD = {"cookie": {OPAQUE}, "sealed": {SEALED}, "token": set(), "token-cookie": {ACCESS, REFRESH}}
IN_COOKIES = ("cookie", "sealed", "token-cookie")
DEAD_COOKIES = {
    "opaque": f"{OPAQUE}={DEAD}",
    "sealed": f"{SEALED}=x.y.z",
    "access": f"{ACCESS}=a.b.c",
    "refresh": f"{REFRESH}=a.b.c",
    "both tokens": f"{ACCESS}=a.b.c; {REFRESH}=a.b.c",
    "all": f"{OPAQUE}={DEAD}; {SEALED}=x.y.z; {ACCESS}=a.b.c; {REFRESH}=a.b.c",
    "empty": f"{OPAQUE}=; {ACCESS}=; {REFRESH}=",
}


def signed_in_by(house: House, carrier: str) -> TestClient:
    """A client of Ada's that holds a session in this carrier."""
    client = house.browser()
    answer = sign_in(client, carrier=carrier)
    if carrier == "token":
        client.headers["authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
    return client


def sessions_of(client: TestClient) -> list[str]:
    """The carriers of the sessions of whoever asks, in order."""
    return sorted(one["carrier"] for one in client.get("/api/sessions").json()["items"])


def test_one_account_holds_all_four_carriers_at_once(house: House) -> None:
    """Each sees all four; ended by name, each is dead, and no other is."""
    house.account()
    clients = [signed_in_by(house, carrier) for carrier in CARRIERS]
    assert [sessions_of(client) for client in clients] == [sorted(CARRIERS)] * 4
    while clients:
        last = clients.pop()
        assert last.post("/api/sign-out").status_code == 204
        assert [client.get("/api/session").status_code for client in clients] == [200] * len(clients)


@pytest.mark.parametrize(("old", "new"), [*permutations(CARRIERS, 2)])
def test_sign_in_with_another_carrier_replaces_the_old_one(house: House, old: str, new: str) -> None:
    """One session is left, one carrier in the jar; what was held before is refused everywhere."""
    house.account()
    client = signed_in_by(house, old)
    before = client.headers.pop("authorization", ""), cookie_header(client)
    answer = sign_in(client, carrier=new)
    assert answer.status_code == 200
    assert set(names_set(answer)) - {CSRF} == HELD[new]
    assert names_removed(answer) >= HELD[old]
    assert {cookie.name for cookie in client.cookies.jar} - {CSRF, "gatepost-device"} == HELD[new]
    if old != "token":
        assert house.program(cookie=before[1]).get("/api/session").status_code == 401
    if new == "token":
        client.headers["authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
    assert sessions_of(client) == sorted({new, *([old] if old == "token" else [])})


@pytest.mark.parametrize("left", [ACCESS, REFRESH])
@pytest.mark.parametrize("new", ["cookie", "token-cookie"])
def test_one_of_two_tokens_is_enough_to_end_their_session(house: House, left: str, new: str) -> None:
    """The access token in time, or the refresh token whatever became of the other."""
    client = in_cookies(house)
    _, refresh = held(client)
    only = house.browser(cookie=f"{left}={client.cookies[left]}")
    if left == REFRESH:
        house.clock.turn(ACCESS_LIFE)
    assert sign_in(only, carrier=new).status_code == 200
    assert house.authority.store.refresh(refresh.partition(".")[0]) is None
    assert house.counts()[1] == 1


def test_everything_that_was_brought_is_ended_at_once(house: House) -> None:
    """Three carriers of three sessions in one jar, and a fourth in the header: a single session is left."""
    house.account()
    jars = "; ".join(cookie_header(signed_in_by(house, carrier)) for carrier in IN_COOKIES)
    pairs = [pair for pair in jars.split("; ") if not pair.startswith(CSRF)]
    bearer = signed_in_by(house, "token").headers["authorization"]
    client = house.browser(cookie="; ".join(pairs), authorization=bearer)
    answer = sign_in(client, carrier="token-cookie")
    assert answer.status_code == 200
    assert names_removed(answer) == {OPAQUE, SEALED}
    assert house.counts()[1] == 1


def test_tokens_renewed_on_the_way_into_the_form_do_not_outlive_the_sign_in(house: House) -> None:
    """The form's own checks renew what was brought; the sign-in ends it and sends none of it."""
    client = in_cookies(house)
    _, refresh = held(client)
    house.clock.turn(ACCESS_LIFE)
    answer = client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert (answer.status_code, set(names_set(answer))) == (303, {OPAQUE, CSRF})
    assert names_removed(answer) == {ACCESS, REFRESH}
    assert house.program(cookie=f"{REFRESH}={refresh}").get("/api/session").status_code == 401
    assert client.get("/account").status_code == 200


def test_tokens_renewed_by_a_refused_form_are_kept(house: House) -> None:
    """A wrong password changes nothing: the old session goes on with what was renewed."""
    client = in_cookies(house)
    house.clock.turn(ACCESS_LIFE)
    answer = client.post("/sign-in", data={"email": ADA, "password": "wrong words entirely"})
    assert (answer.status_code, names_set(answer)) == (401, [ACCESS, REFRESH])
    assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize(
    ("one", "other"), [("cookie", "sealed"), ("cookie", "token-cookie"), ("sealed", "token-cookie")]
)
def test_two_carriers_in_one_request_are_ambiguous(house: House, one: str, other: str) -> None:
    """400 although both are live, nothing is rotated, and all our cookies go: the next try is not ambiguous again."""
    house.account()
    held_ones = [cookie_header(signed_in_by(house, carrier)).split("; ") for carrier in (one, other)]
    pairs = {pair for pairs in held_ones for pair in pairs if not pair.startswith(CSRF)}
    house.clock.turn(ACCESS_LIFE)
    answer = house.program(cookie="; ".join(sorted(pairs))).get("/api/session")
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert names_removed(answer) == HELD[one] | HELD[other]
    assert names_set(answer) == []


def test_tokens_in_cookies_beside_a_bearer_token_are_ambiguous(house: House) -> None:
    """400, and the cookies go."""
    client = in_cookies(house)
    client.headers["authorization"] = f"Bearer {house.holder_of(ADA).access}"
    answer = client.get("/api/session")
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert names_removed(answer) == {ACCESS, REFRESH, CSRF}


@pytest.mark.parametrize("twin", [ACCESS, REFRESH])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/session", None),
        ("GET", "/sign-in", None),
        ("POST", "/api/sign-out", None),
        ("POST", "/api/visit", {}),
        ("POST", "/api/sign-in", {"email": ADA, "password": PASSWORD}),
    ],
)
def test_two_values_of_one_token_are_refused_everywhere(
    house: House, twin: str, method: str, path: str, body: object
) -> None:
    """One of them was planted: 400, both go, and neither session was ended or rotated by it."""
    client, stranger = in_cookies(house), in_cookies(house, "eve@example.com")
    cookies = f"{cookie_header(client)}; {twin}={stranger.cookies[twin]}"
    house.clock.turn(ACCESS_LIFE)
    answer = house.browser(cookie=cookies).request(method, path, json=body)
    assert answer.status_code == 400
    assert names_removed(answer) >= {ACCESS, REFRESH}
    assert [rotations(house, one) for one in (client, stranger)] == [0, 0]
    assert [one.get("/api/session").status_code for one in (client, stranger)] == [200, 200]


@pytest.mark.parametrize("dead", DEAD_COOKIES)
def test_dead_cookies_lock_nobody_out(house: House, dead: str) -> None:
    """The form is shown, and signing in through it or the API works and removes them all."""
    house.account()
    cookie = DEAD_COOKIES[dead]
    names = {pair.partition("=")[0] for pair in cookie.split("; ")}
    for path in ("/", "/sign-in", "/sign-up"):
        assert house.browser(cookie=cookie).get(path).status_code == 200
    form = house.browser(cookie=cookie).post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert (form.status_code, names_removed(form)) == (303, names - {OPAQUE})
    program = sign_in(house.program(cookie=cookie), carrier="token-cookie")
    assert (program.status_code, names_removed(program)) == (200, names - {ACCESS, REFRESH})


def test_a_refresh_token_out_of_a_cookie_is_worth_nothing_at_the_token_endpoint(house: House) -> None:
    """Current or used up: 400 `invalid_grant`, nothing is rotated, ended or set."""
    client = in_cookies(house)
    _, first = held(client)
    house.clock.turn(ACCESS_LIFE)
    client.get("/api/session")
    for token in (first, held(client)[1]):
        form = {"grant_type": "refresh_token", "refresh_token": token}
        answer = house.program().post("/oauth/token", data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert set_cookies(answer) == []
    assert rotations(house, client) == 1
    assert client.get("/api/session").status_code == 200


def test_a_programs_refresh_token_planted_in_the_cookie_is_worth_nothing(house: House) -> None:
    """401, nothing is rotated or ended: the program goes on as before."""
    program = house.holder()
    planted = house.browser(cookie=f"{REFRESH}={program.refresh}")
    answer = planted.get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    assert set_cookies(answer) == []
    assert family(house, program.refresh).generation == 0
    assert program.client.get("/api/session").status_code == 200


def test_tokens_of_two_sessions_are_both_ended_by_a_sign_in(house: House) -> None:
    """An access token of one and a refresh token of another, as a planted jar may hold them."""
    one, other = in_cookies(house), in_cookies(house, "eve@example.com")
    mixed = house.browser(cookie=f"{ACCESS}={held(one)[0]}; {REFRESH}={held(other)[1]}")
    assert sign_in(mixed).status_code == 200
    assert [client.get("/api/session").status_code for client in (one, other)] == [401, 401]
    assert in_cookies_of(house).get("/api/session").status_code == 200


def test_a_visit_sends_nothing_of_what_it_renewed_on_the_way(house: House) -> None:
    """A program proves itself with the tokens that it then leaves behind: the visit's cookie is the only carrier."""
    client = in_cookies(house)
    house.clock.turn(ACCESS_LIFE)
    program = house.program(cookie=f"{REFRESH}={held(client)[1]}")
    answer = program.post("/api/visit", json={}, headers={"x-csrf-token": client.cookies[CSRF]})
    assert (answer.status_code, set(names_set(answer))) == (201, {OPAQUE, CSRF})
    assert names_removed(answer) == {REFRESH}
    assert rotations(house, client) == 1


def test_the_id_of_a_refresh_token_alone_ends_nothing(house: House) -> None:
    """It is no secret: whoever signs in with a made-up token of that id in the jar signs nobody out."""
    client = in_cookies(house)
    name, family_secret, rotor = held(client)[1].split(".")
    for made_up in (f"{name}.{'A' * len(family_secret)}.{rotor}", name, f"{name}..{rotor}"):
        stranger = house.browser(cookie=f"{REFRESH}={made_up}")
        assert stranger.get("/api/session").status_code == 401
        assert sign_in(stranger).status_code == 200
    client.cookies.delete(ACCESS)
    assert client.get("/api/session").status_code == 200
