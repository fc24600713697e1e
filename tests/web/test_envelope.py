"""What surrounds every request: host, sizes, scheme, headers of every answer, and the last resort."""

import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterable, Iterator
from hashlib import sha256

import anyio
import pytest
from starlette.types import Message

from gatepost.errors import StoreUnusable
from gatepost.web.routes import API, ROUTES, Kind, Route
from tests.web.house import ADA, PASSWORD, Build, House, is_problem

SOME_OF_EACH = [
    ("GET", "/"), ("GET", "/sign-in"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nothing"),
    ("GET", "/api/session"), ("POST", "/api/sign-in"), ("POST", "/oauth/token"), ("GET", "/oauth/token"),
    ("GET", "/.well-known/jwks.json"), ("GET", "/static/gatepost.css"), ("GET", "/static/nothing"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/account"), ("POST", "/sign-in"), ("GET", "/invite/x"),
]  # fmt: skip


def wrapping(headers: dict[str, str]) -> dict[str, str]:
    """The headers that every answer has."""
    names = (
        "x-content-type-options", "referrer-policy", "content-security-policy", "cross-origin-resource-policy",
        "cache-control", "x-frame-options", "permissions-policy",
    )  # fmt: skip
    return {name: headers[name] for name in names}


@pytest.mark.parametrize(("method", "path"), SOME_OF_EACH)
def test_every_answer_is_wrapped(house: House, method: str, path: str) -> None:
    """nosniff, a policy, no framing, no referrer to others, nothing stored that is not public; errors and files too."""
    answer = house.browser().request(method, path)
    found = wrapping(dict(answer.headers))
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in found["content-security-policy"]
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert "base-uri 'none'" in found["content-security-policy"]
    assert "unsafe" not in found["content-security-policy"]
    public = path.startswith(("/.well-known", "/static/gatepost"))
    assert found["cache-control"].startswith("public" if public else "no-store")
    assert len(answer.headers.get_list("cache-control")) == 1
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    assert ("cross-origin-opener-policy" in answer.headers) == is_page
    assert ("sandbox" in found["content-security-policy"]) != is_page
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize(("method", "path"), SOME_OF_EACH)
def test_every_answer_over_https_has_hsts(https: House, method: str, path: str) -> None:
    """Two years, subdomains too, on errors as well."""
    answer = https.browser().request(method, path)
    assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


def test_pages_hold_no_script_but_ours_and_nobody_elses_address(house: House) -> None:
    """Every page, /docs too: no script but one whose hash its policy names, no inline handler or style, no address
    outside this server."""
    client = house.signed_in(ADA, "admin", "member")
    for path in ("/", "/docs", "/account", "/admin", "/nothing", "/sign-up"):
        for one in (client, house.browser(accept="text/html")):
            answer = one.get(path, headers={"accept": "text/html"})
            text, allowed = (
                answer.text,
                re.findall(r"'sha256-([^']+)'", answer.headers["content-security-policy"]),
            )
            scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
            hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
            assert hashes == allowed, path
            text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
            assert not re.search(r"<script|\son\w+=|style=|javascript:", text, re.IGNORECASE), path
            assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", text), path


HOSTS = [
    "localhost.evil.com", "evil.com", "testserver.evil.com", "evil.com:80", "user@testserver", "testserver@evil.com",
    "testserver:80:80", "testserver:99999", "testserver:x", "testserver/", "testserver#", "test server", "localhost.",
    "127.1", "0x7f.1", "2130706433", "[::1", "[::2]", "", "*", "xn--", "testserver,evil.com", "0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/api/session", "/.well-known/oauth-authorization-server"])
def test_unknown_host_is_refused(house: House, host: str, path: str) -> None:
    """421 `unknown_host`, before anything else is looked at; the name is not repeated."""
    answer = house.browser(host=host).get(path)
    assert is_problem(answer, 421, "unknown_host")
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "testserver",
        "TESTSERVER",
        "testserver:1234",
        "localhost",
        "localhost:8400",
        "127.0.0.1:1",
        "[::1]:8400",
    ],
)
def test_loopback_is_ours_in_development(house: House, host: str) -> None:
    """On any port."""
    assert house.browser(host=host).get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("auth.example.com", 200),
        ("auth.example.com:443", 200),
        ("AUTH.example.com", 200),
        ("auth.example.com:80", 421),
        ("auth.example.com:8400", 421),
        ("localhost", 421),
        ("example.com", 421),
        ("auth.example.com.", 421),
    ],
)
def test_only_the_url_is_ours_over_https(https: House, host: str, status: int) -> None:
    """Host and port of the setting `url`."""
    assert https.browser(host=host).get("/healthz").status_code == status


