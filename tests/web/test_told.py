"""What people are told when something did not go as they thought: refusals as pages, and why they are signed out."""

import re
from datetime import timedelta

import pytest

from gatepost.core.sessions import Carrier
from gatepost.errors import Expired, Malformed, Revoked, SignedOut, SlowDown, Stale
from gatepost.web.error_pages import why_signed_out
from tests.web.house import ADA, DEAD, House, sign_in

ENDED = "You were signed out because this sign-in was ended"
RUN_OUT = "You were signed out because your sign-in had run out"
UNKNOWN = "You were signed out because this sign-in is no longer known here"


@pytest.mark.parametrize("carrier", [Carrier.COOKIE, Carrier.SEALED, Carrier.TOKEN_COOKIE])
def test_sign_in_says_why_somebody_is_signed_out(house: House, carrier: Carrier) -> None:
    """Ended from elsewhere, with every carrier a browser holds; after signing in again it is not said any more."""
    house.account()
    client, other = house.browser(), house.holder_of(ADA)
    sign_in(client, carrier=carrier.value)
    assert "signed out because" not in client.get("/account").text
    other.client.delete("/api/sessions", headers={"sec-fetch-site": "same-origin"})
    sent = client.get("/account")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=/account")
    assert ENDED in client.get(sent.headers["location"]).text
    sign_in(client, carrier=carrier.value)
    assert "signed out because" not in client.get("/sign-in").text


def test_sign_in_says_that_a_sign_in_has_run_out(house: House) -> None:
    """Idle for too long."""
    client = house.signed_in()
    house.clock.turn(timedelta(days=8))
    assert RUN_OUT in client.get("/sign-in").text


def test_whoever_brings_nothing_is_told_nothing(house: House) -> None:
    """No notice for strangers, none after one's own sign-out; a cookie that nobody knows is said to be unknown."""
    assert "signed out because" not in house.browser().get("/sign-in").text
    client = house.signed_in()
    client.post("/sign-out", data={})
    assert "signed out because" not in client.get("/sign-in").text
    assert UNKNOWN in house.browser(cookie=f"gatepost={DEAD}").get("/sign-in").text


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (Expired(), RUN_OUT),
        (Revoked(), ENDED),
        (Malformed(), UNKNOWN),
        (SignedOut(), None),
        (SlowDown(), None),
        (None, None),
    ],
)
def test_reason_is_the_refusals_own(refused: Exception | None, said: str | None) -> None:
    """Nothing that the refusal itself does not say: a thief may hold the dead cookie."""
    told = why_signed_out(refused)  # type: ignore[arg-type]
    assert (told is None) == (said is None)
    assert told is None or told.startswith(str(said))


def test_way_to_the_sign_in_keeps_the_whole_address(house: House) -> None:
    """Path and query come back after the sign-in; nothing that is no address of ours does."""
    house.account()
    client = house.browser()
    sent = client.get("/account?done=others&x=a%26b")
    assert sent.headers["location"] == "/sign-in?next=/account%3Fdone%3Dothers%26x%3Da%2526b"
    form = client.get(sent.headers["location"]).text
    assert 'name="next" value="/account?done=others&amp;x=a%26b"' in form


def test_account_with_a_hundred_sessions_is_shown_in_pages(house: House) -> None:
    """Twenty at a time, each once, this one first, and no page above 60 KB; a strange number is the first page."""
    client = house.signed_in()
    for _ in range(45):
        house.holder_of(ADA)
    seen: list[str] = []
    path: str | None = "/account"
    while path:
        text = client.get(path).text
        assert len(text) + len(client.get("/static/gatepost.css").content) < 60_000
        found = re.findall(r'/account/sessions/([\w-]{10,})/end"', text)
        assert len(found) + text.count("card current") <= 20
        assert ("card current" in text) == (path == "/account")
        assert "Sign out everywhere else" in text
        seen += found
        more = re.search(r'href="(/account\?from=\d+)"', text)
        path = more[1] if more else None
    assert len(seen) == len(set(seen)) == 45
    for strange in ("-1", "x", "1e3", "46", "9999", "9" * 5000, "\u0661"):
        assert "card current" in client.get("/account", params={"from": strange}).text


@pytest.mark.parametrize(
    ("path", "status", "title", "advice"),
    [
        ("/nothing", 404, "Not found", "The address may be mistyped"),
        ("/admin", 403, "Not allowed", "If you should be allowed to, ask"),
        ("/?access_token=x", 400, "That did not work", "Go back, load the page again"),
    ],
)
def test_refusal_is_a_page_that_says_what_to_do(
    house: House, path: str, status: int, title: str, advice: str
) -> None:
    """Number, title, sentence and advice, with a way on for whoever is signed in."""
    answer = house.signed_in().get(path, headers={"accept": "text/html"})
    assert answer.status_code == status
    assert f'<p class="status">{status}</p>' in answer.text
    assert f"<h1>{title}</h1>" in answer.text
    assert advice in answer.text
    assert ('class="button primary" href="/account"' in answer.text) == (path == "/admin")


def test_refusal_of_another_site_says_where_to_begin(house: House) -> None:
    """It is 403 as well, and has nothing to do with what an account is allowed to do."""
    headers = {"sec-fetch-site": "cross-site", "accept": "text/html"}
    answer = house.signed_in().post("/account/sessions/end-others", data={}, headers=headers)
    assert answer.status_code == 403
    assert "If you followed a link from another site, open the page from here instead." in answer.text
    assert "ask whoever runs this site" not in answer.text


def test_page_says_when_to_come_back(house: House) -> None:
    """503 with Retry-After and with words that take the fright away, in German too."""
    client = house.signed_in()
    house.authority.follower.stop()
    house.clock.turn(timedelta(seconds=10))
    answer = client.get("/account", headers={"accept-language": "de"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, str(Stale.retry_after))
    assert "Sie sind noch angemeldet" in answer.text
    assert "Es ist nichts verloren gegangen." in answer.text


def test_own_session_stands_first_among_the_cards(house: House) -> None:
    """Marked as this one, without a button to end it; each says what it is, since when and where it is kept."""
    client = house.signed_in()
    for _ in range(5):
        house.clock.turn(timedelta(minutes=10))
        house.holder_of(ADA)
    first, second, *_ = client.get("/account").text.split('<li class="card')[1:]
    assert first.startswith(" current")
    assert "You are looking at this page with it." in first
    assert "a cookie of the browser" in first
    assert "/end" not in first
    assert "tokens of an app or program" in second
    assert "Last seen <time datetime=" in second
    assert "/end" in second


def test_session_that_deserves_a_look_stands_right_after_ones_own(house: House) -> None:
    """One whose token somebody repeated from elsewhere, before those that were used later."""
    repeated = house.holder()
    for agent in ("app/1", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"):
        form = {"grant_type": "refresh_token", "refresh_token": repeated.refresh}
        house.program(**{"user-agent": agent}).post("/oauth/token", data=form)
    for _ in range(4):
        house.clock.turn(timedelta(minutes=10))
        house.holder_of(ADA)
    owner = house.browser()
    sign_in(owner, ADA)
    _, second, *others = owner.get("/account").text.split('<li class="card')[1:]
    assert "If that was not you, end it." in second
    assert not any("If that was not you, end it." in one for one in others)
