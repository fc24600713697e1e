"""Rows about what Gatepost takes while nobody looks: memory, processor time at rest, the time to start."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measuring import Part, entry, single
from benchmarks.processes import Child, resident, server
from benchmarks.requests import sign_in_by_token, sign_up_and_in
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import fill, fold_facts, world
from gatepost.carriers.presented import OpaqueCookie

_ROOT: Final = Path(__file__).resolve().parent.parent
_MILLION: Final = 1_000_000
_OURS: Final = "Gatepost server"
_FIRST: Final = "Gatepost server, first start"
_EMPTY: Final = "FastAPI, empty endpoint"


def memory(sizes: Sizes) -> Row:
    """What one million known sessions, and one million live facts, take in the memory of a process."""
    sessions = _grown("sessions", sizes.known)
    facts = _grown("facts", sizes.facts)
    return Row(
        "memory",
        "Memory of one million",
        Unit.MEGABYTES,
        (
            single(
                Part.OURS,
                "known sessions",
                sessions * _MILLION,
                f"measured with {sizes.known:,}, extrapolated",
            ),
            single(Part.OURS, "live facts", facts * _MILLION, f"measured with {sizes.facts:,}, extrapolated"),
        ),
        (Target("known sessions", 500), Target("live facts", 200)),
        "growth of the resident memory of a process that does nothing else.",
    )


def start(sizes: Sizes) -> tuple[Row, Row, Row]:
    """From starting the process to its first answer, its memory once it has worked, its processor time at rest."""
    first, again, theirs = _Seen(), _Seen(), _Seen()
    seconds = sizes.idle_seconds / sizes.starts
    for _ in range(sizes.starts):
        with TemporaryDirectory(prefix="gatepost-bench-") as folder:
            with server("empty", "/empty") as child:
                theirs.note(child, seconds)
            with server("gatepost", "/healthz", kept=Path(folder)) as child:
                sign_up_and_in(child.port, "/api")
                first.note(child, 0.0)
            with server("gatepost", "/healthz", kept=Path(folder)) as child:
                sign_in_by_token(child.port, "/api")
                again.note(child, seconds)
    return _started(first, again, theirs)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What several starts of one server showed: seconds, megabytes, per cent of a core."""

    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)

    def note(self, child: Child, seconds: float) -> None:
        self.starts.append(child.ready_after)
        self.memory.append(child.megabytes() or 0.0)
        if not seconds:
            return
        before = child.cpu_seconds() or 0.0
        time.sleep(seconds)
        self.rest.append(((child.cpu_seconds() or 0.0) - before) / seconds * 100)


def _started(first: _Seen, again: _Seen, theirs: _Seen) -> tuple[Row, Row, Row]:
    made = "a new data folder: Alembic makes the tables, a key is made"
    asked = "the log is asked every 10 ms, also when nothing happens"
    starts = (
        entry(Part.OURS, _OURS, again.starts),
        entry(Part.OURS, _FIRST, first.starts, made),
        entry(Part.RIVAL, _EMPTY, theirs.starts),
    )
    memories = (
        entry(Part.OURS, _OURS, again.memory, "resident, after a sign-in"),
        entry(Part.OURS, _FIRST, first.memory),
        entry(Part.RIVAL, _EMPTY, theirs.memory),
    )
    rests = (entry(Part.OURS, _OURS, again.rest, asked), entry(Part.RIVAL, _EMPTY, theirs.rest))
    targets = (Target(_OURS, 1.5), Target(_FIRST, 1.5))
    return (
        Row("start", "Start to first answer", Unit.SECONDS, starts, targets),
        Row("server-memory", "Memory of a server", Unit.MEGABYTES, memories, (Target(_OURS, 110),)),
        Row("rest", "A server that nobody asks", Unit.PERCENT, rests, (Target(_OURS, 1),)),
    )


def _grown(what: str, count: int) -> float:
    """Megabytes for each of `count` things, in a process that was started for this."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.footprint", what, str(count)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        stdout=subprocess.PIPE,
    )
    return float(json.loads(ran.stdout)) / count


def _grow(what: str, count: int) -> float:
    with world() as w:
        if what == "facts":
            before = resident(os.getpid())
            fold_facts(w.authority, count)
            return (resident(os.getpid()) or 0.0) - (before or 0.0)
        cookies = fill(w.authority, count)
        guard = w.authority.guard
        before = resident(os.getpid())
        for cookie in cookies:
            guard.check(OpaqueCookie(cookie))
        return (resident(os.getpid()) or 0.0) - (before or 0.0)


if __name__ == "__main__":
    print(json.dumps(_grow(sys.argv[1], int(sys.argv[2]))))
