"""How every page looks and behaves in a real Chromium: for everybody, at every size, without a jump."""

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from gatepost.core.emails import parse_email
from gatepost.core.passwords import Accepted, decide_password
from tests.browser import chromium
from tests.system.walked_pages import Site, crowd, opened
from tests.web.house import PASSWORD

pytestmark = pytest.mark.needs("chromium")

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
STYLE = files("gatepost.web").joinpath("static", "gatepost.css")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LARGEST_PAGE = 60_000
SHIFTS = """
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.shifted = (window.shifted || 0) + one.value;
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all of this."""
    with opened(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def site_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, tuple[str, ...]]]:
    """A site with full lists, and the pages that show them."""
    with opened(tmp_path_factory.mktemp("full")) as running:
        yield running, crowd(running.house)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all of this."""
    with chromium(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(site: Site, browser: Browser) -> Iterator[Page]:
    """The administrator's browser."""
    with site.visited(browser) as page:
        yield page


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page, each with the element it is about."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def too_wide(page: Page) -> list[str]:
    """The elements that stick out of the window to the right."""
    return page.evaluate("""() => {
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= width) return [];
      return [...document.body.querySelectorAll("*")]
        .filter((one) => one.getBoundingClientRect().right > width + 0.5)
        .map((one) => one.outerHTML.slice(0, 120));
    }""")


def sticking_out(page: Page) -> list[str]:
    """The cells of tables that are too narrow for what is in them."""
    return page.evaluate("""() => [...document.querySelectorAll("td, th:not(:has(.unseen))")]
        .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.outerHTML.slice(0, 200))""")


def next_stop(page: Page) -> dict[str, Any]:
    """What the next Tab reaches, once it has come into the window; `place` is 0 or less for none."""
    page.keyboard.press("Tab")
    page.wait_for_function("""() => {
      const box = document.activeElement.getBoundingClientRect();
      return document.activeElement === document.body || (box.top >= 0 && box.bottom <= innerHeight && box.width > 0);
    }""")
    return page.evaluate("""() => {
      const one = document.activeElement, style = getComputedStyle(one);
      const place = one === document.body ? -1 : [...document.querySelectorAll("*")].indexOf(one);
      return {place, text: one.textContent,
              outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
    }""")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(site: Site, signed_in: Page, scheme: Any) -> None:
    """Contrast, names, landmarks, headings, sizes of targets: WCAG 2.2 AA and good practice."""
    signed_in.emulate_media(color_scheme=scheme)
    for path in site.paths:
        signed_in.goto(site.url + path)
        assert violations(signed_in) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_a_refused_form(site: Site, browser: Browser, scheme: Any) -> None:
    """Messages beside fields and above them, and what a stranger sees, in German."""
    with site.strange(browser, color_scheme=scheme, locale="de-DE") as page:
        for path, button in (("/sign-in", "Anmelden"), ("/sign-up", "Registrieren")):
            page.goto(site.url + path)
            page.fill("#email", "no address")
            page.fill("#password", "short")
            with page.expect_navigation():
                page.get_by_role("main").get_by_role("button", name=button).click()
            assert violations(page) == [], path
        page.goto(site.url + "/")
        assert violations(page) == []


def test_page_is_two_requests_and_60_kilobytes(site: Site, browser: Browser) -> None:
    """The page and its style sheet, from this server alone. A live page's stream comes later, and the icon, which a
    browser keeps for a year, once. What only leads on to a page is none."""
    with site.visited(browser) as page:
        sent: list[Request] = []
        sizes: dict[str, int] = {}
        page.on("request", lambda request: sent.extend([request]))
        page.on(
            "requestfinished",
            lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}),
        )
        for path in site.paths:
            sent.clear()
            sizes.clear()
            page.goto(site.url + path)
            urls = [request.url for request in sent if request.redirected_to is None]
            files = [url for url in urls if not re.search("/admin/live|/static/gatepost.svg", url)]
            assert len(files) <= 2, (path, files)
            assert all(request.url.startswith(f"{site.url}/") for request in sent), path
            assert re.fullmatch(r".*/static/gatepost\.css\?v=[0-9a-f]{16}", files[-1]), path
            style = len(page.request.get(files[-1]).body())
            assert len(page.request.get(site.url + path).body()) + style < LARGEST_PAGE, path


