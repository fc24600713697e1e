"""Tokens in cookies in a real Chromium, at an application of one's own: much at once, two tabs, going back, leaving."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import person
from tests.races.applications import ACCESS, PASSWORD, RenewingApplication

pytestmark = pytest.mark.needs("chromium")

SIGN_UP = """async ([email, password]) => (await fetch("/auth/api/sign-up", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({email, password, carrier: "token-cookie"})
})).json()"""
MANY = "paths => Promise.all(paths.map(async path => (await fetch(path)).status))"
BEGIN = "paths => { for (const path of paths) fetch(path).catch(() => {}) }"


@pytest.fixture
def application(tmp_path: Path) -> Iterator[RenewingApplication]:
    """An application in a process of its own."""
    with RenewingApplication(tmp_path / "application") as running:
        yield running
    assert "Traceback" not in running.journal


@pytest.fixture
def page(browser: Browser, application: RenewingApplication) -> Iterator[Page]:
    """A page of the application whose person is signed in."""
    with person(browser) as opened:
        opened.goto(application.url)
        body: dict[str, Any] = opened.evaluate(SIGN_UP, ["ada@example.com", PASSWORD])
        assert set(body) == {"account", "session"}
        yield opened


def end_access(page: Page) -> None:
    """What the end of an access token comes down to: the browser shows the refresh token alone."""
    page.context.clear_cookies(name=ACCESS)


def status_of(page: Page, path: str) -> int:
    """What a request of this page is answered."""
    [status] = page.evaluate(MANY, [path])
    assert isinstance(status, int)
    return status


def test_scripts_see_no_token_and_twenty_requests_rotate_once(
    page: Page, application: RenewingApplication
) -> None:
    """The cross-site token is all that scripts can read; twenty requests at once all pass, with one rotation."""
    names = {pair.partition("=")[0] for pair in page.evaluate("document.cookie").split("; ")}
    assert names == {"gatepost-csrf"}
    for number in (1, 2):
        end_access(page)
        assert page.evaluate(MANY, ["/me", "/slow"] * 10) == [200] * 20
        assert application.rotations() == [number]
    assert page.evaluate(MANY, ["/me"] * 5) == [200] * 5
    assert application.rotations() == [2]


def test_two_tabs_renew_beside_each_other(page: Page, application: RenewingApplication) -> None:
    """Whichever tab's answer comes last, both go on; the slow one of an earlier generation signs nobody out."""
    with page.context.new_page() as tab:
        tab.goto(application.url)
        for number in (1, 2, 3):
            end_access(page)
            page.evaluate(BEGIN, ["/slow", "/slow"])
            assert status_of(tab, "/me") == 200
            assert status_of(page, "/slow") == 200
            assert application.rotations() == [number]
        assert [status_of(one, "/me") for one in (page, tab)] == [200, 200]


def test_going_back_shows_a_signed_in_page(page: Page, application: RenewingApplication) -> None:
    """Pages that were renewed on the way are asked for again, with the cookies of now."""
    for _ in range(2):
        end_access(page)
        page.goto(f"{application.url}/page")
        page.goto(application.url)
    end_access(page)
    answer = page.go_back()
    assert answer is not None
    assert (answer.url, answer.status) == (f"{application.url}/page", 200)
    page.go_forward()
    assert status_of(page, "/me") == 200


def test_leaving_before_the_answer_signs_nobody_out(page: Page, application: RenewingApplication) -> None:
    """Links clicked one after the other and a tab closed meanwhile: what was renewed may be lost, the person is not."""
    for _ in range(3):
        end_access(page)
        page.evaluate(BEGIN, ["/slow"] * 4)
        page.goto(application.url)
        assert status_of(page, "/me") == 200
    end_access(page)
    tab = page.context.new_page()
    tab.goto(application.url)
    tab.evaluate(BEGIN, ["/slow"])
    tab.close()
    end_access(page)
    assert status_of(page, "/me") == 200
