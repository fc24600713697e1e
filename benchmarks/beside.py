"""Rows that set us beside what people use today in Python: over HTTP from sign-in to sign-out, and without HTTP.

Every contestant is a server of its own on one core, asked from the other, in turns. What is seen after the sign-out is
tried, not read: the same header is sent again. Rivals run in their own environment, whose interpreter `Sizes` names.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from benchmarks.client import Request
from benchmarks.contestants import OURS, RIVALS, Contestant, Held, held
from benchmarks.measuring import Contender, Entry, Part, entry, race, single
from benchmarks.processes import Child, rival, rival_server, server, two_cores
from benchmarks.requests import Served, measured
from benchmarks.results import Row, Target, Unit
from benchmarks.rivals import SignedSession
from benchmarks.sizes import Sizes
from benchmarks.wires import Wire, raw_json
from benchmarks.world import EMAIL, LIVE_FACTS, PASSWORD, world

Starting = Callable[[], AbstractContextManager[Child]]
REFUSED: Final = "refused"
_RENEWALS: Final = 3
_MICROSECONDS: Final = 1e6
_MILLISECONDS: Final = 1e3
_STARLETTE: Final = "Starlette, SessionMiddleware"
_INSIDE_NOTE: Final = (
    "rivals with accounts read the account's row each time, on a connection that stays open; ours is in memory and "
    "told of every change. In processes of their own, one after the other; Starlette's in turns with ours"
)
_UNABLE: Final = (OSError, RuntimeError, SubprocessError, HTTPException)


@dataclass(frozen=True, slots=True)
class Lives:
    """What the sign-ins of one contestant took from beginning to end, in milliseconds."""

    signed_in: list[float] = field(default_factory=list)
    renewed: list[float] = field(default_factory=list)
    signed_out: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant whose server runs, and how long the server took to start, each time, in seconds."""

    who: Contestant
    child: Child
    starts: Sequence[float]


def beside(sizes: Sizes, rivals: Sequence[Contestant] = RIVALS) -> tuple[Row, ...]:
    """All of it. Rivals that cannot be run are named in a note with the reason, and the rest is measured."""
    missing: list[str] = (
        [] if sizes.rivals else ["the rivals are not here: no environment of theirs was given"]
    )
    with two_cores() as (core, _), ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="gatepost-bench-")))
        standing = list(_ours(sizes, folder, core, stack))
        for who in rivals if sizes.rivals else ():
            try:
                standing.append(_theirs(who, sizes, folder, core, stack))
            except _UNABLE as trouble:
                missing.append(f"{who.name} is not here: {type(trouble).__name__} at its start")
        after = {one.who.name: _after_sign_out(one) for one in standing}
        rates, costs = _loaded(standing, sizes)
        lives = _lived(standing, sizes.hashing.rounds)
        rows = (
            *_http_rows(sizes, _marked(rates, after), costs),
            *_life_rows(standing, lives),
            *_still_rows(standing),
        )
        inside = _inside(sizes, folder, [one.who for one in standing])
    note = "; ".join(missing)
    return tuple(replace(row, note="; ".join(filter(None, (row.note, note)))) for row in (*rows, inside))


def _ours(sizes: Sizes, folder: Path, core: int | None, stack: ExitStack) -> Iterator[Standing]:
    """One server for every carrier of ours, in a data folder that was used before."""
    kept = folder / "ours"
    kept.mkdir()
    with server("guarded", "/auth/healthz", core, kept=kept) as child, closing(Wire(child.port)) as wire:
        credentials = {"email": EMAIL, "password": PASSWORD}
        wire.ask(raw_json("/auth/api/sign-up", child.port, credentials), 201)
    again = partial(server, "guarded", "/auth/healthz", core, kept=kept)
    starts = _started(again, sizes.starts - 1)
    child = stack.enter_context(again())
    for who in OURS:
        yield Standing(who, child, [*starts, child.ready_after])


def _theirs(who: Contestant, sizes: Sizes, folder: Path, core: int | None, stack: ExitStack) -> Standing:
    assert sizes.rivals is not None
    kept = folder / who.server
    kept.mkdir()
    rival(sizes.rivals, "rivals_serving", "prepare", who.server, str(kept), EMAIL, PASSWORD)
    again = partial(rival_server, sizes.rivals, who.server, kept, core)
    starts = _started(again, sizes.starts - 1)
    child = stack.enter_context(again())
    return Standing(who, child, [*starts, child.ready_after])


