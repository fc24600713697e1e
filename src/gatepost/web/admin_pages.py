"""The administrator's pages: who is signed in now, who there is, what happened, keys and servers. They only show.

What is done by their buttons is `admin_acts.py`'s. Every list goes on from where its page ends, never by counting.
"""

from urllib.parse import urlencode

from starlette.responses import Response

from gatepost.errors import GatepostError, InvalidFields
from gatepost.services.presence import Present
from gatepost.web.admin_words import (
    account_row,
    happenings,
    key_row,
    present_rows,
    server_row,
)
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.rendering import card, page

PAGE = 25
RECENT = 8
_TIME_LINE = 20
SCRIPT = "admin.js"


def overview(asking: Asked) -> Response:
    """Who is signed in now, and what happened; one account with `?account=`."""
    chosen = asking.request.query_params.get("account")
    return one_account(asking, chosen, {}) if chosen else everything(asking, {})


def trail(asking: Asked) -> Response:
    """What happened, newest first."""
    rows, go_on = asking.authority.audit.back(before=_before(asking), limit=PAGE)
    older = _link(asking, "/admin/trail", before=str(go_on) if go_on else None)
    return page(asking, "admin_trail.html", {"happened": happenings(asking.authority, rows), "older": older})


def keys(asking: Asked) -> Response:
    """The keys."""
    return key_page(asking, {})


def servers(asking: Asked) -> Response:
    """The server processes."""
    listed = [server_row(one) for one in asking.authority.servers.listed()]
    return page(asking, "admin_servers.html", {"servers": listed})


def everything(asking: Asking, context: dict[str, object], error: GatepostError | None = None) -> Response:
    """The first page, with what was just done in `context`."""
    query, authority = asking.request.query_params, asking.authority
    wanted = query.get("q", "")[:254].strip()
    live = not wanted and not query.get("sessions") and not query.get("accounts")
    accounts, more_accounts = authority.accounts.page(after=query.get("accounts"), limit=PAGE, search=wanted)
    present, more_sessions = _present(asking, wanted, query.get("sessions"))
    rows = authority.audit.back(limit=RECENT)[0] if live else []
    known: dict[str, object] = {
        "q": wanted,
        "live": live,
        "accounts": [account_row(asking, account) for account in accounts],
        "present": present_rows(present, asking.principal.session_id, authority.clock.now()),
        "happened": happenings(asking.authority, rows),
        "current": asking.principal.session_id,
        "next_accounts": _link(asking, "/admin", q=wanted, accounts=more_accounts),
        "next_sessions": _link(asking, "/admin", q=wanted, sessions=more_sessions),
        "receipt": None,
    }
    return page(asking, "admin.html", {**known, **context}, error, SCRIPT)


def one_account(
    asking: Asking, account_id: str, context: dict[str, object], error: GatepostError | None = None
) -> Response:
    """One account: where it is signed in, what happened to it, and what can be done."""
    authority = asking.authority
    account = authority.accounts.find(account_id)
    standing = authority.sessions.of_account(account.id)
    repeats = authority.sessions.repeats_elsewhere(standing)
    current = asking.principal.session_id
    rows, go_on = authority.audit.back(account=account.id, before=_before(asking), limit=_TIME_LINE)
    known: dict[str, object] = {
        "account": account_row(asking, account),
        "own": account.id == asking.principal.account_id,
        "all_roles": [(role, role in account.roles) for role in authority.accounts.roles],
        "sessions": [card(one, current, repeats.get(one.session.id)) for one in standing],
        "happened": happenings(asking.authority, rows),
        "older": _link(asking, "/admin", account=account.id, before=str(go_on) if go_on else None),
        "receipt": None,
    }
    return page(asking, "admin_account.html", {**known, **context}, error, SCRIPT)


def key_page(asking: Asking, context: dict[str, object], error: GatepostError | None = None) -> Response:
    """The keys, with what was just done in `context`."""
    listed = [key_row(key) for key in asking.authority.keys.listed()]
    return page(asking, "admin_keys.html", {"keys": listed, "receipt": None, **context}, error)


def _present(asking: Asking, wanted: str, after: str | None) -> tuple[list[Present], str | None]:
    presence = asking.authority.presence
    try:
        found = (
            presence.search(wanted, after=after, limit=PAGE)
            if wanted
            else presence.newest(after=after, limit=PAGE)
        )
    except InvalidFields:
        # An address line that somebody has changed shows the first page.
        return _present(asking, wanted, None)
    return list(found.present), found.go_on


def _before(asking: Asking) -> int | None:
    text = asking.request.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _link(asking: Asking, path: str, **query: str | None) -> str | None:
    """The address of the next page. The last one given says from where it goes on; without it there is none."""
    if not list(query.values())[-1]:
        return None
    return f"{asking.root}{path}?{urlencode({name: value for name, value in query.items() if value})}"
