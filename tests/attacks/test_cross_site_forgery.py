"""Forged cross-site requests (requirement F4) against each carrier, sign-in and sign-out included.

In Chromium from a stranger's site, from a sibling host, out of sandboxed frames and from another port of localhost;
without a browser as an old client that says nothing of where a request was started.
"""

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.attacks.victims import (
    ADA,
    CSRF,
    EVE,
    HELD_IN,
    IN_COOKIES,
    PASSWORD,
    Bank,
    Device,
    Seen,
    Town,
    ask_by_page,
    cookies_in,
    open_site,
    open_town,
)
from tests.servers import RunningServer

pytestmark = pytest.mark.needs("chromium")

TARGETS = [
    "/auth/api/sign-out",
    "/auth/sign-in",
    "/auth/api/sign-in",
    "/transfer",
    "/auth/sign-out",
    "/auth/sign-up",
    "/auth/api/sign-up",
    "/auth/api/visit",
    "/auth/api/password",
    "/auth/account/password",
    "/auth/account/sessions/end-others",
    "/auth/oauth/token",
]
PLACES = ("stranger", "sibling", "sandbox of a stranger", "sandbox on our own page")
REFUSED = {403, 405, 415}
FORGE = """async ([base, targets, email, password]) => {
  const fields = {email, password, current: password, new: password, grant_type: 'refresh_token', csrf: 'x'};
  const json = JSON.stringify({email, password});
  const form = (path, kind) => new Promise(done => {
    const frame = document.createElement('iframe');
    frame.name = 'to' + Math.random();
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, {action: base + path, method: 'post', enctype: kind, target: frame.name});
    // As text a single field is the JSON that the API reads.
    const named = kind === 'text/plain' ? {[json.slice(0, -1) + ',"x":"']: '"}'} : fields;
    for (const [name, value] of Object.entries(named))
      form.append(Object.assign(document.createElement('input'), {name, value}));
    document.body.append(form);
    frame.onload = done;
    form.submit();
  });
  const part = (kind, path) => new Promise(done => {
    const one = document.createElement(kind);
    one.onload = one.onerror = done;
    if (kind === 'link') Object.assign(one, {rel: 'stylesheet', href: base + path}); else one.src = base + path;
    document.body.append(one);
  });
  const send = (path, options) => fetch(base + path, {credentials: 'include', ...options}).catch(() => null);
  const kinds = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data'];
  const headers = {'content-type': 'application/json', 'x-csrf-token': 'x'};
  const simple = {method: 'POST', mode: 'no-cors', body: json};
  const post = (path, kind) => send(path, {...simple, headers: {'content-type': kind}});
  const write = method => send('/auth/api/sessions', {method, body: json, headers});
  await Promise.all([
    ...targets.flatMap(path => [form(path, kinds[0]), post(path, kinds[1]), part('img', path)]),
    // One of each sort with the other kinds, for frames and their errors are slow.
    ...targets.slice(0, 4).flatMap(path => [form(path, kinds[1]), form(path, kinds[2]), post(path, kinds[2])]),
    ...['script', 'link', 'iframe'].map(kind => part(kind, targets[0])),
    send(targets[0], {method: 'POST', body: json, headers}),
    ...['DELETE', 'PATCH', 'PUT'].map(write),
  ]);
  navigator.sendBeacon(base + targets[0]);
  await send('/auth/healthz', {mode: 'no-cors'});
}"""
SUBMIT = """([action, fields]) => {
  const form = Object.assign(document.createElement('form'), {action, method: 'post'});
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement('input'), {name, value}));
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The bank with two accounts, a sibling of it, a stranger and one browser."""
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        opened.bank.account(ADA)
        opened.bank.account(EVE)
        yield opened


def lure(page: Page, town: Town, place: str) -> Frame:
    """Lead the victim to a page of the attacker's; the frame in which the attacker's script runs."""
    frame = '<iframe sandbox="allow-scripts allow-forms" srcdoc="<body>Win</body>"></iframe>'
    match place:
        case "stranger":
            page.goto(town.stranger.publish("<body>Win</body>"))
        case "sibling":
            page.goto(town.sibling.publish("<body>Win</body>"))
        case "sandbox of a stranger":
            page.goto(town.stranger.publish(frame))
        case _:
            page.goto(f"{town.bank.url}/hole?said={frame}")
    return page.frames[1] if "sandbox" in place else page.main_frame


@contextmanager
def unharmed(page: Page, bank: Bank) -> Iterator[list[Seen]]:
    """What is tried in this block changes nothing for whoever is signed in; what arrived at the bank meanwhile."""
    other = bank.device().sign_in()
    before, signed_in = cookies_in(page, bank), list(town_sessions(bank))
    bank.transfers.clear()
    bank.place.seen.clear()
    arrived: list[Seen] = []
    yield arrived
    arrived += bank.place.seen
    assert cookies_in(page, bank) == before
    assert bank.transfers == []
    assert town_sessions(bank) == signed_in
    assert other.whoami() == ADA


