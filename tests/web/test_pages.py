"""The pages: forms that work without script, words for refusals, one-time links, the administrator's acts."""

import re
from datetime import timedelta

import pytest
from httpx2 import Response

from tests.web.house import ADA, PASSWORD, House, session_cookie, set_cookies

BOSS = "boss@example.com"


def csrf_of(answer: Response) -> str:
    """The csrf field of the first form on a page, "" if there is none."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
    return found[1] if found else ""


@pytest.mark.parametrize("path", ["/", "/sign-in", "/sign-up", "/docs"])
def test_open_page_is_open(house: House, path: str) -> None:
    """200 and HTML in English, for anybody, with a way to sign in."""
    answer = house.browser().get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="en">' in answer.text
    assert 'href="/sign-in"' in answer.text


@pytest.mark.parametrize("path", ["/account", "/admin"])
def test_closed_page_leads_to_the_sign_in_and_back(house: House, path: str) -> None:
    """303 to the form, which remembers where one was going."""
    house.account(ADA, "admin")
    client = house.browser()
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    form = client.get(answer.headers["location"])
    assert f'name="next" value="{path}"' in form.text
    entered = client.post("/sign-in", data={"email": ADA, "password": PASSWORD, "next": path})
    assert (entered.status_code, entered.headers["location"]) == (303, path)
    assert client.get(path).status_code == 200


def test_sign_up_by_the_form_signs_in(house: House) -> None:
    """303 (never 307, which would send the password on) to the account page."""
    client = house.browser()
    answer = client.post("/sign-up", data={"email": ADA, "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    names = [cookie.partition("=")[0] for cookie in set_cookies(answer)]
    assert names == ["gatepost", "gatepost-csrf", "gatepost-device"]
    page = client.get("/account")
    assert page.status_code == 200
    assert ADA in page.text


@pytest.mark.parametrize(
    ("path", "form", "status", "said"),
    [
        ("/sign-in", {"email": ADA, "password": "wrong"}, 401, "do not match"),
        ("/sign-in", {}, 401, "do not match"),
        ("/sign-up", {"email": ADA, "password": PASSWORD}, 409, "already an account"),
        ("/sign-up", {"email": "new@example.com", "password": "short"}, 422, "15 characters"),
        ("/sign-up", {"email": "new", "password": PASSWORD}, 422, 'id="email-wrong"'),
    ],
)
def test_refused_form_comes_back_with_words(
    house: House, path: str, form: dict[str, str], status: int, said: str
) -> None:
    """What was typed stands there again, escaped; the password never."""
    house.account()
    answer = house.browser().post(path, data=form)
    assert answer.status_code == status
    assert said in answer.text
    assert PASSWORD not in answer.text
    if "email" in form:
        assert f'value="{form["email"]}"' in answer.text


def test_typed_markup_is_shown_as_text(house: House) -> None:
    """An address that is markup stays text, on the form and in the administrator's list."""
    markup = '"><img src=x onerror=alert(1)>'
    answer = house.browser().post("/sign-in", data={"email": markup, "password": "x", "next": markup})
    assert "<img" not in answer.text
    strange = "x'&<b>\"@example.com"
    house.browser(**{"user-agent": "<script>alert(1)</script>"}).post(
        "/api/sign-up", json={"email": ADA, "password": PASSWORD}
    )
    boss = house.signed_in(BOSS, "admin")
    text = boss.get("/admin", params={"q": strange}).text + boss.get("/admin").text
    assert "<script>alert" not in text
    assert "<b>" not in text


@pytest.mark.parametrize("field", ["current-password", "new-password", "username"])
def test_forms_help_password_managers(house: House, field: str) -> None:
    """`autocomplete` says what each field is; nothing forbids pasting."""
    client = house.signed_in()
    pages = "".join(client.get(path).text for path in ("/account", "/sign-in", "/sign-up"))
    assert f'autocomplete="{field}"' in pages
    assert 'type="password"' in pages
    assert "onpaste" not in pages


def test_forms_carry_a_token_that_differs_each_time(house: House) -> None:
    """Masked, so that compression tells nothing; a browser that says nothing about itself gets through with it."""
    client = house.signed_in()
    first, second = (csrf_of(client.get("/account")) for _ in range(2))
    assert first
    assert first != second
    silent = house.program(cookie=f"gatepost={session_cookie(client)}")
    assert silent.post("/account/sessions/end-others", data={}).status_code == 403
    for token in (first, second):
        answer = silent.post("/account/sessions/end-others", data={"csrf": token})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?done=others")


def test_sign_out_by_the_button(house: House) -> None:
    """303 to the start page, both cookies removed, the session dead; it stands on every signed-in page."""
    client = house.signed_in(ADA, "admin")
    assert all('action="/sign-out"' in client.get(path).text for path in ("/", "/account", "/admin", "/docs"))
    cookie = session_cookie(client)
    answer = client.post("/sign-out", data={})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert all("Max-Age=0" in one for one in set_cookies(answer))
    assert house.program(cookie=f"gatepost={cookie}").get("/api/session").status_code == 401


def test_own_sessions_are_ended_by_buttons(house: House) -> None:
    """One by one and all others; an ended one twice is told in words."""
    client, held = house.signed_in(), house.holder_of(ADA)
    target = held.client.get("/api/session").json()["session"]["id"]
    assert f"/account/sessions/{target}/end" in client.get("/account").text
    assert (
        client.post(f"/account/sessions/{target}/end", data={}).headers["location"] == "/account?done=ended"
    )
    assert held.client.get("/api/session").status_code == 401
    assert "over already" in client.post(f"/account/sessions/{target}/end", data={}).text
    assert "signed out" in client.get("/account?done=ended").text


