"""A real nginx that does TLS, with the configuration of docs/tls.md, before a real server."""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.certificates import make_certificates
from tests.nginx import free_port, nginx, whole_file
from tests.servers import ROOT, RunningServer, run_gatepost

ADA, PASSWORD = "ada@example.com", "plenty of quiet words"
SIGN_UP = {"email": ADA, "password": PASSWORD}
OURS = {"sec-fetch-site": "same-origin"}
# What a client may send along in the hope that somebody believes it.
LIES = {
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "evil.example",
    "x-real-ip": "203.0.113.9",
    "forwarded": "for=203.0.113.9;proto=http;host=evil.example",
}

pytestmark = pytest.mark.needs("nginx")


@dataclass
class Site:
    """One host: nginx in the clear and with TLS, and the server behind it, which trusts 127.0.0.2 alone."""

    plain: str
    url: str
    behind: str
    context: ssl.SSLContext
    folder: Path
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self, url: str, **headers: str) -> httpx2.Client:
        """A client of one of the three addresses."""
        client = httpx2.Client(timeout=20, verify=self.context, base_url=url, headers=headers)
        return self.clients.enter_context(client)

    def proxy(self, **headers: str) -> httpx2.Client:
        """A client that reaches the server behind as nginx does, from the address that is trusted."""
        port = self.behind.rpartition(":")[2]
        transport = httpx2.HTTPTransport(local_address="127.0.0.2")
        headers = {"host": f"localhost:{port}", **headers}
        base = f"http://127.0.0.1:{port}"
        return self.clients.enter_context(
            httpx2.Client(timeout=20, transport=transport, base_url=base, headers=headers)
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page's two servers on ports of this test. nginx connects from 127.0.0.2, we ourselves from 127.0.0.1."""
    folder = tmp_path_factory.mktemp("behind-nginx")
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    port, plain, secure = free_port(), free_port(), free_port()
    environment = {
        "GATEPOST_PROXY__TRUSTED": "127.0.0.2",
        "GATEPOST_URL": f"https://localhost:{secure}",
        "GATEPOST_PROFILE": "production",
    }
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "tls.md").read_text(), re.DOTALL)
    with RunningServer(folder / "server", "--port", str(port), environment=environment):
        for before, after in (
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
            ("https://auth.example.com$", f"https://localhost:{secure}$"),
            ("/etc/ssl/auth.example.com/chain.pem", str(certificates.chain)),
            ("/etc/ssl/auth.example.com/key.pem", str(certificates.key)),
            ("127.0.0.1:8400;", f"127.0.0.1:{port};\nproxy_bind 127.0.0.2;"),
        ):
            assert block.count(before) == 1, before
            block = block.replace(before, after)
        with nginx(folder / "nginx", whole_file(block, folder / "nginx"), secure):
            context = ssl.create_default_context(cafile=str(certificates.authority))
            site = Site(
                f"http://localhost:{plain}",
                f"https://localhost:{secure}",
                f"http://localhost:{port}",
                context,
                folder / "server",
            )
            with site.clients:
                yield site


def test_address_and_scheme_arrive_through_the_proxy(site: Site) -> None:
    """The session knows the browser's address, not the proxy's; cookies are prefixed and Secure, and HSTS is sent."""
    browser = site.client(site.url, **OURS)
    answer = browser.post("/api/sign-up", json={**SIGN_UP, "email": "first@example.com"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["session"]["address"] == "127.0.0.1"
    assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    (cookie,) = [
        one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-Http-gatepost=")
    ]
    assert "; Secure" in cookie
    assert browser.get("/api/session").json()["session"]["address"] == "127.0.0.1"


@pytest.mark.parametrize("lie", sorted(LIES))
def test_what_a_client_says_of_itself_is_ignored(site: Site, lie: str) -> None:
    """Each forged header, sent through the proxy: the address stays the connection's, the answer is one over https."""
    browser = site.client(site.url, **OURS, **{lie: LIES[lie]})
    answer = browser.post("/api/sign-up", json={**SIGN_UP, "email": f"{lie}@example.com"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["session"]["address"] == "127.0.0.1"
    assert "strict-transport-security" in answer.headers
    assert "evil.example" not in answer.text


def test_forged_headers_do_not_open_the_server_behind(site: Site) -> None:
    """Whoever reaches the port past the proxy speaks http, whatever the headers claim: no cookie, no answer."""
    claims = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    direct = site.client(site.behind, **OURS, **claims)
    answer = direct.post("/api/sign-up", json={**SIGN_UP, "email": "direct@example.com"})
    assert (answer.status_code, answer.json()["code"]) == (403, "https_required")
    page = direct.get("/sign-in")
    assert (page.status_code, page.headers["location"]) == (308, f"{site.url}/sign-in")
    for one in (answer, page):
        assert not {"set-cookie", "strict-transport-security"} & set(one.headers)


def test_what_was_shown_in_the_clear_is_dead_only_where_the_proxy_says_so(site: Site) -> None:
    """A trusted proxy that passes plain http on ends what came by it; silence, and a stranger's claim, end nothing."""
    browser = site.client(site.url, **OURS)
    answer = browser.post(
        "/api/sign-up", json={**SIGN_UP, "email": "exposed@example.com", "carrier": "token"}
    )
    bearer = {"authorization": f"Bearer {answer.json()['tokens']['access_token']}"}
    client = "203.0.113.9"
    passed = site.proxy(**{"x-forwarded-for": client})
    direct = site.client(site.behind, **{"x-forwarded-proto": "https"})
    for one in (passed, direct):
        assert one.get("/api/session", headers=bearer).status_code == 403
    assert browser.get("/api/session", headers=bearer).status_code == 200
    passed.headers["x-forwarded-proto"] = "http"
    ended = passed.get("/api/session", headers=bearer)
    assert (ended.status_code, ended.json()["code"]) == (403, "https_required")
    assert "so it was ended" in ended.json()["detail"]
    assert browser.get("/api/session", headers=bearer).status_code == 401
    told = run_gatepost("audit", "tail", "--json", folder=site.folder)
    (row,) = [one for one in json.loads(told.out)["items"] if one["event"] == "credential_exposed"]
    assert row["address"] == client


def test_in_the_clear_the_proxy_only_sends_on(site: Site) -> None:
    """A browser that was sent to http with a signed-in jar sends no cookie there, and is given none."""
    browser = site.client(site.url, **OURS)
    assert browser.post("/api/sign-up", json=SIGN_UP).status_code == 201
    answer = browser.get(f"{site.plain}/account")
    assert (answer.status_code, answer.headers["location"]) == (308, f"{site.url}/account")
    assert "cookie" not in answer.request.headers
    assert "set-cookie" not in answer.headers


def test_a_foreign_host_is_refused_through_the_proxy(site: Site) -> None:
    """421 `unknown_host`: no link and no redirect is ever built from it."""
    answer = site.client(site.url).get("/api/session", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
