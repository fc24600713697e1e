"""Every act of an administrator, and of an owner, says in the trail from where and in which session it was done."""

from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.core.changes import AuditRow, Event
from gatepost.web.routes import ADMINISTRATION, PAGES, Kind, Route
from tests.web.house import ADA, PASSWORD, House, sign_in

BOSS = "boss@example.com"
NEW_PASSWORD = "five or six words do as well"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
FROM = ("testclient", "Firefox on Linux")
# What each act is sent with, and what it writes.
ACTS: dict[str, tuple[dict[str, Any], set[Event]]] = {
    "POST /api/admin/accounts/{account_id}/lock": ({}, {Event.ACCOUNT_LOCKED}),
    "POST /api/admin/accounts/{account_id}/unlock": ({}, {Event.ACCOUNT_UNLOCKED}),
    "PUT /api/admin/accounts/{account_id}/roles": (
        {"json": {"roles": ["member", "support"]}},
        {Event.ROLES_CHANGED},
    ),
    "POST /api/admin/accounts/{account_id}/roles/preview": ({"json": {"roles": ["member"]}}, set()),
    "DELETE /api/admin/accounts/{account_id}/sessions": ({}, {Event.SESSIONS_ENDED}),
    "DELETE /api/admin/sessions": ({"params": {"confirm": "everyone"}}, {Event.EVERYONE_ENDED}),
    "DELETE /api/admin/sessions/{session_id}": ({}, {Event.SESSION_ENDED}),
    "POST /api/admin/keys/rotate": ({"json": {}}, {Event.KEY_ROTATED, Event.KEY_MADE}),
    "POST /admin/everyone": ({"data": {"confirm": "everyone"}}, {Event.EVERYONE_ENDED}),
    "POST /admin/keys/rotate": ({}, {Event.KEY_ROTATED, Event.KEY_MADE}),
    "POST /admin/keys/{kid}/withdraw": (
        {"data": {"confirm": "withdraw"}},
        {Event.KEY_WITHDRAWN, Event.KEY_ROTATED, Event.KEY_MADE},
    ),
    "POST /admin/accounts/{account_id}/lock": ({}, {Event.ACCOUNT_LOCKED}),
    "POST /admin/accounts/{account_id}/unlock": ({}, {Event.ACCOUNT_UNLOCKED}),
    "POST /admin/accounts/{account_id}/roles": (
        {"data": {"roles": ["member", "support"]}},
        {Event.ROLES_CHANGED},
    ),
    "POST /admin/accounts/{account_id}/end-sessions": ({}, {Event.SESSIONS_ENDED}),
    "POST /admin/sessions/{session_id}/end": ({}, {Event.SESSION_ENDED}),
}
ADMINISTRATORS = [
    route for route in (*ADMINISTRATION, *PAGES) if "admin" in route.path.split("/") and route.method != "GET"
]


@dataclass(frozen=True)
class Scene:
    """A house in which Ada is signed in, and a browser of an administrator."""

    house: House
    boss: TestClient

    def session_of(self, email: str) -> str:
        """The id of the one session of an account."""
        authority = self.house.authority
        (standing,) = authority.sessions.of_account(authority.accounts.find(email).id)
        return standing.session.id

    def act(self, route: Route, asked: dict[str, Any]) -> Response:
        """Do what a route does, to Ada."""
        authority = self.house.authority
        path = route.path.format(
            account_id=authority.accounts.find(ADA).id,
            session_id=self.session_of(ADA),
            kid=authority.ring.signing.verifying.kid,
        )
        return self.boss.request(route.method, path, **asked)

    def written(self, before: int) -> list[AuditRow]:
        """The rows of the trail after so many."""
        return [row for _, row in self.house.authority.audit.page(limit=200)][before:]

    def so_far(self) -> int:
        """How many rows there are."""
        return len(self.written(0))


@pytest.fixture
def scene(house: House) -> Scene:
    """The scene of each test."""
    house.signed_in()
    house.account(BOSS, "admin")
    boss = house.browser(**{"user-agent": FIREFOX})
    assert sign_in(boss, BOSS).status_code == 200
    return Scene(house, boss)


@pytest.mark.parametrize("route", ADMINISTRATORS, ids=lambda route: f"{route.method} {route.path}")
def test_every_act_of_an_administrator_says_from_where_it_was_done(scene: Scene, route: Route) -> None:
    """Address, device and the administrator's own session, in every row that any of their routes writes."""
    asked, events = ACTS[f"{route.method} {route.path}"]
    own, boss = scene.session_of(BOSS), scene.house.authority.accounts.find(BOSS).id
    before = scene.so_far()
    answer = scene.act(route, asked)
    # A form may be answered by sending on to the page that says what was done.
    assert answer.status_code in ({200, 303} if route.kind is Kind.PAGE else {200}), answer.text
    rows = scene.written(before)
    assert {row.event for row in rows} == events
    for row in rows:
        assert (row.actor, row.address, row.device) == (boss, *FROM), row
        assert row.more["by_session"] == own, row


