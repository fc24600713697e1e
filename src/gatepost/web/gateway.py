"""`GET /gateway/check`: a proxy asks whether a request may pass, and what the services behind are to know of it.

Bare ASGI in front of the router, because a proxy asks for every request that it passes on. Owns the question (what the
address asks for), the identity headers of the answer, and that each of them is set, blank where there is nothing to
say. Who stands is the guard's to say, how long the short JWT is given out `services/short_tokens.py`'s.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented, SealedCookie, read_presented
from gatepost.checking.known import Known
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import Secret
from gatepost.errors import (
    AmbiguousCredentials,
    BadRequest,
    Forbidden,
    GatepostError,
    MethodNotAllowed,
    SignedOut,
    Stale,
)
from gatepost.services.short_tokens import LIFE, Checked, ShortTokens
from gatepost.web.asking import Asking
from gatepost.web.checks import not_cross_site
from gatepost.web.cross_site import SAFE
from gatepost.web.renewal import unsent
from gatepost.web.routes import Kind

PATH: Final = "/gateway/check"
PEER: Final = "gatepost.peer"
"""Where, in the state of a request, our own server leaves who is really connected, whatever `X-Forwarded-For` says."""

Headers = list[tuple[bytes, bytes]]
Failure = Callable[[Request, GatepostError], Response]

_IDENTITY: Final = (
    b"x-auth-account", b"x-auth-email", b"x-auth-roles", b"x-auth-session",
    b"remote-user", b"remote-email", b"remote-groups", b"authorization",
)  # fmt: skip
_BLANK: Final = tuple((name, b"") for name in _IDENTITY)
_EMPTY: Final[Message] = {"type": "http.response.body", "body": b""}
_VISIBLE: Final = re.compile(r"[!-~]*", re.ASCII)
_ASKED: Final = frozenset({"role", "permission", "audience"})
_LONGEST_QUERY: Final = 1024
_MOST_QUERIES: Final = 256
_METHODS: Final = frozenset({b"x-original-method", b"x-forwarded-method"})
_LOOKED_AT: Final = _METHODS | {b"authorization"}
_SAFE: Final = frozenset(method.encode() for method in SAFE)
_TRIES: Final = range(4)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for beside a sign-in."""

    role: str | None = None
    permission: str | None = None
    audience: str | None = None


def parse_wanted(query: bytes) -> Wanted:
    """What a query string asks for. Raises `BadRequest`.

    A parameter that stands twice, is empty or is not known here is refused and not ignored: `?rolle=admin` would
    otherwise let everybody pass.
    """
    if not query:
        return Wanted()
    if len(query) > _LONGEST_QUERY:
        raise BadRequest("The query is too long.")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise BadRequest("The query could not be read.") from error
    named = dict(pairs)
    if "access_token" in named:
        raise BadRequest("Send the token in the Authorization header, never in the address.")
    if len(named) < len(pairs) or not named.keys() <= _ASKED or not all(named.values()):
        raise BadRequest("Ask for role, permission and audience only, each once and not empty.")
    return Wanted(**named)


def identity_headers(who: Principal, token: Secret) -> Headers:
    """The headers that say who passes, each of them, in the order of interface and proxies' configurations."""
    account, email, roles = _shown(who.account_id), _shown(who.email or ""), _joined(who.roles)
    values = (account, email, roles, _shown(who.session_id), account, email, roles)
    return list(zip(_IDENTITY, (*values, b"Bearer " + token.reveal().encode("ascii")), strict=True))


def _shown(value: str) -> bytes:
    # A line break would be the end of the header and the beginning of the next; of what is not ASCII each reader makes
    # something else.
    return value.encode("ascii") if _VISIBLE.fullmatch(value) else b""


def _joined(roles: tuple[str, ...]) -> bytes:
    # A role with a comma in it would be read as two, one of which nobody was given.
    return b"" if any("," in role for role in roles) else _shown(",".join(roles))


