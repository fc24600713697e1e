"""The administrator's JSON endpoints. A call that ends something answers with the receipt."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from starlette.responses import Response

from gatepost.core.accounts import AccountFilter
from gatepost.core.sessions import REFRESHING
from gatepost.errors import InvalidFields
from gatepost.services.accounts import Changed
from gatepost.services.commits import Receipt
from gatepost.services.presence import Present
from gatepost.services.servers import Server
from gatepost.web.admin_bodies import RolesBody, RotateBody
from gatepost.web.answers import (
    admin_account_body,
    admin_session_body,
    audit_body,
    changed_body,
    full_receipt_body,
    instant,
    json_answer,
    key_body,
)
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.awaiting import when_heard
from gatepost.web.handover import take_back

_PAGE: Final = 50

_GO_ON: Final = "The `next` of the page before."
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
After = Annotated[str | None, Query(max_length=130, description=_GO_ON)]
Order = Annotated[
    Literal["id", "last_seen"], Query(description="The last used first, or in the order of ids.")
]
SearchAccounts = Annotated[str, Query(max_length=254, description="A part of an e-mail, or a whole id.")]
Search = Annotated[
    str, Query(max_length=254, description="A part of an e-mail, a whole id, or how an address begins.")
]
Role = Annotated[str, Query(max_length=64, description="One that they have.")]
Locked = Annotated[bool | None, Query(description="Those that are locked, or those that are not.")]
Confirm = Annotated[
    str | None,
    Query(max_length=16, examples=["own", "everyone"], description="The word that shows it is meant."),
]
AfterRow = Annotated[int, Query(ge=0, lt=2**63, description=_GO_ON)]
Whom = Annotated[str | None, Query(max_length=1024, description="Of one account: its id or e-mail.")]


def _present_body(present: Present) -> dict[str, Any]:
    last = present.last
    told = {"event": last.event.value, "at": instant(last.at)} if last else None
    return {**admin_session_body(present.standing), "last_event": told}


def accounts(
    asking: Asked,
    after: After = None,
    limit: Limit = _PAGE,
    q: SearchAccounts = "",
    role: Role = "",
    locked: Locked = None,
) -> Response:
    """Accounts, page by page, in the order of ids; with `role` or `locked` the newest first."""
    accounts = asking.authority.accounts
    if role or locked is not None:
        found, go_on = accounts.newest(AccountFilter(q, role, locked), after=after, limit=limit)
    else:
        found, go_on = accounts.page(after=after, limit=limit, search=q)
    items = [admin_account_body(account, accounts.roles) for account in found]
    return json_answer({"items": items, **({"next": go_on} if go_on else {})})


def sessions(
    asking: Asked,
    after: After = None,
    limit: Limit = _PAGE,
    q: Search = "",
    order: Order = "id",
) -> Response:
    """Who is signed in now, page by page.

    By `id` a list is whole whatever happens meanwhile; a session that is used comes to the front of the other order.
    """
    presence = asking.authority.presence
    if not q and order == "id":
        standing, go_on = asking.authority.sessions.everyone(after=after, limit=limit)
        items = [admin_session_body(entry) for entry in standing]
    else:
        found = (
            presence.search(q, after=after, limit=limit) if q else presence.newest(after=after, limit=limit)
        )
        items, go_on = [_present_body(entry) for entry in found.present], found.go_on
    return json_answer({"items": items, **({"next": go_on} if go_on else {})})


def audit(asking: Asked, account: Whom = None, after: AfterRow = 0, limit: Limit = _PAGE) -> Response:
    """The audit trail, oldest first, page by page."""
    trail = asking.authority.audit
    whom = None if account is None else trail.account_id(account)
    rows = trail.page(account=whom, after=after, limit=limit)
    items = [audit_body(number, row) for number, row in rows]
    return json_answer({"items": items, **({"next": str(rows[-1][0])} if len(rows) == limit else {})})


def lock(asking: Asked, account_id: str, confirm: Confirm = None) -> Response:
    """Lock an account and end everything of it. One's own only with `?confirm=own`."""
    actor, own = asking.principal.account_id, confirm == "own"
    return _changed(asking, asking.authority.accounts.lock(account_id, actor, own=own, whence=asking.whence))


def unlock(asking: Asked, account_id: str) -> Response:
    """Unlock an account."""
    actor = asking.principal.account_id
    return _changed(asking, asking.authority.accounts.unlock(account_id, actor, asking.whence))


def set_roles(asking: Asked, account_id: str, body: RolesBody) -> Response:
    """Replace an account's roles; they count from its next request on."""
    actor = asking.principal.account_id
    changed = asking.authority.accounts.set_roles(account_id, body.roles, actor, asking.whence)
    return _changed(asking, changed)


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
    actor = asking.principal.account_id
    return _changed(asking, asking.authority.accounts.end_sessions(account_id, actor, asking.whence))


def end_session(asking: Asked, session_id: str) -> Response:
    """End one session."""
    actor = asking.principal.account_id
    return _ended(asking, asking.authority.sessions.end_any(session_id, actor, asking.whence))


def end_everyone(asking: Asked, confirm: Confirm = None) -> Response:
    """End every session there is, one's own too. Only with `?confirm=everyone`."""
    if confirm != "everyone":
        raise InvalidFields({"confirm": "This signs everybody out: send ?confirm=everyone if that is meant."})
    receipt = asking.authority.sessions.end_all(asking.principal.account_id, asking.whence)
    return take_back(asking, _ended(asking, receipt))


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
    if body is not None and body.compromised is not None:
        if body.algorithm is not None:
            raise InvalidFields({"algorithm": "A key that is known to others is named by its kid alone."})
        receipt = keys.withdraw(body.compromised, actor, asking.whence)
        return _ended(asking, receipt, {"keys": [key_body(key) for key in keys.listed()]})
    known_at = keys.rotate(actor, body.algorithm if body else None, asking.whence).known_at
    told = instant(known_at) if known_at else None
    return json_answer({"keys": [key_body(key) for key in keys.listed()], "known_at": told})


def _changed(asking: Asking, changed: Changed) -> Response:
    body = changed_body(changed, asking.authority.accounts.roles)
    return json_answer(body) if changed.receipt is None else _ended(asking, changed.receipt, body)


def _ended(asking: Asking, receipt: Receipt, beside: Mapping[str, Any] | None = None) -> Response:
    body = beside or {}
    return when_heard(
        asking, receipt, lambda heard: json_answer({**body, "receipt": full_receipt_body(heard)})
    )
