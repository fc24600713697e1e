"""The administrator's JSON endpoints. A call that ends something answers with the receipt."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from starlette.responses import Response

from gatepost.core.accounts import Account
from gatepost.core.sessions import REFRESHING
from gatepost.errors import InvalidFields
from gatepost.services.accounts import Changed
from gatepost.services.commits import Receipt
from gatepost.services.presence import Present
from gatepost.services.servers import Server
from gatepost.services.sessions import Standing
from gatepost.web.answers import (
    account_body,
    audit_body,
    full_receipt_body,
    instant,
    json_answer,
    key_body,
    session_body,
)
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.bodies import RolesBody, RotateBody
from gatepost.web.handover import take_back

_PAGE: Final = 50

Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[str | None, Query(max_length=64)]
AfterSession = Annotated[str | None, Query(max_length=130)]
Order = Annotated[Literal["id", "last_seen"], Query()]
Confirm = Annotated[str | None, Query(max_length=16, examples=["own", "everyone"])]
AfterRow = Annotated[int, Query(ge=0, lt=2**63)]
Whom = Annotated[str | None, Query(max_length=1024)]


def admin_account_body(account: Account, roles: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """An account as an administrator sees it."""
    return {
        **account_body(account, roles),
        "created_at": instant(account.created_at),
        "locked_at": instant(account.locked_at) if account.locked_at else None,
    }


def _admin_session_body(standing: Standing) -> dict[str, Any]:
    account = standing.account
    return {
        **session_body(standing.session, standing.idle_expires_at),
        "account_id": standing.session.account_id,
        "email": account.email.typed if account else None,
    }


def _present_body(present: Present) -> dict[str, Any]:
    last = present.last
    told = {"event": last.event.value, "at": instant(last.at)} if last else None
    return {**_admin_session_body(present.standing), "last_event": told}


def accounts(
    asking: Asked, after: After = None, limit: Limit = _PAGE, q: Annotated[str, Query(max_length=254)] = ""
) -> Response:
    """Accounts, page by page."""
    authority = asking.authority
    found, go_on = authority.accounts.page(after=after, limit=limit, search=q)
    items = [admin_account_body(account, authority.accounts.roles) for account in found]
    return json_answer({"items": items, **({"next": go_on} if go_on else {})})


def sessions(
    asking: Asked,
    after: AfterSession = None,
    limit: Limit = _PAGE,
    q: Annotated[str, Query(max_length=254)] = "",
    order: Order = "id",
) -> Response:
    """Who is signed in now, page by page; with `q` by e-mail or by how an address begins; by `id` or `last_seen`.

    By id a list is whole whatever happens meanwhile; a session that is used comes to the front of the other order.
    """
    presence = asking.authority.presence
    if not q and order == "id":
        standing, go_on = asking.authority.sessions.everyone(after=after, limit=limit)
        items = [_admin_session_body(entry) for entry in standing]
    else:
        found = (
            presence.search(q, after=after, limit=limit) if q else presence.newest(after=after, limit=limit)
        )
        items, go_on = [_present_body(entry) for entry in found.present], found.go_on
    return json_answer({"items": items, **({"next": go_on} if go_on else {})})


def audit(asking: Asked, account: Whom = None, after: AfterRow = 0, limit: Limit = _PAGE) -> Response:
    """The audit trail, oldest first, page by page; of one account (id or e-mail) if it is named."""
    trail = asking.authority.audit
    whom = None if account is None else trail.account_id(account)
    rows = trail.page(account=whom, after=after, limit=limit)
    items = [audit_body(number, row) for number, row in rows]
    return json_answer({"items": items, **({"next": str(rows[-1][0])} if len(rows) == limit else {})})


def lock(asking: Asked, account_id: str, confirm: Confirm = None) -> Response:
    """Lock an account; everything of it ends. One's own only with `?confirm=own`."""
    actor = asking.principal.account_id
    return _changed(asking, asking.authority.accounts.lock(account_id, actor, own=confirm == "own"))


