"""Rows about bytes on the wire: what a browser or a client sends with each request, and what a sign-in sends it.

Asked of the whole application as it stands behind https, so with the names and attributes of production.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from starlette.types import ASGIApp, Message

from benchmarks.measuring import Entry, Part, single
from benchmarks.results import Row, Unit
from benchmarks.world import EMAIL, PASSWORD
from gatepost.authority import Authority
from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.core.sessions import REFRESHING, Carrier
from gatepost.settings import load_settings
from gatepost.web.app import make_app

_HOST: Final = "auth.example.com"


def wire_bytes() -> tuple[Row, Row]:
    """Of every carrier, and with tokens of every algorithm."""
    requests: list[Entry] = []
    answers: list[Entry] = []
    for algorithm in ALGORITHMS:
        with _application(algorithm) as app:
            for name, carrier in _named(algorithm).items():
                sent, given = asyncio.run(_signed_in(app, carrier))
                requests.append(single(Part.OURS, name, sent, _sent(carrier)))
                answers.append(single(Part.OURS, name, given, _given(carrier)))
    return (
        Row("bytes-request", "Bytes of the credential in each request", Unit.BYTES, tuple(requests)),
        Row(
            "bytes-sign-in", "Bytes of the credential in the answer to a sign-in", Unit.BYTES, tuple(answers)
        ),
    )


def _named(algorithm: str) -> dict[str, Carrier]:
    """What depends on the algorithm, and once what does not."""
    named = {f"{carrier}, {algorithm}": carrier for carrier in Carrier if carrier in REFRESHING}
    others = {f"{carrier}": carrier for carrier in Carrier if carrier not in REFRESHING}
    return others | named if algorithm == "ES256" else named


def _sent(carrier: Carrier) -> str:
    if carrier is Carrier.TOKEN:
        return "the Authorization header"
    return "the Cookie header, with the cookies against cross-site requests and of the known device in it"


def _given(carrier: Carrier) -> str:
    return "the tokens in the body" if carrier is Carrier.TOKEN else "all Set-Cookie headers that set"


@contextmanager
def _application(algorithm: str) -> Iterator[ASGIApp]:
    with TemporaryDirectory(prefix="gatepost-bench-") as folder:
        chosen = {
            "data": folder,
            "url": f"https://{_HOST}",
            "proxy": {"trusted": ["127.0.0.1"]},
            "tokens": {"algorithm": algorithm},
        }
        authority = Authority(load_settings(chosen, environ={}, directory=Path(folder)))
        authority.start()
        try:
            asyncio.run(
                _ask(app := make_app(authority), "/api/sign-up", {"email": EMAIL, "password": PASSWORD})
            )
            yield app
        finally:
            authority.stop()


async def _signed_in(app: ASGIApp, carrier: Carrier) -> tuple[int, int]:
    """The bytes of the header line that shows a new sign-in, and of what gave it."""
    wanted = {"email": EMAIL, "password": PASSWORD, "carrier": carrier.value}
    headers, body = await _ask(app, "/api/sign-in", wanted)
    if carrier is Carrier.TOKEN:
        tokens = json.loads(body)["tokens"]
        given = len(json.dumps(tokens, separators=(",", ":")))
        return len(f"Authorization: Bearer {tokens['access_token']}\r\n"), given
    lines = [value.decode("latin-1") for name, value in headers if name == b"set-cookie"]
    setting = [line for line in lines if "max-age=0" not in line.lower()]
    pairs = "; ".join(line.partition(";")[0] for line in setting)
    return len(f"Cookie: {pairs}\r\n"), sum(len(f"Set-Cookie: {line}\r\n") for line in setting)


async def _ask(app: ASGIApp, path: str, body: dict[str, str]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    answer: list[Message] = []
    given = json.dumps(body).encode()
    origin = f"https://{_HOST}".encode()
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", _HOST.encode()),
            (b"origin", origin),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(given)).encode()),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 443),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": given, "more_body": False}

    async def send(message: Message) -> None:
        answer.append(message)

    await app(scope, receive, send)
    begun = answer[0]
    if begun["status"] >= 300:
        raise RuntimeError(f"{path} was answered {begun['status']}: {answer[1].get('body')!r}")
    return begun["headers"], b"".join(part.get("body", b"") for part in answer[1:])
