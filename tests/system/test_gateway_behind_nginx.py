"""A real nginx with the configuration of docs/gateway.md, a real server, and a service that knows nothing of either."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt
import pytest

from tests.nginx import free_port, nginx, whole_file
from tests.servers import ROOT, RunningServer

ADA, PASSWORD = "ada@example.com", "plenty of quiet words"
FROM_ELSEWHERE = {"x-forwarded-for": "203.0.113.9"}
OURS = {"sec-fetch-site": "same-origin"}
IDENTITY = {
    "x-auth-account", "x-auth-email", "x-auth-roles", "x-auth-session",
    "remote-user", "remote-email", "remote-groups", "authorization",
}  # fmt: skip

pytestmark = pytest.mark.needs("nginx")


@dataclass
class Service:
    """What a service behind the proxy was sent."""

    port: int
    requests: list[tuple[str, str, list[tuple[str, str]]]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, str]:
        """The headers of the newest request; each stands once."""
        pairs = [(name.lower(), value) for name, value in self.requests[-1][2]]
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


@contextmanager
def serving() -> Iterator[Service]:
    """A service that says yes to whatever reaches it."""

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            service.requests.append((self.command, self.path, self.headers.items()))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service = Service(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield service
        server.shutdown()
        thread.join()


def configuration(gatepost: str, service: Service, port: int, folder: Path) -> str:
    """The page's configuration with the ports of this test, as a whole file."""
    page = (ROOT / "docs" / "gateway.md").read_text()
    (block,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    for before, after in (
        ("127.0.0.1:8400", f"127.0.0.1:{urlsplit(gatepost).port}"),
        ("127.0.0.1:9000", f"127.0.0.1:{service.port}"),
        ("listen 127.0.0.1:8080", f"listen 127.0.0.1:{port}"),
    ):
        assert block.count(before) == 1, before
        block = block.replace(before, after)
    return whole_file(block, folder)


@dataclass
class Site:
    """Everything together, as a browser sees it: one host."""

    server: RunningServer
    service: Service
    url: str
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self, **headers: str) -> httpx2.Client:
        """A browser or program that reaches nothing but nginx."""
        return self.clients.enter_context(httpx2.Client(timeout=20, base_url=self.url, headers=headers))

    def signed_in(self) -> httpx2.Client:
        """A browser that has signed up through nginx."""
        browser = self.client(**OURS)
        answer = browser.post("/api/sign-up", json={"email": ADA, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return browser


@contextmanager
def standing(folder: Path) -> Iterator[Site]:
    """A service behind nginx behind nobody, and Gatepost."""
    environment = {"GATEPOST_PROXY__TRUSTED": "127.0.0.1", "GATEPOST_TOKENS__AUDIENCES": "orders"}
    with serving() as service, RunningServer(folder / "server", environment=environment) as server:
        port = free_port()
        text = configuration(server.url, service, port, folder / "nginx")
        with nginx(folder / "nginx", text, port):
            site = Site(server, service, f"http://localhost:{port}")
            with site.clients:
                yield site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests here that leave it standing."""
    with standing(tmp_path_factory.mktemp("gateway")) as site:
        yield site


@pytest.fixture(scope="module")
def ada(site: Site) -> httpx2.Client:
    """Ada's browser."""
    return site.signed_in()


def verified(site: Site, token: str) -> dict[str, Any]:
    """What a service does with a JWT: another library, the published keys, issuer and audience compared."""
    keys = jwt.PyJWKSet.from_dict(httpx2.get(f"{site.server.url}/.well-known/jwks.json", timeout=20).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return dict(jwt.decode(token, key, algorithms=["ES256"], audience="orders", issuer=site.server.url))


def test_only_signed_in_people_reach_the_service(site: Site, ada: httpx2.Client) -> None:
    """With who they are, a JWT the service verifies by itself, and without what signs them in."""
    assert site.client().get("/orders/1").status_code == 401
    assert site.client(cookie=f"gatepost={'A' * 43}").get("/orders/1").status_code == 401
    page = site.client(accept="text/html").get("/orders/1")
    assert (page.status_code, page.headers["location"]) == (303, f"{site.url}/sign-in")
    assert site.service.requests == []
    assert ada.get("/orders/1?x=1").text == "ok"
    who = ada.get("/api/session").json()
    told, (method, path, _) = site.service.last, site.service.requests[-1]
    assert (method, path) == ("GET", "/orders/1?x=1")
    account = who["account"]["id"]
    assert {name: told[name] for name in sorted(IDENTITY - {"authorization"})} == {
        "x-auth-account": account,
        "x-auth-email": ADA,
        "x-auth-roles": "member",
        "x-auth-session": who["session"]["id"],
        "remote-user": account,
        "remote-email": ADA,
        "remote-groups": "member",
    }
    assert "cookie" not in told
    claims = verified(site, told["authorization"].removeprefix("Bearer "))
    assert (claims["sub"], claims["aud"], claims["roles"]) == (account, ["orders"], ["member"])
    assert claims["exp"] - claims["iat"] == 30


SPOOFS = [
    [
        ("X-Auth-Roles", "admin"),
        ("X-Auth-Account", "root"),
        ("Remote-User", "root"),
        ("Remote-Groups", "admin"),
    ],
    [("x-auth-roles", "admin"), ("X-AUTH-ROLES", "admin")],
    [("X_Auth_Roles", "admin"), ("Remote_User", "root"), ("X-Auth_Roles", "admin")],
    [("Connection", "X-Auth-Roles, X-Auth-Account, close"), ("X-Auth-Roles", "admin")],
    [("X-Original-URL", "/"), ("X-Rewrite-URL", "/"), ("X-Forwarded-Uri", "/")],
    [("X-HTTP-Method-Override", "POST"), ("X-Original-Method", "GET")],
    [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=127.0.0.1")],
]


@pytest.mark.parametrize("spoof", SPOOFS, ids=lambda spoof: spoof[0][0])
def test_nothing_a_client_forges_reaches_the_service(
    site: Site, ada: httpx2.Client, spoof: list[tuple[str, str]]
) -> None:
    """Names of ours in any spelling: from a member only the truth arrives, from nobody nothing does."""
    before = len(site.service.requests)
    assert site.client().get("/orders/1", headers=spoof).status_code == 401
    assert len(site.service.requests) == before
    assert ada.get("/orders/1", headers=spoof).status_code == 200
    shown = [(name.lower().replace("_", "-"), value) for name, value in site.service.requests[-1][2]]
    ours = [pair for pair in shown if pair[0] in IDENTITY]
    assert len(ours) == len(IDENTITY)
    assert not {"root", "admin"} & {value for _, value in ours}


def test_a_bearer_token_becomes_a_short_one(site: Site, ada: httpx2.Client) -> None:
    """The long one is not passed on, and what it does not say is absent even if the client says it."""
    body = {"email": ADA, "password": PASSWORD, "carrier": "token"}
    held = site.client().post("/api/sign-in", json=body).json()["tokens"]["access_token"]
    program = site.client(authorization=f"Bearer {held}")
    assert program.get("/orders/1", headers={"x-auth-email": "root@example.com"}).status_code == 200
    told = site.service.last
    assert held not in told["authorization"]
    assert verified(site, told["authorization"].removeprefix("Bearer "))["exp"]
    assert not {"x-auth-email", "remote-email"} & set(told)


@pytest.mark.parametrize("more", [{}, FROM_ELSEWHERE], ids=["direct", "forwarded"])
def test_forged_requests_that_change_something_do_not_reach_the_service(
    site: Site, ada: httpx2.Client, more: dict[str, str]
) -> None:
    """nginx says what the method was, whatever the client says; its word counts also where it forwards for others."""
    foreign = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    before = len(site.service.requests)
    for spoof in ({}, {"x-original-method": "GET"}, {"x-forwarded-method": "GET"}):
        for method in ("POST", "DELETE"):
            answer = ada.request(method, "/orders/1", headers={**foreign, **more, **spoof})
            assert answer.status_code == 403
    assert len(site.service.requests) == before
    assert ada.post("/orders/1", content=b"x" * 100_000, headers=more).status_code == 200
    assert ada.get("/orders/1", headers={**foreign, **more}).status_code == 200
    silent = site.client(cookie=f"gatepost={ada.cookies['gatepost']}")
    assert silent.post("/orders/1").status_code == 403
    shown = {"x-csrf-token": ada.cookies["gatepost-csrf"]}
    assert silent.post("/orders/1", headers=shown).status_code == 200


def test_the_question_cannot_be_asked_from_outside(site: Site, ada: httpx2.Client) -> None:
    """Nobody outside gets a short JWT into their hands from the address that nginx asks."""
    assert ada.get("/gateway/check/orders").status_code == 404


def test_two_sign_ins_in_one_request_do_not_pass(site: Site, ada: httpx2.Client) -> None:
    """Which of them the service would be told of, nobody may choose. nginx makes a 500 of our 400."""
    before = len(site.service.requests)
    double = site.client(cookie=f"gatepost={ada.cookies['gatepost']}; gatepost={'A' * 43}")
    assert double.get("/orders/1").status_code == 500
    assert len(site.service.requests) == before


def test_signing_out_ends_it_at_once_and_without_gatepost_nobody_passes(tmp_path: Path) -> None:
    """The request after the sign-out is refused; so is every one while the server is down, and none gets through."""
    with standing(tmp_path) as site:
        ada = site.signed_in()
        assert ada.get("/orders/1").status_code == 200
        before = len(site.service.requests)
        cookie = {"cookie": f"gatepost={ada.cookies['gatepost']}"}
        assert ada.post("/api/sign-out").status_code == 204
        assert site.client(**cookie).get("/orders/1").status_code == 401
        site.server.kill9()
        assert ada.get("/orders/1").status_code >= 500
        assert site.client(**cookie).get("/orders/1").status_code >= 500
        assert len(site.service.requests) == before


def test_the_method_of_an_untrusted_client_is_ignored(tmp_path: Path) -> None:
    """Asked directly, from an address that is no proxy of ours: it is a GET, whatever it says it is."""
    environment = {"GATEPOST_PROXY__TRUSTED": "203.0.113.0/24"}
    foreign = {"sec-fetch-site": "cross-site", "x-original-method": "POST", **FROM_ELSEWHERE}
    with (
        RunningServer(tmp_path, environment=environment) as server,
        httpx2.Client(timeout=20, base_url=server.url, headers=OURS) as ada,
    ):
        assert ada.post("/api/sign-up", json={"email": ADA, "password": PASSWORD}).status_code == 201
        assert ada.get("/gateway/check", headers=foreign).status_code == 204
