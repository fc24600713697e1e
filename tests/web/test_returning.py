"""Where somebody finds themselves after signing in, up or out: back where they were, never on another's site."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.web.rendering import safe_next
from tests.web.house import ADA, PASSWORD, House

WAYS = pytest.mark.parametrize("way", ["sign-in", "sign-up", "sign-out"])
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "https://evil.example/",
    "https:evil.example",
    "https:/evil.example",
    "http://testserver@evil.example/",
    "http://testserver:pw@testserver/cart",
    "http://testserver/cart",
    "http://testserver.evil.example/",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "cart",
    "?next=/",
    "#there",
    "/cart\r\nSet-Cookie: x=1",
    "/cart\x00",
    "/cart\x7f",
    "/\u2044evil.example",
    "/\uff0fevil.example",
    "/caf\u00e9",
]
OURS = [
    "/",
    "/cart",
    "/cart?item=1&next=//evil.example#there",
    "/a//evil.example",
    "/..//evil.example",
    "/@evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%0d%0aSet-Cookie:x",
    "/https://evil.example",
    "/javascript:alert(1)",
]


@pytest.fixture
def arrive(house: House) -> Callable[[str, str], str]:
    """Goes one of the ways with this `next`, as it would stand in a link; where that leads."""
    house.account()
    numbers = iter(range(1000))
    client = house.browser()

    def go(way: str, wanted: str) -> str:
        client.cookies.clear()
        form = {"email": ADA, "password": PASSWORD, "next": wanted}
        if way == "sign-up":
            form["email"] = f"new{next(numbers)}@example.com"
            # Not to be slowed down as somebody who makes accounts by the dozen.
            house.clock.turn(timedelta(minutes=10))
        if way == "sign-out":
            client.post("/sign-in", data=form)
            form = {"next": wanted}
        answer = client.post(f"/{way}", data=form)
        assert answer.status_code == 303, answer.text
        assert [name for name in answer.headers if name == "location"] == ["location"]
        return answer.headers["location"]

    return go


@WAYS
def test_nobody_is_sent_elsewhere(arrive: Callable[[str, str], str], way: str) -> None:
    """Another host, another scheme, or what some browser takes for one: the account page instead."""
    assert {wanted: arrive(way, wanted) for wanted in ELSEWHERE} == dict.fromkeys(ELSEWHERE, "/account")


@WAYS
def test_a_path_of_ours_is_returned_to(arrive: Callable[[str, str], str], way: str) -> None:
    """As it stands, however odd: a browser resolves it to our own host."""
    assert [arrive(way, wanted) for wanted in OURS] == OURS
    assert {urlsplit(urljoin("http://testserver/sign-in", wanted)).netloc for wanted in OURS} == {
        "testserver"
    }


def test_whoever_leaves_without_a_wish_sees_the_start_page(house: House) -> None:
    """And who signs in without one, the account."""
    client = house.signed_in()
    assert client.post("/sign-out", data={}).headers["location"] == "/"


def test_the_wish_survives_a_wrong_password_and_the_way_to_the_other_form(house: House) -> None:
    """It stands in the form again, and in the link from sign-in to sign-up."""
    house.account()
    client = house.browser()
    for answer in (
        client.get(f"/sign-in?next={quote('/cart?a=1&b=2', safe='')}"),
        client.post("/sign-in", data={"email": ADA, "password": "x", "next": "/cart?a=1&b=2"}),
    ):
        assert 'name="next" value="/cart?a=1&amp;b=2"' in answer.text
        assert "/sign-up?next=/cart%3Fa%3D1%26b%3D2" in answer.text


class Prefixed:
    """All that the decision looks at of a request."""

    root = "/auth"


@given(st.text(st.sampled_from("/\\.:@?#%\t\r\n evil.aé\u2044\x00"), max_size=12))
def test_whatever_is_wished_resolves_to_our_host(wanted: str) -> None:
    """Read as browsers do: blanks cut off the ends, tabs and line ends thrown out, backslashes taken for slashes."""
    path = safe_next(Prefixed(), wanted)  # type: ignore[arg-type]
    seen = path.strip(" \x00").translate({9: None, 10: None, 13: None}).replace("\\", "/")
    assert urlsplit(urljoin("https://ours.example/auth/sign-in", seen)).netloc == "ours.example"
    assert path in {wanted, "/auth/account"}
