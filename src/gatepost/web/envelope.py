"""What surrounds every request, before any route is chosen: host, sizes, scheme, headers of every answer, last resort.

Plain ASGI, so that it costs little and nothing escapes it. Knows no session and no route.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

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
PAGE_POLICY: Final = (
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
    "Cache-Control": "no-store",
}
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_HOSTS: Final = 64
_LONGEST_LENGTH: Final = 16
_HSTS: Final = "max-age=63072000; includeSubDomains"

Failure = Callable[[Request, GatepostError], Response]
EndExposed = Callable[[Scope], Awaitable[bool]]
"""Ends what a request in the clear has shown to listeners; whether there was anything to end."""


class Envelope:
    """The outermost layer of our application, at the root and mounted."""

    def __init__(self, app: ASGIApp, settings: Settings, failure: Failure, end_exposed: EndExposed) -> None:
        self._app = app
        self._settings = settings
        self._failure = failure
        self._end_exposed = end_exposed
        # Both are worked out from the settings, which takes longer than the rest of this layer.
        self._secure = settings.secure
        self._our_hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send, _headers_for(self._secure and scope["scheme"] == "https"))
        try:
            self._require_sound(scope)
            if self._secure and scope["scheme"] == "http":
                redirect = await self._to_https(scope)
                await redirect(scope, receive, guarded)
                return
            if _may_have_body(scope):
                body = await self._read_body(scope, receive)
                if body is None:
                    return
                receive = _replay(body, receive)
        except GatepostError as error:
            await self._failure(Request(scope), error)(scope, receive, guarded)
            return
        if scope["method"] == "HEAD":
            # What GET would say; the server leaves the body out (RFC 9110 section 9.3.2).
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, guarded)

    def _require_sound(self, scope: Scope) -> None:
        settings = self._settings
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        size, hosts = 0, []
        for name, value in headers:
            size += len(name) + len(value) + 4
            if name == b"host":
                hosts.append(value)
        if size > settings.limits.headers:
            raise HeadersTooLarge
        if len(hosts) != 1:
            raise BadRequest("The request must have one Host header.")
        if self._secure and scope["scheme"] == "http":
            # Nothing is served here, so the port, which is another one than that of https, need not be ours.
            if not settings.is_our_name(hosts[0].decode("latin-1")):
                raise UnknownHost
        elif hosts[0] not in self._our_hosts:
            self._require_our_host(hosts[0])

    def _require_our_host(self, host: bytes) -> None:
        if not self._settings.is_our_host(host.decode("latin-1")):
            raise UnknownHost
        # Only what is ours is remembered, and of that not every port that somebody tries.
        if len(self._our_hosts) < _MOST_HOSTS:
            self._our_hosts.add(host)

    async def _to_https(self, scope: Scope) -> Response:
        exposed = await self._end_exposed(scope)
        # Only what a person types into the address line is sent on. A client that spoke in the clear must notice.
        if scope["method"] not in {"GET", "HEAD"} or _is_machine_path(scope):
            if exposed:
                raise HttpsRequired(
                    "Please use https. Your sign-in was sent without it, where others can read it, "
                    "so it was ended. Please sign in again over https."
                )
            raise HttpsRequired
        origin = self._settings.issuer.split("/", 3)[:3]
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse("/".join(origin) + quote(scope["path"]) + (f"?{query}" if query else ""), 308)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        most = self._settings.limits.body
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if any(len(value) > _LONGEST_LENGTH or int(value) > most for value in lengths if value.isdigit()):
            raise TooLarge(f"The body may have at most {most} bytes.")
        try:
            async with asyncio.timeout(self._settings.revocation.request_deadline.total_seconds()):
                return await _collect(receive, most)
        except TimeoutError:
            raise RequestTimeout from None


@dataclass(frozen=True, slots=True)
class _Headers:
    """What an answer carries besides its own headers, raw: to JSON and files, and to pages."""

    api: Mapping[bytes, bytes]
    page: Mapping[bytes, bytes]


def _with_headers(send: Send, headers: _Headers) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = dict(message.get("headers", ()))
            is_page = own.get(b"content-type", b"").startswith(b"text/html")
            more = headers.page if is_page else headers.api
            if not more.keys().isdisjoint(own):
                more = {name: value for name, value in more.items() if name not in own}
            message["headers"] = [*message.get("headers", ()), *more.items()]
        await send(message)

    return guarded


@lru_cache
def _headers_for(https: bool) -> _Headers:
    # Never over plain http (RFC 6797 section 7.2).
    always = {**_ALWAYS, **({"Strict-Transport-Security": _HSTS} if https else {})}
    page = {**always, "Content-Security-Policy": PAGE_POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
    return _Headers(_raw({**always, "Content-Security-Policy": _API_POLICY}), _raw(page))


def _raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode() for name, value in headers.items()}


def _may_have_body(scope: Scope) -> bool:
    """Whether there is a body that has to be read and measured. One that nobody reads, the server throws away."""
    if scope["method"] not in _BODILESS:
        return True
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


async def _collect(receive: Receive, most: int) -> bytes | None:
    """The whole body, or None if the client left before its end: half a form could hold half a password."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
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
