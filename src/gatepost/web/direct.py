"""Calls that need nothing but the request: answered in front of FastAPI, which takes longer over them than they do.

The same table, the same checks in the same order, the same answers to errors. FastAPI knows these routes too: for the
OpenAPI document, and for what a wrong method is told. Nothing is decided here.
"""

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction, signature

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.errors import GatepostError
from gatepost.web.asking import Asking
from gatepost.web.routes import Kind, Route

Failure = Callable[[Request, GatepostError], Response]


async def pass_checks(authority: Authority, request: Request, route: Route) -> Asking:
    """The request once every check of its route has let it pass; raises what the first that does not raises."""
    asking = Asking(authority, request)
    request.scope["gatepost.kind"] = route.kind
    request.scope["gatepost.asking"] = asking
    for check in route.checks:
        await check(asking)
    return asking


class Direct:
    """Whoever asks for one of these routes is answered here, everybody else by the application behind."""

    def __init__(self, app: ASGIApp, authority: Authority, routes: Iterable[Route], failure: Failure) -> None:
        self._app = app
        self._authority = authority
        self._failure = failure
        self._routes = {
            (route.method, route.path): route for route in routes if _needs_the_request_only(route)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], _path(scope))) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            asking = await pass_checks(self._authority, request, route)
            response: Response = await route.endpoint(asking)
        except GatepostError as error:
            response = self._failure(request, error)
        except Exception:
            # The client is told that it was our fault, the server's log what it was.
            await self._failure(request, GatepostError())(scope, receive, send)
            raise
        await response(scope, receive, send)


def _needs_the_request_only(route: Route) -> bool:
    # A plain `def` may block and belongs into a thread; FastAPI sees to that. Files and pages may ask FastAPI itself.
    if not iscoroutinefunction(route.endpoint) or route.kind is not Kind.API or "{" in route.path:
        return False
    return list(signature(route.endpoint).parameters) == ["asking"]


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
