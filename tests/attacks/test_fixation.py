"""Fixation and hijacking of a sign-in (requirement F7): what an attacker put into a browser beforehand is never kept.

For each carrier that an attacker can plant and each with which the victim then signs in: a new value, the old session
ended, and the attacker's copy of it worth nothing.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from gatepost.carriers.cookie import csrf_token
from tests.attacks.victims import (
    ACCESS,
    ADA,
    CARRIERS,
    COOKIE,
    CSRF,
    DEVICE,
    EVE,
    HELD_IN,
    IN_COOKIES,
    PASSWORD,
    REFRESH,
    SEALED,
    Bank,
    Device,
    open_bank,
)
from tests.certificates import Certificates, make_certificates

HORIZON = timedelta(minutes=10)
WAYS_IN = ("/auth/api/sign-in", "/auth/sign-in", "/auth/api/sign-up", "/auth/sign-up")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of this module."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def bank(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """The bank with accounts of Ada and of Eve, who attacks."""
    with open_bank(tmp_path_factory.mktemp("bank"), certificates) as opened:
        opened.account(ADA)
        opened.account(EVE)
        yield opened


@pytest.fixture
def own_bank(certificates: Certificates, tmp_path: Path) -> Iterator[Bank]:
    """A bank whose clock may be turned."""
    with open_bank(tmp_path, certificates) as opened:
        opened.account(ADA)
        opened.account(EVE)
        yield opened


def planted(bank: Bank, carrier: str) -> Device:
    """The attacker's own browser: a session of Eve's, or a visit if the carrier is called so."""
    device = bank.device()
    if carrier.startswith("visit"):
        body = {"carrier": carrier.removeprefix("visit by ")}
        assert device.ask("POST", "/auth/api/visit", json=body).status_code == 201
        return device
    return device.sign_in(carrier, EVE)


PLANTED = (*IN_COOKIES, "visit by cookie", "visit by sealed")


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_sign_in_keeps_nothing_that_was_there_before(bank: Bank, plant: str, carrier: str) -> None:
    """New values, no old cookie left, and the attacker, who has a copy of what was planted, is signed out by it."""
    attacker = planted(bank, plant)
    victim = bank.device()
    victim.jar = dict(attacker.jar)
    victim.sign_in(carrier)
    assert victim.whoami() == ADA
    # A mark that says which accounts a browser has signed in to carries nobody, and stays.
    for jar in (victim.jar, attacker.jar):
        jar.pop(DEVICE, None)
    assert set(victim.jar) == (HELD_IN[carrier] | {CSRF} if carrier != "token" else set())
    assert not set(victim.jar.values()) & set(attacker.jar.values())
    assert attacker.copy().whoami() is None
    assert attacker.ask("POST", "/transfer").status_code == 401
    assert victim.whoami() == ADA


@pytest.mark.parametrize("path", WAYS_IN)
@pytest.mark.parametrize("plant", PLANTED)
def test_every_way_in_begins_a_session_of_its_own(bank: Bank, plant: str, path: str) -> None:
    """Page and API, sign-in and sign-up."""
    attacker = planted(bank, plant)
    victim = bank.device()
    victim.jar = dict(attacker.jar)
    email = ADA
    if path.endswith("up"):
        bank.newcomers += 1
        email = f"newcomer{bank.newcomers}@example.com"
    body = {"email": email, "password": PASSWORD}
    kind = {"json": body} if "api" in path else {"data": body}
    assert victim.ask("POST", path, **kind).status_code in {200, 201, 303}
    assert victim.whoami() == email
    assert set(victim.jar) == {COOKIE, CSRF, DEVICE}
    assert attacker.whoami() is None


@pytest.mark.parametrize("name", [COOKIE, SEALED, ACCESS, REFRESH])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_value_that_the_attacker_chose_is_never_taken_over(bank: Bank, name: str, carrier: str) -> None:
    """A made-up value is as dead after the sign-in as before, whatever its form."""
    for value in ("A" * 43, "chosen", f"{'A' * 22}.{'B' * 43}.{'C' * 43}", "a.b.c", "a.b.c.d.e", ""):
        victim = bank.device()
        victim.jar = {name: value, CSRF: "chosen"}
        victim.sign_in(carrier)
        assert value not in victim.jar.values()
        assert bank.thief({name: value}).whoami() is None
        assert victim.whoami() == ADA


def test_session_named_in_address_body_or_header_is_never_taken_over(bank: Bank) -> None:
    """There is no other way to hand in a session: parameters are ignored or refused, unknown fields are 422."""
    attacker = planted(bank, "cookie")
    value, sid = attacker.jar[COOKIE], attacker.session_id
    for name in ("sid", "session", "session_id", "gatepost", COOKIE, "access_token", "jsessionid"):
        for named in (value, sid):
            pair = f"{name}={quote(named)}"
            assert bank.device().ask("GET", f"/auth/api/session?{pair}").status_code in {400, 401}
            assert bank.device().ask("GET", f"/auth/api/session;{pair}").status_code in {401, 404}
            headers = {f"x-{name.strip('_').replace('_', '-')}": named}
            assert bank.device().ask("GET", "/auth/api/session", headers=headers).status_code == 401
            body = {"email": ADA, "password": PASSWORD, name: named}
            assert bank.device().ask("POST", "/auth/api/sign-in", json=body).status_code == 422
    form = {"email": ADA, "password": PASSWORD, "sid": sid, "session": value}
    victim = bank.device()
    assert victim.ask("POST", "/auth/sign-in", data=form).status_code == 303
    assert victim.jar[COOKIE] != value
    assert victim.session_id != sid
    assert attacker.whoami() == EVE


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_id_of_a_session_is_no_credential(bank: Bank, carrier: str) -> None:
    """It stands in lists and logs: as a cookie, a token or with a token made of it, it is nothing."""
    victim = bank.device().sign_in(carrier)
    sid = victim.session_id
    for name in (COOKIE, SEALED, ACCESS, REFRESH):
        assert bank.thief({name: sid}).whoami() is None
    assert bank.thief(bearer=sid).whoami() is None
    assert bank.thief({REFRESH: f"{sid}.{'A' * 43}.{'B' * 43}"}).whoami() is None
    assert victim.whoami() == ADA


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_sign_out_leaves_nothing_to_come_back_with(bank: Bank, carrier: str) -> None:
    """What was copied before the sign-out is dead, and the next sign-in in that browser is another session."""
    victim = bank.device().sign_in(carrier)
    copied, sid = victim.copy(), victim.session_id
    assert victim.ask("POST", "/auth/api/sign-out").status_code == 204
    assert set(victim.jar) <= {DEVICE}
    assert copied.whoami() is None
    assert victim.sign_in(carrier).session_id != sid
    assert copied.whoami() is None


@pytest.mark.parametrize("visit", ["visit by cookie", "visit by sealed"])
def test_attacker_who_shared_a_visit_sees_nothing_of_what_follows(bank: Bank, visit: str) -> None:
    """What lay in the visit moves on to the victim, and what the victim adds stays the victim's."""
    attacker = planted(bank, visit)
    answer = attacker.ask("PATCH", "/auth/api/session/data", json={"basket": ["attacker's"]})
    assert answer.status_code == 200
    victim = bank.device()
    victim.jar = dict(attacker.jar)
    victim.sign_in()
    victim.ask("PATCH", "/auth/api/session/data", json={"card": "4711"})
    data = victim.ask("GET", "/auth/api/session").json()["session"]["data"]
    assert data == {"basket": ["attacker's"], "card": "4711"}
    answer = attacker.ask("GET", "/auth/api/session")
    assert answer.status_code == 401
    assert "4711" not in answer.text
    assert bank.device().sign_in().ask("GET", "/auth/api/session").json()["session"]["data"] == {}


