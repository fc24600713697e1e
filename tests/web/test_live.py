"""The live page: what a watcher is sent, what it costs, and everything that ends it."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.requests import Request
from starlette.testclient import TestClient

from gatepost.errors import Busy, StoreUnusable
from gatepost.web import live
from gatepost.web.asking import Asking
from tests.web.house import ADA, House, is_problem, sign_in

BOSS = "boss@example.com"
CARRIERS = ["cookie", "sealed", "token", "token-cookie"]
PATIENCE = 60.0


@pytest.fixture
def served(house: House) -> Iterator[str]:
    """The house behind a real server, whose answers come as they are written."""
    server = uvicorn.Server(uvicorn.Config(house.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://localhost:{port}"
    house.authority.leaving = True
    server.should_exit = True
    thread.join(PATIENCE)


class Watcher:
    """One who watches, in a thread: every event as it comes, and whether it is over."""

    def __init__(self, url: str, headers: dict[str, str], query: str = "") -> None:
        self.seen: list[dict[str, Any]] = []
        self.status = 0
        self._url, self._headers = f"{url}/admin/live{query}", headers
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with httpx2.stream("GET", self._url, headers=self._headers, timeout=20) as answer:
            self.status = answer.status_code
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.seen.append(json.loads(line.removeprefix("data: ")))

    def sees(self, text: str, part: str = "happened") -> bool:
        """Whether it is told this before long."""
        return before_long(lambda: any(text in one.get(part, "") for one in self.seen))

    @property
    def over(self) -> bool:
        """Whether its stream ends before long."""
        return before_long(lambda: not self._thread.is_alive())


def before_long(true: Callable[[], bool]) -> bool:
    """Whether something becomes true."""
    until = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def boss_of(house: House, carrier: str = "cookie") -> tuple[TestClient, dict[str, str]]:
    """An administrator's client, and the headers that it would send."""
    house.account(BOSS, "admin")
    client = house.browser()
    answer = sign_in(client, BOSS, carrier=carrier)
    if carrier == "token":
        client.headers["authorization"] = f"Bearer {answer.json()['tokens']['access_token']}"
        return client, {"authorization": client.headers["authorization"]}
    return client, {"cookie": "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)}


@contextmanager
def counted(house: House) -> Iterator[list[str]]:
    """The looks into the store while somebody watches, by name."""
    looks, overview = list[str](), house.authority.store.overview

    def looking() -> Any:
        looks.append("look")
        return overview()

    house.authority.store.overview = looking  # type: ignore[method-assign]
    yield looks
    house.authority.store.overview = overview  # type: ignore[method-assign]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_watcher_sees_what_happens(house: House, served: str, carrier: str) -> None:
    """What is there at first, and a sign-in when it happens; then its own sign-out ends it."""
    client, headers = boss_of(house, carrier)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    house.signed_in(ADA)
    assert watcher.sees(ADA)
    assert watcher.sees(ADA, "present")
    client.post("/api/sign-out")
    assert watcher.over


@pytest.mark.parametrize("ending", ["lock", "role", "everyone", "leaving", "minute"])
def test_whatever_ends_a_watcher_ends_the_stream(house: House, served: str, ending: str) -> None:
    """The account, its role, everybody, the server's end, and at the latest a minute."""
    house.account("other@example.com", "admin")
    _, headers = boss_of(house)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    accounts, boss = house.authority.accounts, house.authority.accounts.find(BOSS)
    endings: dict[str, Callable[[], object]] = {
        "lock": lambda: accounts.lock(boss.id, "test"),
        "role": lambda: accounts.set_roles(boss.id, ["member"], "test"),
        "everyone": lambda: house.authority.sessions.end_all("test"),
        "leaving": lambda: setattr(house.authority, "leaving", True),
        "minute": lambda: house.clock.turn(seconds=60),
    }
    endings[ending]()
    assert watcher.over


def test_a_server_that_hears_nothing_of_the_log_shows_nothing(house: House, served: str) -> None:
    """The lease is over: nobody can say whether the watcher still may."""
    _, headers = boss_of(house)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    house.authority.follower.stop()
    assert watcher.over


def test_many_watchers_cost_what_one_costs(house: House, served: str) -> None:
    """Ten who watch for two seconds look into the store as often as the one reader does."""
    _, headers = boss_of(house)
    watchers = [Watcher(served, headers) for _ in range(10)]
    assert all(watcher.sees(BOSS, "present") for watcher in watchers)
    with counted(house) as looks:
        began = time.monotonic()
        time.sleep(2.2)
        seconds = time.monotonic() - began
    # Each second one look at the trail; who is there at most every fifth, which takes two.
    assert 1 <= len(looks) <= (seconds + 1) + 2 * (seconds / 5 + 1)
    house.authority.leaving = True
    assert all(watcher.over for watcher in watchers)
    with counted(house) as looks:
        time.sleep(1.2)
    assert looks == []


def test_a_store_that_cannot_be_read_is_looked_into_again(house: House, served: str) -> None:
    """The watcher stays, and sees later what happened meanwhile; its own end is not held up."""
    client, headers = boss_of(house)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    overview, failed = house.authority.store.overview, threading.Event()

    def failing() -> Any:
        failed.set()
        raise StoreUnusable("The disk is gone.")

    house.authority.store.overview = failing  # type: ignore[method-assign]
    assert failed.wait(PATIENCE)
    house.account(ADA)
    house.authority.store.overview = overview  # type: ignore[method-assign]
    assert watcher.sees(ADA)
    client.post("/api/sign-out")
    assert watcher.over


def test_watching_is_no_use_of_the_session(house: House, served: str) -> None:
    """A page that lies open does not keep its session from resting."""
    _, headers = boss_of(house)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    house.authority.guard.take_seen()
    house.clock.turn(seconds=30)
    house.signed_in(ADA)
    assert watcher.sees(ADA)
    boss = house.authority.sessions.of_account(house.authority.accounts.find(BOSS).id)[0].session.id
    assert boss not in dict(house.authority.guard.take_seen())


def test_so_many_may_watch(house: House, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come back later, and there is room again when one leaves."""
    monkeypatch.setattr(live, "MOST_WATCHERS", 1)
    client, headers = boss_of(house)
    watcher = Watcher(served, headers)
    assert watcher.sees(BOSS, "present")
    refused = httpx2.get(f"{served}/admin/live", headers=headers, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert refused.headers["retry-after"] == "60"
    house.clock.turn(seconds=60)
    assert watcher.over
    again = Watcher(served, headers)
    assert again.sees(BOSS, "present")
    client.post("/api/sign-out")
    assert again.over


def test_who_takes_nothing_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read holds its place for so long and no longer."""
    for name, value in {"MOST_WATCHERS": 1, "_LIFE": 0.1, "_PATIENCE": 0.1}.items():
        monkeypatch.setattr(live, name, value)

    async def stuck(*_: object) -> Any:
        await asyncio.Event().wait()

    async def watched() -> None:
        scope = {"type": "http", "headers": [], "asgi": {"spec_version": "2.4"}}
        lookout = live.Lookout(house.authority)
        stream = live.Stream(lookout, Asking(house.authority, Request(scope)))
        waiting = asyncio.create_task(stream(scope, stuck, stuck))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            lookout.require_room()
        await asyncio.wait_for(waiting, PATIENCE)
        lookout.require_room()

    asyncio.run(watched())


def test_a_stream_says_what_it_is(house: House, served: str) -> None:
    """Its type, that nobody keeps it, and that no proxy holds it back; markup in what it tells is text."""
    client, headers = boss_of(house)
    house.browser(**{"user-agent": "<b>x</b>"}).post(
        "/api/sign-up", json={"email": "x'&<b>\"@example.com", "password": "three or four words do it"}
    )
    with httpx2.stream("GET", f"{served}/admin/live", headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        client.post("/api/sign-out")
        told = "".join(answer.iter_text())
    assert told.startswith("retry: ")
    assert "<b>" not in told


@pytest.mark.parametrize("roles", [("member",), ("support",)])
def test_only_administrators_watch(house: House, roles: tuple[str, ...]) -> None:
    """403 for everybody else, 401 for nobody."""
    assert is_problem(house.signed_in(ADA, *roles).get("/admin/live"), 403, "forbidden")
    assert is_problem(house.browser().get("/admin/live"), 401, "signed_out")
