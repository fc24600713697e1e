"""One authority behind a real port, and every page of it by name: what the tests that look at pages walk through.

Owns the server in a thread of its own and who is signed in where. Looks at nothing itself.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page

from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.emails import parse_email
from gatepost.core.sessions import Carrier
from gatepost.testing.records import a_session
from gatepost.web.routes import ROUTES, Kind
from tests.browser import PATIENCE
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
        context.set_default_timeout(PATIENCE)
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


def crowd(house: House) -> tuple[str, ...]:
    """Fill every list that grows, in long names; the pages that show them."""
    people = _many(house)
    busy = people[0].id
    now, address = house.clock.now(), "2001:db8:1111:2222:3333:4444:5555:6666"
    device = "Mobile Safari UI/WKWebView on Windows Server"
    session = a_session(
        started_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(days=30),
        address=address,
        device=device,
        carrier=Carrier.TOKEN_COOKIE,
        pos=house.authority.store.position(),
    )
    of_whom = [*(one.id for one in people[1:]), *[busy] * 100]
    sessions = [
        replace(session, id=f"s{number:021}", handle=f"s{number}".encode(), account_id=account_id)
        for number, account_id in enumerate(of_whom)
    ]
    more = {"before": "member,support", "after": "member,support,admin", "by_session": "x" * 22}
    acts = [
        AuditRow(Event.ROLES_CHANGED, now, account_id, people[1].id, None, address, device, more)
        for account_id in (*(one.id for one in people[2:32]), *[busy] * 30)
    ]
    house.authority.commits.commit(Change(at=now, put=tuple(sessions), audit=tuple(acts)))
    queries = (
        "",
        f"?account={busy}",
        f"?q={busy}",
        "?q=user",
        "?q=2001:db8",
        "?role=admin&locked=false",
        "/trail",
    )
    return tuple(f"/admin{query}" for query in queries)


def _many(house: House) -> list[Account]:
    """200 accounts."""
    first = house.account(_longest("user000"), "member", "support", "admin")
    more = [
        replace(first, id=f"a{number:021}", email=parse_email(_longest(f"user{number:03}")), version=0)
        for number in range(1, 200)
    ]
    house.authority.commits.commit(Change(at=house.clock.now(), put=tuple(more)))
    return [first, *more]


def _longest(name: str) -> str:
    return f"{name:-<64}@{'.'.join(['d' * 60] * 2)}.example.com"


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
