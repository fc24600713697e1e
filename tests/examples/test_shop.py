"""The shop made of pages: a visitor's cart that survives sign-in, in a browser that runs no script."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from tests.browser import person
from tests.examples.applications import ROOT, running
from tests.examples.staged import Staged, staged

SHOP = ROOT / "examples/shop.py"
ADA = "ada@example.com"
PASSWORD = "violet kettle hums at noon"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Staged]:
    """The shop, open."""
    with staged("shop", tmp_path) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, shop: Staged) -> Iterator[Page]:
    """Somebody who looks in, without scripts."""
    with person(browser, scripts=False) as opened:
        opened.goto(shop.url)
        yield opened


def put(page: Page, *goods: str) -> None:
    """Put goods into the cart, one press of a button each."""
    for one in goods:
        page.get_by_role("button", name=f"Add {one}").click()


def cart(page: Page) -> list[str]:
    """The lines of the cart as they are shown."""
    lines = page.locator("h2:has-text('Your cart') + ul li span:first-child")
    return lines.all_text_contents()


def enter(page: Page, link: str) -> None:
    """Follow a link to a form of Gatepost's, fill it in, send it."""
    page.get_by_role("link", name=link, exact=True).first.click()
    page.locator("input[name=email]").fill(ADA)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")


def test_shop_is_shorter_than_a_hundred_lines() -> None:
    """Pages, cart and order of a shop fit on two screens."""
    assert len(SHOP.read_text().splitlines()) < 100


@pytest.mark.needs("chromium")
def test_a_visitors_cart_survives_the_sign_up_and_is_ordered(shop: Staged, page: Page) -> None:
    """From the first press of a button to the order: the cart is where it was, and who signs up is back in the shop."""
    assert page.context.cookies() == []
    put(page, "lamp", "oar", "lamp")
    assert cart(page) == ["2 × lamp", "1 × oar"]
    visit = session_cookie(page)
    enter(page, "sign up")
    assert page.url == f"{shop.url}/"
    assert cart(page) == ["2 × lamp", "1 × oar"]
    assert session_cookie(page) != visit, "whoever had planted the visit's cookie would be signed in too"
    page.get_by_role("button", name="Order").click()
    assert page.get_by_role("status").text_content() == f"Thank you, {ADA}. Order 1 is on its way."
    assert cart(page) == []
    [(_, ordered)] = shop.module.orders
    assert ordered == {"lamp": 2, "oar": 1}


@pytest.mark.needs("chromium")
def test_carts_of_before_and_after_a_sign_in_become_one(shop: Staged, page: Page) -> None:
    """Who signs in again in the same browser keeps both; who signs out leaves nothing behind."""
    put(page, "lamp")
    enter(page, "sign up")
    put(page, "oar")
    page.goto(f"{shop.url}/auth/sign-in?next=/")
    page.locator("input[name=email]").fill(ADA)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    assert cart(page) == ["1 × lamp", "1 × oar"]
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{shop.url}/"
    assert cart(page) == []
    assert page.get_by_role("link", name="Sign in").count() == 1


@pytest.mark.needs("chromium")
def test_who_was_signed_out_elsewhere_goes_on_as_a_visitor(shop: Staged, page: Page) -> None:
    """The page still opens, the old cart is not shown, and the next thing starts a new one."""
    put(page, "lamp")
    enter(page, "sign up")
    shop.trial.revoke_account(ADA)
    page.reload()
    assert cart(page) == []
    assert page.get_by_text(ADA).count() == 0
    put(page, "oar")
    assert cart(page) == ["1 × oar"]


def test_shop_starts_as_its_first_lines_say(tmp_path: Path) -> None:
    """By uvicorn; another site's form, or what is not sold, changes nothing; a stranger orders nothing."""
    with (
        running(SHOP, tmp_path) as url,
        httpx2.Client(timeout=20, base_url=url, headers={"Origin": url}) as client,
    ):
        foreign = client.post("/cart", data={"item": "lamp"}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert client.post("/cart", data={"item": "<b>"}).status_code == 303
        assert "Nothing yet." in client.get("/").text
        assert client.post("/order").status_code == 401
        for _ in range(100):
            client.post("/cart", data={"item": "lamp"})
        assert "99 × lamp" in client.get("/").text


def session_cookie(page: Page) -> str:
    """The opaque cookie, which no script could read."""
    [cookie] = [one for one in page.context.cookies() if one["name"] == "gatepost"]
    assert cookie["httpOnly"]
    return cookie["value"]
