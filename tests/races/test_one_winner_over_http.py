"""What must happen once happens once, however many ask two server processes for it at the same moment.

32 kept connections to each of two workers, all let go at once, round after round.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.sessions import Carrier
from gatepost.machine import SystemClock
from tests.races.storm import Pair
from tests.races.test_one_winner import count_of, generation_of
from tests.races.wires import Answer, Wire, require_whole, silenced, workers_in
from tests.servers import ROOT, clean_environment
from tests.services.installation import PASSWORD, Device, add_account, open_authority

THREADS = 32
PATIENCE = 60.0
SHORT = 50
LONG = 1000


@dataclass(frozen=True)
class Contest:
    """Two workers with 32 connections to each, and an authority on their database beside them."""

    at: Authority
    url: str
    wires: list[Wire]
    threads: ThreadPoolExecutor
    together: threading.Barrier

    def run(self, ask: Callable[[Wire, int], Answer]) -> list[Answer]:
        """What each connection got."""

        def one(number: int) -> Answer:
            self.together.wait(PATIENCE)
            return ask(self.wires[number], number)

        return list(self.threads.map(one, range(len(self.wires))))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of two workers on a data folder."""
    with (folder.parent / "journal.txt").open("w") as journal:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.races.quick_server", str(folder)],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=journal,
            text=True,
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, (folder.parent / "journal.txt").read_text()
        yield url
    finally:
        process.terminate()
        code = process.wait(120)
        process.stdout.close()
    assert code == 0


def wired(url: str, folder: Path) -> list[Wire]:
    """So many connections to each worker. Whose they are is decided by stopping the other one meanwhile."""
    wires, workers = [], workers_in(folder)
    assert len(workers) == 2
    for worker in workers:
        with silenced({worker}, folder):
            for _ in range(THREADS):
                wire = Wire(url)
                assert wire.ask("GET", "/healthz").status == 200
                wires.append(wire)
    return wires


@pytest.fixture
def contest(tmp_path: Path) -> Iterator[Contest]:
    """Two workers of a server of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    with served(folder) as url, ThreadPoolExecutor(2 * THREADS) as threads:
        troubles: list[Exception] = []
        at = open_authority(
            folder, SystemClock(), troubles.append, server={"port": int(url.rpartition(":")[2])}
        )
        wires = wired(url, folder)
        yield Contest(at, url, wires, threads, threading.Barrier(len(wires)))
        for wire in wires:
            wire.close()
        at.stop()
    assert troubles == []
    require_whole(folder)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """Fifty, or a thousand with `--long`."""
    return LONG if request.config.getoption("--long") else SHORT


@pytest.mark.timeout(1800)
def test_a_refresh_token_has_one_successor_round_after_round(contest: Contest, rounds: int) -> None:
    """64 requests with one token: one rotation and 64 equal answers; the successor is the next round's token."""
    program = Device(contest.at, add_account(contest.at), Carrier.TOKEN)
    token = program.pair.refresh.reveal()
    seen: set[str] = set()
    for generation in range(1, rounds + 1):

        def use(wire: Wire, number: int, token: str = token) -> Answer:
            return wire.refresh(token)

        answers = contest.run(use)
        assert {answer.status for answer in answers} == {200}
        [pair] = {Pair(one.json["access_token"], one.json["refresh_token"]) for one in answers}
        assert generation_of(contest.at, pair.refresh) == generation
        seen |= {pair.jti, pair.refresh}
        token = pair.refresh
    assert len(seen) == 2 * rounds
    assert count_of(contest.at, Event.REFRESH_REPLAYED) == 0


@pytest.mark.timeout(1800)
def test_a_link_makes_one_administrator_round_after_round(contest: Contest, rounds: int) -> None:
    """64 people press the button of one link: one account with the role and a session; for the others it is gone."""
    for done in range(1, rounds + 1):
        link = contest.at.accounts.invite("admin", "cli").reveal()

        def use(wire: Wire, number: int, link: str = link, done: int = done) -> Answer:
            email = f"round{done}boss{number}@example.com"
            return wire.send_form(f"/invite/{link}", {"email": email, "password": PASSWORD})

        answers = contest.run(use)
        statuses = [answer.status for answer in answers]
        assert sorted(statuses) == [303] + [404] * (2 * THREADS - 1)
        winner = statuses.index(303)
        [account] = contest.at.accounts.page(after=None, limit=2, search=f"round{done}boss")[0]
        assert account.email.typed == f"round{done}boss{winner}@example.com"
        assert "admin" in account.roles
        assert len(contest.at.sessions.of_account(account.id)) == 1
    assert len(contest.at.accounts.page(after=None, limit=2 * rounds)[0]) == rounds
