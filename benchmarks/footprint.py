"""Rows about what Gatepost takes while nobody looks: memory, processor time at rest, the time to start."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measuring import Part, entry
from benchmarks.processes import Child, server
from benchmarks.requests import sign_in_by_token, sign_up_and_in
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes

_OURS: Final = "Gatepost server"
_FIRST: Final = "Gatepost server, first start"
_EMPTY: Final = "FastAPI, empty endpoint"


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
        # What the sign-in before this leaves to be sealed and written is no rest.
        time.sleep(seconds)
        before = child.cpu_seconds() or 0.0
        time.sleep(seconds)
        self.rest.append(((child.cpu_seconds() or 0.0) - before) / seconds * 100)


def _started(first: _Seen, again: _Seen, theirs: _Seen) -> tuple[Row, Row, Row]:
    made = "a new data folder: Alembic makes the tables, a key is made"
    asked = "the log is asked every 15 ms, also when nothing happens"
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
