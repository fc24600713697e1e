"""A credential that was sent over plain http: its session ends, the trail says so, and nobody else learns anything."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest
from anyio import create_task_group, fail_after, lowlevel, run
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost import Gatepost
from gatepost.authority import Machine
from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie, TokenCookies
from gatepost.core.changes import AuditRow, Event
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from gatepost.web.exposed import end_exposed, was_in_the_clear
from gatepost.web.turns import TURN_SECONDS, WRITERS, in_turn
from tests.processes import wait_until
from tests.web.house import ADA, CHEAP, DEAD, Build, House, is_problem, settings_in, sign_in

URL = "https://auth.example.com"
CARRIERS = ["cookie", "sealed", "token", "token-cookie"]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
COOKIE, SEALED = "__Host-Http-gatepost", "__Host-Http-gatepost-sealed"
ACCESS, REFRESH = "__Host-Http-gatepost-access", "__Host-Http-gatepost-refresh"
SAFE, ENDED = "Please use https.", "so it was ended"


def holding(house: House, carrier: str, **more: object) -> tuple[TestClient, dict[str, str]]:
    """A client that is signed in over https, and the headers by which it shows that."""
    client = house.browser()
    answer = sign_in(client, carrier=carrier, **more)
    assert answer.status_code == 200, answer.text
    if carrier == "token":
        shown = {"authorization": f"Bearer {answer.json()['tokens']['access_token']}"}
        client.headers.update(shown)
        return client, shown
    return client, {"cookie": "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)}


def in_the_clear(
    house: House, shown: dict[str, str], path: str = "/api/session", method: str = "GET"
) -> Response:
    """What somebody is told who speaks plain http."""
    client = house.program(**{"host": "auth.example.com", "user-agent": FIREFOX, **shown})
    client.base_url = client.base_url.copy_with(scheme="http")
    return client.request(method, path)


def exposed(house: House) -> list[AuditRow]:
    """What the trail says of credentials in the clear."""
    rows = [row for _, row in house.authority.audit.page(limit=200)]
    return [row for row in rows if row.event is Event.CREDENTIAL_EXPOSED]


@pytest.fixture
def ada(https: House) -> House:
    """A house at an https address, with an account."""
    https.account(ADA)
    return https


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_session_of_a_credential_in_the_clear_ends(ada: House, carrier: str) -> None:
    """403 that says so; over https it is refused from then on; one row with who, which session and from where."""
    client, shown = holding(ada, carrier)
    session = client.get("/api/session").json()["session"]["id"]
    bystander, _ = holding(ada, carrier)
    answer = in_the_clear(ada, shown)
    assert is_problem(answer, 403, "https_required")
    assert answer.json()["detail"].startswith(SAFE)
    assert ENDED in answer.json()["detail"]
    assert "set-cookie" not in answer.headers
    assert client.get("/api/session").status_code == 401
    assert bystander.get("/api/session").status_code == 200
    (row,) = exposed(ada)
    account = ada.authority.accounts.find(ADA)
    assert (row.account_id, row.actor, row.session_id) == (account.id, None, session)
    assert (row.address, row.device, row.more) == ("testclient", "Firefox on Linux", {"carrier": carrier})


@pytest.mark.parametrize("carrier", ["cookie", "sealed", "token-cookie"])
def test_a_page_is_sent_on_and_its_cookies_are_dead(ada: House, carrier: str) -> None:
    """308 as ever, without a cookie; whoever listened has nothing."""
    client, shown = holding(ada, carrier)
    answer = in_the_clear(ada, shown, "/account")
    assert (answer.status_code, answer.headers["location"]) == (308, f"{URL}/account")
    assert "set-cookie" not in answer.headers
    assert client.get("/api/session").status_code == 401
    assert len(exposed(ada)) == 1


@pytest.mark.parametrize("name", [ACCESS, REFRESH])
def test_either_cookie_of_a_pair_is_enough(ada: House, name: str) -> None:
    """Alone it says whose session it is."""
    client, _ = holding(ada, "token-cookie")
    in_the_clear(ada, {"cookie": f"{name}={client.cookies[name]}"})
    assert client.get("/api/session").status_code == 401
    assert len(exposed(ada)) == 1


def test_a_used_up_refresh_token_in_the_clear_ends_its_session(ada: House) -> None:
    """Shown at the token endpoint it would as well."""
    client, _ = holding(ada, "token-cookie")
    used = client.cookies[REFRESH]
    ada.clock.turn(minutes=10)
    wait_until(ada.authority.follower.catch_up, "the log was not read again")
    assert client.get("/api/session").status_code == 200
    assert client.cookies[REFRESH] != used
    in_the_clear(ada, {"cookie": f"{REFRESH}={used}"})
    assert client.get("/api/session").status_code == 401


def test_every_credential_of_a_request_is_ended(ada: House) -> None:
    """A cookie and a token of two sessions, which no other request may show at once: two rows."""
    one, shown = holding(ada, "cookie")
    other, beside = holding(ada, "token")
    in_the_clear(ada, {**shown, **beside})
    assert [client.get("/api/session").status_code for client in (one, other)] == [401, 401]
    assert len(exposed(ada)) == 2


def test_a_token_for_another_service_is_exposed_too(building: Build) -> None:
    """Whoever reads it can show it there, whether we would take it or not."""
    house = building({"url": URL, "tokens": {"audiences": [URL, "orders"]}})
    house.account(ADA)
    _, shown = holding(house, "token", resource=["orders"])
    in_the_clear(house, shown)
    assert len(exposed(house)) == 1


def test_a_visit_ends_as_well(https: House) -> None:
    """Nobody's account; what it holds is no listener's business."""
    client = https.browser()
    assert client.post("/api/visit", json={}).status_code == 201
    in_the_clear(https, {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"})
    assert client.get("/api/session").status_code == 401
    assert [row.account_id for row in exposed(https)] == [None]


def changed(text: str) -> str:
    """The same text with one character in the middle changed."""
    middle = len(text) // 2
    return f"{text[:middle]}{'A' if text[middle] != 'A' else 'B'}{text[middle + 1 :]}"


def forged(house: House) -> dict[str, dict[str, str]]:
    """What a stranger can make of the forms of our credentials, or of half of one."""
    _, token = holding(house, "token")
    sealed, _ = holding(house, "sealed")
    pair, _ = holding(house, "token-cookie")
    family, secret, rotor = pair.cookies[REFRESH].split(".")
    return {
        "a cookie": {"cookie": f"{COOKIE}={DEAD}"},
        "not even the form": {"cookie": f"{COOKIE}=x; {SEALED}=y; {ACCESS}=z; {REFRESH}=w"},
        "a token": {"authorization": changed(token["authorization"])},
        "a sealed cookie": {"cookie": f"{SEALED}={changed(sealed.cookies[SEALED])}"},
        "an access cookie": {"cookie": f"{ACCESS}={changed(pair.cookies[ACCESS])}"},
        "another secret": {"cookie": f"{REFRESH}={family}.{changed(secret)}.{rotor}"},
        "another family": {"cookie": f"{REFRESH}={changed(family)}.{secret}.{rotor}"},
        "another scheme": {"authorization": token["authorization"].replace("Bearer", "Basic")},
    }


def test_forged_credentials_change_nothing_and_are_told_nothing(ada: House) -> None:
    """Letter by letter what somebody is told who shows none; nobody's session ends, no row, no fact."""
    shown = forged(ada)
    before, plain = ada.counts(), in_the_clear(ada, {})
    assert plain.json()["detail"] == SAFE
    for name, headers in shown.items():
        answer = in_the_clear(ada, headers)
        assert (answer.status_code, answer.content) == (403, plain.content), name
        assert in_the_clear(ada, headers, "/account").status_code == 308
    assert ada.counts() == before
    assert exposed(ada) == []


