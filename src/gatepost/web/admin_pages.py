"""The administrator's pages: who there is, who is signed in, lock, end, roles. Plain: each act is a form."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from gatepost.core.accounts import Account
from gatepost.errors import GatepostError
from gatepost.services.accounts import Changed
from gatepost.services.commits import Receipt
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.rendering import card, in_words, page, receipt_line, refusal

_PAGE = 25


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in words."""

    id: str
    email: str
    roles: tuple[str, ...]
    locked: bool
    sessions: int
    created: str


def overview(asking: Asked) -> Response:
    """Accounts and sessions; one account with `?account=`."""
    chosen = asking.request.query_params.get("account")
    return _one(asking, chosen, {}) if chosen else _overview(asking, {})


def lock(asking: Asked, account_id: str) -> Response:
    """Lock by the button."""
    return _acted(asking, account_id, lambda: asking.authority.accounts.lock(account_id, _actor(asking)))


def unlock(asking: Asked, account_id: str) -> Response:
    """Unlock by the button."""
    return _acted(asking, account_id, lambda: asking.authority.accounts.unlock(account_id, _actor(asking)))


def end_account_sessions(asking: Asked, account_id: str) -> Response:
    """End all sessions of an account by the button."""
    accounts = asking.authority.accounts
    return _acted(asking, account_id, lambda: accounts.end_sessions(account_id, _actor(asking)))


def set_roles(asking: Asked, account_id: str) -> Response:
    """Set the roles by the form."""
    accounts, roles = asking.authority.accounts, asking.form.get("roles", [])
    return _acted(asking, account_id, lambda: accounts.set_roles(account_id, roles, _actor(asking)))


def end_session(asking: Asked, session_id: str) -> Response:
    """End one session by the button."""
    try:
        receipt = asking.authority.sessions.end_any(session_id, _actor(asking))
    except GatepostError as error:
        return _overview(asking, refusal(error), error)
    return _overview(asking, _told("That session is signed out.", receipt))


def _acted(asking: Asking, account_id: str, act: Callable[[], Changed]) -> Response:
    try:
        changed = act()
    except GatepostError as error:
        if error.status == 404:
            raise
        return _one(asking, account_id, refusal(error), error)
    return _one(asking, account_id, _told("Done.", changed.receipt))


def _told(notice: str, receipt: Receipt | None) -> dict[str, object]:
    return {"notice": notice, "receipt": receipt_line(receipt) if receipt else None}


def _overview(asking: Asking, context: dict[str, object], error: GatepostError | None = None) -> Response:
    query, authority = asking.request.query_params, asking.authority
    search = query.get("q", "")[:254]
    accounts, more_accounts = authority.accounts.page(after=query.get("accounts"), limit=_PAGE, search=search)
    sessions, more_sessions = authority.sessions.everyone(after=query.get("sessions"), limit=_PAGE)
    current = asking.principal.session_id
    known: dict[str, object] = {
        "q": search,
        "accounts": [_row(asking, account) for account in accounts],
        "sessions": [card(standing, current) for standing in sessions],
        "next_accounts": _link(asking, q=search, accounts=more_accounts),
        "next_sessions": _link(asking, q=search, sessions=more_sessions),
        "receipt": None,
    }
    return page(asking, "admin.html", {**known, **context}, error)


def _one(
    asking: Asking, account_id: str, context: dict[str, object], error: GatepostError | None = None
) -> Response:
    authority = asking.authority
    account = authority.accounts.find(account_id)
    current = asking.principal.session_id
    known: dict[str, object] = {
        "account": _row(asking, account),
        "all_roles": [(role, role in account.roles) for role in authority.accounts.roles],
        "sessions": [card(standing, current) for standing in authority.sessions.of_account(account.id)],
        "receipt": None,
    }
    return page(asking, "admin_account.html", {**known, **context}, error)


def _row(asking: Asking, account: Account) -> AccountRow:
    return AccountRow(
        id=account.id,
        email=account.email.typed,
        roles=account.roles,
        locked=account.locked_at is not None,
        sessions=len(asking.authority.sessions.of_account(account.id)),
        created=in_words(account.created_at),
    )


def _link(asking: Asking, **query: str | None) -> str | None:
    named = {name: value for name, value in query.items() if value}
    if set(named) <= {"q"}:
        return None
    return f"{asking.root}/admin?{urlencode(named)}"


def _actor(asking: Asking) -> str:
    return asking.principal.account_id
