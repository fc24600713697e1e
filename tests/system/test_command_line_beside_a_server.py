"""Commands that work on the data of a running server: what they end, its very next request refuses.

Real processes throughout: `gatepost serve`, `gatepost account ...`, SIGKILL and SIGSTOP.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import STEADY, RunningServer

PASSWORD = "plenty of quiet words"
_numbers = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests here."""
    with RunningServer(tmp_path_factory.mktemp("beside"), environment=STEADY) as running:
        yield running


@dataclass
class Person:
    """An account, signed in by cookie and by token."""

    server: RunningServer
    email: str
    id: str
    browser: httpx2.Client
    tokens: dict[str, Any]

    def statuses(self) -> tuple[int, int]:
        """What the cookie and the access token are answered now."""
        url = f"{self.server.url}/api/session"
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return self.browser.get(url).status_code, httpx2.get(url, headers=bearer, timeout=20).status_code

    def refresh(self) -> httpx2.Response:
        """Use the refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        return httpx2.post(f"{self.server.url}/oauth/token", data=form, timeout=20)

    def sign_in_again(self) -> int:
        """The status of another sign-in with the first password."""
        credentials = {"email": self.email, "password": PASSWORD}
        return httpx2.post(f"{self.server.url}/api/sign-in", json=credentials, timeout=20).status_code


@contextmanager
def signed_up(server: RunningServer) -> Iterator[Person]:
    """A new account with a cookie and a pair of tokens, both known to the server."""
    credentials = {"email": f"person{next(_numbers)}@example.com", "password": PASSWORD}
    with httpx2.Client(timeout=20) as browser:
        begun = browser.post(f"{server.url}/api/sign-up", json=credentials).raise_for_status().json()
        with_token = {**credentials, "carrier": "token"}
        tokens = (
            httpx2.post(f"{server.url}/api/sign-in", json=with_token, timeout=20)
            .raise_for_status()
            .json()["tokens"]
        )
        person = Person(server, credentials["email"], begun["account"]["id"], browser, tokens)
        assert person.statuses() == (200, 200)
        yield person


@pytest.fixture
def person(server: RunningServer) -> Iterator[Person]:
    """Somebody signed in at the shared server."""
    with signed_up(server) as somebody:
        yield somebody


def test_a_lock_is_in_force_when_the_command_returns(server: RunningServer, person: Person) -> None:
    """The next request with cookie, token or refresh token is refused, and so is a new sign-in."""
    done = server.command("account", "lock", person.email)
    assert person.statuses() == (401, 401)
    assert done.code == 0
    assert "in force everywhere after" in done.out
    assert person.refresh().json()["error"] == "invalid_grant"
    assert person.sign_in_again() == 401


def test_an_unlocked_account_signs_in_anew(server: RunningServer, person: Person) -> None:
    """Unlocking revives nothing; signing in works again."""
    server.command("account", "lock", person.id)
    assert server.command("account", "unlock", person.id).code == 0
    assert person.statuses() == (401, 401)
    assert person.sign_in_again() == 200


def test_a_revoked_session_is_refused_and_others_are_not(server: RunningServer, person: Person) -> None:
    """`session revoke SID` ends that sign-in and leaves the account's other one."""
    session_id = person.browser.get(f"{server.url}/api/session").json()["session"]["id"]
    assert server.command("session", "revoke", session_id).code == 0
    assert person.statuses() == (401, 200)
    assert server.command("session", "revoke", session_id).code == 1


def test_all_sessions_of_an_account_are_revoked(server: RunningServer, person: Person) -> None:
    """`session revoke --account` ends every carrier of that account and nobody else's."""
    with signed_up(server) as bystander:
        assert server.command("session", "revoke", "--account", person.email).code == 0
        assert person.statuses() == (401, 401)
        assert bystander.statuses() == (200, 200)


