"""What an administrator does by pressing a button: lock, unlock, end, roles, keys. Each act is a form.

A dangerous act has a page of its own at the same address, which says what will happen and is what whoever had to show
the password again comes back to. What the act comes to is the services'; the pages it is shown on are
`admin_pages.py`'s.
"""

from collections.abc import Callable

from starlette.responses import Response

from gatepost.core.sentences import Sentence
from gatepost.errors import GatepostError, InvalidFields, NotFound
from gatepost.services.accounts import Changed
from gatepost.services.commits import Receipt
from gatepost.web.admin_pages import SCRIPT, back_to, key_page, one_account
from gatepost.web.admin_words import account_row, live_sessions, nothing_changes, receipt_words
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.handover import take_back
from gatepost.web.notes import EndedNote, note_text
from gatepost.web.rendering import carrier_in_words, go_to, page, refusal

# Typed by people of every language, and so the same in all of them.
EVERYONE = "everyone"
WITHDRAW = "withdraw"
LOCK = "lock"
_PATIENCE = 1.5
_NOT_TYPED = Sentence("Nothing was done: the word was not typed as it stands there.")
_LOCKED = Sentence("The account is locked, and signed out everywhere.")
_UNLOCKED = Sentence("The account is unlocked.")
_ENDED = Sentence("The account is signed out everywhere.")
_ROLES = Sentence("The roles are changed.")


def lock_form(asking: Asked, account_id: str) -> Response:
    """What locking an account will do."""
    return _lock_page(asking, account_id, {})


def lock(asking: Asked, account_id: str) -> Response:
    """Lock by the button; one's own account only with the word that says that it is meant."""
    own = account_id == asking.principal.account_id
    if own and _typed(asking) != LOCK:
        return _lock_page(asking, account_id, _not_typed() if asking.field("confirm") else {})
    accounts, actor, whence = asking.authority.accounts, _actor(asking), asking.whence
    return _acted(
        asking, account_id, lambda: accounts.lock(account_id, actor, own=own, whence=whence), _LOCKED
    )


def unlock_form(asking: Asked, account_id: str) -> Response:
    """The account's page, which has the button: back there goes whoever had to show the password again."""
    return one_account(asking, account_id, {})


def unlock(asking: Asked, account_id: str) -> Response:
    """Unlock by the button."""
    accounts, actor, whence = asking.authority.accounts, _actor(asking), asking.whence
    return _acted(asking, account_id, lambda: accounts.unlock(account_id, actor, whence), _UNLOCKED)


def end_account_sessions(asking: Asked, account_id: str) -> Response:
    """End all sessions of an account by the button."""
    accounts, actor, whence = asking.authority.accounts, _actor(asking), asking.whence
    return _acted(asking, account_id, lambda: accounts.end_sessions(account_id, actor, whence), _ENDED)


def roles_form(asking: Asked, account_id: str) -> Response:
    """What the roles that were ticked will do, before they do it."""
    foreseen = asking.authority.foresight.of_roles(account_id, asking.request.query_params.getlist("roles"))
    context = {
        "account": account_row(asking, foreseen.account),
        "own": foreseen.account.id == asking.principal.account_id,
        "foreseen": foreseen,
        "carriers": [(carrier_in_words(carrier), count) for carrier, count in foreseen.sessions.items()],
        "live": live_sessions(foreseen),
        "idle": nothing_changes(foreseen.difference),
        "problem": foreseen.refusal.message if foreseen.refusal else None,
    }
    return page(asking, "admin_roles.html", context, script=SCRIPT)


def set_roles(asking: Asked, account_id: str) -> Response:
    """Set the roles by the form."""
    accounts, roles = asking.authority.accounts, asking.form.get("roles", [])
    actor, whence = _actor(asking), asking.whence
    return _acted(asking, account_id, lambda: accounts.set_roles(account_id, roles, actor, whence), _ROLES)