@pytest.mark.parametrize("language", ["en", "de"])
def test_full_page_is_far_below_60_kilobytes(
    site_of_many: tuple[Site, tuple[str, ...]], browser: Browser, language: str
) -> None:
    """Lists of 200 accounts with the longest names, and an account with 100 sessions: page, its script, style sheet
    and icon together."""
    site, paths = site_of_many
    with site.visited(browser, locale=language) as page:
        fetched = ("gatepost.css", "gatepost.svg")
        beside = sum(len(page.request.get(f"{site.url}/static/{name}").body()) for name in fetched)
        for path in paths:
            answer = page.request.get(site.url + path, headers={"accept-language": language})
            assert f'<html lang="{language}"' in answer.text()
            assert len(answer.body()) + beside < LARGEST_PAGE - 4_000, path


def test_style_sheet_is_sent_without_a_rule_lost(site: Site, browser: Browser) -> None:
    """Comments and blanks stay here; what a browser reads is what is written, and then the brand's colours."""
    rules = """(text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return [...sheet.cssRules].map((rule) => rule.cssText.replaceAll(", ", ","));
    }"""
    with site.strange(browser) as page:
        page.goto(site.url)
        sent = page.request.get(f"{site.url}/static/gatepost.css").text()
        written, read = page.evaluate(rules, STYLE.read_text()), page.evaluate(rules, sent)
    assert (read[:-2], len(read)) == (written, len(written) + 2)
    assert "/*" not in sent


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_on_a_page_moves_while_it_loads(site: Site, browser: Browser, width: int) -> None:
    """Cumulative layout shift is nothing anybody could see: a hundredth of what counts as good (0.1)."""
    with site.visited(browser, viewport={"width": width, "height": 740}) as page:
        page.add_init_script(SHIFTS)
        for path in site.paths:
            page.goto(site.url + path)
            page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            # Not 0: a busy machine may paint half a page first, and half a pixel is rounded differently then.
            assert page.evaluate("window.shifted || 0") < 0.001, path


@pytest.mark.parametrize(
    ("width", "locale"), [(320, "en-GB"), (360, "de-DE"), (640, "de-DE"), (1280, "de-DE")]
)
def test_no_page_is_wider_than_its_window(site: Site, browser: Browser, width: int, locale: str) -> None:
    """At the width of a phone, of a window zoomed to 200 and 400 percent, and with letters of twice the size."""
    with site.visited(browser, viewport={"width": width, "height": 740}, locale=locale) as page:
        for path in site.paths:
            page.goto(site.url + path)
            assert too_wide(page) == [], path
            assert sticking_out(page) == [], path
            if width >= 640:
                page.evaluate("document.documentElement.style.fontSize = '200%'")
                assert too_wide(page) == [], path


def test_tab_visits_everything_in_order_and_shows_where_it_is(site: Site, signed_in: Page) -> None:
    """The way past the header comes first; each stop has an outline and is in the window; the order is the page's."""
    for path in ("/", "/account", "/docs"):
        signed_in.goto(site.url + path)
        stops: list[dict[str, Any]] = []
        while (stop := next_stop(signed_in))["place"] > (stops[-1]["place"] if stops else 0):
            assert stop["outline"], (path, stop)
            stops.append(stop)
        assert stops[0]["text"] == "Skip to the content", path
        every = signed_in.locator("a, button, summary, input:not([type=hidden], [hidden])").count()
        assert len(stops) == every, path


def test_skip_link_leads_past_the_header(site: Site, signed_in: Page) -> None:
    """After it the next stop is in the page's own part."""
    signed_in.goto(f"{site.url}/account")
    signed_in.keyboard.press("Tab")
    signed_in.keyboard.press("Enter")
    signed_in.keyboard.press("Tab")
    assert signed_in.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_whoever_wants_no_motion_sees_none(site: Site, browser: Browser) -> None:
    """No transition and no animation runs."""
    durations = "getComputedStyle(document.querySelector('.button')).transitionDuration"
    for motion, said in (("no-preference", "0.12s"), ("reduce", "0s")):
        with site.strange(browser, reduced_motion=motion) as page:
            page.goto(site.url)
            assert page.evaluate(durations).split(",")[0] == said


