"""Checks while passwords are guessed: how long one in a hundred waits, idle and in a flood of wrong sign-ins.

One server process, on the cores that the checks and the flood (`flood.py`, another process) use as well.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Final

from benchmarks.client import get, load
from benchmarks.flood import DEADLINE, HANDS, PER_SECOND
from benchmarks.measuring import Part, entry
from benchmarks.processes import server
from benchmarks.requests import sign_up_and_in
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes

_ROOT: Final = Path(__file__).resolve().parents[1]
_CHECKING: Final = 2
_IDLE: Final = "GET /api/session, nobody guesses"
_FLOODED: Final = f"GET /api/session, {PER_SECOND} wrong sign-ins a second"
_EXPECTED: Final = frozenset({401, 429, 503})
# No flood sends so many; each begins with accounts that no other has tried.
_APART: Final = 1_000_000


def guessing(sizes: Sizes) -> Row:
    """The p99 of checks over HTTP in milliseconds, in turns."""
    pace, waits = sizes.load, {_IDLE: list[float](), _FLOODED: list[float]()}
    with server("gatepost", "/healthz") as child:
        cookie, _ = sign_up_and_in(child.port, "/api")
        request = get("/api/session", child.port, cookie)

        def p99() -> float:
            tally = load(child.port, request, connections=_CHECKING, seconds=pace.seconds)
            ordered = sorted(tally.waits)
            return ordered[ceil(len(ordered) * 0.99) - 1] * 1e3

        p99()
        for turn in range(pace.rounds):
            waits[_IDLE].append(p99())
            with _flood(child.port, turn * _APART):
                waits[_FLOODED].append(p99())
    note = (
        f"from {HANDS} addresses, each at another account; the server answers with 401 what it looks at, with 503 "
        "what its hashing has no room for, with 429 what is too much of one address. The flood and the hashes are on "
        "the same cores as the checks"
    )
    entries = (entry(Part.OURS, _IDLE, waits[_IDLE]), entry(Part.OURS, _FLOODED, waits[_FLOODED], note))
    targets = (Target(_FLOODED, 3, _IDLE),)
    return Row("guessing", "Checks while passwords are guessed, p99", Unit.MILLISECONDS, entries, targets)


@contextmanager
def _flood(port: int, first: int) -> Iterator[None]:
    """Wrong sign-ins while the block runs. Raises RuntimeError if one was answered as it must not be."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.flood", str(port), str(first)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pouring:
        if pouring.stdout is None or pouring.stdout.readline() != "begun\n":
            raise RuntimeError("the flood did not begin")
        try:
            yield
        finally:
            told, _ = pouring.communicate(timeout=2 * DEADLINE)
    if strange := set(json.loads(told)) - _EXPECTED:
        raise RuntimeError(f"a wrong sign-in was answered {sorted(strange)}")