def signed_out(house: House, client: TestClient) -> None:
    """Its holder signs out."""
    assert client.post("/api/sign-out").status_code == 204


def locked(house: House, client: TestClient) -> None:
    """The account is locked."""
    house.authority.accounts.lock(ADA, "test")


def run_out(house: House, client: TestClient) -> None:
    """A month goes by."""
    house.clock.turn(days=31)


@pytest.mark.parametrize("end", [signed_out, locked, run_out], ids=lambda end: end.__name__)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_is_dead_changes_nothing(
    ada: House, carrier: str, end: Callable[[House, TestClient], None]
) -> None:
    """No second fact and no row: nobody fills log or trail with one credential."""
    client, shown = holding(ada, carrier)
    end(ada, client)
    before = ada.counts()
    answers = [in_the_clear(ada, shown) for _ in range(2)]
    assert [answer.json()["detail"] for answer in answers] == [SAFE, SAFE]
    assert (ada.counts(), exposed(ada)) == (before, [])


def test_a_token_that_was_ended_by_its_name_is_dead(ada: House) -> None:
    """Its session goes on: a listener has nothing of it."""
    client, shown = holding(ada, "token")
    token = shown["authorization"].removeprefix("Bearer ")
    asked = {"token": token, "client_id": "first-party"}
    assert client.post("/oauth/revoke", data=asked, headers={"authorization": ""}).status_code == 200
    assert in_the_clear(ada, shown).json()["detail"] == SAFE
    assert (len(ada.authority.sessions.of_account(ada.authority.accounts.find(ADA).id)), exposed(ada)) == (
        1,
        [],
    )