def test_nothing_to_press_is_printed(site: Site, signed_in: Page) -> None:
    """On paper stands what was said and what there is: no button, no menu, no field."""
    for path in ("/account", "/admin", site.paths[-4]):
        signed_in.goto(site.url + path)
        signed_in.emulate_media(media="print")
        pressed = signed_in.locator("button, .button, nav a, input[type=password]")
        assert [one.inner_text() for one in pressed.all() if one.is_visible()] == [], path
        assert signed_in.locator("h1").is_visible()
        signed_in.emulate_media(media="screen")


def test_language_is_changed_by_a_link_and_stays(site: Site, browser: Browser) -> None:
    """On the page where it was, and on every page after it."""
    with site.strange(browser) as page:
        page.goto(f"{site.url}/sign-in?next=/account")
        page.get_by_role("link", name="Deutsch").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.locator("input[name=next]")).to_have_value("/account")
        page.get_by_role("main").get_by_role("link", name="Registrieren").click()
        expect(page.get_by_role("heading", name="Registrieren")).to_be_visible()


PASSWORDS = [
    ("", ""),
    ("a", "more"),
    ("fourteen signs", "one"),
    ("cafe\u0301 au lait x", "one"),
    ("fifteen signs !", "enough"),
    ("cafe\u0301 au lait xx", "enough"),
    ("👪👪👪 on the far", "one"),
    ("👪👪👪 on the fars", "enough"),
    ("abcdefghijklmnop", "sequence"),
    ("QWERTZUIOPASDFGH", "sequence"),
    ("9876543210987654", "sequence"),
    ("aabbccddeeffgghh", "sequence"),
    ("aaaaaaaaaaaaaaaa", "sequence"),
    ("abc1abc1abc1abc1", "repeated"),
    ("ab ab ab ab ab ab", "repeated"),
    ("someone@example.com", "own"),
    ("x" * 1025, "long"),
    ("ß" * 513, "long"),
    ("passwordpassword", "enough"),
    (PASSWORD, "enough"),
]


def test_guide_says_what_the_server_will_say(site: Site, browser: Browser) -> None:
    """While somebody types, and without sending anything; what it refuses the server refuses, and it never says less
    is needed than the server asks for in length."""
    rules, email = site.house.authority.accounts._policy.rules, "someone@example.com"
    with site.strange(browser) as page:
        page.goto(f"{site.url}/sign-up")
        page.fill("#email", email)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        for password, verdict in PASSWORDS:
            page.fill("#password", password)
            assert page.locator(".guide").get_attribute("data-verdict") == verdict, password[:20]
            accepted = isinstance(decide_password(rules, password, parse_email(email)), Accepted)
            assert verdict == "enough" or not accepted, password[:20]
        page.fill("#password", "fourteen signs")
        expect(page.locator(".guide p")).to_have_text("One more character.")
        page.fill("#password", "twelve signs")
        expect(page.locator(".guide p")).to_have_text("3 more characters.")
        assert sent == []


def test_password_is_shown_to_whoever_asks(site: Site, browser: Browser) -> None:
    """A box to tick, by pointer or keyboard; what is sent is of a password field again, so that it may be kept."""
    with site.strange(browser) as page:
        page.goto(f"{site.url}/sign-up")
        page.fill("#password", "short")
        box, field = page.get_by_label("Show what I type"), page.locator("#password")
        box.check()
        expect(field).to_have_attribute("type", "text")
        box.press("Space")
        expect(field).to_have_attribute("type", "password")
        box.check()
        page.evaluate("document.forms[0].addEventListener('submit', (sent) => sent.preventDefault())")
        field.press("Enter")
        expect(field).to_have_attribute("type", "password")


def test_guide_is_not_there_where_no_script_runs(site: Site, browser: Browser) -> None:
    """No empty bar, no button that does nothing; the form is whole."""
    with site.strange(browser, java_script_enabled=False) as page:
        page.goto(f"{site.url}/sign-up")
        expect(page.locator(".guide")).to_be_hidden()
        expect(page.locator(".reveal")).to_be_hidden()
        expect(page.get_by_label("Password")).to_be_visible()
        expect(page.get_by_text("At least 15 characters.")).to_be_visible()
