"""Tokens in cookies renewed by many requests at once, by answers that never arrive, and by a process that dies of it.

A browser is not told that an answer was lost: it shows the same cookies again. Whatever happens, nobody is signed out.
"""

import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.sessions import Carrier
from gatepost.machine import SystemClock
from tests.races.applications import ACCESS, REFRESH, RenewingApplication, refresh_in
from tests.races.test_one_winner import count_of, generation_of
from tests.races.test_one_winner_over_http import served
from tests.races.wires import Answer, Wire, silenced, workers_in
from tests.services.installation import Device, add_account, open_authority

AT_ONCE = 20
SHORT = 10
LONG = 200
PATIENCE = 60.0


@dataclass(frozen=True)
class Browser:
    """Twenty kept connections, half of them to each of two workers, and an authority on their database beside them."""

    at: Authority
    wires: list[Wire]
    threads: ThreadPoolExecutor
    together: threading.Barrier

    def load(self, path: str, refresh: str) -> list[Answer]:
        """Everything of one page at once, with the same cookies: the access token's is gone, as if it were over."""

        def one(wire: Wire) -> Answer:
            self.together.wait(PATIENCE)
            return wire.ask("GET", path, {"Cookie": f"{REFRESH}={refresh}"})

        return list(self.threads.map(one, self.wires))


def wires_to_each(url: str, folder: Path, stack: ExitStack) -> list[Wire]:
    """As many connections to one worker as to the other, closed with the stack."""
    wires, workers = [Wire(url) for _ in range(AT_ONCE)], workers_in(folder)
    assert len(workers) == 2
    for number, worker in enumerate(workers):
        with silenced({worker}, folder):
            for wire in wires[number::2]:
                stack.callback(wire.close)
                assert wire.ask("GET", "/healthz").status == 200
    return wires


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser at a server of two workers."""
    folder = tmp_path / "data"
    folder.mkdir()
    troubles: list[Exception] = []
    with ExitStack() as stack:
        url = stack.enter_context(served(folder))
        threads = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        port = int(url.rpartition(":")[2])
        at = open_authority(folder, SystemClock(), troubles.append, server={"port": port})
        stack.callback(at.stop)
        wires = wires_to_each(url, folder, stack)
        yield Browser(at, wires, threads, threading.Barrier(AT_ONCE))
    assert troubles == []


@pytest.fixture
def application(tmp_path: Path) -> Iterator[RenewingApplication]:
    """An application in a process of its own."""
    with RenewingApplication(tmp_path / "application") as running:
        yield running
    assert "Traceback" not in running.journal


def get(application: RenewingApplication, path: str, refresh: str) -> httpx2.Response:
    """Ask with a refresh token's cookie alone."""
    return httpx2.get(application.url + path, cookies={REFRESH: refresh}, timeout=PATIENCE)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", ["/api/session", "/account"])
def test_one_page_at_two_workers_rotates_once_round_after_round(
    browser: Browser, path: str, request: pytest.FixtureRequest
) -> None:
    """Twenty requests with one expired token: twenty answers, one rotation, one successor for all."""
    token = Device(browser.at, add_account(browser.at), Carrier.TOKEN_COOKIE).pair.refresh.reveal()
    for number in range(1, (LONG if request.config.getoption("--long") else SHORT) + 1):
        answers = browser.load(path, token)
        assert [answer.status for answer in answers] == [200] * AT_ONCE
        [token] = {refresh_in(answer.headers["set-cookie"]) for answer in answers}
        assert generation_of(browser.at, token) == number
    assert count_of(browser.at, Event.REFRESH_REPLAYED) == 0


def test_slow_and_fast_answers_bring_the_same_tokens(application: RenewingApplication) -> None:
    """Ten handlers that take their time and ten that do not: one rotation, whichever answers first."""
    refresh = application.sign_up("ada@example.com")[REFRESH]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        paths = ["/slow", "/me"] * (AT_ONCE // 2)
        answers = list(threads.map(lambda path: get(application, path, refresh), paths))
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert len({(answer.cookies[ACCESS], answer.cookies[REFRESH]) for answer in answers}) == 1
    assert application.rotations() == [1]


def test_answers_that_nobody_waits_for_sign_nobody_out(application: RenewingApplication) -> None:
    """A browser that goes elsewhere before the answer comes, again and again, still has the cookies it had before."""
    refresh = application.sign_up("ada@example.com")[REFRESH]
    host, _, port = application.url.removeprefix("http://").rpartition(":")
    for _ in range(5):
        with closing(socket.create_connection((host, int(port)), PATIENCE)) as wire:
            wire.sendall(
                f"GET /slow HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {REFRESH}={refresh}\r\n\r\n".encode()
            )
    answer = get(application, "/me", refresh)
    assert answer.status_code == 200
    assert get(application, "/me", answer.cookies[REFRESH]).status_code == 200
    assert application.rotations() == [2]


def test_a_process_that_dies_between_rotation_and_answer_signs_nobody_out(
    application: RenewingApplication,
) -> None:
    """kill -9 in the handler: the rotation is durable, its answer never came; after the restart it is given again."""
    cookies = application.sign_up("ada@example.com")
    with pytest.raises(httpx2.TransportError):
        get(application, "/die", cookies[REFRESH])
    assert application.await_end() == -signal.SIGKILL
    assert application.rotations() == [1]
    application.restart()
    answers = [get(application, "/me", cookies[REFRESH]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    [renewed] = {answer.cookies[REFRESH] for answer in answers}
    assert application.rotations() == [1]
    assert get(application, "/me", renewed).status_code == 200
    assert replays(application) == 0


def replays(application: RenewingApplication) -> int:
    """How many used-up tokens were taken for stolen ones."""
    with closing(sqlite3.connect(application.folder / "gatepost.db", timeout=30)) as database:
        [(number,)] = database.execute(
            "SELECT count(*) FROM audit WHERE event = ?", (Event.REFRESH_REPLAYED.value,)
        )
    return int(number)
