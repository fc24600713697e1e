"""What is tried at `GET /gateway/check`: spoofed names, doubled credentials, broken headers, untrue methods."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost import Gatepost
from gatepost.authority import Machine
from gatepost.carriers.cookie import csrf_token
from gatepost.core.principals import Principal
from gatepost.core.secrets import Secret
from gatepost.core.sessions import Carrier
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import NOON, TurnableClock
from gatepost.web.gateway import PEER, identity_headers
from tests.web.house import (
    ADA,
    CHEAP,
    PASSWORD,
    Build,
    House,
    is_problem,
    session_cookie,
    set_cookies,
    settings_in,
)
from tests.web.proxy import IDENTITY, check, identity

PROXY, STRANGER = "192.0.2.7", "198.51.100.9"
TRUSTING = {"proxy": {"trusted": ["192.0.2.0/24"]}}
FOREIGN = [("sec-fetch-site", "cross-site")]
POSTED = [("x-original-method", "POST")]
Pairs = list[tuple[str, str]]


def who(**changed: Any) -> Principal:
    """Somebody with everything."""
    plain: dict[str, Any] = {
        "account_id": "account", "session_id": "session", "roles": ("member",), "permissions": frozenset(),
        "carrier": Carrier.COOKIE, "authenticated_at": NOON, "email": ADA,
    }  # fmt: skip
    return Principal(**{**plain, **changed})


def told(principal: Principal) -> dict[str, str]:
    """The identity headers of somebody, by name."""
    headers = identity_headers(principal, Secret("a.b.c"))
    assert [name.decode() for name, _ in headers] == list(IDENTITY)
    return {name.decode(): value.decode("latin-1") for name, value in headers}


BREAKING = [
    "a\r\nX-Auth-Roles: admin", "a\nb", "a\rb", "a\0b", "a b", " a", "a\t", "ädä@example.com", "ada@exämple.com",
    "a\x7f", "a\x80", "a\u2028b", "a\u0130", "\ud800", "a\n", "a\x0b", "\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("value", BREAKING)
@pytest.mark.parametrize("name", ["email", "account_id", "session_id", "roles"])
def test_what_is_not_visible_ascii_is_left_blank(name: str, value: str) -> None:
    """No line of its own, no blank, no letter that two readers read differently; the other headers stand."""
    found = told(who(**{name: ("member", value) if name == "roles" else value}))
    blank = {
        "email": {"x-auth-email", "remote-email"},
        "account_id": {"x-auth-account", "remote-user"},
        "session_id": {"x-auth-session"},
        "roles": {"x-auth-roles", "remote-groups"},
    }[name]
    assert {header for header, shown in found.items() if shown == ""} == blank


@given(st.text(), st.lists(st.text(), max_size=3))
@example("a\r\nb", ["a,admin"])
@example("", [])
def test_every_header_is_visible_ascii_or_blank(email: str, roles: list[str]) -> None:
    """Whatever the store holds: nothing below `!` and nothing above `~`, and no role that a comma made of another."""
    found = told(who(email=email, roles=tuple(roles)))
    del found["authorization"]
    assert all("!" <= letter <= "~" for value in found.values() for letter in value)
    assert found["x-auth-email"] in {email, ""}
    assert found["x-auth-roles"] == "" or found["x-auth-roles"].split(",") == roles


def test_a_role_with_a_comma_is_no_two_roles() -> None:
    """Better no roles than one that nobody was given."""
    assert told(who(roles=("member", "x,admin")))["x-auth-roles"] == ""


def test_an_address_beyond_ascii_is_blank_over_http(house: House) -> None:
    """A real account with such an e-mail passes, and its name is in the other headers."""
    answer = check(house.signed_in("ädä@example.com"))
    assert answer.status_code == 204
    shown = identity(answer)
    assert (shown["x-auth-email"], shown["remote-email"]) == ("", "")
    assert shown["x-auth-account"] == shown["remote-user"] != ""


@pytest.mark.parametrize("known", [True, False])
def test_nothing_a_client_says_of_itself_survives(house: House, known: bool) -> None:
    """Names of ours in any spelling, from a member and from nobody: the answer holds ours alone, each once."""
    spoofed = [
        ("X-Auth-Account", "root"), ("x-auth-roles", "admin"), ("X-AUTH-EMAIL", "root@example.com"),
        ("X-Auth-Session", "s"), ("Remote-User", "root"), ("Remote-Groups", "admin"), ("remote-email", "r@example.com"),
        ("X_Auth_Roles", "admin"), ("Connection", "x-auth-roles"), ("X-Auth-Roles", "admin"),
    ]  # fmt: skip
    client = house.signed_in() if known else house.program()
    plain = identity(check(client))
    answer = client.get("/gateway/check", headers=spoofed)
    assert answer.status_code == (204 if known else 401)
    assert identity(answer) == plain
    assert "root" not in str(answer.headers)
    assert answer.headers["x-auth-roles"] == ("member" if known else "")


@pytest.mark.parametrize(
    "kind",
    ["two values", "two headers", "cookie and bearer", "two bearers", "basic and bearer", "two basics"],
)
def test_two_credentials_never_pass(house: House, kind: str) -> None:
    """400 `ambiguous_credentials` even where both are live: of two the services behind might believe the other."""
    cookie = f"gatepost={session_cookie(house.signed_in(ADA, 'admin'))}"
    bearer = f"Bearer {house.holder_of(ADA).access}"
    headers: Pairs = {
        "two values": [("cookie", f"{cookie}; {cookie}")],
        "two headers": [("cookie", cookie), ("cookie", cookie)],
        "cookie and bearer": [("cookie", cookie), ("authorization", bearer)],
        "two bearers": [("authorization", bearer), ("authorization", bearer)],
        "basic and bearer": [("authorization", "Basic YTpi"), ("authorization", bearer)],
        "two basics": [("cookie", cookie), ("authorization", "Basic YTpi"), ("authorization", "Basic YTpj")],
    }[kind]
    answer = house.program().get("/gateway/check", headers=headers)
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert set(identity(answer).values()) == {""}
    assert bool(set_cookies(answer)) is any(name == "cookie" for name, _ in headers)


@contextmanager
def asked_by(house: House, address: str, peer: str | None = None) -> Iterator[TestClient]:
    """A client at this address; `peer` is what our own server noted of who is really connected."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        state = {} if peer is None else {PEER: peer}
        await house.app({**scope, "state": {**scope.get("state", {}), **state}}, receive, send)

    with TestClient(noted, house.base, client=(address, 4711), raise_server_exceptions=False) as client:
        yield client


