"""The application: the table made into FastAPI routes, errors into answers, all of it inside the envelope."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.errors import (
    BadRequest,
    Busy,
    CarrierUnavailable,
    GatepostError,
    InvalidFields,
    MethodNotAllowed,
    NotFound,
    OperatorError,
    ReauthenticationRequired,
    Refused,
    SignedOut,
    Stale,
)
from gatepost.web.answers import oauth_problem, problem
from gatepost.web.appearance import appearance_of
from gatepost.web.asking import Asking
from gatepost.web.declared import declared_answers, declared_more
from gatepost.web.direct import Direct, pass_checks
from gatepost.web.envelope import Envelope
from gatepost.web.error_pages import error_page, to_sign_in
from gatepost.web.exposed import end_exposed
from gatepost.web.feed import Feed
from gatepost.web.gateway import Gateway
from gatepost.web.handover import remove_ours
from gatepost.web.metering import Meter, Metered, meter_of
from gatepost.web.reauthentication import to_reauthentication
from gatepost.web.renewal import SendsRenewed
from gatepost.web.routes import DOCUMENTATION, METRICS, ROUTES, Kind, Route
from gatepost.web.threads import among_writers, writes

_SENTENCES: Final = {
    "missing": "This field is missing.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be a text.",
    "list_type": "This must be a list.",
    "too_long": "This is too long.",
    "string_too_long": "This is too long.",
    "string_unicode": "This is not valid Unicode.",
    "model_attributes_type": "Send a JSON object.",
    "int_parsing": "This must be a whole number.",
}


def make_app(
    authority: Authority,
    *,
    with_docs: bool = True,
    with_metrics: bool = True,
    routes: Iterable[Route] = ROUTES,
) -> ASGIApp:
    """The whole application of one authority, ready for any ASGI server. It does not start the authority."""
    # The operator's logo is read now, not at the first page.
    appearance_of(authority.settings.brand)
    app = FastAPI(title="Gatepost", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.offers_docs = with_docs
    app.router.redirect_slashes = False
    counting = with_metrics and authority.settings.metrics.served is not False
    left_out = (() if with_docs else DOCUMENTATION) + (() if counting else METRICS)
    offered = [route for route in routes if route not in left_out]
    for route in offered:
        _add(app, authority, route)
    for kind, handler in _handlers(authority).items():
        app.add_exception_handler(kind, handler)

    def failure(request: Request, error: GatepostError) -> Response:
        return answer(authority, request, error)

    routed = Direct(app, authority, offered, failure)
    inner = Gateway(Feed(routed, authority, failure), authority, failure)
    inside = Envelope(inner, authority.settings, failure, partial(end_exposed, authority))
    return SendsRenewed(Metered(inside, Meter(), authority.clock))


def with_lifespan(app: ASGIApp, authority: Authority) -> ASGIApp:
    """The application as a server runs it by itself: the authority starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await to_thread.run_sync(authority.start)
        try:
            yield
        finally:
            await to_thread.run_sync(authority.stop)

    router = Router(lifespan=lifespan)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        # Past the router, which takes as long to find that it has no routes as our own layers take for a check.
        await (router if scope["type"] == "lifespan" else app)(scope, receive, send)

    return served


def _add(app: FastAPI, authority: Authority, route: Route) -> None:
    is_api = route.kind in {Kind.API, Kind.OAUTH}
    app.add_api_route(
        route.path,
        among_writers(route.endpoint) if writes(route.method, route.endpoint) else route.endpoint,
        methods=[route.method],
        dependencies=[Depends(_run(authority, route))],
        status_code=route.status,
        response_class=Response,
        response_model=None,
        responses=declared_answers(route) if is_api else None,
        openapi_extra=declared_more(route) if is_api else None,
        include_in_schema=is_api,
        summary=_summary(route.endpoint),
        name=f"{route.method} {route.path}",
    )


def _summary(endpoint: Callable[..., Any]) -> str:
    return " ".join((endpoint.__doc__ or "").split()).partition(". ")[0].rstrip(".")


def _run(authority: Authority, route: Route) -> Callable[[Request], Awaitable[None]]:
    async def run(request: Request) -> None:
        await pass_checks(authority, request, route)

    return run


Handler = Callable[[Request, Exception], Awaitable[Response]]


def _handlers(authority: Authority) -> dict[type[Exception], Handler]:
    async def ours(request: Request, error: Exception) -> Response:
        return answer(authority, request, error if isinstance(error, GatepostError) else GatepostError())

    async def invalid(request: Request, error: Exception) -> Response:
        findings = error.errors() if isinstance(error, RequestValidationError) else []
        return answer(authority, request, translate(findings))

    async def http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = answer(authority, request, _of_status(status))
        allowed = (getattr(error, "headers", None) or {}).get("Allow")
        if allowed:
            response.headers["Allow"] = allowed
        return response

    return {GatepostError: ours, RequestValidationError: invalid, HTTPException: http, Exception: ours}


def _of_status(status: int) -> GatepostError:
    return {404: NotFound, 405: MethodNotAllowed, 400: BadRequest}.get(status, GatepostError)()


def translate(findings: Iterable[Mapping[str, Any]]) -> GatepostError:
    """FastAPI's findings as one error of ours. What was sent is never repeated."""
    found: dict[str, str] = {}
    for finding in findings:
        if finding["type"] == "json_invalid":
            return BadRequest("The body is not valid JSON.")
        place = [str(part) for part in finding["loc"][1:]]
        if place == ["carrier"]:
            return CarrierUnavailable("There is no such kind of sign-in.")
        name = re.sub(r"[^\w.\-]", "?", ".".join(place))[:64] or "body"
        found.setdefault(name, _SENTENCES.get(finding["type"], "This is not of the right form."))
    return InvalidFields(found)


def answer(authority: Authority, request: Request, error: GatepostError) -> Response:
    """An error in the form that the reader of this route expects."""
    if isinstance(error, OperatorError):
        # Its message is for whoever runs the server: it names files.
        error = Busy(detail=error.message)
    if error.status >= 500:
        authority.on_trouble(error)
    meter_of(request.scope).failed(error)
    kind = request.scope.get("gatepost.kind") or _kind_of(request)
    asking = request.scope.get("gatepost.asking") or Asking(authority, request)
    if kind is Kind.OAUTH:
        return oauth_problem(error)
    if kind is not Kind.PAGE:
        return remove_ours(error, asking, problem(error))
    if isinstance(error, SignedOut | Refused) and not isinstance(error, Stale):
        return to_sign_in(asking)
    if isinstance(error, ReauthenticationRequired):
        return to_reauthentication(asking)
    return remove_ours(error, asking, error_page(asking, error))


def _kind_of(request: Request) -> Kind:
    """Who reads the answer where no route was found or its checks were not reached."""
    path: str = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if path.startswith(("/api/", "/.well-known/")):
        return Kind.API
    if path.startswith("/oauth/"):
        return Kind.OAUTH
    accepts = b"".join(value for name, value in request.scope["headers"] if name == b"accept")
    return Kind.PAGE if b"text/html" in accepts else Kind.API
