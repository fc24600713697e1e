"""The disk is full: what was acknowledged holds, nothing is half done, and room makes all well without a restart.

Twice: pages are refused by SQLite itself (`max_page_count`) behind the real application, and a real server finds its
file system full. Where this machine may not mount a small one, a limit on the size of the server's files stands in,
and the summary of the run says so.
"""

import errno
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Protocol

import httpx2
import pytest
from starlette.testclient import TestClient

from gatepost.core.changes import Event
from gatepost.stores.sql import SqlStore
from tests.real_parts import done_otherwise
from tests.servers import STEADY, RunningServer
from tests.system.faults import Person, is_busy
from tests.web.house import House, build, session_cookie, sign_in

_MOST = 2000
_numbers = count(1)
_NO_LIMIT = 1 << 30


class SmallDisk(Protocol):
    """Where a server keeps its data, and how to take the room and give it back."""

    def fill(self, server: RunningServer) -> None:
        """Leave no room."""

    def free(self, server: RunningServer) -> None:
        """Make room again."""


class MountedDisk:
    """A file system of its own, a few megabytes in memory, filled by a file that is in the way."""

    def __init__(self, place: Path) -> None:
        self._ballast = place / "in-the-way"

    def fill(self, server: RunningServer) -> None:
        """Write until nothing more goes in."""
        descriptor = os.open(self._ballast, os.O_CREAT | os.O_WRONLY)
        try:
            while os.write(descriptor, bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
        finally:
            os.close(descriptor)

    def free(self, server: RunningServer) -> None:
        """Take it away."""
        self._ballast.unlink()


class LimitedFiles:
    """The server may not make its files larger than the write-ahead log is now."""

    def fill(self, server: RunningServer) -> None:
        """Limit them."""
        self._limit(server, (server.data / "gatepost.db-wal").stat().st_size)

    def free(self, server: RunningServer) -> None:
        """Limit them no more."""
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: RunningServer, soft: int) -> None:
        _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft if soft >= 0 else hard, hard))


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    """A disk that is soon full, under the data folder of the server in `tmp_path/server`."""
    place = tmp_path / "server" / "data"
    place.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        done_otherwise(request.node, f"a limit on file sizes, since mounting failed: {done.stderr.strip()}")
        yield LimitedFiles()
        return
    try:
        yield MountedDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def full_server(tmp_path: Path, disk: SmallDisk) -> Iterator[RunningServer]:
    """A server on that disk, which still has room."""
    with RunningServer(tmp_path / "server", environment=STEADY) as running:
        yield running


def until_busy(ask: Callable[[], httpx2.Response], done: int) -> int:
    """Ask until there is no room for it; how often it was done before."""
    for times in range(_MOST):
        answer = ask()
        if is_busy(answer):
            return times
        assert answer.status_code == done, answer.text
    raise AssertionError("the disk was never full")


def contents(file: Path) -> dict[str, int]:
    """How many rows some tables have, read past the server; the file must be whole."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = ("account", "session", "audit", "log")
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def written_by(person: Person) -> list[httpx2.Response]:
    """Whatever of an account's would have to be written, a sign-in that fails among it."""
    return [
        person.sign_in(person.program),
        person.sign_in(person.program, password="something else"),
        person.refresh(),
        person.sign_out(),
        person.browser.get("/readyz"),
    ]


