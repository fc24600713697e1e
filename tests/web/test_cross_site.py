"""Forged cross-site requests: the whole table of Fetch Metadata, Origin, cookie and token, at every endpoint."""

import itertools
from dataclasses import dataclass

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.carriers.cookie import csrf_token, mask
from gatepost.machine import SystemRandomness
from gatepost.web.cross_site import Foreign, Ours, Unsaid, decide_cross_site
from tests.web.house import ADA, DEAD, PASSWORD, Build, House, is_problem, session_cookie

OURS = "http://testserver"
FOREIGN = "https://evil.example"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Act:
    """Something that changes state: what is asked, and what a request that is let in answers."""

    method: str
    path: str
    body: object = None
    form: dict[str, str] | None = None
    let_in: tuple[int, ...] = (200, 201, 204)

    def send(self, client: TestClient, headers: list[tuple[str, str]]) -> Response:
        """Ask, with exactly these headers."""
        if self.form is not None:
            return client.request(self.method, self.path, data=self.form, headers=headers)
        return client.request(self.method, self.path, json=self.body, headers=headers)


CREDENTIALS = {"email": ADA, "password": PASSWORD}
NEWCOMER = {"email": "new@example.com", "password": PASSWORD}
ACTS = {
    "visit": Act("POST", "/api/visit", {}),
    "sign-up": Act("POST", "/api/sign-up", NEWCOMER),
    "sign-in": Act("POST", "/api/sign-in", CREDENTIALS),
    "sign-out": Act("POST", "/api/sign-out"),
    "delete": Act("DELETE", "/api/sessions"),
    "patch": Act("PATCH", "/api/session/data", {"a": 1}),
    "password": Act("POST", "/api/password", {"current": "no", "new": "no"}, let_in=(401,)),
    "form sign-in": Act("POST", "/sign-in", form=CREDENTIALS, let_in=(303,)),
    "form sign-up": Act("POST", "/sign-up", form=NEWCOMER, let_in=(303,)),
    "form sign-out": Act("POST", "/sign-out", form={}, let_in=(303,)),
    "form end": Act("POST", "/account/sessions/end-others", form={}, let_in=(303,)),
}
NEEDS_SESSION = {"sign-out", "delete", "patch", "password", "form sign-out", "form end"}
SITES = (None, "same-origin", "none", "same-site", "cross-site", "nonsense", "")
ORIGINS = (None, OURS, FOREIGN, "null", "http://testserver.evil.example", "")


def from_ours(site: str | None, origin: str | None) -> bool | None:
    """The rule of the interface in the test's own words: ours, not ours, or unsaid (None)."""
    if site in {"same-origin", "none"}:
        return True
    if origin is not None:
        return origin == OURS
    return None if site is None else False


def headers_of(site: str | None, origin: str | None) -> list[tuple[str, str]]:
    """The two headers, those that there are."""
    named = (("sec-fetch-site", site), ("origin", origin))
    return [(name, value) for name, value in named if value is not None]


def was_refused(answer: Response) -> bool:
    """Whether it is 403 for being cross-site, as a problem or as a page."""
    if answer.status_code != 403:
        return False
    if answer.headers["content-type"].startswith("text/html"):
        return "another site" in answer.text or "did not show" in answer.text
    return is_problem(answer, 403, "cross_site")


@pytest.mark.parametrize("name", ACTS)
def test_every_pair_of_headers_is_judged_alike_everywhere(house: House, name: str) -> None:
    """With a live cookie and no token: ours passes, foreign and unsaid are 403, at every endpoint that changes."""
    act = ACTS[name]
    house.account()
    cookie = ""
    for site, origin in itertools.product(SITES, ORIGINS):
        if not cookie or house.browser(cookie=cookie).get("/api/session").status_code != 200:
            client = house.browser()
            client.post("/api/sign-in", json=CREDENTIALS)
            cookie = f"gatepost={session_cookie(client)}"
        answer = act.send(house.program(cookie=cookie), headers_of(site, origin))
        assert was_refused(answer) is not (from_ours(site, origin) is True), (site, origin, answer.text)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("cookie", [f"gatepost={DEAD}", "other=1"], ids=["dead", "absent"])
