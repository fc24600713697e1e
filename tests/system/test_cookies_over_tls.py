"""The prefixed cookies in a real Chromium, over TLS with a certificate of a throw-away authority."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import chromium, person, trust
from tests.certificates import Certificates, make_certificates
from tests.nginx import free_port
from tests.servers import RunningServer, run_gatepost

PASSWORD = "heron paints a quiet ladder"

pytestmark = pytest.mark.needs("chromium", "certutil")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of this module."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def redirect_port() -> int:
    """The port for plain http."""
    return free_port()


@pytest.fixture(scope="module")
def server(
    certificates: Certificates, redirect_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server that speaks TLS, in two processes, and sends plain http on from a second port."""
    options = ("--tls-cert", certificates.chain, "--tls-key", certificates.key, "--workers", "2")
    redirecting = ("--redirect-port", str(redirect_port))
    with RunningServer(tmp_path_factory.mktemp("server"), *options, *redirecting) as running:
        yield running


@pytest.fixture
def browser(certificates: Certificates, tmp_path: Path) -> Iterator[Browser]:
    """A Chromium that trusts the throw-away authority."""
    trust(tmp_path, certificates.authority)
    with chromium(tmp_path) as running:
        yield running


def test_chromium_keeps_and_returns_the_prefixed_cookies(server: RunningServer, browser: Browser) -> None:
    """Signed in over TLS, the session cookie is `__Host-Http-`, out of reach of scripts, and comes back."""
    assert server.url.startswith("https://")
    with person(browser) as page:
        page.goto(f"{server.url}/sign-up")
        page.get_by_label("E-mail address").fill("tls@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("main").get_by_role("button", name="Sign up").click()
        expect(page).to_have_url(f"{server.url}/account")
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
        assert set(cookies) == {
            "__Host-Http-gatepost",
            "__Host-gatepost-csrf",
            "__Host-Http-gatepost-device",
        }
        session = cookies["__Host-Http-gatepost"]
        assert session["httpOnly"]
        assert session["secure"]
        assert session["sameSite"] == "Lax"
        assert session["path"] == "/"
        assert "__Host-Http-gatepost" not in page.evaluate("document.cookie")
        page.reload()
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_script_cannot_plant_the_session_cookie(server: RunningServer, browser: Browser) -> None:
    """Chromium refuses a `__Host-Http-` cookie that a script writes: fixation by script is over before it starts."""
    with person(browser) as page:
        page.goto(f"{server.url}/")
        planted = "document.cookie = '__Host-Http-gatepost=planted; Path=/; Secure'"
        page.evaluate(planted)
        assert page.context.cookies() == []


def test_answers_over_tls_ask_for_tls_from_then_on(server: RunningServer, certificates: Certificates) -> None:
    """HSTS of two years with subdomains on pages, API answers and refusals alike."""
    context = ssl.create_default_context(cafile=str(certificates.authority))
    with httpx2.Client(timeout=20, verify=context, base_url=server.url) as client:
        for path in ("/", "/api/session", "/nothing-here", "/static/gatepost.css"):
            header = client.get(path).headers["strict-transport-security"]
            assert header == "max-age=63072000; includeSubDomains"


def test_the_same_port_does_not_answer_plain_http(server: RunningServer) -> None:
    """Nothing is served in the clear where TLS is served."""
    plain = server.url.replace("https://", "http://")
    with httpx2.Client(timeout=20) as client, pytest.raises(httpx2.TransportError):
        client.get(f"{plain}/")


def test_the_redirect_port_sends_pages_on_and_serves_nothing(
    server: RunningServer, certificates: Certificates, redirect_port: int
) -> None:
    """308 for what a person types, 403 for programs and forms; no cookie, no HSTS, and none is sent there either."""
    context = ssl.create_default_context(cafile=str(certificates.authority))
    plain = f"http://localhost:{redirect_port}"
    ours = {"sec-fetch-site": "same-origin"}
    with httpx2.Client(timeout=20, verify=context, headers=ours) as client:
        signed_up = {"email": "typed@example.com", "password": PASSWORD}
        assert client.post(f"{server.url}/api/sign-up", json=signed_up).status_code == 201
        pages = [client.get(f"{plain}{path}") for path in ("/", "/account", "/sign-in?x=1")]
        assert [page.status_code for page in pages] == [308, 308, 308]
        assert [page.headers["location"] for page in pages] == [
            f"{server.url}/", f"{server.url}/account", f"{server.url}/sign-in?x=1",
        ]  # fmt: skip
        refused = [
            client.get(f"{plain}/api/session"),
            client.post(f"{plain}/api/sign-in", json=signed_up),
            client.post(f"{plain}/sign-in", data=signed_up),
            client.get(f"{plain}/gateway/check"),
        ]
        assert [answer.status_code for answer in refused] == [403] * 4
        assert client.get(plain, headers={"host": "evil.example"}).status_code == 421
        for answer in (*pages, *refused):
            assert "cookie" not in answer.request.headers
            assert not {"set-cookie", "strict-transport-security"} & set(answer.headers)


@pytest.mark.parametrize("carrier", ["token", "cookie"])
def test_what_was_shown_on_the_redirect_port_is_dead_everywhere(
    server: RunningServer, certificates: Certificates, redirect_port: int, carrier: str
) -> None:
    """A program that got the scheme wrong: 403 that says so, and each of the two processes refuses it at once."""
    context = ssl.create_default_context(cafile=str(certificates.authority))
    signing_up = {"email": f"{carrier}@example.com", "password": PASSWORD, "carrier": carrier}
    with httpx2.Client(timeout=20, verify=context) as client:
        answer = client.post(f"{server.url}/api/sign-up", json=signing_up)
        if carrier == "token":
            shown = {"authorization": f"Bearer {answer.json()['tokens']['access_token']}"}
        else:
            shown = {"cookie": f"__Host-Http-gatepost={client.cookies['__Host-Http-gatepost']}"}
        client.cookies.clear()
        asked = [client.get(f"{server.url}/api/session", headers=shown).status_code for _ in range(4)]
        assert asked == [200] * 4
        refused = client.get(f"http://localhost:{redirect_port}/api/session", headers=shown)
        assert (refused.status_code, refused.json()["code"]) == (403, "https_required")
        assert "so it was ended" in refused.json()["detail"]
    for _ in range(6):
        # A connection of its own each time, so that both processes are asked.
        with httpx2.Client(timeout=20, verify=context, headers=shown) as thief:
            assert thief.get(f"{server.url}/api/session").status_code == 401
            again = thief.get(f"http://localhost:{redirect_port}/account", headers=shown)
            assert again.status_code == 308
    told = run_gatepost("audit", "tail", "--account", signing_up["email"], "--json", folder=server.folder)
    events = [one["event"] for one in json.loads(told.out)["items"]]
    assert events == ["signed_up", "credential_exposed"]


def test_a_typed_address_ends_on_the_page_over_tls(
    server: RunningServer, redirect_port: int, browser: Browser
) -> None:
    """Chromium, sent to http, shows the page of the https address."""
    with person(browser) as page:
        page.goto(f"http://localhost:{redirect_port}/sign-in")
        expect(page).to_have_url(f"{server.url}/sign-in")
