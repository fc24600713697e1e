"""A person's own sessions over HTTP: reading, data, the list, endings, the password."""

import json
from datetime import timedelta

import pytest

from tests.web.house import ADA, PASSWORD, Build, House, is_problem, session_cookie, sign_in

NEW = "another four words here"


def test_nobody_is_told_that_they_are_signed_out(house: House) -> None:
    """401 `signed_out` when nothing is presented, with a challenge and no cookie touched."""
    answer = house.browser().get("/api/session")
    assert is_problem(answer, 401, "signed_out")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "header",
    [
        {"cookie": "gatepost=" + "A" * 43},
        {"cookie": "gatepost=short"},
        {"authorization": "Bearer abc"},
        {"authorization": "bearer a.b.c"},
    ],
)
def test_wrong_credential_is_an_invalid_token(house: House, header: dict[str, str]) -> None:
    """401 `invalid_token` as RFC 6750 has it; the cookie stays, for it may be that of a newer sign-in by now."""
    answer = house.browser(**header).get("/api/session")
    assert is_problem(answer, 401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "set-cookie" not in answer.headers


def test_session_says_who_asks(house: House) -> None:
    """Account and session, by cookie and by token alike; `last_seen_at` is this moment."""
    client = house.signed_in()
    house.clock.turn(timedelta(minutes=5))
    body = client.get("/api/session").json()
    assert set(body) == {"account", "session"}
    assert body["account"]["email"] == ADA
    assert body["session"]["last_seen_at"] == "2026-11-21T12:05:00.000Z"
    assert body["session"]["idle_expires_at"] == "2026-11-28T12:05:00.000Z"
    by_token = house.holder_of(ADA).client.get("/api/session").json()
    assert by_token["account"] == body["account"]
    assert by_token["session"]["carrier"] == "token"


@pytest.mark.parametrize(("hours", "status"), [(7 * 24 - 1, 200), (7 * 24, 401)])
def test_idle_session_ends_on_the_hour(house: House, hours: int, status: int) -> None:
    """Seven days without a request, to the second."""
    client = house.signed_in()
    house.clock.turn(timedelta(hours=hours))
    assert client.get("/api/session").status_code == status


@pytest.mark.parametrize(("seconds", "status"), [(599, 200), (600, 401)])
def test_access_token_ends_on_the_second(house: House, seconds: int, status: int) -> None:
    """Ten minutes, and the very second of its end is over."""
    held = house.holder()
    house.clock.turn(timedelta(seconds=seconds))
    assert held.client.get("/api/session").status_code == status


def test_data_is_merged_and_null_deletes(house: House) -> None:
    """RFC 7396: objects merge, everything else replaces, null takes away; 200 `{data}`."""
    client = house.signed_in()
    client.patch("/api/session/data", json={"cart": {"a": 1, "b": 2}, "theme": "dark", "list": [1, 2]})
    answer = client.patch("/api/session/data", json={"cart": {"a": None, "c": 3}, "theme": None, "list": [9]})
    assert answer.status_code == 200
    assert answer.json() == {"data": {"cart": {"b": 2, "c": 3}, "list": [9]}}
    assert client.get("/api/session").json()["session"]["data"] == answer.json()["data"]


@pytest.mark.parametrize("who", ["visitor", "token"])
def test_data_is_for_every_session(house: House, who: str) -> None:
    """A visitor's, and one held by token."""
    client = house.browser() if who == "visitor" else house.holder().client
    if who == "visitor":
        client.post("/api/visit", json={})
    client.patch("/api/session/data", json={"cart": [1]})
    assert client.get("/api/session").json()["session"]["data"] == {"cart": [1]}


def test_data_that_does_not_fit_changes_nothing(building: Build) -> None:
    """413 `too_large` names the size, the limit and the largest keys."""
    client = building({"sessions": {"data_limit": 200}}).signed_in()
    client.patch("/api/session/data", json={"kept": 1})
    answer = client.patch("/api/session/data", json={"big": "x" * 150, "large": "y" * 80, "small": 1})
    assert is_problem(answer, 413, "too_large")
    detail = answer.json()["detail"]
    assert "limit is 200" in detail
    assert detail.index("big (") < detail.index("large (")
    assert client.get("/api/session").json()["session"]["data"] == {"kept": 1}


def test_data_fits_to_the_very_byte(building: Build) -> None:
    """The boundary, on both sides."""
    client = building({"sessions": {"data_limit": 100}}).signed_in()
    room = 100 - len(json.dumps({"k": ""}))
    answers = [client.patch("/api/session/data", json={"k": "x" * (room + extra)}) for extra in (0, 1)]
    assert [answer.status_code for answer in answers] == [200, 413]


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "3"])
def test_data_patch_must_be_an_object(house: House, body: str) -> None:
    """RFC 7396 would replace everything; here it is 400."""
    client = house.signed_in()
    answer = client.patch("/api/session/data", content=body, headers={"content-type": "application/json"})
    assert is_problem(answer, 400, "malformed")


