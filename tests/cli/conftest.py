"""Runs the command line inside the test's own process, in an empty folder with an empty environment."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli import main
from gatepost.machine import SystemClock
from tests.servers import Finished
from tests.services.installation import Installation

PASSWORD = "plenty of quiet words"
Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("account", "list", stdin="")`: what `gatepost account list` leaves behind."""
    for name in list(os.environ):
        if name.startswith(("GATEPOST_", "DATABASE_URL", "REDIS_URL")) or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def runner(*arguments: str, stdin: str = "") -> Finished:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(arguments)
        written = capsys.readouterr()
        return Finished(code, written.out, written.err)

    return runner


@pytest.fixture
def made(run: Run) -> Callable[..., dict[str, Any]]:
    """`made("ada@example.com", "admin")`: a new account with these roles, as JSON."""

    def make(email: str, *roles: str) -> dict[str, Any]:
        named = [part for role in roles for part in ("--role", role)]
        done = run("account", "create", email, *named, "--json", stdin=PASSWORD + "\n")
        assert done.code == 0, done.error
        account: dict[str, Any] = json.loads(done.out)["account"]
        return account

    return make


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """The installation in `data`, which the commands work on too."""
    made = Installation(tmp_path / "data", SystemClock())
    yield made
    made.close()
    assert made.faults == []