def test_password_is_changed_by_the_form(house: House) -> None:
    """303; a wrong one comes back at its field."""
    client, new = house.signed_in(), "another four words here"
    wrong = client.post("/account/password", data={"current": "no", "new": new})
    assert (wrong.status_code, 'id="current-wrong"' in wrong.text) == (401, True)
    weak = client.post("/account/password", data={"current": PASSWORD, "new": "short"})
    assert (weak.status_code, 'id="new-wrong"' in weak.text) == (422, True)
    done = client.post("/account/password", data={"current": PASSWORD, "new": new})
    assert (done.status_code, done.headers["location"]) == (303, "/account?done=password")
    assert client.get("/account").status_code == 200


def test_one_time_link_makes_the_first_administrator_once(house: House) -> None:
    """GET looks and uses nothing up, POST consumes; then it is gone for everybody."""
    secret = house.authority.accounts.invite("admin", "test").reveal()
    client = house.browser()
    assert [client.get(f"/invite/{secret}").status_code for _ in range(3)] == [200, 200, 200]
    weak = client.post(f"/invite/{secret}", data={"email": BOSS, "password": "short"})
    assert weak.status_code == 422
    done = client.post(f"/invite/{secret}", data={"email": BOSS, "password": PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/admin")
    assert client.get("/admin").status_code == 200
    again = house.browser()
    assert again.get(f"/invite/{secret}").status_code == 404
    assert again.post(f"/invite/{secret}", data={"email": ADA, "password": PASSWORD}).status_code == 404
    assert house.counts()[0] == 1


@pytest.mark.parametrize(("minutes", "status"), [(29, 200), (30, 404)])
def test_one_time_link_lasts_half_an_hour(house: House, minutes: int, status: int) -> None:
    """Both sides of the end."""
    secret = house.authority.accounts.invite("admin", "test").reveal()
    house.clock.turn(timedelta(minutes=minutes))
    assert house.browser().get(f"/invite/{secret}").status_code == status


def test_newer_link_replaces_the_older(house: House) -> None:
    """Only the newest open link for a role is good."""
    older, newer = (house.authority.accounts.invite("admin", "test").reveal() for _ in range(2))
    assert house.browser().get(f"/invite/{older}").status_code == 404
    assert house.browser().get(f"/invite/{newer}").status_code == 200


def test_only_the_first_administrator_is_called_so(house: House) -> None:
    """A link for another says that; one for another role is about one's own account."""
    first = house.authority.accounts.invite("admin", "test").reveal()
    assert "<h1>Make the first administrator</h1>" in house.browser().get(f"/invite/{first}").text
    house.account(BOSS, "admin")
    text = house.browser().get(f"/invite/{first}").text
    assert "<h1>Make an administrator&#39;s account</h1>" in text
    assert "first administrator" not in text
    refused = house.browser().post(f"/invite/{first}", data={"email": ADA, "password": "short"})
    assert "<h1>Make an administrator&#39;s account</h1>" in refused.text
    other = house.authority.accounts.invite("support", "test").reveal()
    assert "<h1>Make your account</h1>" in house.browser().get(f"/invite/{other}").text


def test_whoever_forgot_the_password_is_told_what_to_do(house: House) -> None:
    """The same before and after a refusal, for an e-mail that is known and for one that is not."""
    house.account()
    help_text = "whoever runs this site can give you a new one"
    assert help_text in house.browser().get("/sign-in").text
    for email in (ADA, "nobody@example.com"):
        refused = house.browser().post("/sign-in", data={"email": email, "password": "wrong"})
        assert (refused.status_code, help_text in refused.text) == (401, True)


def test_administrator_acts_by_forms(house: House) -> None:
    """Lock, unlock, roles, endings: each answers with the page, and bites at once."""
    boss, client = house.signed_in(BOSS, "admin"), house.signed_in()
    account = house.authority.accounts.find(ADA)
    path = f"/admin/accounts/{account.id}"
    assert boss.post(f"{path}/roles", data={"roles": ["member", "support"]}).status_code == 200
    assert client.get("/api/session").json()["account"]["roles"] == ["member", "support"]
    assert "In force everywhere" in boss.post(f"{path}/lock", data={}).text
    assert client.get("/api/session").status_code == 401
    assert boss.post(f"{path}/unlock", data={}).status_code == 200
    client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert boss.post(f"{path}/end-sessions", data={}).status_code == 200
    assert client.get("/api/session").status_code == 401
    client.post("/sign-in", data={"email": ADA, "password": PASSWORD})
    target = client.get("/api/session").json()["session"]["id"]
    assert boss.post(f"/admin/sessions/{target}/end", data={}).status_code == 303
    assert client.get("/api/session").status_code == 401
    assert boss.post(f"{path}/roles", data={"roles": ["emperor"]}).status_code == 422
    assert boss.post("/admin/accounts/nobody/lock", data={}).status_code == 404


@pytest.mark.parametrize("roles", [("member",), ("support",)])
def test_administration_is_for_administrators(house: House, roles: tuple[str, ...]) -> None:
    """403 in words, and no link to it."""
    client = house.signed_in(ADA, *roles)
    assert 'href="/admin"' not in client.get("/account").text
    assert client.get("/admin").status_code == 403
    account = house.authority.accounts.find(ADA)
    assert client.post(f"/admin/accounts/{account.id}/roles", data={"roles": ["admin"]}).status_code == 403
    assert house.authority.accounts.find(ADA).roles == roles


def test_busy_page_says_when_to_come_back(house: House) -> None:
    """503 with Retry-After on a form, as in the interface for programs."""
    house.account()
    house.authority.store.close()
    answer = house.browser().post("/sign-in", data={"email": ADA, "password": PASSWORD})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    house.authority.stop()