def posted(house: House, headers: Pairs, *, address: str = PROXY, peer: str | None = None) -> Response:
    """Ada's browser did something to a service; the proxy asks about it with these headers."""
    browser = house.signed_in()
    with asked_by(house, address, peer) as client:
        cookie = ("cookie", f"gatepost={session_cookie(browser)}")
        return client.get("/gateway/check", headers=[cookie, *headers])


METHODS: list[tuple[Pairs, int]] = [
    (POSTED, 403),
    ([("x-forwarded-method", "DELETE")], 403),
    ([("X-Original-Method", "PATCH"), ("X-Forwarded-Method", "GET")], 403),
    ([("X-Original-Method", "GET"), ("X-Forwarded-Method", "PUT")], 403),
    ([("X-Original-Method", "GET"), ("X-Original-Method", "POST")], 403),
    ([("x-original-method", "post")], 403),
    ([("x-original-method", "get")], 403),
    ([("x-original-method", "Get")], 403),
    ([("x-original-method", "GETX")], 403),
    ([("x-original-method", "GET, POST")], 403),
    ([("x-original-method", "")], 403),
    ([("x-original-method", "QUERY")], 403),
    ([("x-original-method", "GET")], 204),
    ([("x-original-method", "HEAD"), ("x-forwarded-method", "OPTIONS")], 204),
    ([], 204),
]


@pytest.mark.parametrize(("methods", "status"), METHODS)
def test_another_sites_request_that_changes_something_does_not_pass(
    building: Build, methods: Pairs, status: int
) -> None:
    """What the proxy says the method was decides, letter by letter; of two the unsafe one; 403 `cross_site`."""
    answer = posted(building(TRUSTING), [*FOREIGN, *methods])
    assert answer.status_code == status
    if status == 403:
        assert is_problem(answer, 403, "cross_site")
        assert set(identity(answer).values()) == {""}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("sec-fetch-site", "same-origin")], 204),
        ([("origin", "http://testserver")], 204),
        ([("origin", "https://evil.example")], 403),
        ([("sec-fetch-site", "same-site")], 403),
        ([], 403),
    ],
)
def test_the_rules_are_those_of_our_own_endpoints(building: Build, headers: Pairs, status: int) -> None:
    """Fetch Metadata, then Origin; a client that says nothing of the kind needs the token of its session."""
    assert posted(building(TRUSTING), [*headers, *POSTED]).status_code == status


