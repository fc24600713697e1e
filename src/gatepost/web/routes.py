"""The one table: every route, what it does, and which checks guard it, in the order in which they run.

Before any of them the envelope has checked host, sizes and scheme. A route that changes something carries
`not_cross_site`; a test holds the table to that, and another removes each check in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from gatepost.web import admin, admin_pages, api, bodies, docs, health, metrics, oauth, pages, rendering
from gatepost.web.checks import (
    Check,
    a_session,
    few_visits,
    form_body,
    json_body,
    json_perhaps,
    no_query_credentials,
    not_cross_site,
    one_cookie,
    one_credential,
    session_perhaps,
    signed_in,
    signed_in_perhaps,
)
from gatepost.web.checks import admin as admin_role
from gatepost.web.client_checks import any_client, introspecting_client, nothing_in_the_address
from gatepost.web.metrics import metrics_reader


class Kind(StrEnum):
    """Who reads the answers of a route, errors too."""

    API = "api"
    OAUTH = "oauth"
    PAGE = "page"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Route:
    """One row: method, path, endpoint, checks, and what the answer looks like for the OpenAPI document."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    checks: tuple[Check, ...]
    kind: Kind = Kind.API
    status: int = 200
    answer: type[BaseModel] | None = None


ANY = (no_query_credentials,)
VISITING = (no_query_credentials, one_credential, a_session)
MEMBER = (no_query_credentials, one_credential, signed_in)
ADMIN = (no_query_credentials, one_credential, signed_in, admin_role)
ENTERING = (no_query_credentials, one_cookie, not_cross_site, json_body)
LEAVING = (no_query_credentials, one_credential, not_cross_site, session_perhaps)
WRITING_MEMBER = (no_query_credentials, one_credential, not_cross_site, signed_in)
WRITING_ADMIN = (no_query_credentials, one_credential, not_cross_site, signed_in, admin_role)
GREETING = (no_query_credentials, one_cookie, signed_in_perhaps)
FORM_IN = (no_query_credentials, one_cookie, form_body, not_cross_site, signed_in_perhaps)
FORM_MEMBER = (no_query_credentials, one_credential, form_body, not_cross_site, signed_in)
FORM_ADMIN = (no_query_credentials, one_credential, form_body, not_cross_site, signed_in, admin_role)
ASKING_CLIENT = (no_query_credentials, nothing_in_the_address, form_body, not_cross_site)