def test_a_withdrawal_by_call_says_so_too(scene: Scene) -> None:
    """The other half of `POST /api/admin/keys/rotate`."""
    own, before = scene.session_of(BOSS), scene.so_far()
    kid = scene.house.authority.ring.signing.verifying.kid
    assert scene.boss.post("/api/admin/keys/rotate", json={"compromised": kid}).status_code == 200
    rows = scene.written(before)
    assert Event.KEY_WITHDRAWN in {row.event for row in rows}
    assert {(row.address, row.device, row.more["by_session"]) for row in rows} == {(*FROM, own)}


def test_whose_session_was_ended_is_told_from_whose_it_was_done_in(scene: Scene) -> None:
    """`session_id` is the one that ended, `by_session` the administrator's."""
    own, ended, before = scene.session_of(BOSS), scene.session_of(ADA), scene.so_far()
    assert scene.boss.delete(f"/api/admin/sessions/{ended}").status_code == 200
    (row,) = scene.written(before)
    assert (row.session_id, row.more) == (ended, {"by_session": own})


def test_a_command_has_no_address(scene: Scene) -> None:
    """Its actor says where it ran: on the server."""
    authority, before = scene.house.authority, scene.so_far()
    account = authority.accounts.find(ADA)
    authority.sessions.end_any(scene.session_of(ADA), "cli")
    authority.accounts.lock(account.id, "cli")
    authority.accounts.unlock(account.id, "cli")
    authority.accounts.set_roles(account.id, ["support"], "cli")
    authority.accounts.end_sessions(account.id, "cli")
    authority.keys.rotate("cli")
    authority.keys.withdraw(authority.ring.signing.verifying.kid, "cli")
    authority.sessions.end_all("cli")
    rows = scene.written(before)
    assert len(rows) >= 8
    assert {(row.actor, row.address, row.device) for row in rows} == {("cli", "", "")}
    assert not any("by_session" in row.more for row in rows)


def test_every_act_of_an_owner_says_from_where_it_was_done(house: House) -> None:
    """From the sign-up to the sign-out, what did not work among it; other sessions, one of them, the password."""
    client, other = house.browser(**{"user-agent": FIREFOX}), house.browser(**{"user-agent": FIREFOX})
    client.post("/api/sign-up", json={"email": ADA, "password": PASSWORD})
    sign_in(other, password="not the password at all")
    sign_in(other)
    ended = other.get("/api/session").json()["session"]["id"]
    answers = [
        client.post("/api/reauthenticate", json={"password": "not the password at all"}),
        client.post("/api/reauthenticate", json={"password": PASSWORD}),
        client.delete(f"/api/sessions/{ended}"),
        client.delete("/api/sessions"),
        client.post("/api/password", json={"current": "not the password at all", "new": NEW_PASSWORD}),
        client.post("/api/password", json={"current": PASSWORD, "new": NEW_PASSWORD}),
        client.post("/api/sign-out"),
    ]
    assert [answer.status_code for answer in answers] == [401, 200, 204, 204, 401, 204, 204]
    rows = [row for _, row in house.authority.audit.page(limit=200)]
    assert [row.event for row in rows if row.event is not Event.KEY_MADE] == [
        Event.SIGNED_UP,
        Event.SIGN_IN_FAILED,
        Event.SIGNED_IN,
        Event.REAUTHENTICATION_FAILED,
        Event.REAUTHENTICATED,
        Event.SESSION_ENDED,
        Event.OTHER_SESSIONS_ENDED,
        Event.PASSWORD_CHANGE_FAILED,
        Event.PASSWORD_CHANGED,
        Event.SIGNED_OUT,
    ]
    assert {(row.address, row.device) for row in rows if row.event is not Event.KEY_MADE} == {FROM}


def test_the_time_line_says_it_in_words(scene: Scene) -> None:
    """By whom, with what, from where, and in which of their sessions."""
    own = scene.session_of(BOSS)
    account = scene.house.authority.accounts.find(ADA)
    scene.boss.post(f"/api/admin/accounts/{account.id}/lock")
    page = scene.boss.get("/admin", params={"account": account.id}).text
    assert "Account locked by boss@example.com using Firefox on Linux from testclient" in page
    assert f"Done in session {own}" in page
    german = scene.boss.get("/admin", params={"account": account.id}, headers={"accept-language": "de"}).text
    assert "Konto gesperrt durch boss@example.com, mit Firefox unter Linux, von testclient" in german
