"""Bad input of every kind at every route: a quick 4xx with a stable code, never a 5xx, no secret, nothing changed."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.web import checks
from gatepost.web.routes import ROUTES, Kind, Route
from tests.web.house import ADA, DEAD, NO_LIMITS, PASSWORD, House, build, session_cookie

SECRET = "correct-horse-battery-7319"
CODES = {
    "malformed", "ambiguous_credentials", "invalid_credentials", "invalid_token", "signed_out", "forbidden",
    "not_found", "method_not_allowed", "too_large", "headers_too_large", "unsupported_media_type", "invalid_fields",
    "weak_password", "carrier_unavailable", "slow_down", "email_taken",
}  # fmt: skip
OAUTH_CODES = {"invalid_request", "invalid_grant", "invalid_client", "unsupported_grant_type", "too_large",
               "unsupported_media_type"}  # fmt: skip
JSON_ROUTES = [route for route in ROUTES if checks.json_body in route.checks]
FORM_ROUTES = [route for route in ROUTES if checks.form_body in route.checks]
UNSAFE_ROUTES = [route for route in ROUTES if route.method != "GET"]

CREDENTIALS = {"email": ADA, "password": SECRET}
BROKEN_JSON: dict[str, bytes] = {
    "empty": b"",
    "blank": b"   ",
    "cut": b'{"email": "a',
    "trailing": b'{"a": 1} {"b": 2}',
    "trailing comma": b'{"a": 1,}',
    "comment": b'{"a": 1} // ' + SECRET.encode(),
    "single quotes": b"{'a': 1}",
    "bare word": SECRET.encode(),
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "1e400": b'{"a": 1e400}',
    "5000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "more than 64 bits": b'{"a": 9223372036854775808}',
    "less than 64 bits": b'{"a": -9223372036854775809}',
    "a name twice": json.dumps(CREDENTIALS)[:-1].encode() + b', "email": "eve@example.com"}',
    "a name twice inside": b'{"a": {"b": 1, "b": 2}}',
    "invalid UTF-8": b'{"password": "\xff\xfe' + SECRET.encode() + b'"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "raw NUL": b'{"a": "\x00"}',
    "lone surrogate": b'{"email": "\\ud800", "password": "\\udfff"}',
    "UTF-16": json.dumps(CREDENTIALS).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(CREDENTIALS).encode(),
    "deep lists": b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "deep objects": b'{"a":' * 8_000 + b"1" + b"}" * 8_000,
    "a little too deep": b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}",
    "open brackets": b"[" * 60_000,
    "list": b"[1, 2]",
    "text": b'"' + SECRET.encode() + b'"',
    "null": b"null",
    "number": b"3",
    "1 MB": b'{"password": "' + b"x" * 1_048_576 + b'"}',
}
WRONG_FIELDS: dict[str, dict[str, Any]] = {
    "none": {},
    "wrong types": {
        "email": 3,
        "password": [SECRET],
        "current": {},
        "new": 1.5,
        "roles": "admin",
        "carrier": "x",
    },
    "null": dict.fromkeys(("email", "password", "current", "new", "roles", "carrier")),
    "unknown": {**CREDENTIALS, "admin": True, "extra": SECRET},
    "booleans": {"email": True, "password": False, "roles": [True], "current": True, "new": True},
    "nested": {"email": {"$ne": None}, "password": {"$gt": SECRET}},
    "huge text": {
        "email": "a" * 30_000 + "@example.com",
        "password": SECRET,
        "current": SECRET,
        "new": SECRET,
    },
    "many roles": {"roles": ["member"] * 65},
    "prototype": {"__proto__": {"roles": ["admin"]}, "constructor": SECRET},
}
FORMS: dict[str, bytes] = {
    "empty": b"",
    "no pairs": b"&&&===&",
    "invalid UTF-8": b"email=%ff%fe&password=" + SECRET.encode(),
    "raw bytes": b"email=\xff&password=" + SECRET.encode(),
    "NUL": b"email=a%00@example.com&password=%00" + SECRET.encode(),
    "a field twice": b"email=a&email=b&password=x&password="
    + SECRET.encode()
    + b"&csrf=1&csrf=2&current=a&current=b",
    "many fields": b"&".join(b"f%d=1" % number for number in range(5_000)),
    "surrogates": b"email=%ED%A0%80&password=" + SECRET.encode(),
    "long": b"email=" + b"a" * 60_000,
    "1 MB": b"password=" + b"x" * 1_048_576,
    "wrong": b"email=nobody&password=" + SECRET.encode() + b"&current=" + SECRET.encode() + b"&new=short",
    "markup": b"email=%3Cscript%3Ealert(1)%3C/script%3E&password=x&next=javascript:alert(1)&roles=%3Cb%3E",
    "line breaks": b"email=a%0d%0aSet-Cookie:x=1&password=x&next=/%0d%0aSet-Cookie:x=1",
}
KINDS = [
    "text/plain", "text/html", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/xml", "application/jsonp", "application/json+x", "application/ld+json", "\t", "json", "*/*",
    "application/json\xff",
]  # fmt: skip


class World:
    """One house for all of these: nothing here may leave a trace in it."""

    def __init__(self, house: House, caplog: pytest.LogCaptureFixture) -> None:
        self.house = house
        self.admin = house.browser()
        self.admin.post("/api/sign-in", json={"email": "admin@example.com", "password": PASSWORD})
        self.nobody = house.browser()
        self._before = house.counts()
        self._caplog = caplog

    def holds(self, answer: Response, route: Route, *, secrets: tuple[str, ...] = (SECRET,)) -> None:
        """Assert that an answer is a refusal as promised and that nothing has changed."""
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
        for secret in (*secrets, session_cookie(self.admin)):
            assert secret not in answer.text
            assert secret not in str(answer.headers)
            assert secret not in self._caplog.text
        if route.kind is Kind.OAUTH:
            assert answer.json()["error"] in OAUTH_CODES
        elif route.kind is not Kind.PAGE:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] in CODES
            assert answer.json()["status"] == answer.status_code
            assert len(answer.content) < 2_000
        assert self.house.counts() == self._before
        assert self.admin.get("/api/session").status_code == 200


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An authority with an administrator."""
    house = build(tmp_path_factory.mktemp("bad"), NO_LIMITS)
    house.account("admin@example.com", "admin")
    yield house
    house.close()


