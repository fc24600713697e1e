"""Keys that turn while people use two workers over HTTP, a key that is withdrawn, and kill -9 in the middle of it."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.servers import RunningServer, clean_environment, program

PASSWORD = "plenty of quiet words"
WORKERS = 2
SECONDS = 6.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of two workers."""
    with RunningServer(tmp_path / "server", "--workers", str(WORKERS)) as running:
        yield running


class Client:
    """Somebody with a cookie and tokens, who renews them as a good client does: when told that they are no good."""

    def __init__(self, url: str, number: int) -> None:
        self.url = url
        credentials = {"email": f"client{number}@example.com", "password": PASSWORD}
        self.cookies = dict(
            httpx2.post(f"{url}/api/sign-up", json=credentials, timeout=20).raise_for_status().cookies
        )
        body = {**credentials, "carrier": "token"}
        self.tokens = (
            httpx2.post(f"{url}/api/sign-in", json=body, timeout=20).raise_for_status().json()["tokens"]
        )
        self.checks = self.refused = self.renewed = self.signed_out = 0

    def check(self) -> bool:
        """Whether the access token is taken, on a connection of its own: any worker may answer."""
        bearer = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        status = 503
        # A worker that stood still for a bound cannot tell: it refuses nothing, and is to be asked again.
        while status == 503:
            status = httpx2.get(f"{self.url}/api/session", headers=bearer, timeout=20).status_code
        assert status in {200, 401}
        self.checks += 1
        self.refused += status == 401
        return status == 200

    def refresh(self) -> None:
        """Renew the tokens."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        answer = httpx2.post(f"{self.url}/oauth/token", data=form, timeout=20)
        if answer.status_code == 200:
            self.tokens = answer.json()
            self.renewed += 1
        else:
            self.signed_out += 1

    def has_cookie(self) -> bool:
        """Whether the cookie is taken."""
        return httpx2.get(f"{self.url}/api/session", cookies=self.cookies, timeout=20).status_code == 200


def at_work(clients: list[Client], until: Callable[[], bool], *, renewing: bool) -> list[threading.Thread]:
    """Every client in a thread of its own, checking and renewing."""

    def work(client: Client) -> None:
        while not until():
            if not client.check() or renewing:
                client.refresh()

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    return threads


def administrator(server: RunningServer) -> dict[str, str]:
    """The header of an administrator's token."""
    created = server.command(
        "account", "create", "root@example.com", "--role", "admin", stdin=PASSWORD + "\n"
    )
    assert created.code == 0, created.error
    body = {"email": "root@example.com", "password": PASSWORD, "carrier": "token"}
    tokens = (
        httpx2.post(f"{server.url}/api/sign-in", json=body, timeout=20).raise_for_status().json()["tokens"]
    )
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def keys_of(server: RunningServer) -> list[dict[str, str]]:
    """The keys as the command lists them."""
    items: list[dict[str, str]] = json.loads(server.command("key", "list", "--json").out)["items"]
    return items


def active(keys: list[dict[str, str]], algorithm: str = "ES256") -> str:
    """The kid that signs now."""
    return next(key["kid"] for key in keys if (key["algorithm"], key["state"]) == (algorithm, "active"))


def test_turning_keys_under_traffic_refuses_no_valid_token(server: RunningServer) -> None:
    """An administrator and a command turn them again and again; 0 of all checks at two workers are refused."""
    admin = administrator(server)
    clients = [Client(server.url, number) for number in range(3)]
    over, turns = threading.Event(), 0
    threads = at_work(clients, over.is_set, renewing=True)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or turns < 4 or any(client.renewed < 6 for client in clients):
        answer = httpx2.post(f"{server.url}/api/admin/keys/rotate", headers=admin, timeout=20)
        assert answer.status_code == 200, answer.text
        assert server.command("key", "rotate").code == 0
        turns += 2
    over.set()
    for thread in threads:
        thread.join()
    assert [(client.refused, client.signed_out) for client in clients] == [(0, 0)] * 3
    assert all(client.has_cookie() and client.check() for client in clients)
    assert len([key for key in keys_of(server) if key["algorithm"] == "ES256"]) == turns + 2


