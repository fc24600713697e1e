"""Ending tokens at the revocation endpoint (RFC 7009): what dies, what lives on, and who may."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from gatepost.core.changes import AuditRow, Event
from gatepost.core.clients import Power
from tests.issuing import Issued, issue_to
from tests.web.asking_clients import INTROSPECT, OURS, REVOKE, Asker, asker, ends
from tests.web.house import ADA, Build, House, is_problem, session_cookie, set_cookies
from tests.web.test_oauth import FORM, claims_of, refresh, refused

APP = "https://app.example.net"


def lives(house: House, token: str) -> bool:
    """Whether an access token is let in."""
    answer = house.program(authorization=f"Bearer {token}").get("/api/session")
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def newest_row(house: House) -> AuditRow:
    """The last row of the trail."""
    return house.authority.audit.page(limit=1000)[-1][1]


def done(answer: Response) -> bool:
    """Whether something was ended: 200 and empty either way, with a receipt if so."""
    assert answer.status_code == 200, answer.text
    assert answer.content == b""
    assert answer.headers["cache-control"] == "no-store"
    assert set_cookies(answer) == []
    if "gatepost-receipt" not in answer.headers:
        return False
    assert json.loads(answer.headers["gatepost-receipt"])["state"] == "in_force"
    return True


def of_client(house: House, client: Asker) -> Issued:
    """Tokens that a client was issued for Ada."""
    return issue_to(house.authority, house.authority.accounts.find(ADA), client.id)


def test_access_token_dies_alone(house: House) -> None:
    """That `jti` and no other: the next token of the same session is let in, the session renews and is listed."""
    held, asking = house.holder(), asker(house)
    twin = house.holder_of(ADA)
    after = refresh(house, held.refresh).json()
    assert done(ends(house, held.access))
    assert not lives(house, held.access)
    assert not asking.finds_active(held.access)
    assert lives(house, after["access_token"])
    assert lives(house, twin.access)
    again = refresh(house, after["refresh_token"])
    assert claims_of(again.json()["access_token"])["sid"] == claims_of(held.access)["sid"]
    assert asking.finds_active(again.json()["access_token"])
    row, claims = newest_row(house), claims_of(held.access)
    assert (row.event, row.actor, row.account_id) == (Event.TOKEN_ENDED, "first-party", claims["sub"])
    assert (row.session_id, row.more["jti"]) == (claims["sid"], claims["jti"])
    assert row.address


def test_refresh_token_takes_its_session_with_it(house: House) -> None:
    """Every access token of it and the refresh token; another session of the account lives."""
    held, twin, asking = house.holder(), house.holder_of(ADA), asker(house)
    after = refresh(house, held.refresh).json()
    assert done(ends(house, after["refresh_token"]))
    for token in (held.access, after["access_token"]):
        assert not lives(house, token)
        assert not asking.finds_active(token)
    assert refused(refresh(house, after["refresh_token"]), 400, "invalid_grant")
    assert lives(house, twin.access)
    assert refresh(house, twin.refresh).status_code == 200
    row = newest_row(house)
    assert (row.event, row.actor) == (Event.SESSION_ENDED, "first-party")
    assert row.session_id == claims_of(held.access)["sid"]
    assert row.more == {"refresh_token": "current"}


@pytest.mark.parametrize("waited", [timedelta(), timedelta(days=1)])
def test_used_up_refresh_token_ends_the_session_too(house: House, waited: timedelta) -> None:
    """Its owner wants out with the token that was saved; from anybody else it shows that there is a copy."""
    held = house.holder()
    after = refresh(house, held.refresh).json()
    house.clock.turn(min(waited, house.authority.settings.refresh_grace))
    assert done(ends(house, held.refresh))
    assert not lives(house, after["access_token"])
    assert newest_row(house).more == {"refresh_token": "used up"}


def test_rotor_that_never_was_ends_the_session_as_at_the_token_endpoint(house: House) -> None:
    """Who knows the family once held a token of it. With the family wrong nothing happens, whatever the rest."""
    held = house.holder()
    name, family, rotor = held.refresh.split(".")
    assert not done(ends(house, f"{name}.{'A' * 43}.{rotor}"))
    assert lives(house, held.access)
    assert done(ends(house, f"{name}.{family}.{'A' * 43}"))
    assert not lives(house, held.access)


def test_what_cannot_be_ended_is_no_error_and_leaves_no_trace(house: House) -> None:
    """200 for unknown, malformed, forged, expired and ended; no fact, no row (RFC 7009 section 2.2)."""
    held, gone, late = house.holder(), house.holder("bob@example.com"), house.holder("eve@example.com")
    assert done(ends(house, gone.refresh))
    house.clock.turn(house.authority.settings.access_ttl)
    fresh = refresh(house, held.refresh).json()
    header, payload, signature = fresh["access_token"].split(".")
    before = house.authority.store.position(), newest_row(house)
    for token in (
        "nonsense", "a.b.c", "a.b.c.d.e", "\0", "é" * 500, "A" * 43, "x" * 9000, gone.refresh, gone.access, late.access,
        f"{header}.{payload}.{'A' * len(signature)}", f"{header}.{payload}.{signature}=",
    ):  # fmt: skip
        assert not done(ends(house, token)), token[:40]
    assert (house.authority.store.position(), newest_row(house)) == before
    assert lives(house, fresh["access_token"])


def test_session_that_has_rested_too_long_is_not_ended_again(house: House) -> None:
    """From the very moment at which it is over: there is nothing left to end, so there is no fact."""
    held, twin = house.holder(), house.holder_of(ADA)
    house.authority.store.touch(house.authority.guard.take_seen())
    house.clock.turn(house.authority.settings.sessions.idle - timedelta(microseconds=1))
    assert done(ends(house, held.refresh))
    position = house.authority.store.position()
    house.clock.turn(timedelta(microseconds=1))
    assert not done(ends(house, twin.refresh))
    assert house.authority.store.position() == position


def test_token_that_is_ended_twice_is_one_fact(house: House) -> None:
    """Nobody fills the log with one token."""
    held = house.holder()
    assert done(ends(house, held.access))
    position = house.authority.store.position()
    assert not done(ends(house, held.access))
    assert house.authority.store.position() == position


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "something", ""])
def test_hint_is_a_hint(house: House, hint: str) -> None:
    """Right, wrong, unknown or empty."""
    held = house.holder()
    assert done(ends(house, held.access, token_type_hint=hint))
    assert done(ends(house, held.refresh, token_type_hint=hint))


def test_client_ends_its_own_tokens(house: House) -> None:
    """With its secret in the header or in the body; its other sessions and ours live on."""
    held, client, asking = house.holder(), asker(house, Power.SERVICE), asker(house)
    first, second, third = (of_client(house, client) for _ in range(3))
    assert done(client.revoke(first.access))
    assert not asking.finds_active(first.access)
    assert asking.finds_active(first.refresh)
    posted = {"token": second.refresh, "client_id": client.id, "client_secret": client.secret}
    assert done(house.program().post(REVOKE, data=posted))
    assert not lives(house, second.access)
    assert newest_row(house).actor == client.id
    assert lives(house, third.access)
    assert lives(house, held.access)


def test_tokens_of_others_are_refused_and_live_on(house: House) -> None:
    """400 `unauthorized_client`: ours for a client, a client's for us and for another client (RFC 7009 section 2.1)."""
    held, client, other = house.holder(), asker(house), asker(house)
    mine = of_client(house, client)
    position = house.authority.store.position()
    tries = [client.revoke(token) for token in (held.access, held.refresh)]
    tries += [other.revoke(token) for token in (mine.access, mine.refresh)]
    tries += [ends(house, token) for token in (mine.access, mine.refresh)]
    for answer in tries:
        assert refused(answer, 400, "unauthorized_client")
    assert house.authority.store.position() == position
    for token in (held.access, mine.access):
        assert lives(house, token)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"client_id": ""},
        {"client_id": "somebody"},
        {"client_id": "First-Party"},
        {"client_id": "first-party", "client_secret": "x"},
        {"client_secret": "x"},
    ],
)
def test_whoever_names_no_client_is_refused(house: House, given: dict[str, str]) -> None:
    """401 `invalid_client`; our own client has a name and no secret."""
    held = house.holder()
    answer = house.program().post(REVOKE, data={"token": held.refresh, **given})
    assert refused(answer, 401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert lives(house, held.access)


def test_confidential_client_shows_its_secret(house: House) -> None:
    """Its name alone ends nothing, and its name beside another's secret neither."""
    house.account()
    client, other = asker(house), asker(house)
    mine = of_client(house, client)
    by_name = house.program().post(REVOKE, data={"token": mine.refresh, "client_id": client.id})
    assert refused(by_name, 401, "invalid_client")
    twice = house.program(**other.basic).post(REVOKE, data={"token": mine.refresh, "client_id": client.id})
    assert refused(twice, 400, "invalid_request")
    wrong = house.program(**other.basic).post(REVOKE, data={"token": mine.refresh, **OURS})
    assert refused(wrong, 400, "invalid_request")
    assert lives(house, mine.access)


@pytest.mark.parametrize(
    "body",
    [
        "client_id=first-party",
        "client_id=first-party&token=",
        "client_id=first-party&token=x&token=x",
        "client_id=first-party&client_id=first-party&token=x",
        "client_id=first-party&token=x&token_type_hint=a&token_type_hint=a",
        "client_id=first-party&token=%FF",
    ],
)
def test_request_that_is_not_clear_is_refused(house: House, body: str) -> None:
    """400 `invalid_request`."""
    assert refused(house.program().post(REVOKE, content=body, headers=FORM), 400, "invalid_request")


def test_token_in_the_address_is_refused_and_lives_on(house: House) -> None:
    """400: it is in a log by now, so its holder should end it by a body."""
    held = house.holder()
    answer = house.program().post(REVOKE, params={"token": held.refresh}, data=OURS)
    assert refused(answer, 400, "invalid_request")
    assert lives(house, held.access)


def test_session_cookie_is_no_token(house: House) -> None:
    """400 `unsupported_token_type`, and it lives: whoever sent it must not believe that it is over."""
    browser = house.signed_in()
    cookie = session_cookie(browser)
    assert refused(ends(house, cookie), 400, "unsupported_token_type")
    assert browser.get("/api/session").status_code == 200


def test_sealed_cookie_is_no_token_either(house: House) -> None:
    """It begins with a header that our sealing key writes; what merely has five parts is an unknown token."""
    header = next(iter(house.authority.ring.opening))
    assert refused(ends(house, f"{header}..a.b.c"), 400, "unsupported_token_type")
    assert not done(ends(house, "a..b.c.d"))


def test_bearer_header_of_a_program_is_left_alone(house: House) -> None:
    """A client that always sends its access token may end it like any other."""
    held = house.holder()
    assert done(held.client.post(REVOKE, data={"token": held.access, **OURS}))
    assert is_problem(held.client.get("/api/session"), 401, "invalid_token")


def test_ending_that_cannot_be_written_now_is_no_success(building: Build) -> None:
    """503 with Retry-After: the client must take it that the token lives (RFC 7009 section 2.2.1), and it does."""
    house = building({"database": {"url": None}})
    held = house.holder()
    file = house.authority.settings.database_file
    assert file is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = ends(house, held.access)
        other.execute("ROLLBACK")
    assert refused(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) >= 1
    assert lives(house, held.access)
    assert done(ends(house, held.access))
    assert not lives(house, held.access)


def test_registered_page_may_read_the_answer(building: Build) -> None:
    """RFC 7009 section 2.3: only where it is registered, with the receipt, and never with credentials."""
    house = building({"origins": {"trusted": [APP]}})
    held = house.holder()
    answer = house.program(origin=APP).post(REVOKE, data={"token": held.access, **OURS})
    assert done(answer)
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-expose-headers"] == "Gatepost-Receipt"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    foreign = house.program(origin="https://evil.example").post(REVOKE, data={"token": held.refresh, **OURS})
    assert refused(foreign, 403, "cross_site")
    assert "access-control-allow-origin" not in foreign.headers
    assert refresh(house, held.refresh).status_code == 200
    assert "access-control-allow-origin" not in ends(house, held.refresh).headers


def test_form_of_another_site_ends_nobody(house: House) -> None:
    """In a browser with a live cookie: no cookie is read here, and it is refused all the same."""
    browser = house.signed_in()
    form = {"token": session_cookie(browser), **OURS}
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site", "origin": APP}):
        assert refused(browser.post(REVOKE, data=form, headers=headers), 403, "cross_site")
    assert browser.get("/api/session").status_code == 200


def test_metadata_names_both_endpoints_and_how_to_authenticate(https: House) -> None:
    """RFC 8414 section 2."""
    body: dict[str, Any] = https.program().get("/.well-known/oauth-authorization-server").json()
    assert body["introspection_endpoint"] == f"https://auth.example.com{INTROSPECT}"
    assert body["revocation_endpoint"] == f"https://auth.example.com{REVOKE}"
    secret = ["client_secret_basic", "client_secret_post"]
    assert body["introspection_endpoint_auth_methods_supported"] == secret
    assert body["revocation_endpoint_auth_methods_supported"] == ["none", *secret]