def test_without_a_live_cookie_only_a_foreign_page_is_refused(house: House, name: str, cookie: str) -> None:
    """Sign-in and sign-up included. What says nothing is no browser of ours and has nothing to ride on."""
    act = ACTS[name]
    house.account()
    for site, origin in itertools.product(SITES, ORIGINS):
        answer = act.send(house.program(cookie=cookie), headers_of(site, origin))
        assert was_refused(answer) is (from_ours(site, origin) is False), (site, origin, answer.text)


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize(
    "twice", [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", OURS)]
)
def test_header_that_stands_twice_is_foreign(house: House, name: str, twice: tuple[str, str]) -> None:
    """Also if both values are ours: two readers could pick different ones."""
    house.account()
    assert was_refused(ACTS[name].send(house.program(), [twice, twice]))


def tokens_of(house: House, session_id: str, other_id: str) -> dict[str, str | None]:
    """Tokens to show, and whether each is right is in its name."""
    key = house.authority.csrf_key
    right, other = csrf_token(key, session_id), csrf_token(key, other_id)
    masked = mask(right, SystemRandomness())
    return {
        "right plain": right,
        "right masked": masked,
        "absent": None,
        "empty": "",
        "other session": other,
        "other session masked": mask(other, SystemRandomness()),
        "other key": csrf_token(b"k" * 32, session_id),
        "session id": session_id,
        "cut": right[:-1],
        "longer": right + "A",
        "swapped case": right.swapcase(),
        "mask of nothing": "00" * 86,
        "broken mask": masked[:-2] + ("00" if masked[-2:] != "00" else "11"),
        "not ascii": "ÿ" * 43,
    }


@pytest.mark.parametrize("name", sorted(ACTS))
@pytest.mark.parametrize("place", ["header", "field"])
def test_silent_client_with_a_live_cookie_needs_its_token(house: House, name: str, place: str) -> None:
    """The csrf token of that very session, plain or masked, in the header or (forms) in the field; else 403."""
    act = ACTS[name]
    if place == "field" and act.form is None:
        return
    other = house.signed_in("bob@example.com").get("/api/session").json()["session"]["id"]
    house.account()
    client = None
    for label in tokens_of(house, "", ""):
        if client is None or client.get("/api/session").status_code != 200:
            client = house.browser()
            client.post("/api/sign-in", json=CREDENTIALS)
        own = client.get("/api/session").json()["session"]["id"]
        token = tokens_of(house, own, other)[label]
        silent = house.program(cookie=f"gatepost={session_cookie(client)}")
        shown = [("x-csrf-token", token)] if token is not None and place == "header" else []
        sent = act
        if place == "field" and token is not None:
            sent = Act(act.method, act.path, form={**(act.form or {}), "csrf": token})
        encoded = [(key, value.encode("latin-1")) for key, value in shown]
        answer = sent.send(silent, encoded)  # type: ignore[arg-type]
        assert was_refused(answer) is not label.startswith("right"), (label, answer.text)


@pytest.mark.parametrize("name", sorted(set(ACTS) - NEEDS_SESSION))
def test_silent_program_may_come_in(house: House, name: str) -> None:
    """Neither header and no cookie of ours: it is no browser, and is let in."""
    if "sign-up" not in name:
        house.account()
    assert ACTS[name].send(house.program(), []).status_code in ACTS[name].let_in


def test_token_in_the_header_needs_no_csrf(house: House) -> None:
    """A bearer token is not sent by a browser on its own; from a foreign page it is refused all the same."""
    held = house.holder()
    assert held.client.patch("/api/session/data", json={"a": 1}).status_code == 200
    foreign = held.client.patch("/api/session/data", json={"a": 2}, headers={"origin": FOREIGN})
    assert is_problem(foreign, 403, "cross_site")
    assert held.client.get("/api/session").json()["session"]["data"] == {"a": 1}


def test_visitors_cookie_is_guarded_too(house: House) -> None:
    """A visit sets the csrf cookie, and needs it."""
    client = house.browser()
    client.post("/api/visit", json={})
    jar = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
    silent = house.program(cookie=f"gatepost={jar['gatepost']}")
    assert is_problem(silent.patch("/api/session/data", json={"a": 1}), 403, "cross_site")
    shown = {"x-csrf-token": jar["gatepost-csrf"]}
    assert silent.patch("/api/session/data", json={"a": 1}, headers=shown).status_code == 200


def test_registered_origin_is_ours(building: Build) -> None:
    """`origins.trusted`, whatever Fetch Metadata calls it; its siblings are not."""
    house = building({"origins": {"trusted": ["https://shop.example.com"]}})
    client = house.signed_in()
    for site in ("same-site", "cross-site"):
        headers = {"sec-fetch-site": site, "origin": "https://shop.example.com"}
        assert client.patch("/api/session/data", json={"a": 1}, headers=headers).status_code == 200
        headers["origin"] = "https://x.shop.example.com"
        assert is_problem(
            client.patch("/api/session/data", json={"a": 1}, headers=headers), 403, "cross_site"
        )


def test_only_the_issuer_is_ours_over_https(https: House) -> None:
    """Scheme, host and port must all fit."""
    client = https.signed_in()
    origins = {
        "https://auth.example.com": 200,
        "https://auth.example.com:443": 200,
        "http://auth.example.com": 403,
        "https://auth.example.com:8443": 403,
        "https://example.com": 403,
        "https://auth.example.com.evil.example": 403,
        "https://auth.example.com@evil.example": 403,
        "https://AUTH.example.com": 200,
    }
    for origin, status in origins.items():
        headers = {"sec-fetch-site": "cross-site", "origin": origin}
        answer = client.patch("/api/session/data", json={"a": 1}, headers=headers)
        assert answer.status_code == status, origin


def test_foreign_page_reads_nothing(house: House) -> None:
    """No CORS header is ever given to an origin on what is private; GET changes nothing."""
    client = house.signed_in()
    for origin in (FOREIGN, "null", OURS):
        answer = client.get("/api/session", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        preflight = client.options("/api/session", headers={"origin": origin})
        assert preflight.status_code == 405
        assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_json_in_disguise_is_not_read(house: House, kind: str) -> None:
    """What a form of another site could send: 415, nothing changed."""
    house.account()
    body = b'{"email":"ada@example.com","password":"three or four words do it"}'
    answer = house.program().post("/api/sign-in", content=body, headers={"content-type": kind})
    assert is_problem(answer, 415, "unsupported_media_type")
    assert house.counts()[1] == 0


@pytest.mark.parametrize(
    ("site", "origin", "decided"),
    [
        ([], [], Unsaid()),
        (["same-origin"], [], Ours()),
        (["same-origin"], ["null"], Ours()),
        (["cross-site"], [], Foreign()),
        (["cross-site"], ["ours"], Ours()),
        ([], ["ours"], Ours()),
        ([], ["other"], Foreign()),
        (["none", "none"], [], Foreign()),
        ([], ["ours", "ours"], Foreign()),
    ],
)
def test_decision_is_one_of_three(site: list[str], origin: list[str], decided: object) -> None:
    """The pure rule; our own forms may say `Origin: null` with `same-origin`."""
    assert decide_cross_site(site, origin, lambda one: one == "ours") == decided
