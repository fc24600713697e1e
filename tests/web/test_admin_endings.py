"""What an administrator comes back to after ending one session: the page where it was pressed, with what came of it."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.web.house import ADA, House, sign_in
from tests.web.test_admin_pages import words

BOSS = "boss@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def boss(house: House) -> TestClient:
    """A browser of an administrator."""
    return house.signed_in(BOSS, "admin")


def signs_in(house: House, email: str = ADA) -> str:
    """The id of a new session of somebody who has an account."""
    body = sign_in(house.browser(**{"user-agent": FIREFOX}), email).json()
    return str(body["session"]["id"])


def ended(boss: TestClient, page: str, session_id: str) -> str:
    """Press the button for a session on a page; where the browser is sent then."""
    text = boss.get(page).text
    assert f'formaction="/admin/sessions/{session_id}/end"' in text
    back = re.search(r'name="back" value="([^"]*)"', text)
    form = {"back": back[1].replace("&amp;", "&")} if back else {}
    answer = boss.post(f"/admin/sessions/{session_id}/end", data=form)
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.mark.parametrize(
    "page", ["/admin", "/admin?q=ada%40", "/admin?account={id}", "/admin?role=member&locked=false"]
)
def test_ending_leads_back_to_the_page_it_was_pressed_on(house: House, boss: TestClient, page: str) -> None:
    """The receipt is on it, and whose session it was, with what and from where; looking again ends nothing more."""
    account = house.account()
    page = page.format(id=account.id)
    signs_in(house)
    kept = signs_in(house)
    ending = signs_in(house)
    there = ended(boss, page, ending)
    expected, came = parse_qs(urlsplit(page).query), parse_qs(urlsplit(there).query)
    assert (urlsplit(there).path, {name: came[name] for name in came if name != "done"}) == (
        "/admin",
        expected,
    )
    for _ in range(2):
        told = words(boss.get(there).text)
        assert f"Ended: the session of {ADA} using Firefox on Linux from testclient." in told
        assert re.search(r"Server \d+ : confirmed in \d+ ms", told)
    left = {one.session.id for one in house.authority.sessions.of_account(account.id)}
    assert (kept in left, ending in left, len(left)) == (True, False, 2)


def test_a_session_that_was_over_already_is_said_to_be(house: House, boss: TestClient) -> None:
    """In the words of one's own page, where one was; with no receipt of what did not happen."""
    account = house.account()
    gone = signs_in(house)
    house.authority.accounts.end_sessions(account.id, "test")
    answer = boss.post(f"/admin/sessions/{gone}/end", data={"back": f"account={account.id}"})
    assert (answer.status_code, f"account={account.id}" in answer.headers["location"]) == (303, True)
    text = boss.get(answer.headers["location"]).text
    assert "That session was over already." in text
    assert "message receipt in_force" not in text


def test_ending_ones_own_session_signs_out(house: House, boss: TestClient) -> None:
    """The cookies are taken back, and the sign-in says why; nobody who is signed in is told so."""
    own = house.authority.sessions.of_account(house.authority.accounts.find(BOSS).id)[0].session.id
    assert "you ended the session" not in boss.get("/sign-in?done=left").text
    answer = boss.post(f"/admin/sessions/{own}/end", data={})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?done=left")
    assert dict(boss.cookies).keys().isdisjoint({"gatepost", "gatepost-csrf"})
    assert (
        "You are signed out: you ended the session that you were using."
        in boss.get("/sign-in?done=left").text
    )
    assert boss.get("/admin").headers["location"].startswith("/sign-in")


def test_a_note_is_believed_only_where_it_was_written(house: House, boss: TestClient) -> None:
    """Not with a letter changed, and not by another session, of the same administrator either."""
    house.account()
    there = ended(boss, "/admin", signs_in(house))
    assert "Ended: " in words(boss.get(there).text)
    other = house.browser()
    sign_in(other, BOSS)
    # The first letter of the payload and of the seal, and no seal at all.
    spoiled = [
        there.replace("done=", "done=A"),
        there.replace(".", ".A"),
        there.partition(".")[0],
        f"{there}%C3%A9",
    ]
    for client, path in ((other, there), *((boss, one) for one in spoiled)):
        answer = client.get(path)
        assert (answer.status_code, "Ended: " in words(answer.text)) == (200, False)


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "next=//evil.example",
        "q=a&done=x&lang=de",
        "%00",
        "q=" + "a" * 9000,
    ],
)
def test_a_form_leads_back_to_no_other_page(house: House, boss: TestClient, back: str) -> None:
    """Whatever it says: to the administration, with nothing in the address that the page does not know."""
    answer = boss.post("/admin/sessions/none/end", data={"back": back})
    there = urlsplit(answer.headers["location"])
    assert (answer.status_code, there.netloc, there.path) == (303, "", "/admin")
    assert set(parse_qs(there.query)) <= {"q", "done"}
    assert len(parse_qs(there.query)["done"]) == 1
    assert boss.get(answer.headers["location"]).status_code == 200


def test_what_was_done_before_an_ending_leads_back_too(house: House, boss: TestClient) -> None:
    """A page that answers a form leads back to the account that it shows."""
    account = house.account()
    ending = signs_in(house)
    text = boss.post(f"/admin/accounts/{account.id}/unlock", data={}).text
    assert f'name="back" value="account={account.id}"' in text
    assert f"/admin/sessions/{ending}/end" in text