def test_a_server_on_a_full_disk_refuses_what_it_cannot_keep(
    full_server: RunningServer, disk: SmallDisk
) -> None:
    """Known carriers and pages go on; sign-up, sign-in, refresh and sign-out are 503 and undone; then all is well."""
    server, crowd = full_server, []

    def another() -> httpx2.Response:
        crowd.append(Person(server.url))
        return crowd[-1].sign_up()

    with Person(server.url) as ada:
        ada.settle_in()
        assert (ada.by_cookie(), ada.by_token()) == (200, 200)
        disk.fill(server)
        made = until_busy(another, 201)
        before = contents(server.data / "gatepost.db")
        assert before["account"] == made + 1
        assert all(map(is_busy, written_by(ada)))
        assert (ada.by_cookie(), ada.by_token()) == (200, 200)
        assert [person.by_cookie() for person in crowd] == [200] * made + [401]
        assert [ada.browser.get(path).status_code for path in ("/account", "/sign-in", "/api/sessions")] == [
            200
        ] * 3
        assert contents(server.data / "gatepost.db") == before
        disk.free(server)
        assert ada.browser.get("/readyz").status_code == 200
        assert crowd[-1].sign_up().status_code == 201
        assert ada.refresh().status_code == 200
        assert ada.sign_out().status_code == 204
        assert (ada.by_cookie(), ada.by_token()) == (401, 200)
        assert ada.sign_in(ada.browser).status_code == 200
        server.stop()
        assert contents(server.data / "gatepost.db")["log"] == before["log"] + 1
        assert ada.found_in(server.journal) == set()
        assert "Traceback" not in server.journal
    for person in crowd:
        person.browser.close()
        person.program.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The application over a real file, in this process."""
    built = build(tmp_path / "house", {"database": {"url": f"sqlite:///{tmp_path}/house.db"}})
    yield built
    built.close()


def allow_pages(house: House, most: int) -> None:
    """How many pages the file may have; SQLite takes no number below those it has."""
    store = house.authority.store
    assert isinstance(store, SqlStore)
    with store._file.writing() as connection:
        connection.execute(f"PRAGMA max_page_count = {most}")


def events(house: House, event: Event) -> int:
    """How many audit rows of a kind there are."""
    rows = house.authority.store.audit_rows(account_id=None, after=0, limit=100_000)
    return sum(row.event is event for _, row in rows)


def test_every_step_is_whole_or_not_there_when_pages_run_out(house: House, tmp_path: Path) -> None:
    """Sign-ups, sign-ins, failed ones, data and endings each until they are 503: what was answered is there."""
    ada, program = house.signed_in(), house.holder("eve@example.com")
    spare = [house.browser() for _ in range(3)]
    for browser in spare:
        assert sign_in(browser).status_code == 200
    allow_pages(house, 1)
    made = until_busy(lambda: newcomer(house), 201)
    came = until_busy(lambda: sign_in(house.program(), carrier="token"), 200)
    missed = until_busy(lambda: sign_in(house.program(), password="not what it was"), 401)
    grown = until_busy(lambda: grow(ada), 200)
    assert events(house, Event.SIGNED_UP) == made
    assert events(house, Event.SIGNED_IN) == came + 5
    assert events(house, Event.SIGN_IN_FAILED) == missed
    assert len(ada.get("/api/session").json()["session"]["data"]) == grown
    assert program.client.get("/api/session").status_code == 200
    told = [browser for browser in spare if not has_ended(house, browser)]
    allow_pages(house, _NO_LIMIT)
    for browser in (*told, ada):
        assert browser.post("/api/sign-out").status_code == 204
        assert browser.get("/api/session").status_code == 401
    assert events(house, Event.SIGNED_OUT) == house.authority.store.position() == 4
    assert sign_in(ada).status_code == 200
    assert grow(ada).status_code == 200
    assert contents(tmp_path / "house.db")["account"] == made + 2


def newcomer(house: House) -> httpx2.Response:
    """Somebody new signs up."""
    body = {"email": f"newcomer{next(_numbers)}@example.com", "password": "three or four words do it"}
    return house.program().post("/api/sign-up", json=body)


def grow(client: TestClient) -> httpx2.Response:
    """Add to a session's data what needs a page of its own."""
    name = f"n{len(client.get('/api/session').json()['session']['data'])}"
    return client.patch("/api/session/data", json={name: "x" * 300})


def has_ended(house: House, browser: TestClient) -> bool:
    """Whether a sign-out with no page to spare was done: then it is over and in the log, else nothing of it is."""
    before, held = house.authority.store.position(), session_cookie(browser)
    answer = browser.post("/api/sign-out")
    assert answer.status_code == 204 or is_busy(answer)
    ended = answer.status_code == 204
    assert house.authority.store.position() == events(house, Event.SIGNED_OUT) == before + ended
    seen = house.program().get("/api/session", headers={"cookie": f"gatepost={held}"})
    assert seen.status_code == (401 if ended else 200)
    return ended
