"""Rows about endings: from the call that ends a session to the first refusal, as whoever asks over HTTP sees it.

Two server processes of one issuer on one file, each with a socket of its own, so that it is known who answers. Every
run signs in anew, shows the credential to the one that is watched until it is known there, and then ends the session.
"""

import math
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measuring import Entry, Part, single
from benchmarks.processes import Child, server
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.wires import Wire, raw, raw_json
from benchmarks.world import EMAIL, PASSWORD

CARRIERS: Final = ("cookie", "sealed", "token", "token-cookie")
_BOUND_MS: Final = 1000
_PAUSE: Final = 0.0005
# Anywhere between two looks at the log, and past the next: begun at once, each run would follow the look that the one
# before had waited for, and nearly always hit the same moment of the follower's round.
_MOMENTS: Final = 0.04
_DEADLINE: Final = 20.0
# A worker that was stopped is woken somewhere from the call itself to well past the bound.
_LONGEST_STOP: Final = 1.4


@dataclass(frozen=True, slots=True)
class Seen:
    """What one ending looked like, in milliseconds from the sending of the call.

    `late` counts those accepted although they were asked after the call had been answered.
    """

    answered: float
    refused: float
    accepted: float
    late: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two processes of one issuer: the one that is told to end something, and the one that is watched."""

    told: Child
    watched: Child


def endings(sizes: Sizes) -> tuple[Row, ...]:
    """The same process, another one, and another one that was stopped."""
    with two_processes() as pair:
        alone = Pair(pair.told, pair.told)
        here = {one: endings_seen(alone, one, sizes.endings) for one in CARRIERS}
        there = {one: endings_seen(pair, one, sizes.endings) for one in CARRIERS}
        stopped = _stopped(pair, sizes.stops)
    return (
        Row("revoke-here", "Revoke to refused, at the same process", Unit.MILLISECONDS, _spread(here, _sent)),
        Row(
            "revoke-there",
            "Revoke to refused, at another process",
            Unit.MILLISECONDS,
            _spread(there, _sent),
            tuple(Target(f"{one}, p99", 20) for one in CARRIERS),
        ),
        Row(
            "revoke-call",
            "The revoking call, until it is answered",
            Unit.MILLISECONDS,
            _spread(there, lambda seen: seen.answered),
            note="it waits until the other process has confirmed",
        ),
        Row(
            "revoke-answered",
            "Revoke to refused, at another process, from the answer",
            Unit.MILLISECONDS,
            _spread(there, lambda seen: seen.refused - seen.answered),
            tuple(Target(f"{one}, p99", 20) for one in CARRIERS),
            "below zero: it refused before the call was answered",
        ),
        _stopped_row(stopped),
    )


def _sent(seen: Seen) -> float:
    return seen.refused


def _spread(found: dict[str, list[Seen]], of: Callable[[Seen], float]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for carrier, seen in found.items():
        late = sum(one.late for one in seen)
        note = f"{len(seen):,} endings; {late} accepted that were asked after the call was answered"
        values = sorted(map(of, seen))
        marks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        entries += [
            single(Part.OURS, f"{carrier}, {name}", values[math.ceil(len(values) * share) - 1], note)
            for name, share in marks.items()
        ]
    return tuple(entries)


def _stopped_row(seen: Sequence[Seen]) -> Row:
    late = sum(one.late for one in seen)
    return Row(
        "revoke-stopped",
        "Revoke while the other process is stopped",
        Unit.MILLISECONDS,
        (
            single(
                Part.OURS,
                "last acceptance there",
                max(one.accepted for one in seen),
                f"of {len(seen)} endings, from the sending; woken after 0 to {_LONGEST_STOP} s. "
                f"{late} accepted that were asked after the call was answered",
            ),
            single(
                Part.OURS,
                "the call, at most",
                max(one.answered for one in seen),
                "it waits until the lease of the silent one has ended, one bound after the commit",
            ),
        ),
        (Target("last acceptance there", _BOUND_MS),),
    )


@contextmanager
def two_processes() -> Iterator[Pair]:
    """Two of them, running, with one account."""
    with (
        TemporaryDirectory(prefix="gatepost-bench-") as folder,
        server("quick", "/healthz", kept=Path(folder)) as first,
        server("quick", "/healthz", kept=Path(folder), beside=first) as second,
    ):
        with closing(Wire(first.port)) as wire:
            wire.ask(raw_json("/api/sign-up", first.port, {"email": EMAIL, "password": PASSWORD}), 201)
        yield Pair(first, second)


def endings_seen(pair: Pair, carrier: str, count: int) -> list[Seen]:
    """So many endings of sessions with this carrier."""
    with closing(Wire(pair.told.port)) as caller, closing(Wire(pair.watched.port)) as watcher:
        return [_End(pair, caller, watcher, carrier).watch() for _ in range(count)]


def _stopped(pair: Pair, count: int) -> list[Seen]:
    seen: list[Seen] = []
    with closing(Wire(pair.told.port)) as caller, closing(Wire(pair.watched.port)) as watcher:
        for number in range(count):
            ending = _End(pair, caller, watcher, CARRIERS[number % len(CARRIERS)])
            os.kill(pair.watched.pid, signal.SIGSTOP)
            try:
                seen.append(ending.watch(wake_after=_LONGEST_STOP * number / count))
            finally:
                os.kill(pair.watched.pid, signal.SIGCONT)
    return seen


class _End:
    """One session: signed in, known where it is watched, then ended while somebody looks."""

    def __init__(self, pair: Pair, caller: Wire, watcher: Wire, carrier: str) -> None:
        port = pair.told.port
        credentials = {"email": EMAIL, "password": PASSWORD, "carrier": carrier}
        held = caller.ask(raw_json("/api/sign-in", port, credentials), 200).credential()
        self._pair, self._caller, self._watcher = pair, caller, watcher
        self._call = raw("POST", "/api/sign-out", port, held)
        self._look = raw("GET", "/api/session", port, held)
        self._answered = self._refused = self._accepted = self._asked = 0.0
        self._late = 0
        watcher.ask(self._look, 200)

    def watch(self, wake_after: float | None = None) -> Seen:
        """End it, and ask until it is refused and the call is answered. Wake the watched process after so long."""
        if wake_after is None:
            time.sleep(random.uniform(0.0, _MOMENTS))
        began = time.perf_counter()
        self._caller.send(self._call)
        self._ask()
        while not (self._answered and self._refused):
            waited = time.perf_counter() - began
            if waited > _DEADLINE:
                raise TimeoutError("an ending was not refused")
            if wake_after is not None and waited >= wake_after:
                os.kill(self._pair.watched.pid, signal.SIGCONT)
                wake_after = None
            waiting = [
                wire
                for wire, done in ((self._caller, self._answered), (self._watcher, self._refused))
                if not done
            ]
            ready, _, _ = select(waiting, [], [], _DEADLINE if wake_after is None else wake_after - waited)
            if self._caller in ready and self._caller.take() is not None:
                self._answered = time.perf_counter()
            if self._watcher in ready:
                self._hear()
        times = (self._answered, self._refused, self._accepted or began)
        answered, refused, accepted = ((moment - began) * 1000 for moment in times)
        return Seen(answered, refused, accepted, self._late)

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._watcher.send(self._look)

    def _hear(self) -> None:
        answer = self._watcher.take()
        if answer is None:
            return
        if answer.status == 401:
            self._refused = time.perf_counter()
            return
        if answer.status not in {200, 503}:
            raise RuntimeError(f"unexpected answer: {answer.head}")
        if answer.status == 200:
            self._accepted = time.perf_counter()
            self._late += 0.0 < self._answered <= self._asked
        # A pause, so that looking takes no core from those who are looked at; the answer to the call may end it.
        select([] if self._answered else [self._caller], [], [], _PAUSE)
        self._ask()
