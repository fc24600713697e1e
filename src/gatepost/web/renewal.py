"""Renewed cookies on their way to the browser, on every kind of response.

Owns the list of cookies that a request has renewed, and the moment at which they join the answer. Knows no carrier:
whoever renews hands in finished Set-Cookie values. Around our own application, and around one that embeds us.
"""

from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY: Final = "gatepost.renewed"


class SendsRenewed:
    """Sends what was renewed during a request with whatever answers it.

    A cookie put on a dependency's response is dropped by FastAPI when the endpoint returns a response of its own or
    raises; a rotation whose answer is lost would later look like a theft. So this stands outermost.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _KEY in scope:
            await self._app(scope, receive, send)
            return
        cookies: dict[str, str] = {}
        # Every later copy of the scope holds the same one.
        await self._app({**scope, _KEY: cookies}, receive, _adding(send, cookies))


def renewed_in(scope: Scope) -> dict[str, str] | None:
    """Where renewed Set-Cookie values go, by cookie; None where nobody would send them, so nothing may be renewed."""
    cookies: dict[str, str] | None = scope.get(_KEY)
    return cookies


def unsent(scope: Scope) -> Scope:
    """The same request where nobody would send what it renews: its answer goes to a proxy that may keep cookies."""
    return {key: value for key, value in scope.items() if key != _KEY}


def _adding(send: Send, cookies: dict[str, str]) -> Send:
    async def adding(message: Message) -> None:
        if cookies and message["type"] == "http.response.start":
            message = {**message, "headers": _joined(message.get("headers", ()), cookies)}
        await send(message)

    return adding


def _joined(headers: Iterable[tuple[bytes, bytes]], cookies: dict[str, str]) -> list[tuple[bytes, bytes]]:
    own = list(headers)
    # What the answer itself says of a cookie stands: a sign-out must not be followed by what it removed.
    said = {value.partition(b"=")[0] for name, value in own if name.lower() == b"set-cookie"}
    added = [
        (b"set-cookie", cookie.encode("latin-1"))
        for name, cookie in cookies.items()
        if name.encode("latin-1") not in said
    ]
    if not added:
        return own
    # A shared cache that kept this answer would hand one person's credential to another.
    kept = [pair for pair in own if pair[0].lower() != b"cache-control"]
    return [*kept, (b"cache-control", b"no-store"), *added]