def test_roles_count_from_the_next_request(server: RunningServer, person: Person) -> None:
    """A cookie has the new roles at once; a token that carries the old ones is refused and can be renewed."""
    assert server.command("account", "roles", person.id, "member", "admin").code == 0
    session = person.browser.get(f"{server.url}/api/session")
    assert session.json()["account"]["roles"] == ["member", "admin"]
    assert person.statuses() == (200, 401)
    assert person.refresh().status_code == 200
    listed = person.browser.get(f"{server.url}/api/admin/sessions")
    assert listed.status_code == 200


def test_a_password_set_by_the_operator_ends_every_session(server: RunningServer, person: Person) -> None:
    """Whoever held the account is out, and the old password is no more."""
    done = server.command("account", "password", person.email, stdin="altogether different words\n")
    assert done.code == 0
    assert person.statuses() == (401, 401)
    assert person.sign_in_again() == 401


def test_an_account_made_beside_the_server_signs_in_there(server: RunningServer) -> None:
    """`account create` needs no restart; the listing of both interfaces has the same items."""
    name = f"made{next(_numbers)}@example.com"
    assert server.command("account", "create", name, "--role", "admin", stdin=PASSWORD).code == 0
    with httpx2.Client(timeout=20) as browser:
        credentials = {"email": name, "password": PASSWORD}
        assert browser.post(f"{server.url}/api/sign-in", json=credentials).status_code == 200
        told = browser.get(f"{server.url}/api/admin/accounts?limit=200").json()["items"]
        assert json.loads(server.command("account", "list", "--json").out)["items"] == told
        sessions = browser.get(f"{server.url}/api/admin/sessions?limit=200").json()["items"]
    listed = json.loads(server.command("session", "list", "--json").out)["items"]
    assert [(one["id"], set(one)) for one in listed] == [(one["id"], set(one)) for one in sessions]


def test_an_invitation_made_beside_the_server_opens_there(server: RunningServer) -> None:
    """The link names the port that this server got, and the form stands behind it."""
    link = server.command("account", "invite", "--role", "support").out.strip()
    assert link.startswith(f"{server.url}/invite/")
    assert httpx2.get(link, timeout=20).status_code == 200


def test_a_silent_server_bounds_the_command_and_refuses_afterwards(tmp_path: Path) -> None:
    """A stopped process cannot confirm: the command returns within about the bound, and the lease does the rest."""
    with RunningServer(tmp_path) as alone, signed_up(alone) as victim:
        alone.pause()
        done = alone.command("account", "lock", victim.email, "--json")
        alone.go_on()
        assert victim.statuses() == (401, 401)
        receipt = json.loads(done.out)["receipt"]
        assert receipt["state"] == "bounded"
        # It waited out the lease of the silent process, no less.
        assert receipt["in_force_at"] >= receipt["latest_at"]


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    """SIGKILL right after a sign-out, a lock and a refresh were answered: after the restart all three hold."""
    with RunningServer(tmp_path) as alone, ExitStack() as people:
        leaver, locked, renewer = (people.enter_context(signed_up(alone)) for _ in range(3))
        renewed = renewer.refresh().json()
        alone.command("account", "lock", locked.id)
        csrf = next(value for name, value in leaver.browser.cookies.items() if name.endswith("csrf"))
        sign_out = leaver.browser.post(f"{alone.url}/api/sign-out", headers={"X-CSRF-Token": csrf})
        alone.kill9()
        assert sign_out.status_code == 204
        alone.start()
        assert locked.statuses() == (401, 401)
        assert leaver.statuses() == (401, 200)
        assert renewer.statuses() == (200, 200)
        renewer.tokens = renewed
        assert renewer.refresh().status_code == 200


def test_a_killed_server_leaves_nobody_waiting_after_the_restart(tmp_path: Path) -> None:
    """The row of the dead process is gone: an ending is in force, not bounded."""
    with RunningServer(tmp_path, environment=STEADY) as alone, signed_up(alone) as victim:
        alone.kill9()
        alone.start()
        receipt = json.loads(alone.command("account", "lock", victim.id, "--json").out)["receipt"]
        assert receipt["state"] == "in_force"
