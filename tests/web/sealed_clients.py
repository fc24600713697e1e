"""Browsers of a house that are signed in by sealed cookie, and thieves with a copy of one. Owns no tests."""

from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.web.house import ADA, House, set_cookies, sign_in

NAME = "gatepost-sealed"


def sealed_in(house: House, email: str = ADA, *roles: str) -> TestClient:
    """A browser that is signed in by sealed cookie to a new account."""
    house.account(email, *roles)
    return sealed_again(house, email)


def sealed_again(house: House, email: str = ADA) -> TestClient:
    """A browser that is signed in by sealed cookie to an account that exists."""
    client = house.browser()
    answer = sign_in(client, email, carrier="sealed")
    assert answer.status_code == 200, answer.text
    return client


def visiting(house: House, **data: Any) -> TestClient:
    """A browser with a visit in a sealed cookie that holds some data."""
    client = house.browser()
    assert client.post("/api/visit", json={"carrier": "sealed"}).status_code == 201
    if data:
        assert client.patch("/api/session/data", json=data).status_code == 200
    return client


def cookie_of(client: TestClient) -> str:
    """The sealed cookie that a browser holds."""
    return client.cookies[NAME]


def showing(house: House, value: str) -> TestClient:
    """A browser of somebody else that shows a copy, and keeps nothing it is given."""
    return house.browser(cookie=f"{NAME}={value}")


def names_set(answer: Response) -> list[str]:
    """The names of the cookies that an answer sets or removes."""
    return [cookie.partition("=")[0] for cookie in set_cookies(answer)]
