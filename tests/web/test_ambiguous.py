"""More than one sign-in in a request: refused and cleaned up, but never at the ways in."""

from typing import Any

import pytest

from tests.web.house import ADA, House, is_problem, session_cookie, set_cookies, sign_in

REMOVED = ["gatepost=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize("path", ["/api/session", "/api/sessions", "/api/admin/accounts"])
@pytest.mark.parametrize(
    "kind", ["two values", "two headers", "cookie and bearer", "two bearers", "basic and bearer"]
)
def test_two_credentials_are_refused(house: House, path: str, kind: str) -> None:
    """400 `ambiguous_credentials`, even where both are live; our cookies are removed, so that the next try works."""
    cookie = f"gatepost={session_cookie(house.signed_in(ADA, 'admin'))}"
    bearer = f"Bearer {house.holder_of(ADA).access}"
    headers = {
        "two values": [("cookie", f"{cookie}; {cookie}")],
        "two headers": [("cookie", cookie), ("cookie", cookie)],
        "cookie and bearer": [("cookie", cookie), ("authorization", bearer)],
        "two bearers": [("authorization", bearer), ("authorization", bearer)],
        "basic and bearer": [("authorization", "Basic YTpi"), ("authorization", bearer)],
    }[kind]
    answer = house.program().get(path, headers=headers)
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert set_cookies(answer) == (REMOVED if any(name == "cookie" for name, _ in headers) else [])


def test_page_tells_it_in_words(house: House) -> None:
    """A page of its own, with the removal; the next request goes to the sign-in."""
    client = house.browser(cookie=f"gatepost={'A' * 43}; gatepost={'B' * 43}")
    answer = client.get("/account")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert set_cookies(answer) == REMOVED


def test_other_schemes_are_not_ours(house: House) -> None:
    """A Basic header, of a proxy for one, stands beside our cookie without harm."""
    client = house.signed_in()
    assert client.get("/api/session", headers={"authorization": "Basic YTpi"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/sign-in", "/sign-in"])
def test_sign_in_ends_every_session_presented(house: House, path: str) -> None:
    """Cookie and bearer: it does not ask, it ends both and begins a new one."""
    client, held = house.signed_in(), house.holder_of(ADA)
    old = session_cookie(client)
    client.headers["authorization"] = f"Bearer {held.access}"
    form = {"email": ADA, "password": "three or four words do it"}
    answer = sign_in(client) if path.startswith("/api") else client.post(path, data=form)
    assert answer.status_code in {200, 303}
    del client.headers["authorization"]
    assert client.get("/api/session").status_code == 200
    assert held.client.get("/api/session").status_code == 401
    assert house.program(cookie=f"gatepost={old}").get("/api/session").status_code == 401
    assert len(client.get("/api/sessions").json()["items"]) == 1


@pytest.mark.parametrize("path", ["/api/sign-in", "/api/sign-up", "/api/visit"])
def test_two_values_of_our_cookie_are_refused_at_the_ways_in_too(house: House, path: str) -> None:
    """One of them was planted; both go."""
    house.account()
    body = {} if path == "/api/visit" else {"email": ADA, "password": "three or four words do it"}
    client = house.browser(cookie=f"gatepost={'A' * 43}; gatepost={'B' * 43}")
    answer = client.post(path, json=body)
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert set_cookies(answer) == REMOVED


@pytest.mark.parametrize("path", ["/", "/sign-in", "/sign-up", "/docs"])
def test_greeting_page_removes_two_values(house: House, path: str) -> None:
    """The form that is shown next is then sent without them."""
    answer = house.browser(cookie=f"gatepost={'A' * 43}; gatepost={'B' * 43}").get(path)
    assert (answer.status_code, set_cookies(answer)) == (400, REMOVED)


@pytest.mark.parametrize("path", ["/static/gatepost.css", "/healthz", "/.well-known/jwks.json"])
def test_what_is_public_does_not_ask(house: House, path: str) -> None:
    """Files, health and keys are served whatever is presented."""
    client = house.browser(cookie=f"gatepost={'A' * 43}; gatepost={'B' * 43}", authorization="Bearer x")
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "cookie",
    [
        "\u00a0gatepost={value}",
        "\u2000gatepost={value}",
        "\u0085gatepost={value}",
        "$Version=1; xgatepost={value}",
        '"gatepost={value}"',
        "GATEPOST={value}",
        "gatepost-={value}",
        "={value}",
        "={value}; gatepost",
    ],
)
def test_cookie_of_a_similar_name_is_not_ours(house: House, cookie: str) -> None:
    """Unicode blanks, quotes, case, `$Version`, no name: nobody is signed in by them."""
    value = session_cookie(house.signed_in())
    raw: Any = cookie.format(value=value).encode("utf-8")
    answer = house.program().get("/api/session", headers=[("cookie", raw)])
    assert answer.status_code == 401
    assert value not in answer.text
