"""OAuth clients with a real server of two workers: what `gatepost client` ends, each of them refuses.

Real processes throughout. Which worker is asked is decided by stopping the other.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatepost.authority import Authority
from gatepost.settings import load_settings
from tests.issuing import issue_to
from tests.processes import stopped, workers_of
from tests.servers import STEADY, RunningServer

WORKERS = 2
CREDENTIALS = {"email": "ada@example.com", "password": "plenty of quiet words", "carrier": "token"}
Client = tuple[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server of two workers for all tests here, with one account."""
    folder: Path = tmp_path_factory.mktemp("clients")
    with RunningServer(folder, "--workers", str(WORKERS), environment=STEADY) as running:
        assert httpx2.post(f"{running.url}/api/sign-up", json=CREDENTIALS, timeout=20).status_code == 201
        yield running


def made(server: RunningServer, *options: str) -> Client:
    """A new client by the command: its id and its secret."""
    done = server.command("client", "create", "Asker", *options, "--json")
    assert done.code == 0, done.error
    answer = json.loads(done.out)
    return answer["client"]["id"], answer["secret"]


def told(server: RunningServer, client: Client, token: str) -> httpx2.Response:
    """What a client is told of a token, on a connection of its own."""
    return httpx2.post(f"{server.url}/oauth/introspect", auth=client, data={"token": token}, timeout=20)


def active(server: RunningServer, client: Client, token: str) -> bool:
    """Whether it is active."""
    answer: dict[str, Any] = told(server, client, token).raise_for_status().json()
    assert answer["active"] or answer == {"active": False}
    return bool(answer["active"])


def let_in(server: RunningServer, token: str) -> bool:
    """Whether an access token is let in, on a connection of its own."""
    bearer = {"Authorization": f"Bearer {token}"}
    status = httpx2.get(f"{server.url}/api/session", headers=bearer, timeout=20).status_code
    assert status in {200, 401}
    return status == 200


@contextmanager
def beside(server: RunningServer) -> Iterator[Authority]:
    """The services over the server's database, under its issuer."""
    port = int(server.url.rpartition(":")[2])
    given = {"data": str(server.data), "server": {"port": port}}
    authority = Authority(load_settings(given, environ={}, directory=server.folder))
    try:
        yield authority
    finally:
        authority.stop()


def at_each(server: RunningServer, *tokens: str) -> list[list[bool]]:
    """Which of the tokens are let in, at each worker alone."""
    workers = workers_of(server)
    assert len(workers) == WORKERS
    found = []
    for pid in workers:
        with stopped(workers - {pid}):
            found.append([let_in(server, token) for token in tokens])
    return found


def test_ended_clients_tokens_die_at_every_worker_and_no_others(server: RunningServer) -> None:
    """Known in the memory of both; ended by the command; another client's and our own live on at both."""
    asker = made(server, "--introspect")
    shop, press = made(server, "--service"), made(server, "--service")
    own = httpx2.post(f"{server.url}/api/sign-in", json=CREDENTIALS, timeout=20).json()["tokens"][
        "access_token"
    ]
    with beside(server) as authority:
        account = authority.accounts.find(CREDENTIALS["email"])
        mine, other = (issue_to(authority, account, client_id) for client_id, _ in (shop, press))
    assert at_each(server, mine.access, other.access, own) == [[True, True, True]] * WORKERS
    assert active(server, asker, mine.access)
    done = server.command("client", "revoke", shop[0])
    assert "in force everywhere" in done.out, done.error
    assert not active(server, asker, mine.access)
    assert not active(server, asker, mine.refresh)
    assert [let_in(server, mine.access) for _ in range(20)] == [False] * 20
    assert at_each(server, mine.access, other.access, own) == [[False, True, True]] * WORKERS
    assert active(server, asker, other.refresh)


def test_access_token_revoked_at_one_worker_is_refused_at_each(server: RunningServer) -> None:
    """That one alone, and the receipt says so; its session renews."""
    asker = made(server, "--introspect")
    tokens = httpx2.post(f"{server.url}/api/sign-in", json=CREDENTIALS, timeout=20).json()["tokens"]
    assert at_each(server, tokens["access_token"]) == [[True]] * WORKERS
    form = {"client_id": "first-party", "token": tokens["access_token"]}
    answer = httpx2.post(f"{server.url}/oauth/revoke", data=form, timeout=20)
    assert answer.status_code == 200
    assert json.loads(answer.headers["gatepost-receipt"])["state"] == "in_force"
    assert not active(server, asker, tokens["access_token"])
    assert at_each(server, tokens["access_token"]) == [[False]] * WORKERS
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    renewed = httpx2.post(f"{server.url}/oauth/token", data=form, timeout=20).raise_for_status().json()
    assert at_each(server, renewed["access_token"]) == [[True]] * WORKERS


def test_secrets_of_clients_come_and_go_beside_the_server(server: RunningServer) -> None:
    """A new one opens at once and the old one no more; an ended client's opens nothing; no secret is in the journal."""
    client_id, first = made(server, "--introspect")
    second = server.command("client", "secret", client_id).out.splitlines()[-1]
    assert told(server, (client_id, first), "x").status_code == 401
    assert told(server, (client_id, second), "x").json() == {"active": False}
    assert server.command("client", "revoke", client_id).code == 0
    assert told(server, (client_id, second), "x").status_code == 401
    trail = server.command("audit", "export", "--json").out
    for secret in (first, second):
        assert secret not in server.journal + trail
