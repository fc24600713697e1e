"""A bank that signs people in with Gatepost, a sibling of it under the same domain, a stranger, and their visitors.

Owns the places (real servers over TLS, each in a thread), the devices that ask them without a browser, and the people
who visit them with Chromium. The names of the places lead to this machine only in that browser. Asserts nothing.
"""

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import uvicorn
from fastapi import Depends, FastAPI
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost import Gatepost, Principal
from gatepost.authority import Authority, Machine
from gatepost.core.accounts import Account
from gatepost.machine import SystemRandomness
from gatepost.settings import load_settings
from gatepost.testing.clock import TurnableClock
from gatepost.testing.services import CHEAP
from tests.browser import PATIENCE
from tests.certificates import Certificates, make_certificates
from tests.real_parts import find_chromium

PASSWORD: Final = "violet kettle hums at noon"
ADA, EVE = "ada@example.com", "eve@example.com"
BANK, SIBLING, STRANGER = "app.bank.example", "blog.bank.example", "evil.example"
COOKIE, SEALED, ACCESS, REFRESH, CSRF, DEVICE = (
    "__Host-Http-gatepost",
    "__Host-Http-gatepost-sealed",
    "__Host-Http-gatepost-access",
    "__Host-Http-gatepost-refresh",
    "__Host-gatepost-csrf",
    "__Host-Http-gatepost-device",
)
IN_COOKIES: Final = ("cookie", "sealed", "token-cookie")
CARRIERS: Final = (*IN_COOKIES, "token")
HELD_IN: Final = {"cookie": {COOKIE}, "sealed": {SEALED}, "token-cookie": {ACCESS, REFRESH}, "token": set()}
OURS: Final = {"sec-fetch-site": "same-origin"}


@dataclass(frozen=True)
class Seen:
    """A request as it arrived, and how it was answered."""

    method: str
    path: str
    site: str | None
    origin: str | None
    cookies: frozenset[str]
    status: int


@dataclass
class Place:
    """A server in a thread of its own, under a name. `seen` is all that it was asked."""

    name: str
    port: int
    seen: list[Seen]
    scheme: str = "https"

    @property
    def url(self) -> str:
        """How a browser calls it."""
        return f"{self.scheme}://{self.name}:{self.port}"

    def asked(self, path: str) -> list[Seen]:
        """The requests for one path, in order."""
        return [one for one in self.seen if one.path == path]


@contextmanager
def serving(
    name: str, app: ASGIApp, listening: socket.socket, certificates: Certificates | None
) -> Iterator[Place]:
    """Serve an application until the block is left; in the clear without certificates."""
    place = Place(name, listening.getsockname()[1], [], "https" if certificates else "http")
    config = uvicorn.Config(
        noting(app, place.seen),
        ssl_certfile=certificates.chain if certificates else None,
        ssl_keyfile=certificates.key if certificates else None,
        # With its own ways of logging it would change those of every later test in this process.
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), f"{name} did not start"
    try:
        yield place
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def listening_socket() -> socket.socket:
    """A free port of this machine."""
    return socket.create_server(("127.0.0.1", 0))