def unlock(asking: Asked, account_id: str) -> Response:
    """Unlock an account."""
    return _changed(asking, asking.authority.accounts.unlock(account_id, asking.principal.account_id))


def set_roles(asking: Asked, account_id: str, body: RolesBody) -> Response:
    """Replace an account's roles; they count from its next request on."""
    actor = asking.principal.account_id
    return _changed(asking, asking.authority.accounts.set_roles(account_id, body.roles, actor))


def preview_roles(asking: Asked, account_id: str, body: RolesBody) -> Response:
    """What these roles would do. Changes nothing."""
    foreseen = asking.authority.foresight.of_roles(account_id, body.roles)
    change, refusal = foreseen.difference, foreseen.refusal
    return json_answer(
        {
            "account": admin_account_body(foreseen.account, asking.authority.accounts.roles),
            "roles": foreseen.roles,
            "change": {"gained": change.roles_gained, "lost": change.roles_lost},
            "permissions": {"gained": change.permissions_gained, "lost": change.permissions_lost},
            "sessions": {carrier.value: count for carrier, count in foreseen.sessions.items()},
            "tokens_outdated": sum(foreseen.sessions[carrier] for carrier in REFRESHING),
            "refusal": {"code": refusal.code, "detail": refusal.message} if refusal else None,
        }
    )


def end_account_sessions(asking: Asked, account_id: str) -> Response:
    """End every session of an account."""
    return _changed(asking, asking.authority.accounts.end_sessions(account_id, asking.principal.account_id))


def end_session(asking: Asked, session_id: str) -> Response:
    """End one session."""
    return _ended(asking.authority.sessions.end_any(session_id, asking.principal.account_id))


def end_everyone(asking: Asked, confirm: Confirm = None) -> Response:
    """End every session there is, one's own too. Only with `?confirm=everyone`."""
    if confirm != "everyone":
        raise InvalidFields({"confirm": "This signs everybody out: send ?confirm=everyone if that is meant."})
    return take_back(asking, _ended(asking.authority.sessions.end_all(asking.principal.account_id)))


def keys(asking: Asked) -> Response:
    """Every key that is not gone, oldest first."""
    return json_answer({"items": [key_body(key) for key in asking.authority.keys.listed()]})


def workers(asking: Asked) -> Response:
    """The server processes, and how far each has heard."""
    return json_answer({"items": [_worker_body(one) for one in asking.authority.servers.listed()]})


def _worker_body(server: Server) -> dict[str, Any]:
    return {
        "instance": server.instance,
        "pid": server.pid,
        "behind": server.behind,
        "heard_at": instant(server.heard_at),
        "quiet": server.quiet,
        "own": server.own,
    }


def rotate_keys(asking: Asked, body: RotateBody | None = None) -> Response:
    """Let the next keys take over, or withdraw the one that is known to others."""
    keys, actor = asking.authority.keys, asking.principal.account_id
    answer: dict[str, Any] = {}
    if body is not None and body.compromised is not None:
        if body.algorithm is not None:
            raise InvalidFields({"algorithm": "A key that is known to others is named by its kid alone."})
        answer["receipt"] = full_receipt_body(keys.withdraw(body.compromised, actor))
    else:
        known_at = keys.rotate(actor, body.algorithm if body else None).known_at
        answer["known_at"] = instant(known_at) if known_at else None
    return json_answer({"keys": [key_body(key) for key in keys.listed()], **answer})


def _changed(asking: Asking, changed: Changed) -> Response:
    body: dict[str, Any] = {"account": admin_account_body(changed.account, asking.authority.accounts.roles)}
    if changed.receipt:
        body["receipt"] = full_receipt_body(changed.receipt)
    return json_answer(body)


def _ended(receipt: Receipt) -> Response:
    return json_answer({"receipt": full_receipt_body(receipt)})
