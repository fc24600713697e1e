"""The audit trail in words: every event is a sentence in every language, with who, from where, and what is known."""

from typing import Any

import pytest

from gatepost.core.changes import Event
from gatepost.core.clients import Power
from gatepost.core.guesses import PACED
from gatepost.core.sessions import FIRST_PARTY, Carrier
from gatepost.services.clients import ClientWish
from gatepost.testing.records import an_audit_row
from gatepost.web.languages import LANGUAGES
from gatepost.web.trail_words import EVENTS, happenings
from tests.web.house import ADA, House, sign_in

BOSS = "boss@example.com"
FIREFOX, HOME = "Firefox on Linux", "10.0.0.9"
# What each event is written with, beside who and where.
MORE: dict[Event, list[dict[str, str]]] = {
    Event.SIGNED_UP: [{"carrier": "cookie", "roles": "member"}],
    Event.SIGNED_IN: [{"carrier": one.value, "ended": "s1,s2"} for one in Carrier],
    Event.GUESSING_SLOWED: [{"limit": one.value} for one in sorted(PACED)],
    Event.SESSION_ENDED: [{"refresh_token": "current"}, {"refresh_token": "used up"}, {"because": "sign_in"}],
    Event.CREDENTIAL_EXPOSED: [{"carrier": "token"}],
    Event.TOKEN_ENDED: [{"jti": "j1", "until": "2026-01-01T12:10:00+00:00"}],
    Event.CLIENT_ENDED: [{"client_id": "c1"}],
    Event.REAUTHENTICATED: [{"carrier": "token", "ended": "s1"}],
    Event.ACCOUNT_CREATED: [{"roles": "member"}],
    Event.ACCOUNT_IMPORTED: [{"source": "old shop", "roles": "member,editor"}],
    Event.ROLES_CHANGED: [{"before": "member", "after": "member,editor"}, {"before": "", "after": "admin"}],
    Event.INVITATION_MADE: [{"role": "admin"}],
    Event.INVITATION_USED: [{"carrier": "cookie", "roles": "admin"}],
    Event.CLIENT_CREATED: [{"client_id": "c1", "name": "shop", "powers": "introspect", "audiences": ""}],
    Event.CLIENT_SECRET_CHANGED: [{"client_id": "c1"}],
    Event.KEY_MADE: [{"kid": "k1,k2", "algorithm": "ES256,A256GCM"}],
    Event.KEY_ROTATED: [{"kid": "k1", "algorithm": "ES256"}],
    Event.KEY_WITHDRAWN: [{"kid": "k1", "algorithm": "ES256"}],
    Event.MASTER_KEY_CHANGED: [{"keys": "4"}],
    Event.RESTORED: [{"sessions_kept": "yes"}, {"sessions_kept": "no"}],
}
EVERY_ROW = [(event, more) for event in Event for more in [{}, *MORE.get(event, [])]]


def told(house: House, event: Event, language: str = "en", **row: Any) -> tuple[str, tuple[str, ...]]:
    """The sentence and its notes in a language."""
    different = {"account_id": None, "actor": None, "address": "", "device": "", "more": {}, **row}
    (one,) = happenings(house.authority, [(1, an_audit_row(event, **different))])
    say = LANGUAGES[language].say
    return say(one.what), tuple(say(note) for note in one.notes)


def test_every_event_has_a_name() -> None:
    """None is shown by its code."""
    assert set(EVENTS) == set(Event)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_is_a_sentence_in_every_language(house: House, language: str) -> None:
    """With what it is written with and without; no code, no fact under its own name, no brace, nothing in English."""
    for event, more in EVERY_ROW:
        said, notes = told(house, event, language, more=more)
        text = " · ".join((said, *notes))
        assert said, event
        assert event.value not in text, event
        assert not {"{", "}", "_"} & set(text), text
        assert not any(note.startswith(f"{name}:") for name in more for note in notes), text
        if language != "en":
            in_english = told(house, event, more=more)
            assert said != in_english[0], said
            assert not set(notes) & set(in_english[1]) - {"Client id: c1"}, notes