def _started(again: Starting, times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        with again() as child:
            seconds.append(child.ready_after)
    return seconds


def _after_sign_out(one: Standing) -> str:
    """What the same header is worth after its session was signed out: refused, or for how long it is still believed."""
    port = one.child.port
    with closing(Wire(port)) as wire:
        has = held(wire.ask(one.who.sign_in(port), 200, 204))
        wire.ask(one.who.me(port, has), 200)
        wire.ask(one.who.sign_out(port, has), 200, 204)
        status = wire.ask(one.who.me(port, has), 200, 401, 403).status
    return REFUSED if status != 200 else f"works until it expires ({one.who.lasts})"


def _loaded(standing: Sequence[Standing], sizes: Sizes) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    targets = []
    for one in standing:
        asked = Request(one.who.me(one.child.port, _signed_in(one)))
        targets.append(Served(one.who.part, one.who.name, one.child, asked, one.who.note))
    return measured(targets, sizes.load, sizes.connections)


def _signed_in(one: Standing) -> Held:
    with closing(Wire(one.child.port)) as wire:
        return held(wire.ask(one.who.sign_in(one.child.port), 200, 204))


def _marked(entries: Sequence[Entry], after: Mapping[str, str]) -> tuple[Entry, ...]:
    return tuple(replace(one, after=after[one.name]) for one in entries)


def _lived(standing: Sequence[Standing], rounds: int) -> dict[str, Lives]:
    """Sign-ins, renewals and sign-outs one after the other on one connection, the contestants in turns."""
    lives = {one.who.name: Lives() for one in standing}
    for _ in range(rounds):
        for one in standing:
            _live(one, lives[one.who.name])
    return lives


def _live(one: Standing, lives: Lives) -> None:
    who, port = one.who, one.child.port
    with closing(Wire(port)) as wire:
        # The first request of a connection also waits for its acceptance.
        wire.ask(who.me(port, Held("Accept: */*")), 401, 403)
        began = time.perf_counter()
        has = held(wire.ask(who.sign_in(port), 200, 204))
        lives.signed_in.append(_since(began))
        for _ in range(_RENEWALS if who.renew_at else 0):
            began = time.perf_counter()
            has = held(wire.ask(who.renew(port, has), 200))
            lives.renewed.append(_since(began))
        began = time.perf_counter()
        wire.ask(who.sign_out(port, has), 200, 204)
        lives.signed_out.append(_since(began))


def _since(began: float) -> float:
    return (time.perf_counter() - began) * _MILLISECONDS


def _http_rows(sizes: Sizes, rates: tuple[Entry, ...], costs: tuple[Entry, ...]) -> tuple[Row, Row]:
    return (
        Row(
            "beside-requests",
            f"Who am I, over HTTP, one core, {sizes.connections} connections",
            Unit.RATE,
            rates,
            note="ASGI under uvicorn with uvloop and httptools, WSGI under gunicorn with four threads; one worker each",
        ),
        Row("beside-cost", "Processor time of one such request", Unit.MICROSECONDS, costs),
    )


def _life_rows(standing: Sequence[Standing], lives: Mapping[str, Lives]) -> tuple[Row, Row, Row]:
    parts = {one.who.name: one.who for one in standing}
    signed_in = tuple(
        entry(parts[name].part, name, one.signed_in)
        for name, one in lives.items()
        if parts[name].checks_password
    )
    renewed = tuple(entry(parts[name].part, name, one.renewed) for name, one in lives.items() if one.renewed)
    signed_out = tuple(entry(parts[name].part, name, one.signed_out) for name, one in lives.items())
    simplejwt = [one.name for one in renewed if one.part is Part.RIVAL]
    targets = tuple(Target("Gatepost, token", 0.1, name) for name in simplejwt)
    hashes = "each with the password hash that it has by default"
    waits = "ours is durable and confirmed by every process that checks before it is answered"
    return (
        Row("beside-sign-in", "Sign-in, over HTTP", Unit.MILLISECONDS, signed_in, note=hashes),
        Row("beside-refresh", "Refresh, over HTTP", Unit.MILLISECONDS, renewed, targets),
        Row("beside-sign-out", "Sign-out, over HTTP", Unit.MILLISECONDS, signed_out, note=waits),
    )


def _still_rows(standing: Sequence[Standing]) -> tuple[Row, Row, Row]:
    sizes = [single(one.who.part, one.who.name, len(_signed_in(one).header)) for one in standing]
    starts = [entry(one.who.part, one.who.name, one.starts) for one in standing]
    memory = [single(one.who.part, one.who.name, one.child.megabytes() or 0.0) for one in standing]
    shown = "over plain http on this machine, where our cookies have no prefix"
    worker = (
        "resident, after all of these rows; of gunicorn its worker alone, without the process that keeps it"
    )
    return (
        Row("beside-bytes", "The header that presents it", Unit.BYTES, tuple(sizes), note=shown),
        Row("beside-start", "Start to first answer, beside others", Unit.SECONDS, tuple(starts)),
        Row("beside-memory", "Memory of a server, beside others", Unit.MEGABYTES, tuple(memory), note=worker),
    )


def _inside(sizes: Sizes, folder: Path, contestants: Sequence[Contestant]) -> Row:
    """From what is presented to who it is, known to us from an earlier request."""
    others = [one for one in contestants if one.part is Part.RIVAL and one.name != _STARLETTE]
    signed = (starlette := SignedSession()).seal({"email": EMAIL})
    with world(facts=LIVE_FACTS) as w:
        check, shown = w.authority.guard.check, (w.cookie, w.sealed, w.bearer)
        contenders = [
            Contender(Part.OURS, who.name, partial(check, one)) for who, one in zip(OURS, shown, strict=True)
        ]
        contenders.append(Contender(Part.RIVAL, _STARLETTE, lambda: starlette.open(signed)))
        entries = race(contenders, sizes.memory, _MICROSECONDS)
    found = [*entries, *(_inside_rival(sizes, folder, who) for who in others)]
    return Row(
        "beside-inside",
        "From the credential to who it is, without HTTP",
        Unit.MICROSECONDS,
        tuple(found),
        note=_INSIDE_NOTE,
    )


def _inside_rival(sizes: Sizes, folder: Path, who: Contestant) -> Entry:
    assert sizes.rivals is not None
    pace = (str(sizes.memory.rounds), str(sizes.memory.seconds))
    told = rival(sizes.rivals, "rivals_inside", who.server, str(folder / who.server), EMAIL, PASSWORD, *pace)
    found = msgspec.json.decode(told, type=dict[str, float])
    return Entry(Part.RIVAL, who.name, found["value"], found["low"], found["high"])