def noting(app: ASGIApp, seen: list[Seen]) -> ASGIApp:
    """The application with a note of every request and the status of its answer."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(_seen(scope, message["status"]))
            await send(message)

        await app(scope, receive, sending if scope["type"] == "http" else send)

    return noted


def _seen(scope: Scope, status: int) -> Seen:
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    names = frozenset(pair.partition("=")[0].strip(" ") for pair in headers.get("cookie", "").split(";"))
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    return Seen(scope["method"], scope["path"], site, origin, names - {""}, status)


@dataclass
class Bank:
    """The victim: an application with Gatepost under `/auth`, an endpoint worth forging, and a page with a hole."""

    place: Place
    authority: Authority
    clock: TurnableClock
    transfers: list[str]
    certificates: Certificates
    client: httpx2.Client
    newcomers: int = 0

    @property
    def url(self) -> str:
        """How a browser calls it."""
        return self.place.url

    def account(self, email: str = ADA, *roles: str) -> Account:
        """An account that exists."""
        return self.authority.accounts.create(email, PASSWORD, roles or ("member",), "test")

    def newcomer(self, *roles: str) -> str:
        """The e-mail address of an account that nobody else has."""
        self.newcomers += 1
        email = f"person{self.newcomers}@example.com"
        self.account(email, *roles)
        return email

    def device(self, **says: str) -> "Device":
        """Something that asks over HTTP and keeps cookies, and says what our own pages would unless told otherwise."""
        return Device(self, says=says or dict(OURS))

    def thief(self, jar: Mapping[str, str] | None = None, bearer: str | None = None) -> "Device":
        """A program that holds what it stole and says nothing about itself."""
        return Device(self, dict(jar or {}), {}, bearer)

    def turn(self, by: timedelta) -> None:
        """Let time pass, and let the follower look at the log again before anybody asks."""
        self.clock.turn(by)
        assert self.authority.follower.catch_up(wait=60)


@dataclass
class Device:
    """A jar of cookies, perhaps an access token, and what is said with every request."""

    bank: Bank
    jar: dict[str, str] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)
    bearer: str | None = None
    refresh: str = ""

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One request with all that is held. Cookies that come back are kept, as a browser would."""
        headers = {"host": f"{BANK}:{self.bank.place.port}", **self.says, **more.pop("headers", {})}
        if self.jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if self.bearer is not None:
            headers["authorization"] = f"Bearer {self.bearer}"
        answer = self.bank.client.request(method, path, headers=headers, **more)
        self.bank.client.cookies.clear()
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, rest = cookie.partition("=")
            self.jar[name] = rest.partition(";")[0]
            if "Max-Age=0" in cookie:
                del self.jar[name]
        return answer

    def sign_in(self, carrier: str = "cookie", email: str = ADA, password: str = PASSWORD) -> "Device":
        """Sign in at the API and hold the carrier."""
        body = {"email": email, "password": password, "carrier": carrier}
        answer = self.ask("POST", "/auth/api/sign-in", json=body)
        assert answer.status_code == 200, answer.text
        if carrier == "token":
            self._keep(answer.json()["tokens"])
        return self

    def renew(self) -> int:
        """Use the refresh token and keep the next pair; the status of the answer."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh}
        answer = self.ask("POST", "/auth/oauth/token", data=form)
        if answer.status_code == 200:
            self._keep(answer.json())
        return answer.status_code

    def whoami(self) -> str | None:
        """The e-mail address of whoever the bank takes this for; None if it refuses with 401."""
        answer = self.ask("GET", "/auth/api/session")
        assert answer.status_code in {200, 401}, answer.text
        account = answer.json().get("account")
        return account["email"] if account else None

    @property
    def session_id(self) -> str:
        """The session it holds."""
        return str(self.ask("GET", "/auth/api/session").json()["session"]["id"])

    def copy(self) -> "Device":
        """Another device with the same in its hands."""
        return replace(self, jar=dict(self.jar))

    def _keep(self, tokens: Mapping[str, Any]) -> None:
        self.bearer, self.refresh = tokens["access_token"], tokens["refresh_token"]


@contextmanager
def open_bank(folder: Path, certificates: Certificates, **sections: Any) -> Iterator[Bank]:
    """The bank, with a database in memory and a clock that stands until it is turned."""
    listening, clock = listening_socket(), TurnableClock()
    url = f"https://{BANK}:{listening.getsockname()[1]}/auth"
    given = {"data": str(folder / "data"), "database": {"url": "memory://"}, "url": url, **sections}
    settings = load_settings(given, environ={}, directory=folder, embedded=True)
    auth = Gatepost(settings, machine=Machine(clock, SystemRandomness(), profile=CHEAP))
    transfers: list[str] = []
    context = ssl.create_default_context(cafile=str(certificates.authority))
    with ExitStack() as stack:
        place = stack.enter_context(serving(BANK, _application(auth, transfers), listening, certificates))
        client = stack.enter_context(
            httpx2.Client(timeout=20, verify=context, base_url=f"https://127.0.0.1:{place.port}")
        )
        yield Bank(place, auth.authority, clock, transfers, certificates, client)


def _application(auth: Gatepost, transfers: list[str]) -> FastAPI:
    app = FastAPI()
    auth.init_app(app, prefix="/auth")

    @app.get("/blank")
    def blank() -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>Bank</title>")

    @app.get("/hole")
    def hole(said: str) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>Bank</title>You said {said}")

    @app.post("/transfer")
    def transfer(who: Principal = Depends(auth.signed_in)) -> str:
        transfers.append(str(who.email or who.account_id))
        return "sent"

    return app


Answer = tuple[str, str, tuple[str, ...]]


@dataclass
class Site:
    """Somebody else's site: what it answers at which path, with which Set-Cookie headers."""

    place: Place
    answers: dict[str, Answer]

    @property
    def url(self) -> str:
        """How a browser calls it."""
        return self.place.url

    def publish(self, body: str, *cookies: str, path: str = "/", kind: str = "text/html") -> str:
        """Put something at a path; its address."""
        self.answers[path] = (body, kind, cookies)
        return self.place.url + path


