"""Browsers that hold tokens in cookies, and what is in their jars.

Owns how such a browser is made and looked at; asserts nothing about answers.
"""

from datetime import timedelta

from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.core.rotation import RefreshFamily
from gatepost.core.secrets import parse_refresh
from tests.web.house import ADA, House, set_cookies, sign_in

ACCESS, REFRESH, CSRF = "gatepost-access", "gatepost-refresh", "gatepost-csrf"
ACCESS_LIFE = timedelta(minutes=10)


def in_cookies(house: House, email: str = ADA, *roles: str) -> TestClient:
    """A browser that holds tokens of a new account in cookies."""
    house.account(email, *roles)
    return in_cookies_of(house, email)


def in_cookies_of(house: House, email: str = ADA) -> TestClient:
    """The same of an account that exists."""
    client = house.browser()
    answer = sign_in(client, email, carrier="token-cookie")
    assert answer.status_code == 200, answer.text
    return client


def held(client: TestClient) -> tuple[str, str]:
    """The access and the refresh token in a jar."""
    return client.cookies[ACCESS], client.cookies[REFRESH]


def cookie_header(client: TestClient) -> str:
    """What the jar sends, as one header for another client."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)


def quiet(house: House, client: TestClient) -> TestClient:
    """A program with the same cookies, that says nothing about where its requests come from."""
    return house.program(cookie=cookie_header(client))


def family(house: House, refresh: str) -> RefreshFamily:
    """The record behind a refresh token."""
    handle = parse_refresh(refresh)
    assert handle is not None
    view = house.authority.store.refresh(handle.id)
    assert view is not None
    return view.family


def rotations(house: House, client: TestClient) -> int:
    """How often the tokens in a jar were rotated."""
    return family(house, client.cookies[REFRESH]).generation


def names_set(answer: Response) -> list[str]:
    """The cookies that an answer sets, in order; those that it removes, and the browser's mark, left out."""
    pairs = [cookie.partition(";")[0].partition("=") for cookie in set_cookies(answer)]
    return [name for name, _, value in pairs if value.strip('"') and not name.endswith("-device")]


def names_removed(answer: Response) -> set[str]:
    """The cookies that an answer removes."""
    pairs = [
        cookie.partition(";")[0].partition("=") for cookie in set_cookies(answer) if "Max-Age=0" in cookie
    ]
    return {name for name, _, value in pairs if not value.strip('"')}