def test_forwarded_headers_are_not_believed(house: House) -> None:
    """Neither host nor address nor scheme come from headers that anyone can send."""
    client = house.browser(
        **{"x-forwarded-host": "evil.com", "x-forwarded-for": "203.0.113.9", "forwarded": "host=x"}
    )
    answer = client.post("/api/visit", json={})
    assert answer.json()["session"]["address"] == "testclient"
    assert "evil" not in client.get("/").text


def test_headers_have_a_limit(house: House) -> None:
    """431 for 64 KB in one cookie or 1,000 headers; the limit itself passes."""
    assert is_problem(house.browser(cookie="a=" + "b" * 65_536).get("/healthz"), 431, "headers_too_large")
    many = [(f"x-{number}", "y" * 60) for number in range(1000)]
    assert is_problem(house.browser().get("/healthz", headers=many), 431, "headers_too_large")
    assert house.browser(cookie="a=" + "b" * 30_000).get("/healthz").status_code == 200


def test_declared_body_has_a_limit(house: House) -> None:
    """413 by the declared length alone, at any route, and to the very byte."""
    form = {"content-type": "application/json"}
    fits, over = (
        house.browser().post("/api/sign-in", content=b" " * size, headers=form) for size in (65_536, 65_537)
    )
    assert is_problem(fits, 400, "malformed")
    assert is_problem(over, 413, "too_large")


@pytest.mark.parametrize("length", ["9" * 20, "9" * 5000, "99999999"])
def test_absurd_length_is_too_large(house: House, length: str) -> None:
    """A number that Python itself would refuse to read."""
    answer = house.browser().post("/api/sign-in", content=b"{}", headers={"content-length": length})
    assert is_problem(answer, 413, "too_large")