@pytest.mark.parametrize(
    ("event", "row", "english", "german"),
    [
        (
            Event.SIGNED_IN,
            {
                "account_id": ADA,
                "actor": ADA,
                "device": FIREFOX,
                "address": HOME,
                "more": {"carrier": "cookie"},
            },
            "Signed in with a password using Firefox on Linux from 10.0.0.9 · Kept in a cookie of the browser",
            "Mit Passwort angemeldet, mit Firefox unter Linux, von 10.0.0.9 · Steckt in einem Cookie des Browsers",
        ),
        (
            Event.ROLES_CHANGED,
            {"account_id": ADA, "actor": BOSS, "more": {"before": "member", "after": "member,editor"}},
            "Roles changed from member to member, editor by boss@example.com",
            "Rollen geändert von Mitglied zu Mitglied, editor durch boss@example.com",
        ),
        (
            Event.ROLES_CHANGED,
            {"account_id": ADA, "actor": "cli", "more": {"before": "", "after": "admin"}},
            "Roles changed from none to administrator by a command on the server",
            "Rollen geändert von keine zu Administrator durch einen Befehl auf dem Server",
        ),
        (
            Event.GUESSING_SLOWED,
            {"account_id": ADA, "device": "Unknown device", "address": HOME, "more": {"limit": "account"}},
            "Guessing slowed down using an unknown device from 10.0.0.9"
            " · Slowed: browsers that never signed in to this account",
            "Raten gebremst, mit einem unbekannten Gerät, von 10.0.0.9"
            " · Gebremst: Browser, die bei diesem Konto nie angemeldet waren",
        ),
        (
            Event.SIGN_IN_FAILED,
            {"device": "curl", "address": HOME},
            "Sign-in refused using curl from 10.0.0.9 · There is no such account",
            "Anmeldung abgewiesen, mit curl, von 10.0.0.9 · Ein solches Konto gibt es nicht",
        ),
        (
            Event.SIGN_IN_FAILED,
            {"account_id": ADA, "address": HOME},
            "Sign-in refused from 10.0.0.9 · The password was wrong, or the account is locked",
            "Anmeldung abgewiesen, von 10.0.0.9 · Das Passwort war falsch, oder das Konto ist gesperrt",
        ),
        (
            Event.PASSWORD_CHANGED,
            {"account_id": ADA, "actor": ADA},
            "Password changed · All other sessions of the account ended with that",
            "Passwort geändert · Damit endeten alle anderen Sitzungen des Kontos",
        ),
        (
            Event.PASSWORD_CHANGED,
            {"account_id": ADA, "actor": "cli"},
            "Password changed by a command on the server · All sessions of the account ended with that",
            "Passwort geändert durch einen Befehl auf dem Server · Damit endeten alle Sitzungen des Kontos",
        ),
        (
            Event.SESSION_ENDED,
            {"account_id": ADA, "actor": FIRST_PARTY, "more": {"refresh_token": "current"}},
            "One session ended by whoever holds the token · Its refresh token was shown for that",
            "Eine Sitzung beendet durch den Inhaber des Tokens · Dafür wurde ihr Erneuerungstoken vorgezeigt",
        ),
        (
            Event.TOKEN_ENDED,
            {"account_id": ADA, "actor": FIRST_PARTY, "more": {"until": "2026-01-31T12:10:00+00:00"}},
            "One access token ended by whoever holds the token"
            " · It would have been good until 31 January 2026, 12:10 UTC",
            "Ein Zugriffstoken beendet durch den Inhaber des Tokens"
            " · Es hätte gegolten bis 31. Januar 2026, 12:10 UTC",
        ),
    ],
    ids=lambda one: one.value if isinstance(one, Event) else "",
)
def test_what_is_said_on_the_phone(
    house: House, event: Event, row: dict[str, Any], english: str, german: str
) -> None:
    """Who did it, with what and from where, in words; who is meant are an account and an administrator."""
    ids = {email: house.account(email).id for email in (ADA, BOSS)}
    row = {name: ids.get(value, value) if isinstance(value, str) else value for name, value in row.items()}
    for language, wanted in (("en", english), ("de", german)):
        said, notes = told(house, event, language, **row)
        assert " · ".join((said, *notes)) == wanted


def test_clients_are_named(house: House) -> None:
    """As what it is about and as who did it; what stands behind no id is shown as it is."""
    made = house.authority.clients.create(ClientWish("the shop", (Power.INTROSPECT,)), (), "cli")
    client_id = made.client.id
    said, notes = told(house, Event.CLIENT_ENDED, actor="cli", more={"client_id": client_id})
    assert said == "Client the shop ended by a command on the server"
    assert f"Client id: {client_id}" in notes
    assert (
        told(house, Event.TOKEN_ENDED, actor=client_id)[0] == "One access token ended by the client the shop"
    )
    assert told(house, Event.ACCOUNT_LOCKED, actor="nobody-known")[0] == "Account locked by nobody-known"


def test_a_fact_that_nobody_knows_is_shown_by_its_name(house: House) -> None:
    """Short, and beside those that are known; a known one of another form stays as it is."""
    more = {"asked_for": "x" * 70, "limit": "moon", "empty": "", "until": "tomorrow", "carrier": "pigeon"}
    _, notes = told(house, Event.SIGNED_OUT, more=more)
    assert notes == (
        f"asked for: {'x' * 60}…",
        "limit: moon",
        "empty: –",
        "It would have been good until tomorrow",
        "Kept in pigeon",
    )


def test_an_older_row_without_its_facts_is_told_by_its_name(house: House) -> None:
    """Rows are never rewritten."""
    assert told(house, Event.ROLES_CHANGED, more={"after": "member"}) == ("Roles changed", ("after: member",))
    assert told(house, Event.CLIENT_ENDED)[0] == "Client ended"


def test_nothing_in_a_row_is_a_template_or_markup(house: House) -> None:
    """Braces and angle brackets are shown as they are."""
    trick = "{what.__class__}<b>%s"
    house.authority.clients.create(ClientWish(trick, (Power.INTROSPECT,)), (), "cli")
    assert f"Client {trick} made" in told(house, Event.CLIENT_CREATED, "de", more={"name": trick})[0].replace(
        "angelegt", "made"
    )
    page = house.signed_in(BOSS, "admin").get("/admin/trail").text
    assert "Client {what.__class__}&lt;b&gt;%s made" in page
    assert "<b>" not in page


def test_who_is_signed_out_by_another_sign_in_is_told_why(house: House) -> None:
    """Somebody else signed in where the account was."""
    client = house.signed_in(ADA)
    house.account(BOSS)
    sign_in(client, BOSS)
    rows, _ = house.authority.audit.back(account=house.authority.accounts.find(ADA).id, limit=1)
    (one,) = happenings(house.authority, rows)
    assert one.what.startswith(f"One session ended by {BOSS} using ")
    assert one.notes == ("Another account signed in where it was",)
