"""What people do with the pages, in a real Chromium against a real server."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import person
from tests.servers import RunningServer

PASSWORD = "heron paints a quiet ladder"
NEW_PASSWORD = "seven lanterns cross the bay"

pytestmark = pytest.mark.needs("chromium")


def sign_up(page: Page, server: RunningServer, email: str) -> None:
    """Fill the sign-up form as a person would."""
    page.goto(f"{server.url}/sign-up")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page).to_have_url(f"{server.url}/account")


def sign_in(page: Page, server: RunningServer, email: str, password: str = PASSWORD) -> None:
    """Fill the sign-in form as a person would."""
    page.goto(f"{server.url}/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def become_administrator(page: Page, server: RunningServer, email: str) -> None:
    """Use the link of the banner."""
    assert server.invite_link is not None
    page.goto(server.invite_link)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Make the account").click()
    expect(page).to_have_url(f"{server.url}/admin")


def test_a_session_ended_in_one_browser_is_signed_out_in_the_other_on_its_next_click(
    server: RunningServer, browser: Browser
) -> None:
    """Two browsers of one person: each sees both, one ends the other, the other's next click asks to sign in."""
    with person(browser) as laptop, person(browser) as phone:
        sign_up(laptop, server, "ada@example.com")
        sign_in(phone, server, "ada@example.com")
        expect(phone).to_have_url(f"{server.url}/account")
        laptop.reload()
        expect(laptop.get_by_role("button", name="Sign out this one")).to_have_count(1)
        expect(laptop.get_by_role("heading", name=re.compile("Chrom.* on Linux"))).to_have_count(2)
        laptop.get_by_role("button", name="Sign out this one").click()
        expect(laptop.get_by_text("That session is signed out.")).to_be_visible()
        phone.get_by_role("link", name="Account").click()
        expect(phone).to_have_url(re.compile(r"/sign-in\?next=/account$"))
        laptop.reload()
        expect(laptop.get_by_role("heading", name="Your account")).to_be_visible()


def test_everything_works_without_javascript(server: RunningServer, browser: Browser) -> None:
    """Sign up, change the password, sign out and in again with scripts switched off."""
    with person(browser, scripts=False, width=360) as page:
        sign_up(page, server, "grace@example.com")
        page.get_by_label("Current password").fill(PASSWORD)
        page.get_by_label("New password").fill(NEW_PASSWORD)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text("Your password is changed")).to_be_visible()
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_url(f"{server.url}/")
        sign_in(page, server, "grace@example.com")
        expect(page.get_by_role("alert")).to_contain_text("do not match an account")
        sign_in(page, server, "grace@example.com", NEW_PASSWORD)
        expect(page).to_have_url(f"{server.url}/account")


def test_the_banner_link_makes_one_administrator_and_is_then_used_up(
    server: RunningServer, browser: Browser
) -> None:
    """The one-time link signs its first user in as administrator; whoever opens it later is told how to get another."""
    with person(browser) as first, person(browser) as second:
        become_administrator(first, server, "boss@example.com")
        assert server.invite_link is not None
        second.goto(server.invite_link)
        expect(second.get_by_text("gatepost account invite --role admin")).to_be_visible()
    server.restart()
    assert server.invite_link is None


def test_an_account_locked_by_the_administrator_is_signed_out_on_its_next_click(
    server: RunningServer, browser: Browser
) -> None:
    """The administrator locks with one button; the customer is out, cannot sign in again, and others notice nothing."""
    with person(browser) as boss, person(browser) as customer, person(browser) as other:
        become_administrator(boss, server, "boss@example.com")
        sign_up(customer, server, "customer@example.com")
        sign_up(other, server, "other@example.com")
        boss.goto(f"{server.url}/admin")
        boss.get_by_role("row").filter(has_text="customer@example.com").get_by_role(
            "button", name=re.compile("^Lock")
        ).click()
        expect(boss.get_by_text("In force everywhere")).to_be_visible()
        customer.reload()
        expect(customer).to_have_url(re.compile("/sign-in"))
        sign_in(customer, server, "customer@example.com")
        expect(customer.get_by_role("alert")).to_contain_text("do not match an account")
        other.reload()
        expect(other.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_person_who_is_no_administrator_is_told_so(server: RunningServer, browser: Browser) -> None:
    """`/admin` answers a member with 403 and words, not with the page."""
    with person(browser) as page:
        sign_up(page, server, "member@example.com")
        response = page.goto(f"{server.url}/admin")
        assert response is not None
        assert response.status == 403
        expect(page.get_by_text("not allowed to do this")).to_be_visible()


def test_the_pages_can_be_used_with_the_keyboard_alone(server: RunningServer, browser: Browser) -> None:
    """Type, tab, enter: nobody needs a pointer to sign up and to sign out."""
    with person(browser) as page:
        page.goto(f"{server.url}/sign-up")
        page.keyboard.type("keys@example.com")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{server.url}/account")
        page.get_by_role("button", name="Sign out", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{server.url}/")


def test_no_page_breaks_its_own_content_security_policy(server: RunningServer, browser: Browser) -> None:
    """Every page loads its style sheet and nothing is reported as blocked; no page names a script elsewhere."""
    with person(browser) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        hosts: set[str] = set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        become_administrator(page, server, "boss@example.com")
        for path in ("/", "/sign-in", "/sign-up", "/account", "/admin", "/docs"):
            page.goto(server.url + path)
            assert page.locator("script[src]").count() == 0
            assert page.evaluate("getComputedStyle(document.body).fontFamily") != "Times"
        assert complaints == []
        assert hosts == {server.url.split("/")[2]}