def test_it_is_ended_once(ada: House) -> None:
    """Sent again it is a dead one."""
    _, shown = holding(ada, "cookie")
    answers = [in_the_clear(ada, shown, method="POST") for _ in range(3)]
    assert [ENDED in answer.json()["detail"] for answer in answers] == [True, False, False]
    assert len(exposed(ada)) == 1


def test_over_https_nothing_is_exposed(ada: House) -> None:
    """The same request where it belongs."""
    client, shown = holding(ada, "cookie")
    assert ada.program(**shown).get("/api/session").status_code == 200
    assert client.get("/api/session").status_code == 200
    assert exposed(ada) == []


def test_where_http_is_what_is_served_nothing_is_exposed(house: House) -> None:
    """In the development profile on loopback."""
    client = house.signed_in()
    assert client.get("/api/session").status_code == 200
    assert exposed(house) == []


def test_another_host_is_not_ours_to_judge(ada: House) -> None:
    """421 as ever."""
    client, shown = holding(ada, "cookie")
    assert in_the_clear(ada, {**shown, "host": "evil.example"}).status_code == 421
    assert client.get("/api/session").status_code == 200


@pytest.mark.parametrize(
    ("said", "clear"),
    [
        ({}, True),
        ({"x-forwarded-proto": "http"}, True),
        ({"x-forwarded-proto": "http", "x-forwarded-for": "203.0.113.9"}, True),
        ({"x-forwarded-proto": "https"}, False),
        ({"x-forwarded-proto": "https, http"}, False),
        ({"x-forwarded-for": "203.0.113.9"}, False),
        ({"x-real-ip": "203.0.113.9"}, False),
        ({"forwarded": "proto=http"}, False),
    ],
)
def test_behind_a_proxy_that_does_not_say_http_nothing_ends(
    ada: House, said: dict[str, str], clear: bool
) -> None:
    """Refused all the same: a line that is missing in its configuration must not sign everybody out."""
    client, shown = holding(ada, "cookie")
    assert in_the_clear(ada, {**shown, **said}).status_code == 403
    assert client.get("/api/session").status_code == (401 if clear else 200)


