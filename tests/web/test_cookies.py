"""Set-Cookie, attribute by attribute, over https and in development, and the removal of other carriers' cookies."""

import re

import pytest

from tests.web.house import ADA, PASSWORD, Build, House, set_cookies, sign_in

LIFE = 30 * 24 * 3600
KNOWN = 400 * 24 * 3600


def shapes(cookies: list[str]) -> list[str]:
    """The cookies with their values hidden."""
    return [re.sub(r"=(?:[A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{55});", "=VALUE;", cookie) for cookie in cookies]


def test_cookies_over_https_are_bound_to_the_host(https: House) -> None:
    """The session: `__Host-Http-`, Path=/, Secure, HttpOnly, Lax, no Domain. The csrf cookie scripts may read."""
    https.account()
    assert shapes(set_cookies(sign_in(https.browser()))) == [
        f"__Host-Http-gatepost=VALUE; Max-Age={LIFE}; Path=/; Secure; HttpOnly; SameSite=Lax",
        f"__Host-gatepost-csrf=VALUE; Max-Age={LIFE}; Path=/; Secure; SameSite=Lax",
        f"__Host-Http-gatepost-device=VALUE; Max-Age={KNOWN}; Path=/; Secure; HttpOnly; SameSite=Lax",
    ]


def test_cookies_in_development_have_no_prefix_and_no_secure(house: House) -> None:
    """A client that takes no Secure cookie over http can still sign in on loopback."""
    house.account()
    assert shapes(set_cookies(sign_in(house.browser()))) == [
        f"gatepost=VALUE; Max-Age={LIFE}; Path=/; HttpOnly; SameSite=Lax",
        f"gatepost-csrf=VALUE; Max-Age={LIFE}; Path=/; SameSite=Lax",
        f"gatepost-device=VALUE; Max-Age={KNOWN}; Path=/; HttpOnly; SameSite=Lax",
    ]


@pytest.mark.parametrize(
    ("path", "body", "more"),
    [
        ("/api/visit", {}, []),
        ("/api/sign-up", {"email": "bob@example.com", "password": PASSWORD}, ["gatepost-device"]),
    ],
)
def test_every_way_in_sets_its_cookies(
    house: House, path: str, body: dict[str, str], more: list[str]
) -> None:
    """A visit and a sign-up too; only who has an account is known from then on."""
    cookies = set_cookies(house.browser().post(path, json=body))
    assert [cookie.partition("=")[0] for cookie in cookies] == ["gatepost", "gatepost-csrf", *more]


def test_name_is_a_setting(building: Build) -> None:
    """All names change together."""
    house = building({"cookies": {"name": "shop"}})
    house.account()
    assert [cookie.partition("=")[0] for cookie in set_cookies(sign_in(house.browser()))] == [
        "shop",
        "shop-csrf",
        "shop-device",
    ]


@pytest.mark.parametrize("profile", ["house", "https"])
def test_sign_in_removes_the_cookies_of_other_carriers(profile: str, request: pytest.FixtureRequest) -> None:
    """With the very attributes they were set with, else a browser keeps them."""
    house: House = request.getfixturevalue(profile)
    house.account()
    names = house.authority.cookies
    brought = "; ".join(f"{name}=old" for name in (names.sealed, names.access, names.refresh))
    cookies = set_cookies(sign_in(house.browser(cookie=brought)))
    secure = "; Secure" if house.authority.settings.secure else ""
    removed = [cookie for cookie in cookies if "Max-Age=0" in cookie]
    assert removed == [
        f"{name}=; Max-Age=0; Path=/{secure}; HttpOnly; SameSite=Lax"
        for name in (names.sealed, names.access, names.refresh)
    ]
    assert len(cookies) == 6


@pytest.mark.parametrize("profile", ["house", "https"])
def test_sign_out_removes_both_cookies(profile: str, request: pytest.FixtureRequest) -> None:
    """Session and csrf, each with its own attributes. The browser stays known, for nobody is signed in by that."""
    house: House = request.getfixturevalue(profile)
    client = house.signed_in(ADA)
    secure = "; Secure" if house.authority.settings.secure else ""
    names = house.authority.cookies
    assert set_cookies(client.post("/api/sign-out")) == [
        f"{names.session}=; Max-Age=0; Path=/{secure}; HttpOnly; SameSite=Lax",
        f"{names.csrf}=; Max-Age=0; Path=/{secure}; SameSite=Lax",
    ]


def test_no_other_answer_sets_a_cookie(house: House) -> None:
    """Reading, errors, pages and files leave the cookies alone."""
    client = house.signed_in()
    paths = ("/", "/account", "/api/session", "/api/sessions", "/api/admin/accounts", "/nothing", "/healthz")
    assert not any(set_cookies(client.get(path)) for path in paths)


def test_session_cookie_is_stored_as_a_digest_only(house: House) -> None:
    """B1, B7: 43 characters of base64url, 256 bits; the store does not hold them."""
    client = house.signed_in()
    (cookie,) = [one.value for one in client.cookies.jar if one.name == "gatepost"]
    assert cookie is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie)
    assert cookie not in repr(house.authority.store.sessions(after=None, limit=10))
