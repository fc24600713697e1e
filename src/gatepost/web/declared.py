"""What the OpenAPI document says of a call beyond the types of its endpoint: each refusal, forms, headers, credentials.

Worked out from the row of the table, so that a check that is added is described with it. Decides nothing: what is
answered is `answers.py`'s, and a fuzzer holds the two against each other. Called where the table becomes routes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

from gatepost.errors import (
    AmbiguousCredentials,
    BadRequest,
    CrossSite,
    Forbidden,
    GatepostError,
    InvalidClient,
    NotFound,
    OAuthError,
    ReauthenticationRequired,
    Refused,
    SignedOut,
    SlowDown,
    Stale,
    UnauthorizedClient,
    UnsupportedMediaType,
)
from gatepost.web import awaiting, checks, client_checks
from gatepost.web.answers import PROBLEM, oauth_code
from gatepost.web.docs import EVERYWHERE, reference
from gatepost.web.metrics import metrics_reader
from gatepost.web.routes import Kind, Route

_A_SESSION: Final = (SignedOut, Refused, SlowDown, Stale)
_A_BODY: Final = (BadRequest, UnsupportedMediaType)
_A_CLIENT: Final = (InvalidClient, OAuthError, SlowDown)
# Each check of the table stands here, so that one that is added cannot go undescribed.
REFUSALS: Final[Mapping[checks.Check, tuple[type[GatepostError], ...]]] = {
    checks.no_query_credentials: (BadRequest,),
    checks.one_credential: (AmbiguousCredentials,),
    checks.one_cookie: (AmbiguousCredentials,),
    checks.not_cross_site: (CrossSite, SlowDown, Stale),
    checks.json_body: _A_BODY,
    checks.json_perhaps: _A_BODY,
    checks.form_body: _A_BODY,
    checks.a_session: _A_SESSION,
    checks.signed_in: _A_SESSION,
    checks.session_perhaps: _A_SESSION,
    checks.signed_in_perhaps: (Stale,),
    checks.admin: (Forbidden,),
    checks.freshly_signed_in: (ReauthenticationRequired,),
    checks.few_visits: (SlowDown,),
    checks.few_sign_ups: (SlowDown,),
    awaiting.a_wait: (BadRequest,),
    client_checks.nothing_in_the_address: (BadRequest,),
    client_checks.introspecting_client: (*_A_CLIENT, UnauthorizedClient),
    client_checks.any_client: _A_CLIENT,
    metrics_reader: (Forbidden,),
}
_WITH_A_SESSION: Final = frozenset({checks.a_session, checks.signed_in, checks.session_perhaps})
_WITH_A_CLIENT: Final = frozenset({client_checks.introspecting_client, client_checks.any_client})
_TEXT: Final = {"type": "string"}
_WAIT: Final = {
    "name": "wait",
    "in": "query",
    "required": False,
    "description": "seconds to wait for verifiers in other services to confirm, or to lose their lease",
    "schema": {"type": "number", "minimum": 0, "maximum": awaiting.LONGEST_WAIT, "default": 0},
}
_RECEIPT: Final = {
    "Gatepost-Receipt": {"description": "the receipt of what was ended, as JSON", "schema": _TEXT}
}
_RETRY: Final = {"Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer"}}}
_CHALLENGE: Final = {
    "WWW-Authenticate": {"description": "RFC 9110 section 11.6.1", "required": True, "schema": _TEXT}
}
_HEADERS: Final = {401: _CHALLENGE, 429: _RETRY, 503: _RETRY}


def declared_answers(route: Route) -> dict[int | str, dict[str, Any]]:
    """Every status of a call with what it means and how it looks, as FastAPI takes them."""
    answers: dict[int | str, dict[str, Any]] = {route.status: _success(route)}
    meant: dict[int, list[str]] = {}
    for error in _refusals(route):
        codes = meant.setdefault(error.status, [])
        code = oauth_code(error) if route.kind is Kind.OAUTH else error.code
        codes += [] if code in codes else [code]
    for status, codes in sorted(meant.items()):
        answers[status] = _refusal(route, status, codes)
    return answers


def declared_more(route: Route) -> dict[str, Any]:
    """What a call takes besides what its endpoint says: its form or free JSON, and who has to show what."""
    more: dict[str, Any] = {}
    if route.takes is not None:
        form = checks.form_body in route.checks
        media = "application/x-www-form-urlencoded" if form else "application/json"
        schema = route.takes.model_json_schema()
        more["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    if awaiting.a_wait in route.checks:
        more["parameters"] = [_WAIT]
    if not _WITH_A_SESSION.isdisjoint(route.checks):
        more["security"] = [{"cookie": []}, {"bearer": []}]
    elif not _WITH_A_CLIENT.isdisjoint(route.checks):
        # A client may show its secret in the form too, which is no scheme of OpenAPI.
        more["security"] = [{"client": []}, {}]
    return more


def _success(route: Route) -> dict[str, Any]:
    if route.answer is None:
        return {"headers": _RECEIPT} if route.method != "GET" else {}
    return _looks(route.media_type, route.answer)


def _refusals(route: Route) -> Iterable[type[GatepostError]]:
    yield from EVERYWHERE
    for check in route.checks:
        yield from REFUSALS[check]
    if "{" in route.path:
        yield NotFound
    yield from route.refuses


def _refusal(route: Route, status: int, codes: Iterable[str]) -> dict[str, Any]:
    looks = _looks(
        *(("application/json", "OAuthProblem") if route.kind is Kind.OAUTH else (PROBLEM, "Problem"))
    )
    return {"description": ", ".join(codes), **looks, "headers": _HEADERS.get(status, {})}


def _looks(media_type: str, model: type[BaseModel] | str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": reference(model)}}}