def test_a_silent_client_shows_its_token(building: Build) -> None:
    """In `X-CSRF-Token`, which the proxy passes on; that of another session is none."""
    house = building(TRUSTING)
    browser = house.signed_in()
    own = browser.get("/api/session").json()["session"]["id"]
    for session, status in ((own, 204), ("other", 403)):
        shown = ("x-csrf-token", csrf_token(house.authority.csrf_key, session))
        with asked_by(house, PROXY) as client:
            cookie = ("cookie", f"gatepost={session_cookie(browser)}")
            answer = client.get("/gateway/check", headers=[cookie, shown, *POSTED])
        assert answer.status_code == status


def test_a_bearer_token_is_not_sent_by_a_page_on_its_own(building: Build) -> None:
    """The rules are for cookies: a program of another origin that holds a token may use it."""
    house = building(TRUSTING)
    bearer = ("authorization", f"Bearer {house.holder().access}")
    with asked_by(house, PROXY) as client:
        assert client.get("/gateway/check", headers=[bearer, *FOREIGN, *POSTED]).status_code == 204


@pytest.mark.parametrize(
    ("trusted", "address", "peer", "more", "status"),
    [
        (["192.0.2.0/24"], STRANGER, None, [], 204),
        ([], PROXY, None, [], 204),
        ([], PROXY, None, [("x-forwarded-for", STRANGER)], 204),
        (["192.0.2.0/24"], "testclient", None, [], 204),
        (["192.0.2.0/24"], PROXY, STRANGER, [], 204),
        (["192.0.2.0/24"], PROXY, STRANGER, [("x-forwarded-for", PROXY)], 204),
        (["192.0.2.0/24"], STRANGER, PROXY, [], 403),
        (["192.0.2.0/24"], STRANGER, PROXY, [("x-forwarded-for", STRANGER)], 403),
        (["192.0.2.0/24"], PROXY, "", [], 204),
        (["192.0.2.0/24"], f"::ffff:{PROXY}", None, [], 403),
        (["2001:db8::/32"], "2001:db8::1", None, [], 403),
        (["192.0.2.0/24"], STRANGER, None, [("x-forwarded-for", STRANGER)], 403),
    ],
)
def test_the_method_is_believed_of_a_trusted_proxy_only(
    building: Build, trusted: list[str], address: str, peer: str | None, more: Pairs, status: int
) -> None:
    """By who is really connected; under a server that does not note it, whatever was forwarded is held to the rules."""
    house = building({"proxy": {"trusted": trusted}})
    assert posted(house, [*FOREIGN, *POSTED, *more], address=address, peer=peer).status_code == status


@contextmanager
def embedded(folder: Any, prefix: str) -> Iterator[tuple[TestClient, ASGIApp]]:
    """An application with Gatepost under a prefix, and Ada signed in."""
    auth = Gatepost(settings_in(folder), machine=Machine(TurnableClock(), SystemRandomness(), profile=CHEAP))
    app = FastAPI()
    auth.init_app(app, prefix=prefix)
    with TestClient(app, headers={"sec-fetch-site": "same-origin"}) as client:
        body = {"email": ADA, "password": PASSWORD}
        assert client.post(f"{prefix}/api/sign-up", json=body).status_code == 201
        yield client, app


@pytest.mark.parametrize("prefix", ["", "/auth", "/deep/auth"])
def test_it_works_at_the_root_and_mounted(tmp_path: Any, prefix: str) -> None:
    """Under its prefix and nowhere else."""
    with embedded(tmp_path, prefix) as (client, _):
        answer = client.get(f"{prefix}/gateway/check")
        assert answer.status_code == 204
        assert identity(answer)["x-auth-email"] == ADA
        assert client.get("/other/gateway/check").status_code == 404
        assert client.get("/gateway/check").status_code == (404 if prefix else 204)
        assert client.post(f"{prefix}/gateway/check").status_code == 405


@pytest.mark.parametrize(("path", "status"), [("/base/gateway/check", 204), ("/base/x/gateway/check", 404)])
def test_it_respects_the_root_path(house: House, path: str, status: int) -> None:
    """As a server sets it that is itself reached under a path."""
    browser = house.signed_in()
    client = TestClient(house.app, house.base, root_path="/base", headers=dict(browser.headers))
    client.cookies = browser.cookies
    assert client.get(path).status_code == status
