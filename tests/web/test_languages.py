"""The language of a page: chosen by a link, remembered, wanted by the browser; programs are answered in English."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from markupsafe import Markup

from gatepost.core.sentences import Sentence
from gatepost.web.languages import LANGUAGES, preferred
from gatepost.web.rendering import ago, device_in_words, in_words
from tests.web.house import ADA, PASSWORD, House, set_cookies

GERMAN = LANGUAGES["de"]
NOON = datetime(2026, 3, 9, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", None),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-ch;q=0.9", "de"),
        ("fr, de;q=0.5, en;q=0.4", "de"),
        ("fr, de;q=0.4, en;q=0.5", "en"),
        ("en, de", "en"),
        ("de, en", "de"),
        ("fr", None),
        ("fr, *;q=0.1", "en"),
        ("de;q=0", None),
        ("de;q=0.001", "de"),
        ("de;q=1.000", "de"),
        ("de;q=1.001, en;q=0.1", "en"),
        ("de;q=2, en;q=0.1", "en"),
        ("de;q=x", None),
        ("den", None),
        ("d\u00e9", None),
        (" de ; q=0.8 ,en;q=0.7", "de"),
        ("," * 1000 + "de", None),
        ("fr," * 31 + "de", "de"),
        ("fr," * 32 + "de", None),
    ],
)
def test_header_chooses_what_it_likes_best(accepted: str, code: str | None) -> None:
    """By quality, then by order; a region is its language; what is malformed or far behind is passed over."""
    assert preferred(accepted, LANGUAGES) == code


@pytest.mark.parametrize(
    ("path", "cookie", "accepted", "code"),
    [
        ("/sign-in", "", "", "en"),
        ("/sign-in", "", "de", "de"),
        ("/sign-in", "gatepost-language=en", "de", "en"),
        ("/sign-in", "gatepost-language=xx", "de", "de"),
        ("/sign-in", "gatepost-language=xx; gatepost-language=de", "en", "de"),
        ("/sign-in?lang=de", "gatepost-language=en", "en", "de"),
        ("/sign-in?lang=xx", "", "de", "de"),
        ("/sign-in?lang=../de", "", "", "en"),
    ],
)
def test_link_goes_before_memory_and_memory_before_header(
    house: House, path: str, cookie: str, accepted: str, code: str
) -> None:
    """`lang`, `Content-Language` and `Vary` say so."""
    headers = {"cookie": cookie} if cookie else {}
    answer = house.browser(**headers, **{"accept-language": accepted}).get(path)
    assert f'<html lang="{code}">' in answer.text
    assert answer.headers["content-language"] == code
    assert answer.headers["vary"] == "Accept-Language, Cookie"
    assert ("<h1>Anmelden</h1>" in answer.text) == (code == "de")


def test_followed_link_is_remembered_for_a_year(house: House, https: House) -> None:
    """In a cookie of its own, which no other host can plant over https; without a link to one of ours nothing is."""
    for path in ("/sign-in", "/sign-in?lang=xx", "/sign-in?lang=de%0D%0ASet-Cookie:+x=y"):
        assert set_cookies(house.browser().get(path)) == []
    client = house.browser()
    (cookie,) = set_cookies(client.get("/sign-in?lang=de"))
    assert cookie == "gatepost-language=de; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax"
    assert "<h1>Registrieren</h1>" in client.get("/sign-up").text
    (cookie,) = set_cookies(https.browser().get("/sign-in?lang=de"))
    assert cookie.startswith("__Host-gatepost-language=de; ")
    assert "; Secure; HttpOnly" in cookie


def test_link_to_the_other_language_keeps_the_page(house: House) -> None:
    """Path and query stay; what answers a form leads to a page that has an address."""
    client = house.browser()
    text = client.get("/sign-in?next=%2Fadmin%3Fq%3Da%26b&lang=en").text
    assert 'href="?next=%2Fadmin%3Fq%3Da%26b&amp;lang=de" hreflang="de" lang="de"' in text
    for path in ("//evil.example/x?secret", "/?access_token=secret"):
        strange = client.get(path, headers={"accept": "text/html"}).text
        assert 'href="?lang=de"' in strange
        assert not re.search("evil|secret", strange)
    refused = client.post("/sign-in", data={"email": ADA, "password": "wrong"}).text
    assert 'href="/account?lang=de"' in refused


def test_refusals_are_said_in_the_language_of_the_page(house: House) -> None:
    """At fields, above forms, on pages of their own, with their numbers and in their titles."""
    house.account()
    client = house.browser(**{"accept-language": "de", "accept": "text/html"})
    form = {"email": ADA, "password": "falsch"}
    assert "passen zu keinem Konto" in client.post("/sign-in", data=form).text
    short = client.post("/sign-up", data={"email": "new@example.com", "password": "kurz"}).text
    assert "mindestens 15 Zeichen" in short
    common = client.post("/sign-up", data={"email": "new@example.com", "password": "qwertzuiopasdfgh"}).text
    assert "den Ziffern oder der Tastatur. Drei oder vier" in common
    signed_in = house.signed_in("third@example.com")
    wrong = signed_in.post("/account/password?lang=de", data={"current": "no", "new": PASSWORD})
    assert "Das aktuelle Passwort stimmt nicht." in wrong.text
    missing = client.get("/nothing")
    assert (missing.status_code, "Nicht gefunden" in missing.text) == (404, True)
    assert "<title>Problem: Registrieren · Gatepost</title>" in short


def test_whole_account_page_is_german(house: House) -> None:
    """Dates, devices and carriers too; nothing English is left between the tags."""
    house.account()
    client = house.browser(**{"accept-language": "de"})
    agent = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
    client.post("/sign-in", data={"email": ADA, "password": PASSWORD}, headers=agent)
    house.holder_of(ADA)
    text = client.get("/account").text
    for said in (
        "Firefox unter Linux",
        "Diese hier",
        "Zuletzt aktiv: ",
        "einem Cookie des Browsers",
        "Mitglied seit",
    ):
        assert said in text
    assert re.search(r"<dd>\d+\. [A-ZÄÖÜ]\w+ \d{4}, \d\d:\d\d UTC</dd>", text)


def test_programs_are_answered_in_english(house: House) -> None:
    """Whatever their headers and cookies ask for."""
    client = house.program(**{"accept-language": "de", "cookie": "gatepost-language=de"})
    for path in ("/api/session?lang=de", "/nothing", "/oauth/token"):
        answer = client.get(path, headers={"accept": "application/json"})
        assert not re.search("[äöüß]|Bitte|nicht", answer.text)
        assert "content-language" not in answer.headers
    taken = client.post("/api/sign-up", json={"email": ADA, "password": "short"}).json()
    assert taken["detail"] == "Please use at least 15 characters: three or four words do."


def test_a_fact_is_text_and_a_translation_is_no_markup() -> None:
    """What people typed is escaped in a sentence, and so is every sign of the sentence itself."""
    said = GERMAN.translate("You are signed in as {email}.", email="<b>&")
    assert isinstance(said, Markup)
    assert said == "Sie sind als &lt;b&gt;&amp; angemeldet."
    strange = LANGUAGES["en"].translate("<i>{email}</i>", email=Markup("<b>x</b>"))
    assert strange == "&lt;i&gt;<b>x</b>&lt;/i&gt;"
    assert GERMAN.say("<b>in no catalogue</b>") == "<b>in no catalogue</b>"
    assert GERMAN.say("") == ""


@pytest.mark.parametrize(("number", "said"), [(0, "Rollen"), (1, "Rolle"), (2, "Rollen")])
def test_number_chooses_the_form(number: int, said: str) -> None:
    """As the language counts."""
    assert GERMAN.count("Role", "Roles", number) == said


def test_dates_and_devices_are_said_as_the_language_has_them() -> None:
    """English and German; a device of an unknown kind stays as it is."""
    assert (in_words(NOON), GERMAN.say(in_words(NOON))) == (
        "9 March 2026, 12:05 UTC",
        "9. März 2026, 12:05 UTC",
    )
    firefox = device_in_words("Firefox on Linux")
    assert (firefox, GERMAN.say(firefox)) == ("Firefox on Linux", "Firefox unter Linux")
    assert GERMAN.say(device_in_words("Unknown device")) == "Unbekanntes Gerät"
    assert not isinstance(device_in_words("May"), Sentence)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (0, "just now"),
        (59, "just now"),
        (60, "a minute ago"),
        (119, "a minute ago"),
        (120, "2 minutes ago"),
        (3599, "59 minutes ago"),
        (3600, "an hour ago"),
        (7199, "an hour ago"),
        (7200, "2 hours ago"),
        (86_399, "23 hours ago"),
        (86_400, "a day ago"),
        (172_799, "a day ago"),
        (172_800, "2 days ago"),
        (31 * 86_400 - 1, "30 days ago"),
        (31 * 86_400, "9 March 2026, 12:05 UTC"),
    ],
)
def test_recent_time_is_said_as_people_say_it(seconds: int, said: str) -> None:
    """Each step at its very second."""
    assert ago(NOON, NOON + timedelta(seconds=seconds)) == said