def test_a_compromised_key_ends_its_tokens_at_every_worker_and_signs_nobody_out(
    server: RunningServer,
) -> None:
    """After the answer 0 old tokens are accepted; clients renew by refresh; 0 people sign in again."""
    admin = administrator(server)
    clients = [Client(server.url, number) for number in range(4)]
    assert all(client.check() for client in clients for _ in range(3 * WORKERS))
    old = [client.tokens["access_token"] for client in clients]
    kid = active(keys_of(server))
    body = {"compromised": kid}
    answer = httpx2.post(f"{server.url}/api/admin/keys/rotate", headers=admin, json=body, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["receipt"]["state"] == "in_force"
    statuses = [
        httpx2.get(
            f"{server.url}/api/session", headers={"Authorization": f"Bearer {token}"}, timeout=20
        ).status_code
        for token in old * 4 * WORKERS
    ]
    assert set(statuses) == {401}
    for client in clients:
        client.refresh()
        assert all(client.check() for _ in range(2 * WORKERS))
        assert client.has_cookie()
    assert sum(client.signed_out for client in clients) == 0
    published = httpx2.get(f"{server.url}/.well-known/jwks.json", timeout=20).json()["keys"]
    assert kid not in {key["kid"] for key in published}
    assert len(published) == 2


def test_the_call_of_an_administrator_turns_keys_and_shows_no_secret(server: RunningServer) -> None:
    """Without a body; strange fields and keys that are not there are refused; the list may be kept for five minutes."""
    admin = administrator(server)
    url = f"{server.url}/api/admin/keys/rotate"
    answer = httpx2.post(url, headers=admin, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["known_at"] is None
    assert {name for key in answer.json()["keys"] for name in key} == {
        "kid",
        "algorithm",
        "state",
        "since",
        "created_at",
    }
    assert httpx2.post(url, headers=admin, json={"compromised": "nobody"}, timeout=20).status_code == 404
    assert httpx2.post(url, headers=admin, json={"algorithm": "RS256"}, timeout=20).status_code == 422
    assert httpx2.post(url, headers=admin, json={"master": True}, timeout=20).status_code == 422
    assert (
        httpx2.post(
            url, headers=admin, json={"compromised": "a", "algorithm": "ES256"}, timeout=20
        ).status_code
        == 422
    )
    assert httpx2.post(url, json={}, timeout=20).status_code == 401
    kept = httpx2.get(f"{server.url}/.well-known/jwks.json", timeout=20).headers["cache-control"]
    assert kept == "public, max-age=300"


def test_kill_9_while_the_master_key_changes_loses_nothing(server: RunningServer) -> None:
    """At moments spread over the whole command; after each the server goes on, and one that starts opens everything."""
    client = Client(server.url, 1)
    command = [*program(), "key", "rotate", "--master", "--data", str(server.data)]

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=server.folder,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    began = time.monotonic()
    whole = started()
    assert whole.wait(100) == 0
    took, ended, parts = time.monotonic() - began, 0, [0.6, 0.8, 0.9, 1.0]
    # The machine may be faster from one time to the next: then none of these moments is in the middle.
    while parts or not ended:
        process = started()
        began = time.monotonic()
        try:
            process.wait(took * (parts.pop(0) if parts else 0.6))
            took = min(took, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            process.kill()
            ended += process.wait() == -9
        assert server.command("key", "rotate").code == 0
        assert client.check()
    server.restart()
    assert client.check()
    assert client.has_cookie()
    client.refresh()
    assert client.check()
    assert client.signed_out == 0
    verified = server.command("audit", "verify")
    assert verified.code == 0, verified.out
