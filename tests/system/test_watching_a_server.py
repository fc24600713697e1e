"""What an operator sees of a real server: metrics, readiness and the journal, in which no credential ever stands."""

import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import STEADY, RunningServer
from tests.web.scraping import Scrape, parsed

BEARER = "c2NyYXBlci1iZWFyZXItZm9yLXRlc3Rz"
FIRST, SECOND, WRONG = "plenty of quiet words", "seven herons over wet slate", "not what it was at all"
ADMIN, ADA = "root@example.com", "ada@example.com"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server that says as much as it ever does, with a bearer for its metrics."""
    (tmp_path / "bearer.txt").write_text(BEARER)
    environment = {
        **STEADY,
        "GATEPOST_METRICS__BEARER_FILE": str(tmp_path / "bearer.txt"),
        "GATEPOST_LOG__LEVEL": "debug",
        "GATEPOST_LOG__FORMAT": "json",
    }
    with RunningServer(tmp_path / "server", environment=environment) as running:
        yield running


@dataclass
class Watched:
    """Clients of one server, and every credential that any of them sent or was given."""

    server: RunningServer
    credentials: set[str] = field(default_factory=lambda: {FIRST, SECOND, WRONG, BEARER})
    clients: ExitStack = field(default_factory=ExitStack)

    def client(self) -> httpx2.Client:
        """A browser whose answers are read for credentials."""
        hooks = {"response": [self._note]}
        headers = {"sec-fetch-site": "same-origin"}
        client = httpx2.Client(timeout=20, base_url=self.server.url, headers=headers, event_hooks=hooks)
        return self.clients.enter_context(client)

    def ask(self, client: httpx2.Client, status: int, method: str, path: str, **body: Any) -> httpx2.Response:
        """One request and the status it must have."""
        answer = client.request(method, path, **body)
        assert answer.status_code == status, (path, answer.text)
        return answer

    def _note(self, answer: httpx2.Response) -> None:
        answer.read()
        for cookie in answer.headers.get_list("set-cookie"):
            self.credentials.add(cookie.partition("=")[2].partition(";")[0])
        for text in re.findall(r'"(?:access|refresh)_token":"([^"]+)"', answer.text):
            self.credentials |= {text, *text.split(".")}
        self.credentials |= set(re.findall(r'name="csrf" value="([^"]+)"', answer.text))

    def found_in(self, text: str) -> set[str]:
        """Which of them stand in a text, as they are or as a URL would spell them."""
        return {
            one for one in self.credentials if len(one) > 8 and (one in text or one.replace(" ", "+") in text)
        }


def begin(watched: Watched, server: RunningServer) -> tuple[httpx2.Client, httpx2.Client]:
    """An administrator by the one-time link, and a member by sign-up after a visit."""
    watched.credentials.add(server.invite_secret)
    root, ada = watched.client(), watched.client()
    watched.ask(root, 303, "POST", server.invite_link or "", data={"email": ADMIN, "password": FIRST})
    watched.ask(ada, 201, "POST", "/api/visit", json={})
    watched.ask(ada, 201, "POST", "/api/sign-up", json={"email": ADA, "password": FIRST})
    return root, ada


def live(watched: Watched, ada: httpx2.Client) -> None:
    """Everything a member does: pages, wrong passwords, tokens used, repeated and replayed, another password."""
    watched.ask(ada, 200, "GET", "/account")
    watched.ask(ada, 200, "PATCH", "/api/session/data", json={"cart": [1]})
    watched.ask(ada, 401, "POST", "/api/sign-in", json={"email": ADA, "password": WRONG})
    program = watched.client()
    signed_in = {"email": ADA, "password": FIRST, "carrier": "token"}
    tokens = watched.ask(program, 200, "POST", "/api/sign-in", json=signed_in).json()["tokens"]
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    watched.ask(program, 200, "GET", "/api/session", headers=bearer)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    second = watched.ask(program, 200, "POST", "/oauth/token", data=form).json()
    watched.ask(program, 200, "POST", "/oauth/token", data={**form, "refresh_token": second["refresh_token"]})
    watched.ask(program, 400, "POST", "/oauth/token", data=form)
    watched.ask(program, 401, "GET", "/api/session", headers=bearer)
    watched.ask(ada, 204, "POST", "/api/password", json={"current": FIRST, "new": SECOND})


def misuse(watched: Watched, ada: httpx2.Client) -> None:
    """Credentials in places where none belongs, and requests that are none."""
    cookie = ada.cookies.get("gatepost") or ""
    watched.ask(ada, 400, "GET", f"/api/session?access_token={cookie}")
    watched.ask(ada, 404, "GET", f"/invite/{cookie}")
    watched.ask(ada, 404, "GET", f"/{cookie}")
    watched.ask(
        ada,
        400,
        "POST",
        "/api/sign-in",
        content=f'{{"password": "{SECOND}"',
        headers={"content-type": "application/json"},
    )
    watched.ask(ada, 422, "POST", "/api/sign-in", json={"email": ADA, "password": SECOND, SECOND: 1})
    watched.ask(ada, 400, "GET", "/api/session", headers={"authorization": f"Bearer {cookie}"})
    host, port = watched.server.url.removeprefix("http://").split(":")
    for garbage in (
        f"{SECOND}\r\n\r\n",
        f"GET /{cookie} HTTP/9.9\r\n\r\n",
        f"POST / HTTP/1.1\r\n{cookie}\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(garbage.encode())
            connection.recv(4096)


def break_down(watched: Watched, ada: httpx2.Client) -> None:
    """The database locked by another program, and then without a table that every sign-in needs."""
    body = {"email": ADA, "password": SECOND}
    with closing(sqlite3.connect(watched.server.data / "gatepost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        watched.ask(ada, 503, "POST", "/api/sign-in", json=body)
        watched.ask(ada, 503, "GET", "/readyz")
        other.execute("ROLLBACK")
        watched.ask(ada, 200, "GET", "/readyz")
        other.execute('ALTER TABLE "refresh_family" RENAME TO "gone"')
        watched.ask(ada, 500, "POST", "/api/sign-in", json={**body, "carrier": "token"})
        other.execute('ALTER TABLE "gone" RENAME TO "refresh_family"')


def administer(watched: Watched, root: httpx2.Client, server: RunningServer) -> None:
    """The audit trail, a lock, a command beside the server."""
    accounts = watched.ask(root, 200, "GET", "/api/admin/accounts").json()["items"]
    (ada,) = [one["id"] for one in accounts if one["email"] == ADA]
    watched.ask(root, 200, "POST", f"/api/admin/accounts/{ada}/lock")
    assert server.command("account", "create", "eve@example.com", stdin=f"{SECOND}\n").code == 0
    watched.ask(root, 204, "POST", "/api/sign-out")


def metrics_of(server: RunningServer) -> tuple[str, Scrape]:
    """What the server says to a scraper on this machine."""
    answer = httpx2.get(f"{server.url}/metrics", timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.text, parsed(answer.text)


def test_no_credential_is_ever_in_the_journal_or_the_metrics(server: RunningServer) -> None:
    """At the level debug, through everything people do, misuse and breakdown: 0 hits, and one JSON line an event."""
    watched = Watched(server)
    with watched.clients:
        root, ada = begin(watched, server)
        live(watched, ada)
        misuse(watched, ada)
        break_down(watched, ada)
        administer(watched, root, server)
    text, found = metrics_of(server)
    server.stop()
    events = [json.loads(line) for line in server.journal.splitlines()]
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)
    said = {event["event"] for event in events}
    assert {"started", "trouble", "stopped"} <= said
    assert "Traceback" in server.journal
    assert len(watched.credentials) > 20
    assert watched.found_in(server.journal) == set()
    assert watched.found_in(text) == set()
    assert found("refreshes_total", outcome="replayed") == 1
    assert found("error_answers_total", code="internal") == 1
    assert found("error_answers_total", code="busy") == 2


def test_a_real_server_is_scraped(server: RunningServer) -> None:
    """From this machine without a credential, through a proxy only with the bearer; numbers move with what happens."""
    before = metrics_of(server)[1]
    assert httpx2.get(f"{server.url}/api/session", timeout=20).status_code == 401
    after = metrics_of(server)[1]
    for name, labels in (
        ("checks_total", {"carrier": "none", "result": "nothing_presented"}),
        ("error_answers_total", {"code": "signed_out"}),
        ("request_seconds_count", {"kind": "api"}),
    ):
        assert after(name, **labels) == before(name, **labels) + 1
    assert after("lease_age_seconds") < after("lease_bound_seconds") == 15
    assert (after("log_followers"), after("log_lag")) == (1, 0)
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    assert httpx2.get(f"{server.url}/metrics", headers=forwarded, timeout=20).status_code == 403
    shown = {**forwarded, "Authorization": f"Bearer {BEARER}"}
    assert httpx2.get(f"{server.url}/metrics", headers=shown, timeout=20).status_code == 200


def test_an_ending_by_a_command_is_seen_at_once(server: RunningServer) -> None:
    """Head and position have moved when the command is done, and nobody lags."""
    assert server.command("account", "create", ADA, stdin=f"{FIRST}\n").code == 0
    before = metrics_of(server)[1]
    assert server.command("account", "lock", ADA).code == 0
    after = metrics_of(server)[1]
    assert after("log_head") == before("log_head") + 1
    assert (after("log_position"), after("log_slowest_lag")) == (after("log_head"), 0)


def test_several_workers_answer_for_themselves_and_agree_on_what_they_share(tmp_path: Path) -> None:
    """Each scrape names the worker that answered; head and number of followers are the same from all."""
    with RunningServer(tmp_path, "--workers", "2", environment=STEADY) as server:
        texts = [metrics_of(server) for _ in range(20)]
        workers = {one for text, _ in texts for one in re.findall(r'worker="(\d+)"', text)}
        assert 1 <= len(workers) <= 2
        for text, found in texts:
            assert len(set(re.findall(r'worker="(\d+)"', text))) == 1
            assert (found("log_followers"), found("log_head"), found("store_readable")) == (2, 0, 1)
