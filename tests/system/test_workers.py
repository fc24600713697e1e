"""Several worker processes on one port and one file: what one knows all know, and no worker's end is a client's.

Real processes and signals. Which worker is asked is decided by stopping the others (SIGSTOP): nothing in an answer
says whose it is.
"""

import fcntl
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.processes import state_of, stopped, wait_until, workers_of
from tests.servers import STEADY, RunningServer

PASSWORD = "plenty of quiet words"
WORKERS = 3
_numbers = count(1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of three workers. Whatever the test did to them, nothing of it runs afterwards."""
    with workers(tmp_path / "server", **STEADY) as running:
        yield running


@contextmanager
def workers(folder: Path, **environment: str) -> Iterator[RunningServer]:
    """A server of as many workers in a folder of its own."""
    with RunningServer(folder, "--workers", str(WORKERS), environment=environment) as running:
        yield running
        for pid in workers_of(running):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def guard_status(url: str, **carrier: dict[str, str]) -> int:
    """200 if a worker takes the carrier from its own memory, or how it refuses.

    Asked of the administration, which turns a member away without a look at the database: that knows of every ending,
    and would answer for a worker that has not heard.
    """
    status = httpx2.get(f"{url}/api/admin/accounts", **carrier).status_code  # type: ignore[arg-type]
    return 200 if status == 403 else status


def once_it_can_tell(status: Callable[[], int]) -> int:
    """The answer of a worker that may have stood still: asked again while it cannot judge yet (503)."""
    found = status()
    while found == 503:
        found = status()
    return found


class Somebody:
    """An account signed in by cookie and by token."""

    def __init__(self, server: RunningServer) -> None:
        self.url = server.url
        credentials = {"email": f"person{next(_numbers)}@example.com", "password": PASSWORD}
        answer = httpx2.post(f"{self.url}/api/sign-up", json=credentials, timeout=20).raise_for_status()
        self.cookies = dict(answer.cookies)
        body = {**credentials, "carrier": "token"}
        tokens = (
            httpx2.post(f"{self.url}/api/sign-in", json=body, timeout=20).raise_for_status().json()["tokens"]
        )
        self.bearer = {"Authorization": f"Bearer {tokens['access_token']}"}

    def statuses(self) -> tuple[int, int]:
        """What cookie and access token are answered, each on a connection of its own."""
        return self.cookie_status(), guard_status(self.url, headers=self.bearer)

    def cookie_status(self) -> int:
        """What the cookie is answered on a new connection."""
        return guard_status(self.url, cookies=self.cookies)

    def statuses_at_each(self, workers: set[int]) -> list[tuple[int, int]]:
        """The same, asked of every worker in turn while the others stand still."""
        answers = []
        for pid in workers:
            with stopped(workers - {pid}):
                answers.append(self.statuses())
        return answers

    def sign_out(self) -> str:
        """End the cookie's session; the state in the receipt."""
        headers = {"Origin": self.url}
        answer = httpx2.post(f"{self.url}/api/sign-out", cookies=self.cookies, headers=headers, timeout=20)
        assert answer.status_code == 204
        state: str = json.loads(answer.headers["gatepost-receipt"])["state"]
        return state


def test_a_session_made_at_one_worker_is_known_at_all(server: RunningServer) -> None:
    """Cookie and token are good at each of the workers, alone."""
    workers = workers_of(server)
    assert len(workers) == WORKERS
    assert server.pid not in workers
    assert Somebody(server).statuses_at_each(workers) == [(200, 200)] * WORKERS


def test_an_ending_is_in_force_at_every_worker_when_it_is_answered(server: RunningServer) -> None:
    """Known in the memory of each; then fifty new connections are refused, and the other session goes on."""
    person, workers = Somebody(server), workers_of(server)
    assert person.statuses_at_each(workers) == [(200, 200)] * WORKERS
    # Who was stopped has the word again before the ending is asked for.
    assert {person.cookie_status() for _ in range(10)} == {200}
    assert person.sign_out() == "in_force"
    assert [person.cookie_status() for _ in range(50)] == [401] * 50
    assert person.statuses_at_each(workers) == [(401, 200)] * WORKERS


def test_a_silent_worker_bounds_the_answer_and_refuses_when_it_wakes(tmp_path: Path) -> None:
    """The call comes back though one worker cannot confirm; that one accepts nothing it should not know any more."""
    with workers(tmp_path / "server") as server:
        person, all_of_them = Somebody(server), workers_of(server)
        silent = min(all_of_them)
        with stopped(all_of_them - {silent}):
            assert once_it_can_tell(person.cookie_status) == 200
        with stopped({silent}):
            # It comes back while that one still stands still.
            assert person.sign_out() == "bounded"
            assert [once_it_can_tell(person.cookie_status) for _ in range(20)] == [401] * 20
        with stopped(all_of_them - {silent}):
            assert once_it_can_tell(person.cookie_status) == 401


class Load:
    """Clients that keep their connections and ask without a pause, reading and writing."""

    def __init__(self, person: Somebody, clients: int = 4) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._person = person
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        person = self._person
        with httpx2.Client(base_url=person.url, cookies=person.cookies, timeout=30) as client:
            while not self._over.is_set():
                for method, path in (("GET", "/api/session"), ("PATCH", "/api/session/data")):
                    self._once(client, method, path)
                # An idle moment, in which a careless server would close the connection.
                self._over.wait(0.005)

    def _once(self, client: httpx2.Client, method: str, path: str) -> None:
        try:
            headers = {"Origin": self._person.url}
            body = {"seen": True} if method == "PATCH" else None
            status = client.request(method, path, json=body, headers=headers).status_code
        except httpx2.HTTPError as error:
            self.failures.append(repr(error))
            return
        self.answered += 1
        if status != 200:
            self.failures.append(f"{method} {status}")


def test_a_rolling_restart_under_load_fails_no_request(server: RunningServer) -> None:
    """SIGHUP replaces every worker while clients that reuse connections read and write; not one request is lost."""
    before = workers_of(server)
    with Load(Somebody(server)) as load:
        wait_until(lambda: load.answered > 50, "there was no load")
        os.kill(server.pid, signal.SIGHUP)
        wait_until(
            lambda: not (found := workers_of(server)) & before and len(found) == WORKERS,
            f"the workers were not replaced\n{server.journal}",
        )
        answered = load.answered
        wait_until(lambda: load.answered > answered + 50, "the new workers do not answer")
    assert load.failures == []
    assert {state_of(pid) for pid in before} == {""}


class IdleConnection:
    """A connection on which one request was answered, and that its client keeps for the next."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")
        host, _, port = self._host.partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        self._file = self._socket.makefile("rb")
        self.is_last = False

    def ask(self) -> bytes:
        """The status line of the next answer, nothing if the connection was closed under the request."""
        self._socket.sendall(f"GET /healthz HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        status, length = self._file.readline(), 0
        while line := self._file.readline().strip().lower():
            self.is_last = self.is_last or line == b"connection: close"
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self._file.read(length)
        return status

    def close(self) -> None:
        """Give it up."""
        self._file.close()
        self._socket.close()


def test_an_idle_connection_is_answered_once_more_when_its_worker_retires(server: RunningServer) -> None:
    """Twelve clients ask twice a second and mostly wait; each is told to connect anew, none finds the line cut."""
    before = workers_of(server)
    connections = [IdleConnection(server.url) for _ in range(12)]
    assert {one.ask() for one in connections} == {b"HTTP/1.1 200 OK\r\n"}
    os.kill(server.pid, signal.SIGHUP)
    deadline = time.monotonic() + 120
    while connections:
        assert time.monotonic() < deadline, "nobody was told to connect anew"
        time.sleep(0.5)
        assert {one.ask() for one in connections} == {b"HTTP/1.1 200 OK\r\n"}
        for one in [one for one in connections if one.is_last]:
            one.close()
            connections.remove(one)
    wait_until(lambda: not workers_of(server) & before, "the workers were not replaced")


def test_a_killed_worker_is_replaced_and_nobody_else_notices(server: RunningServer) -> None:
    """SIGKILL one: the next requests are answered, a new process follows, an ending is in force again."""
    person, before = Somebody(server), workers_of(server)
    victim = max(before)
    os.kill(victim, signal.SIGKILL)
    assert {person.cookie_status() for _ in range(20)} == {200}
    wait_until(
        lambda: victim not in (found := workers_of(server)) and len(found) == WORKERS,
        "nobody came for the dead",
    )
    assert workers_of(server) >= before - {victim}
    assert person.statuses_at_each(workers_of(server)) == [(200, 200)] * WORKERS
    assert {person.cookie_status() for _ in range(10)} == {200}
    assert person.sign_out() == "in_force"


def holder_of_the_duty(server: RunningServer) -> int:
    """The process that does the scheduled work, as it wrote itself down."""
    file = server.data / "gatepost.db.duty"
    return int((file.read_text() if file.exists() else "") or 0)


def test_scheduled_work_is_one_workers_until_it_dies(server: RunningServer) -> None:
    """One holds the duty, the lock shows it; after SIGKILL another one takes over and sweeps what is dead."""
    workers = workers_of(server)
    wait_until(lambda: holder_of_the_duty(server) in workers, "nobody took the duty")
    first = holder_of_the_duty(server)
    with (server.data / "gatepost.db.duty").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: holder_of_the_duty(server) not in {first, 0}, "nobody took over")
    wait_until(lambda: holder_of_the_duty(server) in workers_of(server), "a stranger took over")
    Somebody(server)
    expire_all(server)
    wait_until(lambda: sessions_in(server) == 0, "nobody swept")


def expire_all(server: RunningServer) -> None:
    """Make every session one that has ended by time."""
    database = sqlite3.connect(server.data / "gatepost.db")
    with database:
        database.execute("UPDATE session SET expires_at = 1")
    database.close()


def sessions_in(server: RunningServer) -> int:
    """How many session records there are."""
    database = sqlite3.connect(server.data / "gatepost.db")
    [(number,)] = database.execute("SELECT count(*) FROM session").fetchall()
    database.close()
    return int(number)


def test_a_signal_ends_all_workers_after_the_requests_under_way(server: RunningServer) -> None:
    """A request of which only a part had come is answered, as its connection's last; exit 0, nobody is left."""
    workers, answers = workers_of(server), []
    host, _, port = server.url.removeprefix("http://").partition(":")
    body = b'{"email": "nobody@example.com", "password": "something else"}'
    head = b"POST /api/sign-in HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\n" % (
        host.encode(),
        port.encode(),
    )
    parts = (
        (head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:9], body[9:]),
        (head, b"Content-Length: %d\r\n\r\n" % len(body) + body),
    )
    lines = [socket.create_connection((host, int(port)), timeout=20) for _ in parts]
    for line, (begun, _) in zip(lines, parts, strict=True):
        line.sendall(begun)
    # Answered after them on whichever worker: the accept queue is in order, so they have been taken by now.
    assert {httpx2.get(f"{server.url}/healthz", timeout=20).status_code for _ in range(20)} == {200}
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: not listens(host, int(port)), "the port stayed open")
    for line, (_, rest) in zip(lines, parts, strict=True):
        line.sendall(rest)
        with line, line.makefile("rb") as file:
            answers.append(file.read())
    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 401 Unauthorized"] * 2
    assert all(b"\r\nconnection: close\r\n" in answer.lower() for answer in answers)
    assert server.stop() == 0
    assert {state_of(pid) for pid in workers} == {""}
    assert json.loads(server.journal.splitlines()[-1])["event"] == "stopped"
    assert "Traceback" not in server.journal


