"""kill -9 of any worker, again and again, under clients that refresh without a pause while some of them are ended.

A real server of four processes on one file. The clients are honest: who gets no answer asks the same again.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.secrets import parse_refresh
from gatepost.machine import SystemClock
from tests.processes import state_of, wait_until
from tests.races.storm import TAKEN, Client, Ender, Person, Sights, Watcher, ask_guard
from tests.races.wires import Wire, require_whole, silenced, workers_in
from tests.servers import RunningServer
from tests.services.installation import open_authority, trail

WORKERS = 4
CLIENTS = 8
SILENT = 60.0
MOMENTS = (0.0, 0.004, 30.0, SILENT)
"""Seconds until a worker is killed, once a program's end was asked for: at once, meanwhile, as soon as that is
answered; and the same with a worker that stood still till then.
"""


@dataclass(frozen=True)
class Size:
    """How many kills, as far as the time (in seconds) allows; on any machine as many as there are workers."""

    kills: int
    seconds: float


SHORT = Size(12, 20.0)
LONG = Size(200, 600.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of four workers."""
    with RunningServer(tmp_path / "server", "--workers", str(WORKERS)) as running:
        yield running


@contextmanager
def beside(server: RunningServer) -> Iterator[Authority]:
    """An authority on the server's database, as a command opens it; with the issuer of that server."""
    port = int(server.url.rpartition(":")[2])
    troubles: list[Exception] = []
    at = open_authority(server.data, SystemClock(), troubles.append, server={"port": port})
    yield at
    at.stop()
    assert troubles == []


@dataclass
class Scene:
    """A server and everybody who is signed in to it."""

    server: RunningServer
    people: list[Person]
    ender: Ender
    sights: Sights

    @property
    def standing(self) -> list[Person]:
        """Those whose program nobody has ended."""
        return [person for person in self.people if not person.program_end.asked.is_set()]

    def clients(self) -> list[Client]:
        """Eight; every other one has two tabs."""
        shares = [self.people[number::CLIENTS] for number in range(CLIENTS)]
        return [Client(self.server.url, share, self.sights, tabs=1 + n % 2) for n, share in enumerate(shares)]

    def live_workers(self) -> list[int]:
        """The processes of the server that can be killed."""
        return sorted(pid for pid in workers_in(self.server.data) if state_of(pid) not in {"", "Z"})

    def storm(self, size: Size) -> int:
        """Let everybody loose, kill and end; how many workers were killed when it was over."""
        over = threading.Event()
        watcher = Watcher(self.server.url, self.people, self.sights)
        with ThreadPoolExecutor(CLIENTS + 2) as threads:
            tasks = [threads.submit(client.go_on_until, over) for client in self.clients()]
            tasks.append(threads.submit(watcher.look_until, over))
            try:
                return self._kill_and_end(size, threads)
            finally:
                over.set()
                for task in tasks:
                    task.result()

    def _kill_and_end(self, size: Size, threads: ThreadPoolExecutor) -> int:
        moments, killed, deadline = random.Random(4), 0, time.monotonic() + size.seconds
        while killed < size.kills and (killed < WORKERS or time.monotonic() < deadline):
            threading.Event().wait(moments.uniform(0.05, 0.6))
            workers = self.live_workers()
            # With none left nobody would be answered until the supervisor's back-off is over, which proves nothing.
            if len(workers) < 2:
                continue
            victim, moment = moments.choice(workers), moments.choice(MOMENTS)
            silence = silenced({victim} if moment == SILENT else set(), self.server.data)
            ending = threads.submit(self.ender.end, self.people[killed], silence)
            wait([ending], moment)
            os.kill(victim, signal.SIGKILL)
            killed += 1
            ending.result(120)
        return killed


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    """Seconds, or minutes with `--long`."""
    return LONG if request.config.getoption("--long") else SHORT


