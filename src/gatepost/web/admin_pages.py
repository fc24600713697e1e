"""The administrator's pages: who is signed in now, who there is, what happened, keys and servers. They only show.

What is done by their buttons is `admin_acts.py`'s. Every list goes on from where its page ends, never by counting.
"""

from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from gatepost.core.accounts import Account, AccountFilter
from gatepost.errors import GatepostError, InvalidFields
from gatepost.services.presence import Present, is_address
from gatepost.web.admin_words import account_row, account_rows, ended_words, key_row, present_rows
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.cards import cards_of
from gatepost.web.notes import PARAMETER, read_note
from gatepost.web.rendering import page
from gatepost.web.server_words import processes
from gatepost.web.trail_words import happenings

PAGE = 10
RECENT = 8
_TIME_LINE = 20
# What makes one of the first two pages what it is.
_PLACE = ("account", "q", "role", "locked", "sessions", "accounts", "before", "from")
_LONGEST_PLACE = 2048
SCRIPT = "admin.js"


def overview(asking: Asked) -> Response:
    """Who is signed in now, and what happened; one account with `?account=`."""
    chosen, note = asking.request.query_params.get("account"), read_note(asking)
    told = ended_words(note) if note else {}
    return one_account(asking, chosen, told) if chosen else _everything(asking, told)


def trail(asking: Asked) -> Response:
    """What happened, newest first."""
    rows, go_on = asking.authority.audit.back(before=_before(asking), limit=PAGE)
    older = _link(asking, "/admin/trail", before=str(go_on) if go_on else None)
    return page(asking, "admin_trail.html", {"happened": happenings(asking.authority, rows), "older": older})


def keys(asking: Asked) -> Response:
    """The keys."""
    return key_page(asking, {})


def servers(asking: Asked) -> Response:
    """The server processes, and verifiers in other services."""
    return page(asking, "admin_servers.html", {"seen": processes(asking.authority)}, script=SCRIPT)


def place_of(asking: Asking, **known: str) -> str:
    """Which page of the two above this is, for the forms on it to lead back to."""
    query = asking.request.query_params
    return urlencode({**{name: query[name] for name in _PLACE if query.get(name)}, **known})


def back_to(asking: Asking, note: str) -> str:
    """The path of the page that a form was on, which shows the note."""
    given = parse_qsl(asking.field("back")[:_LONGEST_PLACE])
    return (
        f"/admin?{urlencode([*((name, said) for name, said in given if name in _PLACE), (PARAMETER, note)])}"
    )


def _everything(asking: Asking, context: dict[str, object]) -> Response:
    query, authority = asking.request.query_params, asking.authority
    wanted = _wanted(asking)
    live = not wanted.text and not query.get("sessions") and not query.get("accounts")
    accounts, more_accounts = _accounts(asking, wanted, query.get("accounts"))
    present, more_sessions = _present(asking, wanted.text, query.get("sessions"))
    kept = {"q": wanted.text, "role": wanted.role, "locked": query.get("locked")}
    rows = authority.audit.back(limit=RECENT)[0] if live else []
    again = {name: value for name, value in kept.items() if value}
    known: dict[str, object] = {
        "q": wanted.text,
        "wanted": wanted,
        "is_place": is_address(wanted.text),
        "all_roles": list(authority.accounts.roles),
        "back": place_of(asking),
        "again": f"?{urlencode(again)}" if again else "",
        "live": live,
        "accounts": account_rows(asking, accounts),
        "present": present_rows(present, asking.principal.session_id, authority.clock.now()),
        "happened": happenings(asking.authority, rows),
        "current": asking.principal.session_id,
        "next_accounts": _link(asking, "/admin", **kept, accounts=more_accounts),
        "next_sessions": _link(asking, "/admin", **kept, sessions=more_sessions),
        "receipt": None,
    }
    return page(asking, "admin.html", {**known, **context}, script=SCRIPT)


def one_account(
    asking: Asking, account_id: str, context: dict[str, object], error: GatepostError | None = None
) -> Response:
    """One account: where it is signed in, what happened to it, and what can be done."""
    authority = asking.authority
    account = authority.accounts.find(account_id)
    cards = cards_of(asking, account.id)
    rows, go_on = authority.audit.back(account=account.id, before=_before(asking), limit=_TIME_LINE)
    known: dict[str, object] = {
        "account": account_row(asking, account),
        "own": account.id == asking.principal.account_id,
        "all_roles": [(role, role in account.roles) for role in authority.accounts.roles],
        "sessions": cards.sessions,
        "more": _link(asking, "/admin", account=account.id, **{"from": str(cards.more or "")}),
        "back": place_of(asking, account=account.id),
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


def _wanted(asking: Asking) -> AccountFilter:
    query = asking.request.query_params
    locked = {"true": True, "false": False}.get(query.get("locked", ""))
    return AccountFilter(query.get("q", "")[:254].strip(), query.get("role", "")[:64], locked)


def _accounts(asking: Asking, wanted: AccountFilter, after: str | None) -> tuple[list[Account], str | None]:
    try:
        return asking.authority.accounts.newest(wanted, after=after, limit=PAGE)
    except InvalidFields:
        return _accounts(asking, wanted, None)


def _before(asking: Asking) -> int | None:
    text = asking.request.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _link(asking: Asking, path: str, **query: str | None) -> str | None:
    """The address of the next page. The last one given says from where it goes on; without it there is none."""
    if not list(query.values())[-1]:
        return None
    return f"{asking.root}{path}?{urlencode({name: value for name, value in query.items() if value})}"
