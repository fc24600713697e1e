"""Rows about `GET /gateway/check`, which a proxy asks for every request that it passes on: warm, one core."""

import http.client
from contextlib import ExitStack
from typing import Final

from benchmarks.client import get
from benchmarks.measuring import Part
from benchmarks.processes import Child, server, two_cores
from benchmarks.requests import Served, measured, sign_up_and_in
from benchmarks.results import Row, Target, Unit
from benchmarks.sizes import Sizes

_CHECK: Final = "/gateway/check"
_TOLD: Final = "/told"
_COOKIE: Final = "GET /gateway/check, cookie"
_TOKEN: Final = "GET /gateway/check, token"
_NO_HEADERS: Final = "bare ASGI, 204"
_SAME_HEADERS: Final = "bare ASGI, 204 with the same headers"


def gateway(sizes: Sizes) -> tuple[Row, Row]:
    """How many checks of a proxy one core answers in a second, and how much of the core each takes."""
    with two_cores() as (theirs, _), ExitStack() as stack:
        ours = stack.enter_context(server("gatepost", "/healthz", theirs))
        bare = stack.enter_context(server("echo", "/tell", theirs))
        rates, costs = measured(_served(ours, bare), sizes.load, sizes.connections)
    targets = (Target(_COOKIE, 0.8, _SAME_HEADERS), Target(_TOKEN, 0.8, _SAME_HEADERS))
    return (
        Row(
            "gateway",
            f"Checks of a proxy, one core, {sizes.connections} connections",
            Unit.RATE,
            rates,
            (*targets, Target(_COOKIE, 0.8, _NO_HEADERS)),
        ),
        Row("gateway-cost", "Processor time of one check of a proxy", Unit.MICROSECONDS, costs),
    )


def _served(ours: Child, bare: Child) -> tuple[Served, ...]:
    cookie, token = sign_up_and_in(ours.port, "/api")
    _tell(bare.port, answered := _answered(ours.port, _CHECK, cookie))
    if _answered(bare.port, _TOLD, cookie) != answered:
        raise RuntimeError("the limit does not answer with our headers")
    note = "who it is, roles and a short token for the services behind; nothing is read from a store"
    # The limits are asked with the same cookie, for it is the server's to read it.
    told, nothing = get(_TOLD, bare.port, cookie, status=204), get("/", bare.port, cookie, status=204)
    return (
        Served(Part.OURS, _COOKIE, ours, get(_CHECK, ours.port, cookie, status=204), note),
        Served(Part.OURS, _TOKEN, ours, get(_CHECK, ours.port, token, status=204), note),
        Served(Part.LIMIT, _SAME_HEADERS, bare, told, "no check; what our answer carries, word for word"),
        Served(Part.LIMIT, _NO_HEADERS, bare, nothing, "no check, no headers"),
    )


def _answered(port: int, path: str, carrier: str) -> list[tuple[str, str]]:
    """The headers of the answer to this carrier."""
    status, headers = _ask(port, path, dict([carrier.split(": ", 1)]))
    if status != 204:
        raise RuntimeError(f"{path} was answered {status}")
    return headers


def _tell(port: int, headers: list[tuple[str, str]]) -> None:
    """Let the bare application answer with these."""
    _ask(port, "/tell", {f"Told-{name}": value for name, value in headers})


def _ask(port: int, path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]]]:
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status, answer.getheaders()
