"""Renewed cookies on their way to the browser, on every kind of response.

Owns the list of cookies that a request has renewed, and the moment at which they join the answer. Knows no carrier:
whoever renews hands in finished Set-Cookie values. Around our own application, and around one that embeds us.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY: Final = "gatepost.renewed"
_SHARED: Final = frozenset({b"surrogate-control", b"expires"})


class Outgoing:
    """What a request has renewed, until its answer begins."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}
        self._stands: Callable[[], bool] = lambda: True
        self.begun: bool = False

    def put(self, cookies: Mapping[str, str], stands: Callable[[], bool]) -> None:
        """Send these Set-Cookie values, by name, unless `stands` says in the end that their session is over."""
        self._cookies.update(cookies)
        self._stands = stands

    def clear(self) -> None:
        """Send nothing: the answer itself says what becomes of the cookies."""
        self._cookies.clear()

    def take(self) -> dict[str, str]:
        """What goes out with the answer, which begins now: whatever is renewed later would never arrive."""
        self.begun = True
        # Another tab may have signed in while a slow answer was made. What this one has renewed is of a session which
        # that sign-in has ended, and would overwrite the new cookies.
        return self._cookies if self._cookies and self._stands() else {}


class SendsRenewed:
    """Sends what was renewed during a request with whatever answers it.

    A cookie put on a dependency's response is dropped by FastAPI when the endpoint returns a response of its own or
    raises; a rotation whose answer is lost would later look like a theft. So this stands outermost.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. The handshake of a WebSocket renews nothing: a refused one carries no cookie."""
        if scope["type"] != "http" or _KEY in scope:
            await self._app(scope, receive, send)
            return
        outgoing = Outgoing()
        # Every later copy of the scope holds the same one.
        await self._app({**scope, _KEY: outgoing}, receive, _adding(send, outgoing))


def renewed_in(scope: Scope) -> Outgoing | None:
    """Where renewed cookies go; None where nobody would send them any more, so nothing may be renewed."""
    outgoing: Outgoing | None = scope.get(_KEY)
    return None if outgoing is None or outgoing.begun else outgoing


def unsent(scope: Scope) -> Scope:
    """The same request where nobody would send what it renews: its answer goes to a proxy that may keep cookies."""
    return {key: value for key, value in scope.items() if key != _KEY}


def _adding(send: Send, outgoing: Outgoing) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start" and (cookies := outgoing.take()):
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
    kept = [pair for pair in own if not _is_for_caches(pair[0].lower())]
    return [*kept, (b"cache-control", b"no-store"), *added]


def _is_for_caches(name: bytes) -> bool:
    # A cache that knows its own header (RFC 9213) believes it before the common one.
    return name.endswith(b"cache-control") or name in _SHARED
