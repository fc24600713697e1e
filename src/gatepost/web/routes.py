"""The one table: every route, what it does, and which checks guard it, in the order in which they run.

Before any of them the envelope has checked host, sizes and scheme. A route that changes something carries
`not_cross_site`; a test holds the table to that, and another removes each check in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from gatepost.errors import (
    CarrierUnavailable,
    EmailTaken,
    GatepostError,
    InvalidClient,
    InvalidCredentials,
    InvalidFields,
    InvalidGrant,
    InvalidTarget,
    LastAdministrator,
    NotFound,
    OwnAccount,
    SignInRefused,
    SlowDown,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedTokenType,
    WeakPassword,
)
from gatepost.web import (
    admin,
    admin_acts,
    admin_bodies,
    admin_pages,
    admin_verifiers,
    api,
    appearance,
    bodies,
    docs,
    docs_page,
    health,
    live,
    metrics,
    oauth,
    oauth_bodies,
    pages,
    reauthentication,
)
from gatepost.web.awaiting import a_wait
from gatepost.web.checks import (
    Check,
    a_session,
    few_sign_ups,
    few_visits,
    form_body,
    freshly_signed_in,
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
    FEED = "feed"
    PAGE = "page"
    FILE = "file"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Route:
    """One row: method, path, endpoint and checks; then what the OpenAPI document says of it.

    There `takes` is a body that the endpoint reads for itself, and `refuses` what it refuses beyond its checks.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    checks: tuple[Check, ...]
    kind: Kind = Kind.API
    status: int = 200
    answer: type[BaseModel] | None = None
    media_type: str = "application/json"
    takes: type[BaseModel] | None = None
    refuses: tuple[type[GatepostError], ...] = ()


ANY = (no_query_credentials,)
VISITING = (no_query_credentials, one_credential, a_session)
MEMBER = (no_query_credentials, one_credential, signed_in)
ADMIN = (no_query_credentials, one_credential, signed_in, admin_role)
ENTERING = (no_query_credentials, one_cookie, not_cross_site, json_body)
LEAVING = (no_query_credentials, one_credential, not_cross_site, session_perhaps, a_wait)
WRITING_MEMBER = (no_query_credentials, one_credential, not_cross_site, signed_in)
WRITING_ADMIN = (no_query_credentials, one_credential, not_cross_site, signed_in, admin_role)
GREETING = (no_query_credentials, one_cookie, signed_in_perhaps)
FORM_IN = (no_query_credentials, one_cookie, form_body, not_cross_site, signed_in_perhaps)
FORM_MEMBER = (no_query_credentials, one_credential, form_body, not_cross_site, signed_in)
FORM_ADMIN = (no_query_credentials, one_credential, form_body, not_cross_site, signed_in, admin_role)
FRESH_ADMIN = (*ADMIN, freshly_signed_in)
WRITING_FRESH_ADMIN = (*WRITING_ADMIN, freshly_signed_in)
FORM_FRESH_ADMIN = (*FORM_ADMIN, freshly_signed_in)
ASKING_CLIENT = (no_query_credentials, nothing_in_the_address, form_body, not_cross_site)
# What the ways in and the password refuse, each beyond its checks.
UNFIT = (InvalidFields, CarrierUnavailable, InvalidTarget, SignInRefused)
WRONG = (InvalidFields, InvalidCredentials, SlowDown)

