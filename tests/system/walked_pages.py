"""One authority behind a real port, and every page of it by name: what the tests that look at pages walk through.

Owns the server in a thread of its own and who is signed in where. Looks at nothing itself.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page

from gatepost.web.routes import ROUTES, Kind
from tests.web.house import ADA, PASSWORD, House, build

BOSS = "boss@example.com"
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
)


@dataclass(frozen=True)
class Site:
    """A house that a browser can visit."""

    house: House
    url: str
    paths: tuple[str, ...]

    @contextmanager
    def visited(self, browser: Browser, **options: Any) -> Iterator[Page]:
        """A page in a fresh profile that is signed in as the administrator."""
        with closing(self._context(browser, options)) as context:
            page = context.new_page()
            page.goto(f"{self.url}/sign-in")
            page.fill("#email", BOSS)
            page.fill("#password", PASSWORD)
            with page.expect_navigation():
                page.keyboard.press("Enter")
            yield page

    @contextmanager
    def strange(self, browser: Browser, **options: Any) -> Iterator[Page]:
        """A page in a fresh profile of nobody."""
        with closing(self._context(browser, options)) as context:
            yield context.new_page()

    def _context(self, browser: Browser, options: dict[str, Any]) -> BrowserContext:
        context = browser.new_context(
            **{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
        )
        context.set_default_timeout(20_000)
        return context


@contextmanager
def opened(folder: Path) -> Iterator[Site]:
    """A site with an administrator who is signed in at several places."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        house = build(folder, {"server": {"port": port}})
        server = uvicorn.Server(uvicorn.Config(house.app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Site(house, f"http://localhost:{port}", _furnished(house))
        finally:
            server.should_exit = True
            # A live page holds its stream open as long as it likes.
            server.force_exit = True
            thread.join()
            house.close()


def _furnished(house: House) -> tuple[str, ...]:
    """The path of every page, once there is something on it."""
    house.account(ADA)
    boss = house.account(BOSS, "admin", "member")
    for agent in AGENTS:
        house.browser(**{"user-agent": agent}).post(
            "/api/sign-in", json={"email": BOSS, "password": PASSWORD}
        )
    known = {
        "{secret}": house.authority.accounts.invite("admin", "test").reveal(),
        "{account_id}": house.authority.accounts.find(ADA).id,
        "{kid}": house.authority.keys.listed()[0].id,
    }
    paths = [route.path for route in ROUTES if route.kind is Kind.PAGE and route.method == "GET"]
    for name, value in known.items():
        paths = [path.replace(name, value) for path in paths]
    return (*paths, f"/admin?account={boss.id}", "/admin?q=nobody-at-all", "/invite/none", "/nothing")
