"""What surrounds every request, before any route is chosen: host, sizes, scheme, headers of every answer, last resort.

Plain ASGI, so that it costs little and nothing escapes it. Knows no session and no route.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.errors import (
    BadRequest,
    GatepostError,
    HeadersTooLarge,
    HttpsRequired,
    RequestTimeout,
    TooLarge,
    UnknownHost,
)
from gatepost.settings import Settings

_API_POLICY: Final = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
)
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send `Origin: null` with our own forms, which then look foreign.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HSTS: Final = "max-age=63072000; includeSubDomains"

Failure = Callable[[Request, GatepostError], Response]


class Envelope:
    """The outermost layer of our application, at the root and mounted."""

    def __init__(self, app: ASGIApp, settings: Settings, failure: Failure) -> None:
        self._app = app
        self._settings = settings
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = self._with_headers(send)
        try:
            redirect = self._require_sound(scope)
            if redirect is not None:
                await redirect(scope, receive, guarded)
                return
            body = await self._read_body(scope, receive)
        except GatepostError as error:
            await self._failure(Request(scope), error)(scope, receive, guarded)
            return
        await self._app(scope, _replay(body, receive), guarded)

    def _require_sound(self, scope: Scope) -> Response | None:
        settings = self._settings
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if sum(len(name) + len(value) + 4 for name, value in headers) > settings.limits.headers:
            raise HeadersTooLarge
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1:
            raise BadRequest("The request must have one Host header.")
        if not settings.is_our_host(hosts[0].decode("latin-1")):
            raise UnknownHost
        if settings.secure and scope["scheme"] == "http":
            return self._to_https(scope)
        return None

    def _to_https(self, scope: Scope) -> Response:
        # Only what a person types into the address line is sent on. A client that spoke in the clear must notice.
        if scope["method"] not in {"GET", "HEAD"} or _is_machine_path(scope):
            raise HttpsRequired
        origin = self._settings.issuer.split("/", 3)[:3]
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse("/".join(origin) + quote(scope["path"]) + (f"?{query}" if query else ""), 308)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._settings.limits.body
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if any(int(value) > most for value in lengths if value.isdigit()):
            raise TooLarge(f"The body may have at most {most} bytes.")
        try:
            async with asyncio.timeout(self._settings.revocation.request_deadline.total_seconds()):
                return await _collect(receive, most)
        except TimeoutError:
            raise RequestTimeout from None

    def _with_headers(self, send: Send) -> Send:
        secure = self._settings.secure

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", _PAGE_POLICY if is_page else _API_POLICY)
                if is_page:
                    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                if secure:
                    headers.setdefault("Strict-Transport-Security", _HSTS)
            await send(message)

        return guarded


async def _collect(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge(f"The body may have at most {most} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


def _is_machine_path(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith(("/api/", "/oauth/", "/.well-known/", "/gateway/", "/feed"))


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