API = (
    Route(
        "POST",
        "/api/visit",
        api.visit,
        (*ENTERING, few_visits),
        status=201,
        answer=bodies.WhoOut,
        refuses=(InvalidFields, CarrierUnavailable),
    ),
    Route(
        "POST",
        "/api/sign-up",
        api.sign_up,
        (*ENTERING, few_sign_ups),
        status=201,
        answer=bodies.SignedInOut,
        refuses=(*UNFIT, WeakPassword, EmailTaken),
    ),
    Route("POST", "/api/sign-in", api.sign_in, ENTERING, answer=bodies.SignedInOut, refuses=(*UNFIT, *WRONG)),
    Route("POST", "/api/sign-out", api.sign_out, LEAVING, status=204),
    Route("GET", "/api/session", api.session, VISITING, answer=bodies.WhoOut),
    Route(
        "PATCH",
        "/api/session/data",
        api.patch_data,
        (no_query_credentials, one_credential, not_cross_site, json_body, a_session),
        answer=bodies.DataOut,
        takes=bodies.PatchBody,
    ),
    Route("GET", "/api/sessions", api.sessions, MEMBER, answer=bodies.SessionsOut),
    Route("DELETE", "/api/sessions", api.end_others, (*WRITING_MEMBER, a_wait), status=204),
    Route("DELETE", "/api/sessions/{session_id}", api.end_session, (*WRITING_MEMBER, a_wait), status=204),
    Route(
        "POST",
        "/api/password",
        api.change_password,
        (*WRITING_MEMBER, json_body, a_wait),
        status=204,
        refuses=(*WRONG, WeakPassword),
    ),
    Route(
        "POST",
        "/api/reauthenticate",
        reauthentication.reauthenticate,
        (*WRITING_MEMBER, json_body),
        answer=bodies.SignedInOut,
        refuses=(*UNFIT, *WRONG),
    ),
)
ADMINISTRATION = (
    Route(
        "GET",
        "/api/admin/accounts",
        admin.accounts,
        ADMIN,
        answer=admin_bodies.AdminAccountsOut,
        refuses=(InvalidFields,),
    ),
    Route(
        "GET",
        "/api/admin/sessions",
        admin.sessions,
        ADMIN,
        answer=admin_bodies.AdminSessionsOut,
        refuses=(InvalidFields,),
    ),
    Route(
        "GET",
        "/api/admin/audit",
        admin.audit,
        ADMIN,
        answer=admin_bodies.AuditOut,
        refuses=(InvalidFields,),
    ),
    Route("GET", "/api/admin/keys", admin.keys, ADMIN, answer=admin_bodies.KeysOut),
    Route("GET", "/api/admin/workers", admin.workers, ADMIN, answer=admin_bodies.WorkersOut),
    Route(
        "GET",
        "/api/admin/verifiers",
        admin_verifiers.verifiers,
        ADMIN,
        answer=admin_bodies.VerifiersOut,
        refuses=(InvalidFields,),
    ),
    Route(
        "POST",
        "/api/admin/accounts/{account_id}/lock",
        admin.lock,
        (*WRITING_FRESH_ADMIN, a_wait),
        answer=admin_bodies.ChangedOut,
        refuses=(InvalidFields, OwnAccount, LastAdministrator),
    ),
    Route(
        "POST",
        "/api/admin/accounts/{account_id}/unlock",
        admin.unlock,
        WRITING_FRESH_ADMIN,
        answer=admin_bodies.ChangedOut,
    ),
    Route(
        "PUT",
        "/api/admin/accounts/{account_id}/roles",
        admin.set_roles,
        (*WRITING_FRESH_ADMIN, json_body, a_wait),
        answer=admin_bodies.ChangedOut,
        refuses=(InvalidFields, LastAdministrator),
    ),
    Route(
        "POST",
        "/api/admin/accounts/{account_id}/roles/preview",
        admin.preview_roles,
        (*WRITING_ADMIN, json_body),
        answer=admin_bodies.RolesForeseenOut,
        refuses=(InvalidFields,),
    ),
    Route(
        "DELETE",
        "/api/admin/accounts/{account_id}/sessions",
        admin.end_account_sessions,
        (*WRITING_ADMIN, a_wait),
        answer=admin_bodies.ChangedOut,
    ),
    Route(
        "DELETE",
        "/api/admin/sessions",
        admin.end_everyone,
        (*WRITING_FRESH_ADMIN, a_wait),
        answer=admin_bodies.EndedOut,
        refuses=(InvalidFields,),
    ),
    Route(
        "DELETE",
        "/api/admin/sessions/{session_id}",
        admin.end_session,
        (*WRITING_ADMIN, a_wait),
        answer=admin_bodies.EndedOut,
    ),
    Route(
        "POST",
        "/api/admin/keys/rotate",
        admin.rotate_keys,
        (*WRITING_FRESH_ADMIN, json_perhaps, a_wait),
        answer=admin_bodies.RotatedOut,
        refuses=(InvalidFields, NotFound),
    ),
)
OAUTH = (
    Route(
        "POST",
        "/oauth/token",
        oauth.token,
        (no_query_credentials, form_body, not_cross_site),
        Kind.OAUTH,
        answer=oauth_bodies.TokensOut,
        takes=oauth_bodies.TokenForm,
        refuses=(InvalidGrant, InvalidClient, InvalidTarget, UnsupportedGrantType, SlowDown),
    ),
    Route(
        "POST",
        "/oauth/introspect",
        oauth.introspect,
        (*ASKING_CLIENT, introspecting_client),
        Kind.OAUTH,
        answer=oauth_bodies.IntrospectionOut,
        takes=oauth_bodies.TokenQuestionForm,
    ),
    Route(
        "POST",
        "/oauth/revoke",
        oauth.revoke,
        (*ASKING_CLIENT, any_client),
        Kind.OAUTH,
        takes=oauth_bodies.TokenQuestionForm,
        refuses=(UnauthorizedClient, UnsupportedTokenType),
    ),
    Route(
        "GET",
        "/.well-known/jwks.json",
        oauth.jwks,
        (),
        answer=oauth_bodies.KeySetOut,
        media_type="application/jwk-set+json",
    ),
    Route(
        "GET", "/.well-known/oauth-authorization-server", oauth.metadata, (), answer=oauth_bodies.MetadataOut
    ),
)
PAGES = (
    Route("GET", "/", pages.home, GREETING, Kind.PAGE),
    Route("GET", "/sign-in", pages.sign_in_form, GREETING, Kind.PAGE),
    Route("POST", "/sign-in", pages.sign_in, FORM_IN, Kind.PAGE),
    Route("GET", "/sign-up", pages.sign_up_form, GREETING, Kind.PAGE),
    Route("POST", "/sign-up", pages.sign_up, (*FORM_IN, few_sign_ups), Kind.PAGE),
    Route(
        "POST",
        "/sign-out",
        pages.sign_out,
        (no_query_credentials, one_credential, form_body, not_cross_site, session_perhaps),
        Kind.PAGE,
    ),
    Route("GET", "/invite/{secret}", pages.invite_form, GREETING, Kind.PAGE),
    Route("POST", "/invite/{secret}", pages.invite, FORM_IN, Kind.PAGE),
    Route("GET", "/reauthenticate", reauthentication.form, MEMBER, Kind.PAGE),
    Route("POST", "/reauthenticate", reauthentication.by_form, FORM_MEMBER, Kind.PAGE),
    Route("GET", "/account", pages.account, MEMBER, Kind.PAGE),
    Route("POST", "/account/password", pages.change_password, FORM_MEMBER, Kind.PAGE),
    Route("POST", "/account/sessions/end-others", pages.end_others, FORM_MEMBER, Kind.PAGE),
    Route("POST", "/account/sessions/{session_id}/end", pages.end_session, FORM_MEMBER, Kind.PAGE),
    Route("GET", "/admin", admin_pages.overview, ADMIN, Kind.PAGE),
    Route("GET", "/admin/live", live.follow, ADMIN, Kind.STREAM),
    Route("GET", "/admin/trail", admin_pages.trail, ADMIN, Kind.PAGE),
    Route("GET", "/admin/servers", admin_pages.servers, ADMIN, Kind.PAGE),
    Route("GET", "/admin/everyone", admin_acts.everyone_form, FRESH_ADMIN, Kind.PAGE),
    Route("POST", "/admin/everyone", admin_acts.end_everyone, FORM_FRESH_ADMIN, Kind.PAGE),
    Route("GET", "/admin/keys", admin_pages.keys, ADMIN, Kind.PAGE),
    Route("GET", "/admin/keys/rotate", admin_acts.rotate_form, FRESH_ADMIN, Kind.PAGE),
    Route("POST", "/admin/keys/rotate", admin_acts.rotate, FORM_FRESH_ADMIN, Kind.PAGE),
    Route("GET", "/admin/keys/{kid}/withdraw", admin_acts.withdraw_form, FRESH_ADMIN, Kind.PAGE),
    Route("POST", "/admin/keys/{kid}/withdraw", admin_acts.withdraw, FORM_FRESH_ADMIN, Kind.PAGE),
    Route("GET", "/admin/accounts/{account_id}/lock", admin_acts.lock_form, FRESH_ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/lock", admin_acts.lock, FORM_FRESH_ADMIN, Kind.PAGE),
    Route("GET", "/admin/accounts/{account_id}/unlock", admin_acts.unlock_form, ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/unlock", admin_acts.unlock, FORM_FRESH_ADMIN, Kind.PAGE),
    Route("GET", "/admin/accounts/{account_id}/roles", admin_acts.roles_form, FRESH_ADMIN, Kind.PAGE),
    Route("POST", "/admin/accounts/{account_id}/roles", admin_acts.set_roles, FORM_FRESH_ADMIN, Kind.PAGE),
    Route(
        "POST",
        "/admin/accounts/{account_id}/end-sessions",
        admin_acts.end_account_sessions,
        FORM_ADMIN,
        Kind.PAGE,
    ),
    Route("POST", "/admin/sessions/{session_id}/end", admin_acts.end_session, FORM_ADMIN, Kind.PAGE),
)
OPERATIONS = (
    Route("GET", "/healthz", health.alive, (), answer=bodies.StatusOut),
    Route("GET", "/readyz", health.ready, (), answer=bodies.StatusOut),
    Route("GET", "/static/{name}", appearance.static, (), Kind.FILE),
)
METRICS = (Route("GET", "/metrics", metrics.metrics, (no_query_credentials, metrics_reader), Kind.FILE),)
DOCUMENTATION = (
    Route("GET", "/docs", docs_page.page_of_routes, GREETING, Kind.PAGE),
    Route("GET", "/openapi.json", docs.openapi, (), Kind.FILE),
)
ROUTES = (*API, *ADMINISTRATION, *OAUTH, *PAGES, *OPERATIONS, *METRICS, *DOCUMENTATION)
