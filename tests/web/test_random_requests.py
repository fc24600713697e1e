"""A thousand random requests over the whole table (ten thousand with `--long`): never an error of ours."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gatepost.web.routes import ROUTES, Route
from tests.web.house import ADA, DEAD, NO_LIMITS, PASSWORD, House, build, session_cookie

# How many without and with `--long`.
SHORT, LONG = 1_000, 10_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An authority with one account, which stays as it is."""
    house = build(tmp_path_factory.mktemp("random"), NO_LIMITS)
    house.account(ADA, "admin", "member")
    yield house
    house.close()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(PASSWORD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["email", "password", "carrier", "resource", "current", "new", "roles", "grant_type", "refresh_token",
     "client_id", "csrf", "next", "access_token", "limit", "after", "q"]
)  # fmt: skip
NAMES = FIELDS | st.text(max_size=20)
TEXTS = st.text(max_size=60) | st.sampled_from(
    [ADA, "refresh_token", "cookie", "token", "sealed", "first-party"]
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["cookie", "authorization", "origin", "sec-fetch-site", "x-csrf-token", "content-type", "accept",
             "user-agent", "if-none-match", "x-forwarded-for", "host", "range", "expect", "transfer-encoding"]
        ),
        st.binary(max_size=80).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))
        | st.sampled_from([b"same-origin", b"application/json", b"application/x-www-form-urlencoded", b"text/html",
                           b"Bearer a.b.c", b"testserver", b"null", f"gatepost={DEAD}".encode()]),
    ),
    max_size=4,
)  # fmt: skip
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])


def body_strategy() -> st.SearchStrategy[dict[str, Any]]:
    """JSON, a form, or bytes."""
    return st.one_of(
        st.fixed_dictionaries({"json": st.dictionaries(NAMES, JSON_VALUES, max_size=5)}),
        st.fixed_dictionaries({"data": st.dictionaries(NAMES, TEXTS, max_size=5)}),
        st.fixed_dictionaries({"content": st.binary(max_size=300)}),
        st.just({}),
    )


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """One request: mostly a row of the table, with its own method."""
    route: Route = draw(st.sampled_from(ROUTES))
    part = draw(
        st.text(max_size=30).map(lambda text: text.replace("/", "").encode("utf-8", "replace").hex("%"))
    )
    head, _, rest = route.path.partition("{")
    path = f"{head}%{part or '00'}{rest.partition('}')[2]}" if rest else head
    return {
        "method": draw(st.sampled_from([route.method]) | METHODS),
        "path": path,
        "query": draw(st.dictionaries(NAMES, TEXTS, max_size=3)),
        "headers": draw(HEADERS),
        "body": draw(body_strategy()),
        "signed_in": draw(st.booleans()),
    }


def send(client: TestClient, asked: dict[str, Any]) -> int:
    """The status of the answer; requests that no client library would send count as refused."""
    body = asked["body"]
    if "json" in body:
        try:
            return client.request(
                asked["method"],
                asked["path"],
                params=asked["query"],
                headers=asked["headers"],
                json=body["json"],
            ).status_code
        except (ValueError, UnicodeEncodeError):
            return 400
    params = {name: value.encode("utf-8", "replace") for name, value in asked["query"].items()}
    try:
        answer = client.request(
            asked["method"], asked["path"], params=params, headers=asked["headers"], **body
        )
    except UnicodeEncodeError:
        return 400
    return answer.status_code


def test_random_requests_meet_no_error_of_ours(
    world: House, caplog: pytest.LogCaptureFixture, pytestconfig: pytest.Config
) -> None:
    """No 5xx at any row, signed in or not; the account is still there, with what it had."""
    caplog.set_level(logging.WARNING)
    many = LONG if pytestconfig.getoption("--long") else SHORT
    browser = world.browser()
    before = world.authority.accounts.find(ADA)

    def signed_in() -> TestClient:
        if browser.get("/api/session").status_code != 200:
            browser.cookies.clear()
            assert browser.post("/api/sign-in", json={"email": ADA, "password": PASSWORD}).status_code == 200
        return world.browser(cookie=f"gatepost={session_cookie(browser)}")

    @settings(max_examples=many, suppress_health_check=list(HealthCheck))
    @given(asked=requests())
    def one(asked: dict[str, Any]) -> None:
        client = signed_in() if asked["signed_in"] else world.program()
        assert send(client, asked) < 500, asked

    one()
    after = world.authority.accounts.find(ADA)
    assert (after.roles, after.locked_at, after.password_hash) == (
        before.roles,
        before.locked_at,
        before.password_hash,
    )
    assert PASSWORD not in caplog.text
