"""Scheduled work on one file with four processes: one of them does it, and when it is killed another."""

import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from gatepost.core.sessions import Carrier
from gatepost.machine import SystemClock
from tests.services.installation import HOME, open_authority

_PROCESSES = 4
_DEAD = 7
_PATIENCE = 120.0


def serve(folder: Path, line: Connection) -> None:
    """Be a server process that says, whenever it is asked, how often it has swept, and how many records."""
    at = open_authority(folder, SystemClock(), lambda error: None)
    at.start()
    while True:
        line.recv()
        line.send((at.housekeeper.sweeps, at.housekeeper.swept))


class Crew:
    """Server processes and the lines to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.members: list[tuple[BaseProcess, Connection]] = []
        context = multiprocessing.get_context("spawn")
        for _ in range(_PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(folder, theirs), daemon=True)
            process.start()
            self.members.append((process, ours))
        self.swept()

    def swept(self) -> list[tuple[int, int]]:
        """How often each of them has swept so far, and how many records went."""
        for _, line in self.members:
            line.send("?")
        return [line.recv() for _, line in self.members]

    def swept_once_all_are_gone(self) -> list[tuple[int, int]]:
        """The same, when no session record is left, and whoever deleted them has counted them."""
        tries = threading.Event()
        for _ in range(int(_PATIENCE / 0.1)):
            told = [] if self._left() else self.swept()
            if any(sweeps and records for sweeps, records in told):
                return told
            tries.wait(0.1)
        raise AssertionError("nobody swept")

    def kill(self, number: int) -> None:
        """SIGKILL one, which is gone from the crew then."""
        process, line = self.members.pop(number)
        process.kill()
        process.join()
        line.close()

    def _left(self) -> int:
        database = sqlite3.connect(self.folder / "gatepost.db")
        [(number,)] = database.execute("SELECT count(*) FROM session").fetchall()
        database.close()
        return int(number)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """Four processes on one folder."""
    open_authority(tmp_path, SystemClock(), lambda error: None).stop()
    made = Crew(tmp_path)
    yield made
    while made.members:
        made.kill(0)


def leave_dead_records(folder: Path) -> None:
    """Visits that have ended by time."""
    at = open_authority(folder, SystemClock(), lambda error: None)
    for _ in range(_DEAD):
        at.sign_in.visit(Carrier.COOKIE, HOME)
    at.stop()
    database = sqlite3.connect(folder / "gatepost.db")
    with database:
        database.execute("UPDATE session SET expires_at = 1")
    database.close()


def the_one_who_swept(crew: Crew) -> int:
    """Whose work it was to delete the dead; fails if anybody else has so much as looked for them."""
    leave_dead_records(crew.folder)
    swept = crew.swept_once_all_are_gone()
    [number] = [number for number, (sweeps, _) in enumerate(swept) if sweeps]
    assert swept[number][1] == _DEAD
    return number


def test_one_process_sweeps_and_after_its_death_another(crew: Crew) -> None:
    """Four could; one does, and the file names it. When it is killed, one of the three that never did takes over."""
    first = the_one_who_swept(crew)
    assert duty_file(crew) == crew.members[first][0].pid
    crew.kill(first)
    second = the_one_who_swept(crew)
    assert duty_file(crew) == crew.members[second][0].pid


def duty_file(crew: Crew) -> int:
    """The process that wrote itself down as the one on duty."""
    return int((crew.folder / "gatepost.db.duty").read_text())
