"""Answers: JSON, problems, OAuth errors, cookies. Owns how an error looks on the wire, not when it is raised."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gatepost.authority import Authority
from gatepost.carriers.cookie import csrf_token, remove_cookie, write_cookie
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow
from gatepost.core.permissions import permissions_of
from gatepost.core.secrets import Secret
from gatepost.core.sessions import Session
from gatepost.errors import AmbiguousCredentials, GatepostError, InvalidFields, Stale
from gatepost.services.commits import Receipt
from gatepost.services.sign_in import CookieIssued, SignedIn, Visiting
from gatepost.services.tokens import TokenPair
from gatepost.web.asking import Asking

PROBLEM: Final = "application/problem+json"
_encode = msgspec.json.Encoder().encode


def json_answer(body: object, status: int = 200, *, media_type: str = "application/json") -> Response:
    """A JSON response."""
    return Response(_encode(body), status, media_type=media_type)


def nothing(receipt: Receipt | None = None) -> Response:
    """204, with the receipt of what was ended as one line of JSON."""
    headers = {"Gatepost-Receipt": _encode(receipt_body(receipt)).decode("ascii")} if receipt else None
    return Response(status_code=204, headers=headers)


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """The receipt object of interface.md."""
    return {
        "pos": receipt.pos,
        "committed_at": instant(receipt.committed_at),
        "state": receipt.state.value,
        "in_force_at": instant(receipt.in_force_at),
        "latest_at": instant(receipt.latest_at),
        "verifiers": [],
    }


def account_body(account: Account, roles: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """An account as its owner sees it."""
    return {
        "id": account.id,
        "email": account.email.typed,
        "email_verified": account.email_verified,
        "roles": account.roles,
        "permissions": sorted(permissions_of(account.roles, roles)),
    }


def session_body(session: Session, idle_expires_at: datetime) -> dict[str, Any]:
    """A session without its data."""
    return {
        "id": session.id,
        "carrier": session.carrier.value,
        "started_at": instant(session.started_at),
        "last_seen_at": instant(session.last_seen_at),
        "idle_expires_at": instant(idle_expires_at),
        "expires_at": instant(session.expires_at),
        "device": session.device,
        "address": session.address,
    }


def repeat_body(row: AuditRow | None) -> dict[str, Any]:
    """Where and when a session's refresh token was repeated by somebody else, perhaps; nothing if it never was."""
    if row is None:
        return {}
    return {"repeated_elsewhere": {"at": instant(row.at), "address": row.address, "device": row.device}}


def full_session_body(session: Session, idle_expires_at: datetime) -> dict[str, Any]:
    """A session with the application's data."""
    return {**session_body(session, idle_expires_at), "data": session.data}


def audit_body(number: int, row: AuditRow) -> dict[str, Any]:
    """A row of the audit trail with its number."""
    return {
        "number": number,
        "at": instant(row.at),
        "event": row.event.value,
        "account_id": row.account_id,
        "actor": row.actor,
        "session_id": row.session_id,
        "address": row.address,
        "device": row.device,
        "more": row.more,
    }


def token_body(pair: TokenPair, now: datetime) -> dict[str, Any]:
    """The token endpoint's answer (RFC 6749 section 5.1)."""
    return {
        "access_token": pair.access.reveal(),
        "refresh_token": pair.refresh.reveal(),
        "token_type": "Bearer",
        "expires_in": max(0, int((pair.expires_at - now).total_seconds())),
    }


def signed_in_body(authority: Authority, begun: SignedIn) -> dict[str, Any]:
    """The answer to a sign-in."""
    body = {
        "account": account_body(begun.account, authority.accounts.roles),
        "session": full_session_body(begun.session, authority.limits.idle_expiry(begun.session)),
    }
    if isinstance(begun.credential, TokenPair):
        body["tokens"] = token_body(begun.credential, authority.clock.now())
    return body


def hand_over(asking: Asking, begun: SignedIn | Visiting, response: Response) -> Response:
    """Put the new carrier into the response and take every other cookie of ours out of the browser."""
    authority = asking.authority
    if isinstance(begun.credential, CookieIssued):
        life = begun.session.expires_at - authority.clock.now()
        names, secure = authority.cookies, authority.cookies.secure
        csrf = Secret(csrf_token(authority.csrf_key, begun.session.id))
        add_cookie(response, write_cookie(names.session, begun.credential.handle, life, secure=secure))
        add_cookie(response, write_cookie(names.csrf, csrf, life, secure=secure, script=True))
        return take_back(asking, response, keep=(names.session, names.csrf))
    return take_back(asking, response)


def take_back(asking: Asking, response: Response, keep: tuple[str, ...] = ()) -> Response:
    """Remove the cookies of ours that this request brought."""
    names = asking.authority.cookies
    brought = b"; ".join(value for key, value in asking.headers if key == b"cookie")
    for name in (*names.held, names.csrf):
        if name not in keep and name.encode() + b"=" in brought:
            add_cookie(response, remove_cookie(name, secure=names.secure, script=name == names.csrf))
    return response


def add_cookie(response: Response, cookie: str) -> None:
    """Append a Set-Cookie header."""
    response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))


def encode_problem(error: GatepostError) -> bytes:
    """An error's problem details (RFC 9457 section 3) as JSON."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.text,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
    }
    if error.hint:
        body["hint"] = error.hint
    if isinstance(error, InvalidFields):
        body["errors"] = error.errors
    return _encode(body)


def problem(error: GatepostError) -> Response:
    """An error as problem details (RFC 9457)."""
    return _with_headers(error, Response(encode_problem(error), error.status, media_type=PROBLEM))


def oauth_problem(error: GatepostError) -> Response:
    """An error of an OAuth endpoint (RFC 6749 section 5.2)."""
    code = "invalid_request" if error.code in {"malformed", "invalid_fields"} else error.code
    body = {"error": code, "error_description": error.message}
    return _with_headers(error, json_answer(body, error.status))


def _with_headers(error: GatepostError, response: Response) -> Response:
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if error.status == 401 and not isinstance(error, Stale):
        wrong = ' error="invalid_token"' if error.code == "invalid_token" else ""
        response.headers["WWW-Authenticate"] = f"Bearer{wrong}"
    return response


def remove_ours(error: GatepostError, asking: Asking, response: Response) -> Response:
    """After an ambiguous request all our cookies go, so that the next try is not ambiguous again.

    After any other refusal none does: the answer to a late request would delete the cookie of a new sign-in.
    """
    return take_back(asking, response) if isinstance(error, AmbiguousCredentials) else response
