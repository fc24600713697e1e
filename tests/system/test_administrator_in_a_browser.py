"""An administrator at work, in Chromium and against two worker processes: live, without script, with the keyboard."""

import re
import time
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium, person
from tests.servers import STEADY, RunningServer

PASSWORD = "three or four words do it"
BOSS, CUSTOMER = "boss@example.com", "customer@example.com"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The machine's Chromium."""
    with chromium(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers on one database, with an administrator."""
    folder = tmp_path_factory.mktemp("served")
    with RunningServer(folder, "--workers", "2", environment=STEADY) as running:
        assert running.invite_link is not None
        with httpx2.Client(timeout=20) as client:
            form = {"email": BOSS, "password": PASSWORD}
            assert client.post(running.invite_link, data=form).status_code == 303
        yield running


def enter(page: Page, server: RunningServer) -> None:
    """Sign in as the administrator."""
    page.goto(f"{server.url}/sign-in?next=/admin")
    page.get_by_label("E-mail").fill(BOSS)
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name=re.compile("^Sign in")).click()
    expect(page).to_have_url(f"{server.url}/admin")


def customer_signs_up(server: RunningServer, email: str) -> str:
    """The access token of a new account."""
    body = {"email": email, "password": PASSWORD, "carrier": "token"}
    answer = httpx2.post(f"{server.url}/api/sign-up", json=body, timeout=20)
    return str(answer.json()["tokens"]["access_token"])


def status_of(server: RunningServer, token: str) -> int:
    """What a token is answered with."""
    headers = {"authorization": f"Bearer {token}"}
    return httpx2.get(f"{server.url}/api/session", headers=headers, timeout=20).status_code


def test_an_administrator_sees_it_happen_and_locks(server: RunningServer, browser: Browser) -> None:
    """The customer appears without a click; after the lock both workers have confirmed and the token is dead."""
    with person(browser) as page:
        troubles: list[str] = []
        page.on("console", lambda said: troubles.append(said.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        enter(page, server)
        expect(page.locator("#freshness")).to_contain_text("Live")
        token = customer_signs_up(server, CUSTOMER)
        row = page.locator("#present").get_by_role("row").filter(has_text=CUSTOMER)
        expect(row).to_be_visible()
        expect(page.locator("#happened")).to_contain_text(CUSTOMER)
        expect(page.locator("#present .this:visible")).to_have_count(1)
        row.get_by_role("link").click()
        page.get_by_role("button", name="Lock account").click()
        receipt = page.locator(".receipt.in_force")
        expect(receipt).to_contain_text(re.compile(r"confirmed in \d+ ms"))
        expect(receipt.get_by_role("listitem")).to_have_count(2)
        assert status_of(server, token) == 401
        expect(page.locator(".timeline")).to_contain_text("Account locked")
        assert troubles == []


def test_a_form_is_pending_until_the_servers_have_confirmed(server: RunningServer, browser: Browser) -> None:
    """What is shown while the answer is under way; the answer replaces it."""
    customer_signs_up(server, "pending@example.com")
    with person(browser) as page:
        enter(page, server)
        page.goto(f"{server.url}/admin?q=pending@example.com")
        page.evaluate("document.addEventListener('submit', (event) => event.preventDefault())")
        expect(page.locator("#pending")).to_be_hidden()
        page.get_by_role("button", name=re.compile("^Lock")).click()
        expect(page.locator("#pending")).to_be_visible()


def test_it_all_works_without_script(server: RunningServer, browser: Browser) -> None:
    """Look again by a link, find, see what roles will do, give them, end a session: each is a page."""
    token = customer_signs_up(server, "plain@example.com")
    with person(browser, scripts=False, width=360) as page:
        enter(page, server)
        page.get_by_role("link", name="Look again").click()
        page.get_by_role("searchbox").fill("plain@")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="plain@example.com").first.click()
        page.get_by_label("support").check()
        page.get_by_role("button", name="See what that does").click()
        expect(page.get_by_text("+ support")).to_be_visible()
        page.get_by_role("button", name="Save roles").click()
        expect(page.locator(".receipt.in_force")).to_be_visible()
        assert status_of(server, token) == 401
        page.get_by_role("button", name=re.compile("^End this one")).click()
        expect(page.get_by_text("Ended: the session of plain@example.com using")).to_be_visible()
        expect(page.get_by_role("heading", level=1, name="plain@example.com")).to_be_visible()
        expect(page.locator(".receipt.in_force")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_rows_keep_still_while_they_are_in_use(server: RunningServer, browser: Browser) -> None:
    """No row slips away under the pointer; when it leaves, what happened meanwhile is shown."""
    with person(browser) as page:
        enter(page, server)
        expect(page.locator("#freshness")).to_contain_text("Live")
        first = page.locator("#present tr").first
        before = first.get_attribute("data-session")
        first.hover()
        customer_signs_up(server, "late@example.com")
        expect(page.locator("#happened")).to_contain_text("late@example.com")
        assert page.locator("#present tr").first.get_attribute("data-session") == before
        expect(page.locator("#freshness")).to_contain_text("Held still while you point")
        page.mouse.move(5, 5)
        expect(page.locator("#present")).to_contain_text("late@example.com")
        expect(page.locator("#freshness")).to_contain_text("Live")


def test_an_open_page_does_not_hold_up_the_end_of_the_server(server: RunningServer, browser: Browser) -> None:
    """With a live page open it ends within seconds, and the page goes on by itself with the next server."""
    with person(browser) as page:
        enter(page, server)
        expect(page.locator("#freshness")).to_contain_text("Live")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() < began + 10
        server.start()
        customer_signs_up(server, "after@example.com")
        expect(page.locator("#present")).to_contain_text("after@example.com")
