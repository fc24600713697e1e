"""Connections that a client keeps, and the server processes at their other end.

Owns what a client does when a connection breaks: nothing, it is told. Which question may be asked again is for whoever
asked. Called by the races that go through HTTP.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.processes import stopped

BROKEN = (OSError, HTTPException)
"""What asking raises when no whole answer came: the server may have done what it was asked, or not."""
_PATIENCE = 60.0
_BREATH = 0.01
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; nothing if there is none."""
        return json.loads(self.body) if self.body else None


class Wire:
    """A connection to a server, opened at the first question and again at the first after it broke."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(url.removeprefix("http://"), timeout=_PATIENCE)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Answer:
        """Ask once. Raises one of `BROKEN`; the connection is closed then."""
        self.begin(method, path, headers, body)
        return self.finish()

    def begin(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> None:
        """Send a question; `finish` has the answer. Raises one of `BROKEN`."""
        with self._given_up_when_broken():
            self._connection.request(method, path, body, dict(headers or {}))

    def finish(self) -> Answer:
        """The answer to what was begun. Raises one of `BROKEN`, also when nothing was."""
        with self._given_up_when_broken():
            got = self._connection.getresponse()
            headers_got = {name.lower(): value for name, value in got.getheaders()}
            return Answer(got.status, headers_got, got.read())

    def send_form(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Post a form. Raises one of `BROKEN`."""
        return self.ask("POST", path, _FORM, urlencode(fields))

    def refresh(self, token: str) -> Answer:
        """Use a refresh token. Raises one of `BROKEN`."""
        return self.send_form("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token})

    def close(self) -> None:
        """Give it up; the next question opens another."""
        self._connection.close()

    @contextmanager
    def _given_up_when_broken(self) -> Iterator[None]:
        try:
            yield
        except BROKEN:
            self.close()
            raise


def insist(ask: Callable[[], Answer], on_broken: Callable[[], None] = lambda: None) -> Answer:
    """Ask until a whole answer comes that is not "later" (503), at most for a minute. Tells of each broken try."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            answer = ask()
        except BROKEN:
            on_broken()
        else:
            if answer.status != 503:
                return answer
        threading.Event().wait(_BREATH)
    raise AssertionError("nobody answered for a minute")


def ask_anybody(url: str, path: str, headers: Mapping[str, str]) -> Answer:
    """Insist, each time on a new connection, which any worker may take."""

    def once() -> Answer:
        with closing(Wire(url)) as wire:
            return wire.ask("GET", path, headers)

    return insist(once)


def workers_in(folder: Path) -> set[int]:
    """The processes that follow the log of the database in a data folder; one just killed may still be among them."""
    with closing(sqlite3.connect(folder / "gatepost.db", timeout=30)) as database:
        return {pid for (pid,) in database.execute("SELECT pid FROM follower")}


@contextmanager
def silenced(pids: set[int], folder: Path) -> Iterator[None]:
    """Some processes on a data folder, stopped for a while at a moment when none of them holds the write lock.

    One that stood still with it would let nobody write, so nothing could be ended that it has not heard of.
    """
    for _ in range(100):
        with stopped(pids):
            if _is_writable(folder):
                yield
                return
        threading.Event().wait(_BREATH)
    raise AssertionError("one of them held the lock each time")


def _is_writable(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "gatepost.db", timeout=0.3, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def require_whole(folder: Path) -> None:
    """The database in a data folder has no damage."""
    with closing(sqlite3.connect(folder / "gatepost.db", timeout=30)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