def town_sessions(bank: Bank) -> list[str]:
    """Every session there is."""
    return sorted(view.session.id for view in bank.authority.store.sessions(after=None, limit=1000))


@pytest.mark.parametrize(
    ("carrier", "place"),
    [*(("cookie", place) for place in PLACES), *itertools.product(IN_COOKIES[1:], PLACES[:2])],
)
def test_no_page_of_somebody_else_acts_for_a_signed_in_person(town: Town, carrier: str, place: str) -> None:
    """By form of each kind, by fetch, by picture, link, script, frame and beacon: all arrive, none has an effect."""
    with town.victim(carrier) as page:
        attacker = lure(page, town, place)
        with unharmed(page, town.bank) as arrived:
            attacker.evaluate(FORGE, [town.bank.url, TARGETS, EVE, PASSWORD])
        writes = [one for one in arrived if one.method not in {"GET", "OPTIONS"}]
        assert {one.path for one in writes} == set(TARGETS)
        assert {one.status for one in writes} <= REFUSED, [one for one in writes if one.status not in REFUSED]
        assert {one.status for one in arrived if one.method == "OPTIONS"} == {405}
        assert {one.site for one in writes} == {"same-site" if place == "sibling" else "cross-site"}
        # From a sibling the cookies come along, whatever SameSite says: there only the headers tell.
        along = any(one.cookies >= HELD_IN[carrier] for one in writes)
        assert along is (place == "sibling")
        # And the person goes on: the same requests from a page of ours have their effect.
        page.goto(f"{town.bank.url}/blank")
        assert ask_by_page(page, "POST", "/transfer")[0] == 200
        assert ask_by_page(page, "POST", "/auth/api/sign-out")[0] == 204


@pytest.mark.parametrize("place", ["stranger", "sibling"])
def test_navigation_to_a_forged_post_is_refused(town: Town, place: str) -> None:
    """The whole window goes along with the form: 403, and nothing has happened."""
    fields = {"email": EVE, "password": PASSWORD}
    with town.victim("cookie") as page, unharmed(page, town.bank) as arrived:
        for path in ("/auth/sign-out", "/auth/sign-in", "/auth/sign-up", "/transfer"):
            attacker = lure(page, town, place)
            with page.expect_navigation(url=f"{town.bank.url}{path}"):
                attacker.evaluate(SUBMIT, [f"{town.bank.url}{path}", fields])
    assert [one.status for one in arrived if one.method == "POST"] == [403] * 4


@pytest.mark.parametrize("place", PLACES[:2])
def test_nobody_is_signed_in_by_a_page_of_somebody_else(town: Town, place: str) -> None:
    """Login forgery: a person who is not signed in does not become the attacker, nor get a visit."""
    with town.person() as page:
        attacker = lure(page, town, place)
        with unharmed(page, town.bank) as arrived:
            attacker.evaluate(FORGE, [town.bank.url, TARGETS, EVE, PASSWORD])
        assert cookies_in(page, town.bank) == {}
        assert {one.status for one in arrived if one.method == "POST"} <= REFUSED


def test_link_from_anywhere_changes_nothing(town: Town) -> None:
    """A click on a link brings the cookies along, and only ever reads."""
    with town.victim("cookie") as page, unharmed(page, town.bank) as arrived:
        for path in TARGETS[:6]:
            page.goto(town.stranger.publish(f'<a href="{town.bank.url}{path}">here</a>'))
            page.click("a")
            page.wait_for_url(f"{town.bank.url}{path}")
    clicks = [one for one in arrived if one.path in TARGETS]
    assert all(one.cookies >= HELD_IN["cookie"] for one in clicks)
    assert {one.status for one in clicks} <= {200, 404, 405}


def test_another_port_of_this_machine_is_somebody_else(town: Town, tmp_path: Path) -> None:
    """In development cookies go to every port of localhost; a page of another port still acts for nobody."""
    with ExitStack() as stack:
        server = stack.enter_context(RunningServer(tmp_path / "server"))
        others = [stack.enter_context(open_site(name, None)) for name in ("localhost", "127.0.0.1")]
        page = stack.enter_context(town.person())
        page.goto(f"{server.url}/sign-up")
        page.get_by_label("E-mail address").fill(ADA)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("main").get_by_role("button", name="Sign up").click()
        page.wait_for_url(f"{server.url}/account")
        before = page.context.cookies()
        targets = [path.removeprefix("/auth") for path in TARGETS if path.startswith("/auth")]
        for other in others:
            page.goto(other.publish("<body>Win</body>"))
            page.evaluate(FORGE.replace("/auth/", "/"), [server.url, targets, ADA, PASSWORD])
        assert page.context.cookies() == before
        page.goto(f"{server.url}/account")
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()


ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "application": ("/transfer", {}),
    "sign-out": ("/auth/api/sign-out", {}),
    "sign-out by form": ("/auth/sign-out", {"data": {}}),
    "end others by form": ("/auth/account/sessions/end-others", {"data": {}}),
    "sign-in": ("/auth/api/sign-in", {"json": {"email": EVE, "password": PASSWORD}}),
    "sign-in by form": ("/auth/sign-in", {"data": {"email": EVE, "password": PASSWORD}}),
}