@pytest.fixture
def scene(server: RunningServer, size: Size) -> Scene:
    """Enough people that two of each client's are never ended, and an administrator."""
    number = -(-size.kills // CLIENTS) * CLIENTS + 2 * CLIENTS
    sights = Sights()
    with beside(server) as at:
        admin = Person(at, server.url, "boss@example.com", ("member", "admin"))
        people = [Person(at, server.url, f"person{n}@example.com") for n in range(number)]
    return Scene(server, people, Ender(server.url, admin.cookie, sights), sights)


@pytest.mark.timeout(1800)
def test_a_refresh_storm_with_workers_killed_loses_and_doubles_nothing(scene: Scene, size: Size) -> None:
    """No token has two successors, nothing that was ended is taken anywhere, and nobody else is signed out."""
    killed = scene.storm(size)
    assert killed >= WORKERS
    assert scene.sights.broken > 0
    require_workers_back(scene)
    assert scene.sights.signed_out == []
    assert scene.sights.late == []
    assert len(scene.ender.ended) == killed
    require_one_successor_each(scene)
    require_refused_at_each_worker(scene)
    require_still_signed_in(scene)
    require_one_head_each(scene)
    assert scene.server.stop() == 0
    require_whole(scene.server.data)


def require_workers_back(scene: Scene) -> None:
    """There are as many workers as in the beginning, and no row of a dead one."""

    def whole() -> bool:
        live = scene.live_workers()
        return len(live) == WORKERS and set(live) == workers_in(scene.server.data)

    wait_until(whole, f"the workers did not come back\n{scene.server.journal}")


def require_one_successor_each(scene: Scene) -> None:
    """Every token that was used has one answer, no two have the same, and the database knows of no other rotation."""
    answers = [answer for person in scene.people for answer in person.answers.values()]
    assert [len(answer) for answer in answers] == [1] * len(answers)
    pairs = [person.first for person in scene.people] + [pair for answer in answers for pair in answer]
    for each in ([pair.refresh for pair in pairs], [pair.jti for pair in pairs]):
        assert len(set(each)) == len(pairs)
    with beside(scene.server) as at:
        for person in scene.standing:
            assert len(person.answers) >= 2
            assert generation_of(at, person.pair.refresh) == len(person.answers)
        assert [row for row in trail(at) if row.event is Event.REFRESH_REPLAYED] == []


def generation_of(at: Authority, token: str) -> int:
    """How often the family of a refresh token was rotated."""
    handle = parse_refresh(token)
    assert handle is not None
    view = at.store.refresh(handle.id)
    assert view is not None
    return view.family.generation


def require_refused_at_each_worker(scene: Scene) -> None:
    """Each worker, asked alone, refuses every carrier of what was ended and takes those of everybody else."""
    workers = set(scene.live_workers())
    for worker in workers:
        with silenced(workers - {worker}, scene.server.data):
            for person in scene.people:
                ended, locked = person.program_end.asked.is_set(), person.browser_end.asked.is_set()
                assert ask_guard(scene.server.url, person.bearer) == (401 if ended else TAKEN)
                assert ask_guard(scene.server.url, person.cookie) == (401 if locked else TAKEN)
                assert not ended or refreshed(scene, person.pair.refresh) == 400


def require_still_signed_in(scene: Scene) -> None:
    """The newest token of everybody who was not ended is good for another."""
    assert scene.standing
    for person in scene.standing:
        assert refreshed(scene, person.pair.refresh) == 200


def require_one_head_each(scene: Scene) -> None:
    """The token of the very beginning is no second head: it is refused, and takes the family with it."""
    for person in scene.standing:
        assert refreshed(scene, person.first.refresh) == 400
        assert refreshed(scene, person.pair.refresh) == 400


def refreshed(scene: Scene, token: str) -> int:
    """What a refresh token is answered on a new connection."""
    with closing(Wire(scene.server.url)) as wire:
        return wire.refresh(token).status