class Gateway:
    """Answers the proxy; whoever asks for anything else is answered by the application behind."""

    def __init__(self, app: ASGIApp, authority: Authority, failure: Failure) -> None:
        settings = authority.settings
        self._app = app
        self._authority = authority
        self._failure = failure
        # Where no other service is named, the token is for us: nobody behind would have a name to check it against.
        self._audiences = settings.tokens.audiences or (settings.issuer,)
        # A proxy is configured with a handful of addresses. What is refused is not remembered.
        self._read = lru_cache(_MOST_QUERIES)(self._parsed)
        self._proxies = tuple(ip_network(network) for network in settings.proxy.trusted)
        self._short: ShortTokens[Headers] = ShortTokens(authority.clock, identity_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _is_for_us(scope):
            await self._app(scope, receive, send)
            return
        scope["gatepost.kind"] = Kind.API
        try:
            headers = await self._admitted(scope)
        except GatepostError as error:
            await self._refusal(scope, error)(scope, receive, send)
        except Exception:
            # As everywhere: the client is told that it was our fault, the server's log what it was.
            await self._refusal(scope, GatepostError())(scope, receive, send)
            raise
        else:
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send(_EMPTY)

    async def _admitted(self, scope: Scope) -> Headers:
        if scope["method"] != "GET":
            raise MethodNotAllowed
        wanted, audience = self._read(scope["query_string"])
        presented = read_presented(scope["headers"], self._authority.cookies)
        for name, _ in scope["headers"]:
            if name in _LOOKED_AT:
                await self._require_sound(scope, presented)
                break
        who, presented = await self._find(scope, presented)
        _require_allowed(who, wanted)
        access = self._authority.tokens.access
        headers = self._short.again(who, audience, access.key)
        if headers is None:
            headers = self._short.give(await self._checked(scope, presented, wanted), audience, access)
        return headers

    def _parsed(self, query: bytes) -> tuple[Wanted, str]:
        wanted = parse_wanted(query)
        return wanted, self._audience(wanted)

    def _audience(self, wanted: Wanted) -> str:
        if wanted.audience in self._audiences:
            return wanted.audience
        if wanted.audience is None and len(self._audiences) == 1:
            return self._audiences[0]
        raise BadRequest("Name one of this server's audiences with ?audience=.")

    async def _require_sound(self, scope: Scope, presented: Presented) -> None:
        if len([name for name, _ in scope["headers"] if name == b"authorization"]) > 1:
            # Of two the proxy may have checked the other one.
            raise AmbiguousCredentials
        methods = [value for name, value in scope["headers"] if name in _METHODS]
        # Methods are told apart by case, so `get` is not GET and is no excuse.
        if all(method in _SAFE for method in methods) or isinstance(presented, Bearer):
            return
        if self._is_by_a_proxy(scope):
            await not_cross_site(self._asking(scope, presented))

    def _is_by_a_proxy(self, scope: Scope) -> bool:
        """Whether the request comes from a proxy that we trust."""
        if not self._proxies:
            return False
        peer = scope.get("state", {}).get(PEER)
        if peer is None:
            # Another server than ours, which may have put the address of the proxy's client in its place. To hold
            # somebody to the rules who need not keep them harms only them.
            forwarded = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
            return forwarded or self._is_trusted((scope.get("client") or ("",))[0])
        return self._is_trusted(peer)

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self._proxies)

    def _asking(self, scope: Scope, presented: Presented) -> Asking:
        # Whatever is renewed for the rules against forgery must be for the check too, or the one would take for dead
        # what the other revives. Tokens in cookies are renewed for neither: a proxy may keep the new ones to itself,
        # and the old refresh token, used again later, would look like a theft. A sealed cookie takes no harm.
        renewing = isinstance(presented, SealedCookie)
        asking = Asking(self._authority, Request(scope if renewing else unsent(scope)))
        asking.presented = presented
        return asking

    async def _find(self, scope: Scope, presented: Presented) -> tuple[Principal, Presented]:
        """Who presents this, and the carrier that stands now: a sealed cookie may be renewed on the way."""
        if isinstance(presented, SealedCookie):
            asking = self._asking(scope, presented)
            who, presented = await asking.find(), asking.presented
        else:
            who = await self._authority.guard.check_async(presented)
        if isinstance(who, Visitor):
            raise SignedOut("Please sign in first: this visit has no account yet.")
        return who, presented

    async def _checked(self, scope: Scope, presented: Presented, wanted: Wanted) -> Checked:
        """Whoever was let in, once more, with the position up to which that is known."""
        cache = self._authority.guard.cache
        if isinstance(presented, OpaqueCookie) and _is_nearly_over(cache.remembered(presented), self._soon()):
            # The session goes on when only our memory of it is nearly too old.
            cache.look_again(presented)
        for _ in _TRIES:
            before = cache.remembered(presented)
            who, presented = await self._find(scope, presented)
            _require_allowed(who, wanted)
            known = cache.remembered(presented)
            # Not what was remembered but somebody who knows may have been asked, later: then what is remembered is the
            # older of the two, if it is still the same.
            if known is not None and (known.who is who or known is before):
                return Checked(who, known.client_id, known.pos, known.until)
        raise Stale(detail="what is known of this session changed at every look")

    def _soon(self) -> float:
        return self._authority.clock.boot() + LIFE.total_seconds()

    def _refusal(self, scope: Scope, error: GatepostError) -> Response:
        response = self._failure(Request(scope), error)
        # A proxy may let some requests pass all the same, as nobody's.
        response.raw_headers.extend(_BLANK)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = "GET, HEAD"
        return response


def _is_for_us(scope: Scope) -> bool:
    path: str = scope["path"]
    # First what nearly every request fails.
    return path.endswith(PATH) and path.removeprefix(scope.get("root_path", "")) == PATH


def _require_allowed(who: Principal, wanted: Wanted) -> None:
    if (wanted.role is not None and wanted.role not in who.roles) or (
        wanted.permission is not None and wanted.permission not in who.permissions
    ):
        raise Forbidden


def _is_nearly_over(known: Known | None, soon: float) -> bool:
    return known is not None and known.until < soon