def end_session(asking: Asked, session_id: str) -> Response:
    """End one session by the button, and go back to where it was pressed; one's own like signing out."""
    sessions = asking.authority.sessions
    try:
        found = sessions.find(session_id)
        receipt = sessions.end_any(session_id, _actor(asking), asking.whence)
    except NotFound:
        return go_to(asking, back_to(asking, note_text(asking, EndedNote())))
    if session_id == asking.principal.session_id:
        return take_back(asking, go_to(asking, "/sign-in?done=left"))
    whose, session = found.account.email.typed if found.account else "", found.session
    note = EndedNote(whose, session.device, session.address, _heard(asking, receipt))
    return go_to(asking, back_to(asking, note_text(asking, note)))


def rotate_form(asking: Asked) -> Response:
    """What rotating the keys will do."""
    return page(asking, "admin_rotate.html", {})


def rotate(asking: Asked) -> Response:
    """Rotate the keys by the button."""
    try:
        asking.authority.keys.rotate(_actor(asking), whence=asking.whence)
    except GatepostError as error:
        return key_page(asking, refusal(error), error)
    return key_page(asking, {"notice": Sentence("The next keys have taken over. Nobody was signed out.")})


def withdraw_form(asking: Asked, kid: str) -> Response:
    """What withdrawing a key will do."""
    _require_key(asking, kid)
    return page(asking, "admin_withdraw.html", {"kid": kid, "word": WITHDRAW}, script=SCRIPT)


def withdraw(asking: Asked, kid: str) -> Response:
    """Withdraw a key by the button, once the word is typed."""
    _require_key(asking, kid)
    if _typed(asking) != WITHDRAW:
        error = InvalidFields({"confirm": _NOT_TYPED})
        return page(asking, "admin_withdraw.html", {"kid": kid, "word": WITHDRAW, **refusal(error)}, error)
    receipt = asking.authority.keys.withdraw(kid, _actor(asking), asking.whence)
    return key_page(asking, _told(asking, Sentence("The key is withdrawn."), receipt))


def everyone_form(asking: Asked) -> Response:
    """What signing everybody out will do."""
    return page(asking, "admin_everyone.html", {"word": EVERYONE, "receipt": None}, script=SCRIPT)


def end_everyone(asking: Asked) -> Response:
    """Sign everybody out by the button, once the word is typed. Whoever presses it is signed out too."""
    if _typed(asking) != EVERYONE:
        error = InvalidFields({"confirm": _NOT_TYPED})
        return page(
            asking, "admin_everyone.html", {"word": EVERYONE, "receipt": None, **refusal(error)}, error
        )
    receipt = asking.authority.sessions.end_all(_actor(asking), asking.whence)
    asking.found = None
    context = {
        "word": EVERYONE,
        **_told(asking, Sentence("Everybody is signed out, and so are you."), receipt),
    }
    return take_back(asking, page(asking, "admin_everyone.html", context))


def _require_key(asking: Asking, kid: str) -> None:
    if all(key.id != kid for key in asking.authority.keys.listed()):
        raise NotFound("There is no such key.")


def _lock_page(asking: Asking, account_id: str, context: dict[str, object]) -> Response:
    account = asking.authority.accounts.find(account_id)
    own = account.id == asking.principal.account_id
    known = {"account": account_row(asking, account), "word": LOCK if own else ""}
    error = InvalidFields({"confirm": _NOT_TYPED}) if context else None
    return page(asking, "admin_lock.html", {**known, **context}, error, SCRIPT)


def _not_typed() -> dict[str, object]:
    return refusal(InvalidFields({"confirm": _NOT_TYPED}))


def _acted(asking: Asking, account_id: str, act: Callable[[], Changed], done: str) -> Response:
    try:
        changed = act()
    except GatepostError as error:
        if error.status == 404:
            raise
        return one_account(asking, account_id, refusal(error), error)
    return one_account(asking, account_id, _told(asking, done, changed.receipt))


def _told(asking: Asking, notice: str, receipt: Receipt | None) -> dict[str, object]:
    return {"notice": notice, "receipt": receipt_words(_heard(asking, receipt) if receipt else None)}


def _heard(asking: Asking, receipt: Receipt) -> Receipt:
    # Verifiers that hear of it say so within milliseconds: a page that shows them green is worth that.
    return asking.authority.commits.heard_within(receipt, _PATIENCE)


def _typed(asking: Asking) -> str:
    # A keyboard on a phone puts a blank behind a word by itself.
    return asking.field("confirm").strip()


def _actor(asking: Asking) -> str:
    return asking.principal.account_id
