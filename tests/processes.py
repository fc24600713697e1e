"""The worker processes of a running server, as tests stop, wake and find them. Real processes and signals."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.servers import RunningServer


def workers_of(server: RunningServer) -> set[int]:
    """The processes that follow the server's log."""
    with sqlite3.connect(server.data / "gatepost.db") as database:
        found = {pid for (pid,) in database.execute("SELECT pid FROM follower")}
    database.close()
    return found


def state_of(pid: int) -> str:
    """How the system calls the state of a process: T is stopped, Z dead but not yet noticed, nothing is gone."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1]


def wait_until(true: Callable[[], object], what: str, seconds: float = 120.0) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def stopped(pids: set[int]) -> Iterator[None]:
    """Some processes, stopped for a while."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        wait_until(lambda pid=pid: state_of(pid) == "T", "a process did not stop")  # type: ignore[misc]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