API = (
    Route("POST", "/api/visit", api.visit, (*ENTERING, few_visits), status=201, answer=bodies.WhoOut),
    Route("POST", "/api/sign-up", api.sign_up, ENTERING, status=201, answer=bodies.SignedInOut),
    Route("POST", "/api/sign-in", api.sign_in, ENTERING, answer=bodies.SignedInOut),
    Route("POST", "/api/sign-out", api.sign_out, LEAVING, status=204),
    Route("GET", "/api/session", api.session, VISITING, answer=bodies.WhoOut),
    Route(
        "PATCH",
        "/api/session/data",
        api.patch_data,
        (no_query_credentials, one_credential, not_cross_site, json_body, a_session),
        answer=bodies.DataOut,
    ),
    Route("GET", "/api/sessions", api.sessions, MEMBER, answer=bodies.SessionsOut),
    Route("DELETE", "/api/sessions", api.end_others, WRITING_MEMBER, status=204),
    Route("DELETE", "/api/sessions/{session_id}", api.end_session, WRITING_MEMBER, status=204),
    Route("POST", "/api/password", api.change_password, (*WRITING_MEMBER, json_body), status=204),
)
ADMINISTRATION = (
    Route("GET", "/api/admin/accounts", admin.accounts, ADMIN, answer=bodies.AdminAccountsOut),
    Route("GET", "/api/admin/sessions", admin.sessions, ADMIN, answer=bodies.AdminSessionsOut),
    Route("GET", "/api/admin/audit", admin.audit, ADMIN, answer=bodies.AuditOut),
    Route(
        "POST", "/api/admin/accounts/{account_id}/lock", admin.lock, WRITING_ADMIN, answer=bodies.ChangedOut
    ),
    Route(
        "POST",
        "/api/admin/accounts/{account_id}/unlock",
        admin.unlock,
        WRITING_ADMIN,
        answer=bodies.ChangedOut,
    ),
    Route(
        "PUT",
        "/api/admin/accounts/{account_id}/roles",
        admin.set_roles,
        (*WRITING_ADMIN, json_body),
        answer=bodies.ChangedOut,
    ),
    Route(
        "DELETE",
        "/api/admin/accounts/{account_id}/sessions",
        admin.end_account_sessions,
        WRITING_ADMIN,
        answer=bodies.ChangedOut,
    ),
    Route(
        "DELETE", "/api/admin/sessions/{session_id}", admin.end_session, WRITING_ADMIN, answer=bodies.EndedOut
    ),
    Route(
        "POST",
        "/api/admin/keys/rotate",
        admin.rotate_keys,
        (*WRITING_ADMIN, json_perhaps),
        answer=bodies.RotatedOut,
    ),
)
OAUTH = (
    Route(
        "POST",
        "/oauth/token",
        oauth.token,
        (no_query_credentials, form_body, not_cross_site),
        Kind.OAUTH,
        answer=bodies.TokensOut,
    ),
    Route(
        "POST",
        "/oauth/introspect",
        oauth.introspect,
        (*ASKING_CLIENT, introspecting_client),
        Kind.OAUTH,
        answer=bodies.IntrospectionOut,
    ),
    Route("POST", "/oauth/revoke", oauth.revoke, (*ASKING_CLIENT, any_client), Kind.OAUTH),
    Route("GET", "/.well-known/jwks.json", oauth.jwks, ()),
    Route("GET", "/.well-known/oauth-authorization-server", oauth.metadata, ()),
)
PAGES = (
    Route("GET", "/", pages.home, GREETING, Kind.PAGE),
    Route("GET", "/sign-in", pages.sign_in_form, GREETING, Kind.PAGE),
    Route("POST", "/sign-in", pages.sign_in, FORM_IN, Kind.PAGE),
    Route("GET", "/sign-up", pages.sign_up_form, GREETING, Kind.PAGE),
    Route("POST", "/sign-up", pages.sign_up, FORM_IN, Kind.PAGE),
    Route(
        "POST",
        "/sign-out",
        pages.sign_out,
        (no_query_credentials, one_credential, form_body, not_cross_site, session_perhaps),
        Kind.PAGE,
    ),
    Route("GET", "/invite/{secret}", pages.invite_form, GREETING, Kind.PAGE),
    Route("POST", "/invite/{secret}", pages.invite, FORM_IN, Kind.PAGE),
    Route("GET", "/account", pages.account, MEMBER, Kind.PAGE),
    Route("POST", "/account/password", pages.change_password, FORM_MEMBER, Kind.PAGE),
    Route("POST", "/account/sessions/end-others", pages.end_others, FORM_MEMBER, Kind.PAGE),
    Route("POST", "/account/sessions/{session_id}/end", pages.end_session, FORM_MEMBER, Kind.PAGE),
    Route("GET", "/admin", admin_pages.overview, ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/lock", admin_pages.lock, FORM_ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/unlock", admin_pages.unlock, FORM_ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/roles", admin_pages.set_roles, FORM_ADMIN, Kind.PAGE),
    Route(
        "POST",
        "/admin/accounts/{account_id}/end-sessions",
        admin_pages.end_account_sessions,
        FORM_ADMIN,
        Kind.PAGE,
    ),
    Route("POST", "/admin/sessions/{session_id}/end", admin_pages.end_session, FORM_ADMIN, Kind.PAGE),
)
OPERATIONS = (
    Route("GET", "/healthz", health.alive, ()),
    Route("GET", "/readyz", health.ready, ()),
    Route("GET", "/static/{name}", rendering.static, (), Kind.FILE),
)
METRICS = (Route("GET", "/metrics", metrics.metrics, (no_query_credentials, metrics_reader), Kind.FILE),)
DOCUMENTATION = (
    Route("GET", "/docs", docs.page_of_routes, GREETING, Kind.PAGE),
    Route("GET", "/openapi.json", docs.openapi, (), Kind.FILE),
)
ROUTES = (*API, *ADMINISTRATION, *OAUTH, *PAGES, *OPERATIONS, *METRICS, *DOCUMENTATION)
