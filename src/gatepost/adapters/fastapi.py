"""Gatepost inside a FastAPI or Starlette application: mount it, guard endpoints with it, hook into it.

Owns the mounting, the dependencies and the collecting of hooks. What is checked and how is the guard's; the rules
against forged requests are the web floor's, the same as for our own endpoints.
"""

import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import THIS_MACHINE, Authority, Machine
from gatepost.core.hooks import Hooks, MakeClaims, Merge, OnArrival, only_the_visit
from gatepost.core.principals import Principal, Visitor
from gatepost.core.sessions import Carrier
from gatepost.errors import (
    Busy,
    Forbidden,
    GatepostError,
    OperatorError,
    Refused,
    SignedOut,
    SlowDown,
    Stale,
)
from gatepost.services.trouble import seldom
from gatepost.settings import Settings, load_settings
from gatepost.web.answers import problem
from gatepost.web.app import make_app
from gatepost.web.asking import Asking
from gatepost.web.checks import Check, a_session, not_cross_site, one_credential, signed_in
from gatepost.web.cross_site import SAFE
from gatepost.web.feed import PATH as FEED
from gatepost.web.gateway import PATH as GATEWAY
from gatepost.web.handover import remove_ours
from gatepost.web.oauth import metadata_answer
from gatepost.web.renewal import SendsRenewed
from gatepost.web.routes import ROUTES
from gatepost.web.visiting import session_or_visit

_KEY = "gatepost.embedded"
_GUARDED = "gatepost.guarded"
H = TypeVar("H", bound=Callable[..., Any])
_journal: Final = logging.getLogger("gatepost")


def _tell(error: Exception, more: int) -> None:
    detail, unsaid = getattr(error, "detail", "") or error, f" (and {more} more)" if more else ""
    _journal.error("%s: %s%s", type(error).__name__, detail, unsaid)


def _this_machine() -> Machine:
    """The machine as an embedded Gatepost takes it: what goes wrong is told in the application's own log."""
    return replace(THIS_MACHINE, on_trouble=seldom(THIS_MACHINE.clock, _tell))