def silent(device: Device) -> Device:
    """An old browser with the same cookies, which sends neither `Sec-Fetch-Site` nor `Origin`."""
    return device.bank.thief(device.jar)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_old_browser_without_the_token_is_refused(town: Town, carrier: str, act: str) -> None:
    """Neither header and a live cookie: 403 without a token, and with one that was made up or is somebody else's."""
    bank = town.bank
    ada, eve = bank.device().sign_in(carrier), bank.device().sign_in("cookie", EVE)
    path, more = ACTS[act]
    for shown in (None, "", "x" * 43, eve.jar[CSRF], ada.session_id):
        old = silent(ada)
        headers = {} if shown is None else {"x-csrf-token": shown}
        assert old.ask("POST", path, headers=headers, **more).status_code == 403, shown
    assert ada.whoami() == ADA
    answer = silent(ada).ask("POST", path, headers={"x-csrf-token": ada.jar[CSRF]}, **more)
    assert answer.status_code in {200, 204, 303}


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_planted_csrf_cookie_does_not_help_a_forger(town: Town, carrier: str) -> None:
    """Not a double submit: the attacker's own genuine token, in cookie and header alike, fits no other session."""
    bank = town.bank
    ada, eve = bank.device().sign_in(carrier), bank.device().sign_in(carrier, EVE)
    planted = silent(ada)
    planted.jar[CSRF] = eve.jar[CSRF]
    headers = {"x-csrf-token": eve.jar[CSRF]}
    assert planted.ask("POST", "/transfer", headers=headers).status_code == 403
    assert planted.ask("POST", "/auth/sign-out", data={"csrf": eve.jar[CSRF]}).status_code == 403
    assert ada.whoami() == ADA


@pytest.mark.parametrize("carrier", IN_COOKIES)
@pytest.mark.parametrize("visit", ["cookie", "sealed"])
def test_token_from_before_the_sign_in_is_useless_after_it(town: Town, carrier: str, visit: str) -> None:
    """Each session has its own: of a visit, of the session before, of another carrier."""
    bank = town.bank
    device = bank.device()
    assert device.ask("POST", "/auth/api/visit", json={"carrier": visit}).status_code == 201
    of_visit = device.jar[CSRF]
    device.sign_in()
    of_session = device.jar[CSRF]
    device.sign_in(carrier)
    assert len({of_visit, of_session, device.jar[CSRF]}) == 3
    for old in (of_visit, of_session):
        answer = silent(device).ask("POST", "/transfer", headers={"x-csrf-token": old})
        assert answer.status_code == 403
    own = {"x-csrf-token": device.jar[CSRF]}
    assert silent(device).ask("POST", "/transfer", headers=own).status_code == 200


def masked(device: Device) -> list[str]:
    """The token as the forms of our own account page hold it."""
    text = device.ask("GET", "/auth/account").text
    return re.findall(r'name="csrf" value="([^"]+)"', text)


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_field_of_our_forms_is_masked_anew_on_every_page(town: Town, carrier: str) -> None:
    """No two are alike and none shows the token, so compression tells nothing; each fits its own session only."""
    bank = town.bank
    ada, eve = bank.device().sign_in(carrier), bank.device().sign_in(carrier, EVE)
    fields = [*masked(ada), *masked(ada)]
    assert len(set(fields)) >= 2
    assert not [field for field in fields if ada.jar[CSRF] in bytes.fromhex(field).decode("latin-1")]
    path = "/auth/account/sessions/end-others"
    assert silent(ada).ask("POST", path, data={"csrf": masked(eve)[0]}).status_code == 403
    for field in (fields[0], fields[-1]):
        assert silent(ada).ask("POST", path, data={"csrf": field}).status_code == 303
    broken = fields[0][:-2] + ("00" if fields[0][-2:] != "00" else "11")
    assert silent(ada).ask("POST", path, data={"csrf": broken}).status_code == 403
    twice = f"csrf={fields[0]}&csrf={fields[0]}"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert silent(ada).ask("POST", path, content=twice, headers=kind).status_code == 400


def test_program_with_tokens_is_never_asked_for_one(town: Town) -> None:
    """A browser does not add an Authorization header by itself; a page that was started elsewhere is refused still."""
    program = town.bank.device().sign_in("token")
    program.says = {}
    assert program.ask("POST", "/transfer").status_code == 200
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "null"}, {"origin": town.sibling.url}):
        assert program.ask("POST", "/transfer", headers=headers).status_code == 403
