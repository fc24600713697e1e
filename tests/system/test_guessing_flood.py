"""A hundred wrong sign-ins a second, from forty addresses, at a real server of two workers.

Whoever is signed in notices nothing, whoever wants in gets in, and what the flood may cost is counted.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.processes import wait_until
from tests.servers import RunningServer

PASSWORD = "plenty of quiet words"
ADA, BOB = "ada@example.com", "bob@example.com"
HANDS, ADDRESSES, PER_ADDRESS = 8, 40, 5
PER_SECOND, SECONDS = 100, 3.0
PATIENCE = 30.0


@dataclass
class Caller:
    """Somebody at an address of this machine, with a jar of cookies. Every question has a connection of its own."""

    url: str
    address: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, float]:
        """Ask; the status, and the seconds after which to come again."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            # Said by every browser; without it an honest one with a session would need the cross-site token.
            headers |= {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        server = urlsplit(self.url).netloc
        line = http.client.HTTPConnection(server, timeout=PATIENCE, source_address=(self.address, 0))
        with closing(line):
            line.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = line.getresponse()
            answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, float(answer.headers.get("Retry-After", 0))

    def enter(self, email: str, password: str = PASSWORD) -> tuple[int, float]:
        """Sign in."""
        return self.ask("POST", "/api/sign-in", {"email": email, "password": password})

    def enter_patiently(self, email: str) -> list[int]:
        """Sign in, coming again when told to; every status on the way."""
        statuses, until = [], time.monotonic() + PATIENCE
        while time.monotonic() < until:
            status, wait = self.enter(email)
            statuses.append(status)
            if status == 200:
                break
            time.sleep(min(wait, 2.0))
        return statuses


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Two workers; an address has so few tries that the flood meets its limit within seconds."""
    few = {"GATEPOST_GUESSES__PER_ADDRESS": str(PER_ADDRESS)}
    with RunningServer(tmp_path / "server", "--workers", "2", environment=few) as running:
        yield running


@dataclass
class Flood:
    """Wrong passwords, half of them for Ada and half for people who do not exist."""

    url: str
    over: threading.Event = field(default_factory=threading.Event)
    answers: Counter[tuple[bool, int]] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=count)

    def pour(self, hand: int) -> None:
        """One hand of it, at its share of the rate, each time from its next address."""
        each = ADDRESSES // HANDS
        callers = [Caller(self.url, f"127.0.1.{hand * each + number + 1}") for number in range(each)]
        due = time.monotonic()
        while not self.over.is_set():
            number = next(self.numbers)
            caller, at_ada = callers[number % each], number % 2 == 0
            status, _ = caller.enter(ADA if at_ada else f"nobody{number}@example.com", "wrong wrong words")
            self.answers[at_ada, status] += 1
            due += HANDS / PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))


def checks_until(over: threading.Event, signed_in: Caller, seen: Counter[int]) -> None:
    """Whoever is signed in goes on."""
    while not over.is_set():
        seen[signed_in.ask("GET", "/api/session")[0]] += 1
        time.sleep(0.02)


def test_a_flood_of_guesses_hinders_nobody_who_has_a_password(server: RunningServer) -> None:
    """While it lasts: every check is answered, Bob at a new browser and Ada at hers come in, and the flood waits."""
    ada, bob = Caller(server.url, "127.0.2.1"), Caller(server.url, "127.0.2.2")
    for one, email in ((ada, ADA), (bob, BOB)):
        assert one.ask("POST", "/api/sign-up", {"email": email, "password": PASSWORD})[0] == 201
    known = {name: value for name, value in ada.cookies.items() if name.endswith("-device")}
    flood, seen = Flood(server.url), Counter[int]()
    hands = [threading.Thread(target=flood.pour, args=(hand,)) for hand in range(HANDS)]
    hands.append(threading.Thread(target=checks_until, args=(flood.over, bob, seen)))
    for hand in hands:
        hand.start()
    try:
        wait_until(lambda: flood.answers[True, 429] > 0, "the flood meets no limit")
        newcomer, owner = Caller(server.url, "127.0.2.3"), Caller(server.url, "127.0.2.4", known)
        entered = newcomer.enter_patiently(BOB), owner.enter_patiently(ADA)
        stranger, wait = Caller(server.url, "127.0.2.5").enter(ADA)
        time.sleep(SECONDS)
        # Hands that wait for a hash pour nothing, and where the machine is busy a hash is what waits.
        wait_until(lambda: flood.answers.total() > PER_SECOND, "the flood is none")
    finally:
        flood.over.set()
        for hand in hands:
            hand.join(PATIENCE)
    for statuses in entered:
        assert statuses[-1] == 200
        assert set(statuses) <= {200, 503}
    assert set(seen) == {200}
    assert seen[200] > 20
    # The one who pays is the owner at a browser that she has never used, and not for long.
    assert stranger == 429
    assert 0 < wait <= 120
    looked_at = flood.answers[True, 401], flood.answers[False, 401]
    assert {status for _, status in flood.answers} <= {401, 429, 503}
    assert sum(flood.answers.values()) > PER_SECOND
    assert looked_at[0] <= 10
    assert sum(looked_at) <= ADDRESSES * PER_ADDRESS
    assert failures_in(server) == sum(looked_at)


def failures_in(server: RunningServer) -> int:
    """How many failed sign-ins the trail has: a try that was told to wait leaves nothing."""
    rows = server.command("audit", "export", "--format", "jsonl").out.splitlines()
    return sum(json.loads(row).get("event") == "sign_in_failed" for row in rows)


def test_counts_outlive_a_server_that_is_killed(server: RunningServer) -> None:
    """SIGKILL frees no guesser; what was counted is there for the next server."""
    tries = [
        Caller(server.url, f"127.0.3.{number + 1}").enter(ADA, "wrong wrong words")[0] for number in range(11)
    ]
    assert tries == [401] * 10 + [429]
    server.kill9()
    server.start()
    assert Caller(server.url, "127.0.3.99").enter(ADA, "wrong wrong words")[0] == 429