def test_of_two_proxies_each_must_say_http() -> None:
    """What one of them says is not what the other one heard."""
    proto = b"x-forwarded-proto"
    assert was_in_the_clear([(proto, b"http"), (proto, b"http")])
    assert not was_in_the_clear([(proto, b"http"), (proto, b"https")])


@pytest.mark.parametrize(("before", "ends"), [(7, True), (8, False)])
def test_so_many_credentials_of_a_request_are_looked_at(ada: House, before: int, ends: bool) -> None:
    """Eight, more than any client has: the ninth is not, and nobody makes us check signatures without end."""
    client, _ = holding(ada, "cookie")
    crowd = "; ".join([f"{COOKIE}={DEAD}"] * before)
    in_the_clear(ada, {"cookie": f"{crowd}; {COOKIE}={client.cookies[COOKIE]}"})
    assert (client.get("/api/session").status_code == 401) is ends


def test_without_a_credential_and_for_forged_tokens_nothing_is_read(building: Build) -> None:
    """With the tables gone what no key of ours has made is refused as ever; a live cookie is our fault."""
    house = building({"url": URL, "database": {"url": None}})
    house.account(ADA)
    shown = forged(house)
    _, live = holding(house, "cookie")
    database = house.authority.settings.database_file
    assert database is not None
    with closing(sqlite3.connect(database)) as connection:
        for table in ("session", "refresh_family", "ring_key", "account"):
            connection.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
        connection.commit()
    for name in ("not even the form", "a token", "a sealed cookie", "an access cookie", "another scheme"):
        assert in_the_clear(house, shown[name]).status_code == 403, name
        assert in_the_clear(house, shown[name], "/").status_code == 308, name
    assert in_the_clear(house, {}).status_code == 403
    assert in_the_clear(house, live).status_code >= 500


def test_forged_cookies_do_not_stand_in_line_with_those_who_write(ada: House) -> None:
    """With every turn for writing taken, one of the right form is still looked up and refused at once."""
    go = threading.Event()
    scope = {"type": "http", "headers": [(b"cookie", f"{COOKIE}={DEAD}".encode())]}

    async def crowded() -> bool:
        async with create_task_group() as group:
            for _ in range(WRITERS):
                group.start_soon(in_turn, partial(go.wait, 60))
            await lowlevel.checkpoint()
            try:
                with fail_after(TURN_SECONDS - 1):
                    return await end_exposed(ada.authority, scope)
            finally:
                go.set()

    assert run(crowded) is False


def test_looking_reads_nothing(ada: House) -> None:
    """Of what can be ours there is a look to be taken, of what cannot there is none."""
    client, _ = holding(ada, "token-cookie")
    looks = ada.authority.exposure.looks
    assert looks([Bearer("x.y.z"), OpaqueCookie("x"), SealedCookie("x"), TokenCookies("x", None)]) == []
    assert looks([TokenCookies(None, "x"), TokenCookies(None, None)]) == []
    assert len(looks([TokenCookies(client.cookies[ACCESS], None), OpaqueCookie(DEAD)])) == 2


def test_mounted_in_an_application_it_is_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Under a prefix, for what is below it."""
    clock, folder = TurnableClock(), tmp_path_factory.mktemp("mounted")
    settings = settings_in(folder, {"url": f"{URL}/auth"})
    auth = Gatepost(settings, machine=Machine(clock, SystemRandomness(), profile=CHEAP))
    app = FastAPI()
    auth.init_app(app, prefix="/auth")
    house = House(auth.authority, app, clock, URL)
    house.account(ADA)
    client = house.browser()
    password = {"email": ADA, "password": "three or four words do it"}
    assert client.post("/auth/api/sign-in", json=password).status_code == 200
    answer = in_the_clear(house, {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}, "/auth/api/session")
    assert is_problem(answer, 403, "https_required")
    assert client.get("/auth/api/session").status_code == 401
    house.close()