def listens(host: str, port: int) -> bool:
    """Whether anybody takes connections there."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_workers_do_not_outlive_their_supervisor(server: RunningServer) -> None:
    """SIGKILL the supervisor: the workers end by themselves, and a new server takes port and folder."""
    workers, person = workers_of(server), Somebody(server)
    server.kill9()
    wait_until(lambda: {state_of(pid) for pid in workers} == {""}, "a worker outlived its supervisor")
    server.start()
    assert person.statuses() == (200, 200)


def test_the_supervisor_has_one_thread_and_no_open_database(server: RunningServer) -> None:
    """Nothing that a fork would carry into a worker half alive."""
    of_supervisor = Path(f"/proc/{server.pid}")
    opened = [path.readlink().name for path in (of_supervisor / "fd").iterdir()]
    assert "Threads:\t1\n" in (of_supervisor / "status").read_text()
    assert [name for name in opened if name.startswith("gatepost.db")] == []


def test_ctrl_c_in_a_terminal_ends_the_server_once(server: RunningServer) -> None:
    """SIGINT reaches every process of the group; the workers leave the ending to the supervisor."""
    workers = workers_of(server)
    for pid in workers:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
    assert {httpx2.get(f"{server.url}/healthz", timeout=20).status_code for _ in range(10)} == {200}
    assert workers_of(server) == workers
    assert server.end(signal.SIGINT) == 0
    assert {state_of(pid) for pid in workers} == {""}


def test_a_second_ctrl_c_ends_the_server_at_once(server: RunningServer) -> None:
    """A request that never becomes whole would be waited for; whoever presses twice does not."""
    workers = workers_of(server)
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"POST /api/sign-in HTTP/1.1\r\n")
        assert {httpx2.get(f"{server.url}/healthz", timeout=20).status_code for _ in range(20)} == {200}
        os.kill(server.pid, signal.SIGINT)
        wait_until(lambda: not listens(host, int(port)), "the port stayed open")
        os.kill(server.pid, signal.SIGINT)
        wait_until(lambda: {state_of(pid) for pid in workers} == {""}, "a worker stayed", seconds=20)
        wait_until(lambda: state_of(server.pid) in {"", "Z"}, "the supervisor stayed", seconds=20)
    assert server.stop() == 0