@contextmanager
def open_site(name: str, certificates: Certificates | None) -> Iterator[Site]:
    """A site of an attacker."""
    answers: dict[str, Answer] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body, kind, cookies = answers.get(scope["path"], ("", "text/html", ()))
            response = HTMLResponse(body, media_type=kind, headers={"access-control-allow-origin": "*"})
            response.raw_headers.extend((b"set-cookie", cookie.encode()) for cookie in cookies)
            await response(scope, receive, send)

    with serving(name, app, listening_socket(), certificates) as place:
        yield Site(place, answers)


@dataclass
class Town:
    """All of them, and a browser to visit them with."""

    bank: Bank
    sibling: Site
    stranger: Site
    browser: Browser

    @contextmanager
    def person(self) -> Iterator[Page]:
        """A page in a fresh profile that knows nobody."""
        context = self.browser.new_context(ignore_https_errors=True, locale="en-GB")
        context.set_default_timeout(PATIENCE)
        try:
            yield context.new_page()
        finally:
            context.close()

    @contextmanager
    def victim(self, carrier: str, email: str = ADA) -> Iterator[Page]:
        """A person who is signed in at the bank, and is on a page of it."""
        with self.person() as page:
            sign_in_by_page(page, self.bank, carrier, email)
            yield page


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """Three places and a Chromium that finds them under their names."""
    certificates = make_certificates(folder)
    with ExitStack() as stack:
        bank = stack.enter_context(open_bank(folder, certificates))
        sibling = stack.enter_context(open_site(SIBLING, certificates))
        stranger = stack.enter_context(open_site(STRANGER, certificates))
        yield Town(bank, sibling, stranger, stack.enter_context(_chromium(folder)))


@contextmanager
def _chromium(home: Path) -> Iterator[Browser]:
    # Whose certificate it is is not in question here; tests/system/test_cookies_over_tls.py has it checked.
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    arguments += ["--disable-background-networking", "--disable-component-update"]
    arguments += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    # Everybody here lives on this machine; an attacker does not, and is not stopped for it.
    arguments += ["--disable-features=LocalNetworkAccessChecks"]
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments, env=environment)
        try:
            yield browser
        finally:
            browser.close()


ASK: Final = """async ([method, path, body, headers]) => {
  const answer = await fetch(path, {method, headers: body ? {'content-type': 'application/json', ...headers} : headers,
                                    body: body ? JSON.stringify(body) : undefined});
  return [answer.status, await answer.text()];
}"""


def ask_by_page(page: Page, method: str, path: str, body: object = None) -> tuple[int, str]:
    """A request by script of the page that is open: status and text of the answer."""
    status, text = page.evaluate(ASK, [method, path, body, {}])
    return int(status), str(text)


def sign_in_by_page(page: Page, bank: Bank, carrier: str, email: str = ADA) -> dict[str, str]:
    """Sign in by script of a page of the bank; the cookies that are in the browser then."""
    if not page.url.startswith(bank.url):
        page.goto(f"{bank.url}/blank")
    body = {"email": email, "password": PASSWORD, "carrier": carrier}
    status, text = ask_by_page(page, "POST", "/auth/api/sign-in", body)
    assert status == 200, text
    return cookies_in(page, bank)


def cookies_in(page: Page, bank: Bank) -> dict[str, str]:
    """The cookies that this browser would send to the bank."""
    return {cookie["name"]: cookie["value"] for cookie in page.context.cookies(bank.url)}