@pytest.mark.parametrize("carrier", IN_COOKIES)
def test_attackers_session_beside_the_victims_is_refused_and_never_preferred(
    bank: Bank, carrier: str
) -> None:
    """Each other carrier of Eve's beside Ada's: 400, all of it removed, nobody becomes Eve."""
    for plant in IN_COOKIES:
        if plant == carrier:
            continue
        victim, attacker = bank.device().sign_in(carrier), planted(bank, plant)
        for jar in ({**attacker.jar, **victim.jar}, {**victim.jar, **attacker.jar}):
            both = bank.device()
            both.jar = jar
            answer = both.ask("GET", "/auth/api/session")
            assert (answer.status_code, answer.json()["code"]) == (400, "ambiguous_credentials")
            assert set(both.jar) <= {DEVICE}
        assert victim.whoami() == ADA


def test_two_tokens_of_two_sessions_are_never_more_than_one_of_them(own_bank: Bank) -> None:
    """The access token says who it is until it ends; nobody becomes the owner of a refresh token planted beside it."""
    ada, eve = own_bank.device().sign_in("token-cookie"), own_bank.device().sign_in("token-cookie", EVE)
    mixed = own_bank.device()
    mixed.jar = {ACCESS: ada.jar[ACCESS], REFRESH: eve.jar[REFRESH]}
    assert mixed.whoami() == ADA
    own_bank.turn(HORIZON)
    assert mixed.whoami() is None
    assert ada.whoami() == ADA
    # A sign-in ends both: the next one who has the attacker's token gets nowhere with it.
    again = own_bank.device()
    again.jar = {ACCESS: ada.jar[ACCESS], REFRESH: eve.jar[REFRESH]}
    again.sign_in("token-cookie")
    assert (ada.whoami(), eve.whoami()) == (None, None)
    assert again.whoami() == ADA


def test_csrf_token_cannot_be_made_from_what_is_public(bank: Bank) -> None:
    """It is a keyed digest of the session's id: with another key, or the id alone, it does not fit."""
    victim = bank.device().sign_in()
    sid = victim.session_id
    old = bank.thief(victim.jar)
    for key in (b"", b"0" * 32, sid.encode(), b"gatepost"):
        forged = csrf_token(key, sid)
        assert forged != victim.jar[CSRF]
        assert old.ask("POST", "/transfer", headers={"x-csrf-token": forged}).status_code == 403