def asked(house: House, messages: Iterable[Message], **scope: object) -> list[Message]:
    """What the application sends when it receives exactly these messages; after them, nothing for ever."""
    sent: list[Message] = []
    base = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "POST",
        "path": "/sign-up", "raw_path": b"/sign-up", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"testserver"), (b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip

    async def arriving() -> AsyncGenerator[Message]:
        for message in messages:
            yield message
        await anyio.sleep_forever()

    async def run() -> None:
        stream = arriving()
        with anyio.move_on_after(5):
            await house.app({**base, **scope}, stream.__anext__, collect)
        await stream.aclose()

    async def collect(message: Message) -> None:
        sent.append(message)

    anyio.run(run)
    return sent


@pytest.mark.parametrize("path", ["/sign-up", "/api/sign-in", "/oauth/token", "/api/session", "/nothing"])
def test_chunked_body_has_a_limit(house: House, path: str) -> None:
    """Without a declared length it is counted as it comes: 413, and not a byte more is read than that takes."""
    drawn: list[int] = []

    def endless() -> Iterator[Message]:
        while True:
            drawn.append(4096)
            yield {"type": "http.request", "body": b"x" * 4096, "more_body": True}

    assert asked(house, endless(), path=path)[0]["status"] == 413
    assert sum(drawn) == 65_536 + 4096


@pytest.mark.parametrize("path", ["/sign-up", "/api/sign-out", "/oauth/token"])
def test_aborted_body_does_nothing(house: House, path: str) -> None:
    """Half a form could hold half a password: the client that left is not answered, and nothing is done."""
    form = f"email={ADA}&password={PASSWORD.replace(' ', '+')}".encode()
    half: list[Message] = [
        {"type": "http.request", "body": form, "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert asked(house, half, path=path) == []
    assert house.counts() == (0, 0, 0)
    whole: list[Message] = [{"type": "http.request", "body": form, "more_body": False}]
    assert asked(house, whole)[0]["status"] == 303
    assert house.counts()[:2] == (1, 1)


def test_slow_body_is_given_up(building: Build) -> None:
    """408 `timeout` after the request's deadline; nothing is done."""
    house = building({"revocation": {"request_deadline": "1s"}})
    sent = asked(house, [{"type": "http.request", "body": b"email=", "more_body": True}])
    assert (sent[0]["status"], house.counts()) == (408, (0, 0, 0))


@pytest.mark.parametrize("hosts", [[], [b"testserver", b"testserver"], [b"testserver", b"evil.com"]])
def test_host_stands_exactly_once(house: House, hosts: list[bytes]) -> None:
    """400: two readers would pick different ones."""
    sent = asked(house, [{"type": "http.request"}], headers=[(b"host", host) for host in hosts])
    assert sent[0]["status"] == 400


def test_head_is_get_without_the_body(house: House) -> None:
    """Health checks and link checkers ask so; what changes something takes no HEAD."""
    client = house.browser()
    for path in ("/", "/healthz", "/static/gatepost.css", "/.well-known/jwks.json"):
        assert client.head(path).status_code == 200
        assert client.head(path).headers["content-type"] == client.get(path).headers["content-type"]
    assert client.head("/api/sign-in").status_code == 405


def test_page_over_http_is_sent_to_https(https: House) -> None:
    """308 to the same page on the configured address; nothing is set over http, and no HSTS."""
    client = https.browser()
    client.base_url = client.base_url.copy_with(scheme="http")
    client.headers["host"] = "auth.example.com"
    for path, place in {
        "/sign-in": "/sign-in",
        "/sign-in?next=/account": "/sign-in?next=/account",
        "/x//evil.com": "/x//evil.com",
        "/a%0d%0ab": "/a%0D%0Ab",
        "/docs": "/docs",
    }.items():
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (308, f"https://auth.example.com{place}")
        assert not {"set-cookie", "strict-transport-security"} & set(answer.headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/session"), ("POST", "/sign-in"), ("POST", "/api/sign-in"), ("DELETE", "/api/sessions"),
     ("POST", "/oauth/token"), ("GET", "/.well-known/jwks.json")],
)  # fmt: skip
def test_everything_else_over_http_is_refused(https: House, method: str, path: str) -> None:
    """403 `https_required`: a client that spoke in the clear must notice."""
    https.account()
    client = https.browser(host="auth.example.com")
    client.base_url = client.base_url.copy_with(scheme="http")
    answer = client.request(method, path)
    assert answer.status_code == 403
    assert "https_required" in answer.text
    assert "set-cookie" not in answer.headers


def broken() -> None:
    """An endpoint with a mistake in it."""
    raise RuntimeError("secret-in-an-exception")


def unusable() -> None:
    """An endpoint whose store has just gone."""
    raise StoreUnusable("The database /srv/data/gatepost.db is read-only.")


@pytest.mark.parametrize("kind", [Kind.API, Kind.PAGE])
def test_mistake_of_ours_is_a_plain_500(building: Build, kind: Kind) -> None:
    """The last resort: wrapped like every answer, and without a word of what went wrong."""
    house = building(routes=(Route("GET", "/broken", broken, (), kind),))
    answer = house.browser().get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert wrapping(dict(answer.headers))["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", [Kind.API, Kind.OAUTH, Kind.PAGE])
def test_what_the_operator_must_do_is_told_to_nobody_else(building: Build, kind: Kind) -> None:
    """503 `busy`: the path of the database is for the operator's log."""
    house = building(routes=(Route("GET", "/unusable", unusable, (), kind),))
    answer = house.browser().get("/unusable")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "/srv" not in answer.text


def test_closed_store_makes_the_server_unready(house: House) -> None:
    """503 from /readyz, 200 from /healthz: the process lives."""
    assert house.browser().get("/readyz").json() == {"status": "ready"}
    house.authority.stop()
    assert is_problem(house.browser().get("/readyz"), 503, "busy")
    assert house.browser().get("/healthz").json() == {"status": "alive"}


@pytest.mark.parametrize(
    "path", ["/api/session/", "/API/session", "/api//session", "/static/../app.py", "/.git/config"]
)
def test_other_spellings_of_a_path_are_nothing(house: House, path: str) -> None:
    """404: one spelling each, so that whatever stands in front agrees on what is asked."""
    assert house.browser().get(path).status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fapp.py", "%2e%2e/app.py", "gatepost.css%00", "..\\app.py", ""])
def test_static_files_are_looked_up_by_name(house: House, name: str) -> None:
    """No path leaves the folder."""
    answer = house.browser().get(f"/static/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_file_is_not_sent_twice(house: House) -> None:
    """304 for the ETag that was given."""
    first = house.browser().get("/static/gatepost.css")
    again = house.browser(**{"if-none-match": first.headers["etag"]}).get("/static/gatepost.css")
    assert (again.status_code, again.content) == (304, b"")


def test_wrong_method_names_the_right_one(house: House) -> None:
    """405 with Allow."""
    for route in API:
        answer = house.browser().request("TRACE" if route.method != "TRACE" else "GET", route.path)
        assert is_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"]


def test_documentation_describes_every_call_and_no_page(house: House) -> None:
    """The OpenAPI document holds exactly the API rows of the table."""
    paths = house.browser().get("/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, calls in paths.items() for method in calls}
    assert described == {
        (route.method, route.path) for route in ROUTES if route.kind in {Kind.API, Kind.OAUTH}
    }