class Gatepost:
    """Sign-in for one application.

        auth = Gatepost()
        auth.init_app(app, prefix="/auth")

    Settings come from `gatepost.toml` and the environment as for the server; keyword arguments override them by
    section: `Gatepost(sessions={"idle": "1h"})`. Nothing is opened before the application starts or is first asked.
    """

    def __init__(
        self, settings: Settings | None = None, *, machine: Machine | None = None, **overrides: Any
    ) -> None:
        self._settings = settings if settings is not None else load_settings(overrides, embedded=True)
        self._machine = machine or _this_machine()
        self._hooks = Hooks()
        self._prefix = ""
        self._opening = threading.Lock()
        self._authority: Authority | None = None

    @property
    def authority(self) -> Authority:
        """Everything behind the endpoints, opened at the first use and running from then on."""
        authority = self._authority
        if authority is not None:
            # No lock: a process forked while another thread held it would wait for ever.
            return authority
        # Without the application's lifespan (a test client, a bare ASGI call) the first request finds it started too.
        with self._opening:
            if self._authority is None:
                self._authority = Authority(self._settings, self._machine, self._hooks)
                self._authority.start()
            return self._authority

    @property
    def opened(self) -> Authority | None:
        """The authority, if it is open already; never waits."""
        return self._authority

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def prefix(self) -> str:
        """Where `init_app` has mounted the endpoints and pages; "" at the root."""
        return self._prefix

    def stage(self, settings: Settings, machine: Machine) -> None:
        """Play on other settings and another machine from the next opening on: for `gatepost.testing` alone.

        Raises RuntimeError while it is open: what was begun on one store must not go on with another.
        """
        self._require_closed("settings cannot change")
        self._settings, self._machine = settings, machine

    @property
    def machine(self) -> Machine:
        """The machine it takes clocks and randomness from."""
        return self._machine

    def on_sign_up(self, hook: OnArrival) -> OnArrival:
        """Decorator: call `hook` with each new account before it is written. It may raise `SignInRefused`."""
        self._hooks = replace(self._hooks, on_sign_up=(*self._hooks.on_sign_up, self._hook(hook)))
        return hook

    def on_sign_in(self, hook: OnArrival) -> OnArrival:
        """Decorator: call `hook` before each session of an account is written. It may raise `SignInRefused`."""
        self._hooks = replace(self._hooks, on_sign_in=(*self._hooks.on_sign_in, self._hook(hook)))
        return hook

    def carry_over(self, hook: Merge) -> Merge:
        """Decorator: `hook` says what a session holds that begins, out of the visit's data and what was held."""
        if self._hooks.carry_over is not only_the_visit:
            raise RuntimeError(
                "there is a carry_over hook already, and only one can say what a session holds"
            )
        self._hooks = replace(self._hooks, carry_over=self._hook(hook))
        return hook

    def claims(self, hook: MakeClaims) -> MakeClaims:
        """Decorator: `hook` says what access tokens claim beside ours; `tokens.claims` names what it may."""
        if self._hooks.claims is not None:
            raise RuntimeError("there is a claims hook already, and only one can say what tokens claim")
        self._hooks = replace(self._hooks, claims=self._hook(hook))
        return hook

    def init_app(self, app: Starlette, prefix: str = "") -> None:
        """Mount endpoints and pages under `prefix`, join the application's lifespan, answer refusals as problems.

        At the root, the application's own routes win over ours of the same path.
        """
        self._settings, self._prefix = self._settings.with_prefix(prefix), prefix
        docs = bool(self._settings.docs)
        embedded = _Embedded(self, with_docs=docs)
        if prefix:
            app.mount(prefix, embedded)
            app.add_route(f"/.well-known/oauth-authorization-server{prefix}", self._metadata, methods=["GET"])
        else:
            app.router.default = _OursOrElse(embedded, app.router.default)
        # Around the whole stack: middleware of the usual kind stands inside the one that answers for crashes.
        stack = app.build_middleware_stack
        app.build_middleware_stack = lambda: SendsRenewed(stack())  # type: ignore[method-assign]
        app.router.lifespan_context = self._joined(app.router.lifespan_context)
        app.add_exception_handler(GatepostError, self._problem)

    async def signed_in(self, request: Request) -> Principal:
        """Whoever is signed in, as a dependency: `Depends(auth.signed_in)`. 401 otherwise.

        For a request that changes something the rules against forged requests apply, as at our own endpoints.
        """
        return (await self._checked(request, signed_in)).principal

    async def a_session(self, request: Request) -> Principal | Visitor:
        """Whoever has a session, a visitor too: `Depends(auth.a_session)`."""
        return (await self._checked(request, a_session)).who

    async def perhaps(self, request: Request) -> Principal | Visitor | None:
        """Whoever has a session, or nobody: `Depends(auth.perhaps)`, for pages that greet. 503 if nobody can say."""
        try:
            return await self.a_session(request)
        except Stale:
            raise
        except (Refused, SignedOut, SlowDown):
            return None

    def visit(self, carrier: str = "cookie") -> Callable[[Request], Awaitable[Principal | Visitor]]:
        """Whoever has a session; for anybody else a visit begins, whose cookie goes out with the answer.

        `carrier` is `cookie` or `sealed`. For endpoints that write what a visit is to keep, as `Depends(auth.visit())`:
        at one that only reads, everybody who passes by would be given a session.
        """
        if carrier not in {Carrier.COOKIE, Carrier.SEALED}:
            raise ValueError("a visit is held by cookie or sealed")
        found = session_or_visit(Carrier(carrier))

        async def visiting(request: Request) -> Principal | Visitor:
            return (await self._checked(request, found)).who

        return visiting

    def require(
        self, *, role: str | None = None, permission: str | None = None
    ) -> Callable[[Request], Awaitable[Principal]]:
        """Whoever is signed in and has the role, the permission, or both: 403 otherwise. Roles do not imply others."""
        if role is None and permission is None:
            raise TypeError("require needs a role or a permission")

        async def required(request: Request) -> Principal:
            who = await self.signed_in(request)
            if (role is not None and role not in who.roles) or (
                permission is not None and permission not in who.permissions
            ):
                raise Forbidden
            return who

        return required

    def data(self, request: Request) -> Mapping[str, Any]:
        """The application's data of the session that asks: read from the store, or out of its sealed cookie.

        For plain `def` endpoints.
        """
        asking = self._asking(request)
        if asking.found is None:
            asking.found = asking.find_now()
        return asking.session_data

    def set_data(self, request: Request, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Merge a patch into that data (RFC 7396) and return it. For plain `def` endpoints."""
        # Whoever was found by reading alone has not been held to the rules against forged requests.
        if not request.scope.get(_GUARDED):
            raise SignedOut
        return self._asking(request).merge_data(patch)

    async def _checked(self, request: Request, found: Check) -> Asking:
        asking = self._asking(request)
        await one_credential(asking)
        if request.method not in SAFE:
            await not_cross_site(asking)
        await found(asking)
        request.scope[_GUARDED] = True
        return asking

    def _hook(self, hook: H) -> H:
        self._require_closed("hooks cannot be added")
        if iscoroutinefunction(hook):
            # It would return at once and refuse nobody.
            raise TypeError("hooks are plain functions: they run in a thread, where they may wait")
        return hook

    def _require_closed(self, what: str) -> None:
        if self._authority is not None:
            raise RuntimeError(f"the application has started, and {what} any more")

    def _asking(self, request: Request) -> Asking:
        # One for all guards of an endpoint: each by itself would renew what the request brought once more.
        asking: Asking = request.scope.get(_KEY) or Asking(self.authority, request)
        request.scope[_KEY] = asking
        return asking

    async def _problem(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, GatepostError):
            raise error
        if isinstance(error, OperatorError):
            # Its message is for whoever runs the application: it names files.
            error = Busy(detail=error.message)
        if error.status >= 500:
            self.authority.on_trouble(error)
        response = remove_ours(error, Asking(self.authority, request), problem(error))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _metadata(self, request: Request) -> Response:
        return metadata_answer(self._settings.issuer)

    def _joined(self, inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            await to_thread.run_sync(self._begin)
            try:
                async with inner(app) as state:
                    yield state
            finally:
                await to_thread.run_sync(self.close)

        return lifespan

    def _begin(self) -> None:
        # Opened before a fork it is there, but does not run here yet.
        self.authority.start()

    def close(self) -> None:
        """Stop, and let go of the store. The application's lifespan does it; the next use opens it again."""
        with self._opening:
            authority, self._authority = self._authority, None
        if authority is not None:
            authority.stop()


class _Embedded:
    """Our application, made at the first request: importing a module must not open a database.

    Made again for another authority: an application that is started a second time has closed the first one.
    """

    def __init__(self, gatepost: Gatepost, *, with_docs: bool) -> None:
        self._gatepost = gatepost
        self._with_docs = with_docs
        self._made: tuple[Authority, ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        authority = self._gatepost.opened
        if authority is None:
            authority = await to_thread.run_sync(lambda: self._gatepost.authority)
        made = self._made
        if made is None or made[0] is not authority:
            served = bool(authority.settings.metrics.served)
            app = make_app(authority, with_docs=self._with_docs, with_metrics=served)
            made = self._made = (authority, app)
        await made[1](scope, receive, send)


class _OursOrElse:
    """At the root: our paths to us, everything else to what the application does with unknown paths."""

    def __init__(self, ours: ASGIApp, otherwise: ASGIApp) -> None:
        self._ours = ours
        self._otherwise = otherwise
        self._first = {path.split("/")[1] for path in (*(route.path for route in ROUTES), GATEWAY, FEED)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["type"] == "http" and scope["path"].split("/")[1] in self._first
        await (self._ours if known else self._otherwise)(scope, receive, send)
