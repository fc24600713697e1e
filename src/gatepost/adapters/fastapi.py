"""Gatepost inside a FastAPI application: mount it, guard endpoints with it.

Owns the mounting and the dependencies. What is checked and how is the guard's; the rules against forged requests are
the web floor's, the same as for our own endpoints.
"""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import THIS_MACHINE, Authority, Machine
from gatepost.core.principals import Principal, Visitor
from gatepost.errors import Forbidden, GatepostError, SignedOut
from gatepost.settings import Settings, load_settings
from gatepost.web.answers import problem
from gatepost.web.app import make_app
from gatepost.web.asking import Asking
from gatepost.web.checks import Check, a_session, not_cross_site, one_credential, signed_in
from gatepost.web.cross_site import SAFE
from gatepost.web.gateway import PATH as GATEWAY
from gatepost.web.handover import remove_ours
from gatepost.web.oauth import metadata_answer
from gatepost.web.renewal import SendsRenewed
from gatepost.web.routes import ROUTES

_KEY = "gatepost.embedded"
_GUARDED = "gatepost.guarded"


class Gatepost:
    """Sign-in for one application.

        auth = Gatepost()
        auth.init_app(app, prefix="/auth")

    Settings come from `gatepost.toml` and the environment as for the server; keyword arguments override them by
    section: `Gatepost(sessions={"idle": "1h"})`. Nothing is opened before the application starts or is first asked.
    """

    def __init__(
        self, settings: Settings | None = None, *, machine: Machine = THIS_MACHINE, **overrides: Any
    ) -> None:
        self._settings = settings if settings is not None else load_settings(overrides, embedded=True)
        self._machine = machine
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
                self._authority = Authority(self._settings, self._machine)
                self._authority.start()
            return self._authority

    @property
    def opened(self) -> Authority | None:
        """The authority, if it is open already; never waits."""
        return self._authority

    def init_app(self, app: FastAPI, prefix: str = "") -> None:
        """Mount endpoints and pages under `prefix`, join the application's lifespan, answer refusals as problems.

        At the root, the application's own routes win over ours of the same path.
        """
        self._settings = self._settings.with_prefix(prefix)
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

    def _asking(self, request: Request) -> Asking:
        # One for all guards of an endpoint: each by itself would renew what the request brought once more.
        asking: Asking = request.scope.get(_KEY) or Asking(self.authority, request)
        request.scope[_KEY] = asking
        return asking

    async def _problem(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, GatepostError):
            raise error
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
                await to_thread.run_sync(self._close)

        return lifespan

    def _begin(self) -> None:
        # Opened before a fork it is there, but does not run here yet.
        self.authority.start()

    def _close(self) -> None:
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
        self._first = {path.split("/")[1] for path in (*(route.path for route in ROUTES), GATEWAY)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["type"] == "http" and scope["path"].split("/")[1] in self._first
        await (self._ours if known else self._otherwise)(scope, receive, send)
