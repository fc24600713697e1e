"""One authority in memory behind the real application, and browsers and programs that visit it.

Owns the making of both; what they are told is each test's own business. Hashes cost next to nothing here.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from httpx2 import Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from gatepost.authority import Authority, Machine
from gatepost.core.accounts import Account
from gatepost.factors.password import Profile
from gatepost.machine import SystemRandomness
from gatepost.settings import Settings, load_settings
from gatepost.testing.clock import TurnableClock
from gatepost.web.app import make_app
from gatepost.web.routes import ROUTES, Route

CHEAP = Profile("cheap", memory_kib=64, time_cost=1)
PASSWORD = "three or four words do it"
ADA = "ada@example.com"
DEAD = "A" * 43
NO_LIMITS = {
    "limits": {"visits_per_minute": 1_000_000, "sign_ups_per_minute": 1_000_000},
    "guesses": {"per_account": 1000, "per_address": 1_000_000, "overall": 100_000_000},
}


@dataclass
class House:
    """An authority with its application."""

    authority: Authority
    app: ASGIApp
    clock: TurnableClock
    base: str = "http://testserver"
    visitors: ExitStack = field(default_factory=ExitStack)
    portal: BlockingPortal | None = None

    def browser(self, **headers: str) -> TestClient:
        """A client with a cookie jar of its own. It speaks as our own pages do, unless told otherwise."""
        return self._client({"sec-fetch-site": "same-origin", **headers})

    def program(self, **headers: str) -> TestClient:
        """A client that is no browser: it says nothing about where it comes from."""
        return self._client(headers)

    def _client(self, headers: Mapping[str, str]) -> TestClient:
        client = TestClient(
            self.app, self.base, headers=dict(headers), follow_redirects=False, raise_server_exceptions=False
        )
        # One event loop for all clients of a house: one for each request costs more than the request.
        if self.portal is None:
            self.portal = self.visitors.enter_context(start_blocking_portal())
        client.portal = self.portal
        self.visitors.callback(client.close)
        return client

    def account(self, email: str = ADA, *roles: str) -> Account:
        """An account that exists, made behind the web's back."""
        return self.authority.accounts.create(email, PASSWORD, roles or ("member",), "test")

    def signed_in(self, email: str = ADA, *roles: str) -> TestClient:
        """A browser that is signed in by cookie to a new account."""
        self.account(email, *roles)
        client = self.browser()
        answer = sign_in(client, email)
        assert answer.status_code == 200, answer.text
        return client

    def holder(self, email: str = ADA, *roles: str) -> "Holder":
        """A program that holds the tokens of a new account."""
        self.account(email, *roles)
        return self.holder_of(email)

    def holder_of(self, email: str) -> "Holder":
        """A program that holds tokens of an account that exists."""
        client = self.program()
        tokens = sign_in(client, email, carrier="token").json()["tokens"]
        client.headers["authorization"] = f"Bearer {tokens['access_token']}"
        return Holder(client, tokens["access_token"], tokens["refresh_token"])

    def counts(self) -> tuple[int, int, int]:
        """How many accounts, sessions of accounts, and facts there are."""
        store = self.authority.store
        accounts = len(store.accounts(after=None, limit=10_000))
        return accounts, len(store.sessions(after=None, limit=10_000)), store.position()

    def close(self) -> None:
        """End everything."""
        self.visitors.close()
        self.authority.stop()


@dataclass(frozen=True)
class Holder:
    """A program with an access token in its Authorization header."""

    client: TestClient
    access: str
    refresh: str


Build = Callable[..., House]


def settings_in(folder: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings for a house in memory; only `overrides` differ from the defaults."""
    given = {"data": str(folder), "database": {"url": "memory://"}, **(overrides or {})}
    return load_settings(given, environ={}, directory=folder, embedded=True).with_extra_hosts("testserver")


def build(
    folder: Path, overrides: Mapping[str, Any] | None = None, *, routes: tuple[Route, ...] = ROUTES
) -> House:
    """A house with these settings and these routes."""
    settings, clock = settings_in(folder, overrides), TurnableClock()
    authority = Authority(settings, Machine(clock, SystemRandomness(), profile=CHEAP))
    authority.start()
    base = settings.issuer if settings.secure else "http://testserver"
    return House(authority, make_app(authority, routes=routes), clock, base)


def sign_in(client: TestClient, email: str = ADA, **more: Any) -> Response:
    """Ask for a sign-in with the right password, or another one in `more`."""
    return client.post("/api/sign-in", json={"email": email, "password": PASSWORD, **more})


def set_cookies(answer: Response) -> list[str]:
    """Every Set-Cookie header of an answer."""
    return answer.headers.get_list("set-cookie")


def session_cookie(client: TestClient) -> str:
    """The value of the session cookie that a client holds."""
    beside = ("-csrf", "-device")
    return next(cookie.value or "" for cookie in client.cookies.jar if not cookie.name.endswith(beside))


def is_problem(answer: Response, status: int, code: str) -> bool:
    """Whether an answer is problem details (RFC 9457) with this status and code."""
    body = answer.json()
    named = {"type", "title", "status", "code", "detail"} <= set(body)
    told = (answer.status_code, body.get("status"), body.get("code")) == (status, status, code)
    return named and told and answer.headers["content-type"] == "application/problem+json"
