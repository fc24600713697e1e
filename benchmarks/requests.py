"""Rows about whole requests: uvicorn on one core, asked from the other, all servers in turns."""

import http.client
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Final

from benchmarks.client import Request, get, load
from benchmarks.measuring import Entry, Pace, Part, entry
from benchmarks.processes import Child, server, two_cores
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes
from benchmarks.world import EMAIL, PASSWORD

_EMPTY: Final = "FastAPI, empty endpoint"
_SESSION_COOKIE: Final = "GET /api/session, cookie"
_SESSION_TOKEN: Final = "GET /api/session, token"
_GUARD_COOKIE: Final = "FastAPI with Depends(auth.signed_in), cookie"
_GUARD_TOKEN: Final = "FastAPI with Depends(auth.signed_in), token"
_SIGNED: Final = "FastAPI with SessionMiddleware"


@dataclass(frozen=True, slots=True)
class Served:
    """A server and the one request that it is asked again and again."""

    part: Part
    name: str
    child: Child
    request: Request
    note: str = ""


def requests(sizes: Sizes) -> tuple[Row, Row]:
    """How many requests one core serves in a second, and how much of the core each takes."""
    with two_cores() as (theirs, _), ExitStack() as stack:
        targets = _targets(
            *(
                stack.enter_context(server(name, path, theirs))
                for name, path in (
                    ("gatepost", "/healthz"),
                    ("guarded", "/auth/healthz"),
                    ("empty", "/empty"),
                    ("signed_cookie", "/begin"),
                    ("bare", "/"),
                )
            )
        )
        rates, costs = measured(targets, sizes.load, sizes.connections)
    return (
        Row(
            "requests",
            f"Requests over HTTP, one core, {sizes.connections} connections",
            Unit.RATE,
            rates,
            tuple(
                Target(name, 0.7, _EMPTY)
                for name in (_SESSION_COOKIE, _SESSION_TOKEN, _GUARD_COOKIE, _GUARD_TOKEN)
            ),
        ),
        Row("request-cost", "Processor time of one request", Unit.MICROSECONDS, costs),
    )


def _targets(ours: Child, guarded: Child, empty: Child, signed: Child, bare: Child) -> Sequence[Served]:
    session = "one read of the store: data and roles as they are now"
    inside = "somebody's own endpoint; the check reads no store"
    cookie, token = sign_up_and_in(ours.port, "/api")
    guarded_cookie, guarded_token = sign_up_and_in(guarded.port, "/auth/api")
    begun = SimpleCookie(_ask(signed.port, "GET", "/begin")[1])["session"].value
    return (
        Served(Part.OURS, _SESSION_COOKIE, ours, get("/api/session", ours.port, cookie), session),
        Served(Part.OURS, _SESSION_TOKEN, ours, get("/api/session", ours.port, token), session),
        Served(Part.OURS, _GUARD_COOKIE, guarded, get("/me", guarded.port, guarded_cookie), inside),
        Served(Part.OURS, _GUARD_TOKEN, guarded, get("/me", guarded.port, guarded_token), inside),
        Served(Part.RIVAL, _EMPTY, empty, get("/empty", empty.port), "checks nothing"),
        Served(
            Part.LIMIT,
            "FastAPI, empty dependency",
            empty,
            get("/depends", empty.port),
            "what FastAPI takes for any `Depends`, before ours does anything",
        ),
        Served(
            Part.RIVAL,
            _SIGNED,
            signed,
            get("/me", signed.port, f"Cookie: session={begun}"),
            "nobody can end such a session before it expires",
        ),
        Served(Part.LIMIT, "bare ASGI", bare, get("/", bare.port), "no routing, no check"),
    )


def measured(
    targets: Sequence[Served], pace: Pace, connections: int
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Requests per second of each, and the processor time of one in microseconds; in turns, after a warm-up."""
    rates: list[list[float]] = [[] for _ in targets]
    costs: list[list[float]] = [[] for _ in targets]
    for target in targets:
        load(target.child.port, target.request, connections=connections, seconds=pace.seconds / 2)
    for _ in range(pace.rounds):
        for target, rate, cost in zip(targets, rates, costs, strict=True):
            before = target.child.cpu_seconds()
            tally = load(target.child.port, target.request, connections=connections, seconds=pace.seconds)
            after = target.child.cpu_seconds()
            rate.append(tally.answered / pace.seconds)
            if before is not None and after is not None:
                cost.append((after - before) / tally.answered * 1e6)
    pairs = list(zip(targets, rates, costs, strict=True))
    return (
        tuple(entry(target.part, target.name, rate, target.note) for target, rate, _ in pairs),
        tuple(entry(target.part, target.name, cost) for target, _, cost in pairs if cost),
    )


def sign_up_and_in(port: int, root: str) -> tuple[str, str]:
    """The headers of somebody who is signed in, by cookie and by token."""
    credentials = {"email": EMAIL, "password": PASSWORD}
    _, cookies = _ask(port, "POST", f"{root}/sign-up", credentials)
    handle = SimpleCookie(cookies)["gatepost"].value
    return f"Cookie: gatepost={handle}", sign_in_by_token(port, root)


def sign_in_by_token(port: int, root: str) -> str:
    """The header of somebody who has just signed in for a token."""
    credentials = {"email": EMAIL, "password": PASSWORD, "carrier": "token"}
    answer, _ = _ask(port, "POST", f"{root}/sign-in", credentials)
    return f"Authorization: Bearer {answer['tokens']['access_token']}"


def _ask(port: int, method: str, path: str, body: dict[str, str] | None = None) -> tuple[Any, str]:
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        read = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} was answered {answer.status}: {read[:200]!r}")
    cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return json.loads(read), next(
        (value for value in cookies if "HttpOnly" in value or "httponly" in value), ""
    )