@pytest.fixture
def world(shared: House, caplog: pytest.LogCaptureFixture) -> World:
    """The shared house, with a browser that is signed in and one that is not."""
    caplog.set_level(logging.DEBUG)
    return World(shared, caplog)


def path_of(route: Route) -> str:
    """A path of the route, for an account or session that is not there."""
    return route.path.replace("{", "").replace("}", "")


def name_of(route: Route) -> str:
    """A row in a test report."""
    return f"{route.method} {route.path}"


def send(client: TestClient, route: Route, content: bytes, kind: str) -> Response:
    """One request with a body of this kind."""
    headers = [("content-type", kind.encode("latin-1"))]
    return client.request(route.method, path_of(route), content=content, headers=headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
@pytest.mark.parametrize("kind", BROKEN_JSON)
def test_broken_json_is_refused(world: World, route: Route, kind: str) -> None:
    """400, 413 or 422, for somebody who may do everything and for nobody."""
    for client in (world.admin, world.nobody):
        answer = send(client, route, BROKEN_JSON[kind], "application/json")
        world.holds(answer, route)


@pytest.mark.parametrize(
    "route", [one for one in JSON_ROUTES if one.path != "/api/session/data"], ids=name_of
)
@pytest.mark.parametrize("kind", WRONG_FIELDS)
def test_wrong_fields_are_refused(world: World, route: Route, kind: str) -> None:
    """422 with one sentence for each field, none of which repeats a value."""
    body = json.dumps(WRONG_FIELDS[kind]).encode()
    if route.path == "/api/visit" and kind == "none":
        return
    world.holds(send(world.admin, route, body, "application/json"), route)


@pytest.mark.parametrize("route", FORM_ROUTES, ids=name_of)
@pytest.mark.parametrize("kind", FORMS)
def test_broken_forms_are_refused(world: World, route: Route, kind: str) -> None:
    """Nobody gets further than a refusal; whoever has a session is told in a page."""
    answer = send(world.nobody, route, FORMS[kind], "application/x-www-form-urlencoded")
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/sign-in")
        return
    world.holds(answer, route)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("route", JSON_ROUTES, ids=name_of)
@pytest.mark.parametrize("kind", KINDS)
def test_other_content_types_are_refused(world: World, route: Route, kind: str) -> None:
    """415, whatever the body is."""
    answer = send(world.admin, route, json.dumps(CREDENTIALS).encode(), kind)
    world.holds(answer, route)
    assert answer.json()["code"] == "unsupported_media_type"


def test_content_type_that_stands_twice_is_refused(world: World) -> None:
    """400."""
    for route in JSON_ROUTES:
        headers = [("content-type", "application/json"), ("content-type", "text/plain")]
        answer = world.admin.request(route.method, path_of(route), content=b"{}", headers=headers)
        world.holds(answer, route)


HEADERS: dict[str, list[tuple[str, bytes]]] = {
    "long cookie": [("cookie", b"gatepost=" + b"A" * 20_000)],
    "control bytes": [("cookie", b"gatepost=\x01\x02")],
    "bytes": [("cookie", b"gatepost=" + bytes(range(0x80, 0xFF)))],
    "empty cookie": [("cookie", b"gatepost=")],
    "quotes": [("cookie", b'gatepost="' + DEAD.encode() + b'"')],
    "path": [("cookie", b"gatepost=../../etc/passwd")],
    "sql": [("cookie", b"gatepost=' OR 1=1 --")],
    "many cookies": [("cookie", b"; ".join(b"c%d=1" % number for number in range(2_000)))],
    "bearer bytes": [("authorization", b"Bearer " + bytes(range(0x80, 0xFF)))],
    "long bearer": [("authorization", b"Bearer " + b"a" * 20_000)],
    "bearer dots": [("authorization", b"Bearer " + b"." * 5_000)],
    "empty bearer": [("authorization", b"Bearer ")],
    "bearer json": [("authorization", b'Bearer {"a":1}')],
    "alg none": [("authorization", b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.")],
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("route", [one for one in ROUTES if checks.one_credential in one.checks], ids=name_of)
def test_broken_credentials_are_refused(world: World, route: Route, kind: str) -> None:
    """401 or 400; a page goes to the sign-in. Sign-out of a dead cookie is done already."""
    headers: Any = [("sec-fetch-site", "same-origin"), *HEADERS[kind]]
    answer = world.house.program().request(route.method, path_of(route), headers=headers)
    if route.path.endswith("sign-out") and answer.status_code in {204, 303}:
        return
    if route.kind is Kind.PAGE and answer.status_code == 303:
        assert answer.headers["location"].startswith("/sign-in")
        return
    world.holds(answer, route)


STRANGE = [
    "%00",
    "%ff%fe",
    "a" * 5_000,
    "..%2f..",
    "%0d%0aX:1",
    "%ED%A0%80",
    "'",
    "%F0%9F%98%80",
    "{}",
    "%25",
    "*",
]


@pytest.mark.parametrize("part", STRANGE)
@pytest.mark.parametrize("route", [one for one in ROUTES if "{" in one.path], ids=name_of)
def test_strange_ids_are_not_found(world: World, route: Route, part: str) -> None:
    """404, as for any id that is not there."""
    head, _, rest = route.path.partition("{")
    path = head + part + rest.partition("}")[2]
    form: Any = {"data": {"email": "a", "password": "b"}}
    kind: Any = {"json": {"roles": []}} if checks.json_body in route.checks else form
    body: Any = {} if route.method in {"GET", "DELETE"} else kind
    answer = world.admin.request(route.method, path, **body)
    if route.path == "/account/sessions/{session_id}/end" and answer.status_code == 200:
        # Its owner pressed the button of a session that had ended meanwhile.
        assert "over already" in answer.text
        return
    if route.path == "/admin/sessions/{session_id}/end" and answer.status_code == 303:
        # The same of an administrator, who is led back to where it was.
        assert "over already" in world.admin.get(answer.headers["location"]).text
        return
    world.holds(answer, route)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "query", ["limit=%00", "after=%00", "after=%ff", "q=%ff%00", "limit=1&limit=x", "q=" + "a" * 255]
)
def test_strange_queries_are_refused_or_find_nothing(world: World, query: str) -> None:
    """Never an error of ours, in the endpoint and on the page."""
    for path in ("/api/admin/accounts", "/api/admin/sessions", "/admin"):
        assert world.admin.get(f"{path}?{query}").status_code in {200, 422}
    for name in ("account", "accounts", "sessions", "done", "next"):
        for page in ("/admin", "/account", "/sign-in"):
            answer = world.admin.get(f"{page}?{name}=%00%ff%3Cscript%3E%F0%9F%98%80")
            assert answer.status_code in {200, 404}
            assert "<script>\U0001f600" not in answer.text


@pytest.mark.parametrize("size", [1025, 60_000])
def test_password_beyond_the_limit_is_never_hashed(world: World, size: int) -> None:
    """422 before any work; the very limit is hashed like any other."""
    before = world.house.authority.hashing.hashes_done
    long = SECRET + "x" * (size - len(SECRET))
    for path in ("/api/sign-in", "/api/sign-up"):
        answer = world.nobody.post(path, json={"email": "new@example.com", "password": long})
        assert answer.status_code == 422
        assert SECRET not in answer.text
    assert world.house.authority.hashing.hashes_done == before
    assert world.nobody.post("/api/sign-in", json={"email": ADA, "password": "x" * 1024}).status_code == 401
    assert world.house.authority.hashing.hashes_done == before + 1


@pytest.mark.parametrize(
    "wanted",
    ["//evil.com", "/\\evil.com", "https://evil.com", "javascript:alert(1)", "/\t/evil.com", "\\\\evil.com", "evil.com",
     "/%0d%0aX: 1\r\nX: 1", "/\U0001f600", "/\u2028", " /", "", "///evil.com", "/\x00"],
)  # fmt: skip
def test_next_page_is_always_ours(shared: House, wanted: str) -> None:
    """An open redirect is none: whatever is not a plain path leads to the account page."""
    client = shared.browser()
    form = {"email": "admin@example.com", "password": PASSWORD, "next": wanted}
    answer = client.post("/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


def test_next_page_is_where_one_came_from(shared: House) -> None:
    """A path of this host, with its query."""
    form = {"email": "admin@example.com", "password": PASSWORD, "next": "/admin?q=a%20b"}
    assert shared.browser().post("/sign-in", data=form).headers["location"] == "/admin?q=a%20b"
