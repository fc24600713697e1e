"""Answers: JSON, problems, OAuth errors, cookies. Owns how an error looks on the wire, not when it is raised."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

from gatepost.authority import Authority
from gatepost.carriers.sealed import SealedAccount
from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow
from gatepost.core.keys import RingKey
from gatepost.core.permissions import permissions_of
from gatepost.core.sentences import Sentence
from gatepost.core.sessions import Carrier, Session
from gatepost.errors import GatepostError, InvalidFields, ReauthenticationRequired, Stale
from gatepost.services.accounts import Changed
from gatepost.services.beginnings import SignedIn
from gatepost.services.commits import Receipt
from gatepost.services.hearings import VerifierHearing
from gatepost.services.roll_call import Hearing
from gatepost.services.sessions import Standing
from gatepost.services.tokens import TokenPair

PROBLEM: Final = "application/problem+json"
_MOST_IN_HEADER: Final = 16


def _plain(value: object) -> str:
    # msgspec takes a text for a text only if it is of no class of its own.
    if isinstance(value, Sentence):
        return str(value)
    raise NotImplementedError


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def json_answer(body: object, status: int = 200, *, media_type: str = "application/json") -> Response:
    """A JSON response."""
    return Response(_encode(body), status, media_type=media_type)


def nothing(receipt: Receipt | None = None) -> Response:
    """204, with the receipt of what was ended as one line of JSON."""
    return Response(status_code=204, headers=receipt_header(receipt) if receipt else None)


def receipt_header(receipt: Receipt) -> dict[str, str]:
    """The header that says what was promised when something was ended."""
    body, most = receipt_body(receipt), _MOST_IN_HEADER
    if len(body["verifiers"]) > most:
        # Proxies keep few kilobytes for headers. Those that have not confirmed come first.
        body |= {"verifiers": body["verifiers"][:most], "verifiers_left_out": len(body["verifiers"]) - most}
    # In ASCII: a client may be called by any letters.
    return {"Gatepost-Receipt": json.dumps(body, separators=(",", ":"))}


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    # Python's own isoformat takes four times as long; this writes six digits of a second, or none.
    text = _encode(moment.astimezone(UTC)).decode("ascii")
    return f"{text[1:24]}Z" if moment.microsecond else f"{text[1:20]}.000Z"


def key_body(key: RingKey) -> dict[str, Any]:
    """A key of the ring as an administrator sees it: nothing of what is sealed in it."""
    return {
        "kid": key.id,
        "algorithm": key.algorithm,
        "state": key.state.value,
        "since": instant(key.since),
        "created_at": instant(key.created_at),
    }


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """The receipt object of interface.md."""
    return {
        "pos": receipt.pos,
        "committed_at": instant(receipt.committed_at),
        "state": receipt.state.value,
        "in_force_at": instant(receipt.in_force_at),
        "latest_at": instant(receipt.latest_at),
        "verifiers": [_verifier_body(one) for one in receipt.verifiers],
    }


def full_receipt_body(receipt: Receipt) -> dict[str, Any]:
    """The same for administrators: with every server process, which is nobody else's business."""
    return {**receipt_body(receipt), "workers": [_hearing_body(one) for one in receipt.workers]}


def _verifier_body(hearing: VerifierHearing) -> dict[str, Any]:
    return {
        "name": hearing.name,
        "instance": hearing.instance,
        "confirmed": hearing.confirmed,
        "policy": hearing.policy.value,
        "ended_by_lease": hearing.ended,
    }


def _hearing_body(hearing: Hearing) -> dict[str, Any]:
    took = None if hearing.seconds is None else round(hearing.seconds * 1000, 1)
    return {
        "instance": hearing.instance,
        "pid": hearing.pid,
        "confirmed": hearing.seconds is not None,
        "milliseconds": took,
    }


def account_body(account: Account | SealedAccount, roles: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """An account as its owner sees it, out of its record or of a sealed cookie."""
    return {
        "id": account.id,
        "email": account.email.typed if isinstance(account, Account) else account.email,
        "email_verified": account.email_verified,
        "roles": account.roles,
        "permissions": sorted(permissions_of(account.roles, roles)),
    }


def admin_account_body(account: Account, roles: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """An account as an administrator sees it, and as a command prints it."""
    return {
        **account_body(account, roles),
        "created_at": instant(account.created_at),
        "locked_at": instant(account.locked_at) if account.locked_at else None,
    }


def changed_body(changed: Changed, roles: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What a change of an account answers: the account, and the receipt if it ended something."""
    receipt = {"receipt": full_receipt_body(changed.receipt)} if changed.receipt else {}
    return {"account": admin_account_body(changed.account, roles), **receipt}


def admin_session_body(standing: Standing) -> dict[str, Any]:
    """A session as an administrator sees it, and as a command prints it."""
    account = standing.account
    return {
        **session_body(standing.session, standing.idle_expires_at),
        "account_id": standing.session.account_id,
        "email": account.email.typed if account else None,
    }


def session_body(session: Session, idle_expires_at: datetime, seen: datetime | None = None) -> dict[str, Any]:
    """A session without its data. `seen` is its last use if the record is older."""
    return {
        "id": session.id,
        "carrier": session.carrier.value,
        "started_at": instant(session.started_at),
        "last_seen_at": instant(seen or session.last_seen_at),
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


def full_session_body(
    session: Session, idle_expires_at: datetime, seen: datetime | None = None
) -> dict[str, Any]:
    """A session with the application's data."""
    return {**session_body(session, idle_expires_at, seen), "data": session.data}


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
    # Not where they lie in cookies that no script can read: a script reads the body.
    if isinstance(begun.credential, TokenPair) and begun.session.carrier is Carrier.TOKEN:
        body["tokens"] = token_body(begun.credential, authority.clock.now())
    return body


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
    body = {"error": oauth_code(error), "error_description": error.message}
    return _with_headers(error, json_answer(body, error.status))


def oauth_code(error: GatepostError | type[GatepostError]) -> str:
    """What an error is called where OAuth has a name of its own for it."""
    return "invalid_request" if error.code in {"malformed", "invalid_fields"} else error.code


def _with_headers(error: GatepostError, response: Response) -> Response:
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if isinstance(error, ReauthenticationRequired):
        response.headers["WWW-Authenticate"] = error.challenge
    if error.status == 401 and not isinstance(error, Stale):
        wrong = ' error="invalid_token"' if error.code == "invalid_token" else ""
        response.headers["WWW-Authenticate"] = getattr(error, "challenge", f"Bearer{wrong}")
    return response
