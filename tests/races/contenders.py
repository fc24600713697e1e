"""Many threads, of one process or of two, that do the same thing at the same moment.

What a contender does is a function of an authority, a text and its own number; it can be sent to another process.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from gatepost.authority import Authority
from gatepost.core.sessions import Origin
from gatepost.errors import GatepostError
from gatepost.machine import SystemClock
from gatepost.services.beginnings import Wish
from gatepost.testing import crowd
from tests.services.installation import HOME, PASSWORD, Installation, secrets_of

PATIENCE = 60.0
# So that a machine that stands still for a second is no log out of reach.
STEADY = {"revocation": {"bound": "15s"}}
# So that a crowd at the password hash is no reason to be turned away.
ROOM = {**STEADY, "limits": {"hash_queue": 128}}
Contender = Callable[[Authority, str, int], str]


def processes() -> ForkServerContext:
    """How other processes are started, with everything that a server imports imported already."""
    context = crowd.processes()
    context.set_forkserver_preload(["gatepost.authority", "gatepost.testing.crash_suite", "alembic"])
    return context


def refresh(at: Authority, token: str, number: int) -> str:
    """Use a refresh token; the answer in one text."""
    pair = at.tokens.refresh(token, Origin(HOME.address, HOME.device))
    return f"{pair.access.reveal()} {pair.refresh.reveal()}"


def sign_up(at: Authority, email: str, number: int) -> str:
    """Take an address."""
    return secrets_of(at.sign_in.sign_up(email, PASSWORD, Wish(HOME)))[0]


def use_link(at: Authority, link: str, number: int) -> str:
    """Use a one-time link, everybody with an address of their own."""
    accepted = at.sign_in.accept_invitation(link, f"boss{number}@example.com", PASSWORD, Wish(HOME))
    return secrets_of(accepted)[0]


def sign_out(at: Authority, session_id: str, number: int) -> str:
    """End one session as an operator."""
    return at.sessions.end_any(session_id, "cli").pos


def contend(at: Authority, contender: Contender, text: str, numbers: range) -> list[str]:
    """What each thread got: its text, or the name of the error that refused it."""
    together = threading.Barrier(len(numbers))

    def one(number: int) -> str:
        together.wait(PATIENCE)
        try:
            return contender(at, text, number)
        except GatepostError as error:
            return type(error).__name__

    with ThreadPoolExecutor(len(numbers)) as threads:
        return list(threads.map(one, numbers))


def contend_in_processes(
    folder: Path, contender: Contender, text: str, threads: int, count: int = 2
) -> list[str]:
    """The same with so many threads in each of several processes over the same database."""
    context = processes()
    barrier = context.Barrier(count)
    running = []
    for process in range(count):
        hears, says = context.Pipe(duplex=False)
        numbers = range(process * threads, (process + 1) * threads)
        child = context.Process(target=_child, args=(folder, contender, text, numbers, barrier, says))
        child.start()
        says.close()
        running.append((child, hears))
    results: list[str] = []
    for child, hears in running:
        assert hears.poll(PATIENCE)
        results += hears.recv()
        child.join(PATIENCE)
        hears.close()
    return results


def _child(
    folder: Path, contender: Contender, text: str, numbers: range, barrier: Any, says: Connection
) -> None:
    installation = Installation(folder, SystemClock(), dict(ROOM))
    authority = installation.open()
    barrier.wait(PATIENCE)
    results = contend(authority, contender, text, numbers)
    installation.close()
    says.send(results)
