"""Rows about growth: what a known check costs while more facts are live and more sessions known, and their memory.

All sizes of one kind are held and raced in one process, which does nothing else: its growth is their memory.
"""

import hashlib
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.measuring import Contender, Entry, Pace, Part, Work, race, single
from benchmarks.processes import resident
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import World, fold_facts, known_guard, world
from gatepost.carriers.presented import OpaqueCookie

_ROOT: Final = Path(__file__).resolve().parent.parent
_MICROSECONDS: Final = 1e6
_MILLION: Final = 1_000_000
_FLAT: Final = 1.25
_PRESENTED: Final = 1024
_MOST_TRACED: Final = 100_000
_FACTS: Final = "live facts"
_SESSIONS: Final = "known sessions"


@dataclass(frozen=True, slots=True)
class Grown:
    """What one size showed: known checks in microseconds, by carrier, and the megabytes that so many take."""

    count: int
    checks: tuple[Entry, ...]
    megabytes: float


@dataclass(frozen=True, slots=True)
class Held:
    """So many of something, held in this process, and the checks that meet them."""

    count: int
    megabytes: float
    checks: Mapping[str, Work]


def growth(sizes: Sizes) -> tuple[Row, ...]:
    """Facts and sessions, in time and in memory."""
    facts = _in_a_process(_FACTS, sorted({0, min(1_000, sizes.facts), sizes.facts}), sizes.memory)
    sessions = _in_a_process(_SESSIONS, sorted({min(1_000, sizes.known), sizes.known}), sizes.memory)
    return (
        _times("facts", "A known check while so many facts are live", _FACTS, facts),
        _times("sessions", "A known check among so many known sessions", _SESSIONS, sessions),
        _memory({_SESSIONS: sessions, _FACTS: facts}),
    )


def _times(key: str, title: str, what: str, found: Sequence[Grown]) -> Row:
    least, most = found[0], found[-1]
    entries = [replace(one, name=_named(one, grown, what)) for grown in found for one in grown.checks]
    targets = [Target(_named(one, most, what), _FLAT, _named(one, least, what)) for one in least.checks]
    return Row(key, title, Unit.MICROSECONDS, tuple(entries), tuple(targets))


def _named(check: Entry, grown: Grown, what: str) -> str:
    return f"{check.name}, {grown.count:,} {what}"


def _memory(found: Mapping[str, Sequence[Grown]]) -> Row:
    entries: list[Entry] = []
    for what, sizes in found.items():
        entries += [
            single(Part.OURS, f"{grown.count:,} {what}", grown.megabytes, _how(grown.count))
            for grown in sizes
            if grown.count
        ]
        most = sizes[-1]
        if most.count < _MILLION:
            value, note = most.megabytes / most.count * _MILLION, f"reckoned from {most.count:,}"
            entries.append(single(Part.OURS, f"1,000,000 {what}", value, note))
    targets = (Target(f"1,000,000 {_SESSIONS}", 500), Target(f"1,000,000 {_FACTS}", 200))
    return Row("memory", "Memory", Unit.MEGABYTES, tuple(entries), targets)


def _how(count: int) -> str:
    if count <= _MOST_TRACED:
        return "what Python allocated for them (tracemalloc)"
    return "growth of the resident memory of a process that does nothing else"


def _in_a_process(what: str, counts: Sequence[int], pace: Pace) -> list[Grown]:
    given = [what, str(pace.rounds), str(pace.seconds), *map(str, counts)]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", *given],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        stdout=subprocess.PIPE,
    )
    return msgspec.json.decode(ran.stdout, type=list[Grown])


def _grow(what: str, counts: Sequence[int], pace: Pace) -> list[Grown]:
    hold = _facts if what == _FACTS else _sessions
    with ExitStack() as stack:
        held = [hold(stack.enter_context(world()), count) for count in counts]
        contenders = [Contender(Part.OURS, name, check) for one in held for name, check in one.checks.items()]
        entries = iter(race(contenders, pace, _MICROSECONDS))
        return [Grown(one.count, tuple(next(entries) for _ in one.checks), one.megabytes) for one in held]


def _facts(w: World, count: int) -> Held:
    megabytes = _grown(count, lambda: fold_facts(w.authority, count))
    check = w.authority.guard.check
    return Held(count, megabytes, {"cookie": lambda: check(w.cookie), "token": lambda: check(w.bearer)})


def _sessions(w: World, count: int) -> Held:
    guard, admit = known_guard(w.authority, count)
    cookies = [f"{number:043d}" for number in range(count)]
    megabytes = _grown(count, lambda: _each(admit, cookies))
    # Some of them, spread over all: one alone would stay in the processor's caches, however many are known.
    spread = sorted(cookies, key=lambda cookie: hashlib.sha256(cookie.encode()).digest())
    turns = cycle([OpaqueCookie(cookie) for cookie in spread[:_PRESENTED]])
    return Held(count, megabytes, {"cookie": lambda: guard.check(next(turns))})


def _each(act: Callable[[str], None], values: Iterable[str]) -> None:
    for value in values:
        act(value)


def _grown(count: int, grow: Callable[[], None]) -> float:
    """Megabytes by which this process grows."""
    if count > _MOST_TRACED:
        before = resident(os.getpid()) or 0.0
        grow()
        return (resident(os.getpid()) or 0.0) - before
    tracemalloc.start()
    grow()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return grown / 1e6


def _main(what: str, rounds: str, seconds: str, *counts: str) -> None:
    found = _grow(what, [int(count) for count in counts], Pace(int(rounds), float(seconds)))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
