"""The renewing application as a process, and a browser's worth of cookies at it.

Owns the process from start to end, also where it dies of a request. Asserts only that it answers.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from tests.servers import ROOT, clean_environment

PASSWORD = "plenty of quiet words"
ACCESS, REFRESH = "gatepost-access", "gatepost-refresh"


class RenewingApplication:
    """Running from construction on. Leaving the block stops it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        folder.mkdir(parents=True, exist_ok=True)
        self._process = self._started("0")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self.await_end()

    @property
    def journal(self) -> str:
        """All that it wrote to stderr."""
        return (self.folder / "journal.txt").read_text()

    def await_end(self) -> int:
        """Wait until the process is gone; its exit code."""
        code = self._process.wait(120)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def restart(self) -> None:
        """Start it again, where it was."""
        self._process = self._started(self.url.rpartition(":")[2])

    def sign_up(self, email: str) -> dict[str, str]:
        """A new account with tokens in cookies; the cookies."""
        body = {"email": email, "password": PASSWORD, "carrier": "token-cookie"}
        answer = httpx2.post(f"{self.url}/auth/api/sign-up", json=body, timeout=30).raise_for_status()
        return dict(answer.cookies)

    def rotations(self) -> list[int]:
        """How often the tokens of each session were rotated; a session that was ended is not among them."""
        with closing(sqlite3.connect(self.folder / "gatepost.db", timeout=30)) as database:
            return [number for (number,) in database.execute("SELECT generation FROM refresh_family")]

    def _started(self, port: str) -> subprocess.Popen[str]:
        with (self.folder / "journal.txt").open("a") as journal:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.races.renewing_application", str(self.folder), port],
                cwd=ROOT,
                env=clean_environment(),
                stdout=subprocess.PIPE,
                stderr=journal,
                text=True,
            )
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()
        assert self.url, self.journal
        return process


def refresh_in(set_cookie: str) -> str:
    """The refresh token in a Set-Cookie value; "" if it holds another cookie."""
    found = SimpleCookie(set_cookie).get(REFRESH)
    return found.value if found else ""