def test_own_sessions_are_listed_newest_first(house: House) -> None:
    """`{items}`, with the one that asks marked; nobody else's among them."""
    client = house.signed_in()
    house.clock.turn(timedelta(minutes=1))
    house.holder_of(ADA)
    house.signed_in("bob@example.com")
    body = client.get("/api/sessions").json()
    assert set(body) == {"items"}
    assert [(item["carrier"], item["current"]) for item in body["items"]] == [
        ("token", False),
        ("cookie", True),
    ]
    assert "data" not in body["items"][0]


def test_one_session_is_ended(house: House) -> None:
    """204 with the receipt; that one is dead, the one that asked lives; a second time it is 404."""
    client, held = house.signed_in(), house.holder_of(ADA)
    target = held.client.get("/api/session").json()["session"]["id"]
    answer = client.delete(f"/api/sessions/{target}")
    assert (answer.status_code, answer.content) == (204, b"")
    receipt = json.loads(answer.headers["gatepost-receipt"])
    assert set(receipt) == {"pos", "committed_at", "state", "in_force_at", "latest_at", "verifiers"}
    assert (receipt["state"], receipt["verifiers"]) == ("in_force", [])
    assert is_problem(held.client.get("/api/session"), 401, "invalid_token")
    assert client.get("/api/session").status_code == 200
    assert is_problem(client.delete(f"/api/sessions/{target}"), 404, "not_found")


def test_sessions_of_other_people_are_not_found(house: House) -> None:
    """404, word for word as for one that never was; the other person notices nothing."""
    client, other = house.signed_in(), house.signed_in("bob@example.com")
    target = other.get("/api/session").json()["session"]["id"]
    theirs, nobodys = client.delete(f"/api/sessions/{target}"), client.delete("/api/sessions/nobody")
    assert is_problem(theirs, 404, "not_found")
    assert (theirs.content, theirs.headers) == (nobodys.content, nobodys.headers)
    assert other.get("/api/session").status_code == 200


def test_all_others_are_ended(house: House) -> None:
    """204; cookies, access and refresh tokens of the others die, the one that asked stays."""
    client, second, held = house.signed_in(), house.browser(), house.holder_of(ADA)
    sign_in(second)
    answer = client.delete("/api/sessions")
    assert (answer.status_code, "gatepost-receipt" in answer.headers) == (204, True)
    assert client.get("/api/session").status_code == 200
    assert [other.get("/api/session").status_code for other in (second, held.client)] == [401, 401]
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
    assert house.program().post("/oauth/token", data=form).json()["error"] == "invalid_grant"
    assert len(client.get("/api/sessions").json()["items"]) == 1


def test_password_is_changed_and_others_end(house: House) -> None:
    """204 with the receipt; the old password is refused, the new one taken, other sessions are dead."""
    client, held = house.signed_in(), house.holder_of(ADA)
    answer = client.post("/api/password", json={"current": PASSWORD, "new": NEW})
    assert (answer.status_code, "gatepost-receipt" in answer.headers) == (204, True)
    assert client.get("/api/session").status_code == 200
    assert held.client.get("/api/session").status_code == 401
    assert is_problem(sign_in(house.browser()), 401, "invalid_credentials")
    assert sign_in(house.browser(), password=NEW).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "status", "code"),
    [("wrong", NEW, 401, "invalid_credentials"), (PASSWORD, "short", 422, "weak_password")],
)
def test_refused_password_change_changes_nothing(
    house: House, current: str, new: str, status: int, code: str
) -> None:
    """The old password and the other sessions go on."""
    client, held = house.signed_in(), house.holder_of(ADA)
    assert is_problem(client.post("/api/password", json={"current": current, "new": new}), status, code)
    assert held.client.get("/api/session").status_code == 200
    assert sign_in(house.browser()).status_code == 200


def test_visitor_is_asked_to_sign_in(house: House) -> None:
    """What needs an account answers 401 `signed_out` to a visit."""
    client = house.browser()
    client.post("/api/visit", json={})
    for answer in (
        client.get("/api/sessions"),
        client.delete("/api/sessions"),
        client.get("/api/admin/accounts"),
    ):
        assert is_problem(answer, 401, "signed_out")


def test_outage_of_the_log_signs_nobody_out(house: House) -> None:
    """503 `not_fresh` with Retry-After: no challenge, no cookie touched; a page says the same."""
    client, held = house.signed_in(), house.holder_of(ADA)
    house.authority.follower.stop()
    for answer in (client.get("/api/session"), held.client.get("/api/session")):
        assert is_problem(answer, 503, "not_fresh")
        assert int(answer.headers["retry-after"]) >= 1
        assert not {"www-authenticate", "set-cookie"} & set(answer.headers)
    page = client.get("/account")
    assert (page.status_code, page.headers["retry-after"]) == (503, "1")
    assert session_cookie(client)
