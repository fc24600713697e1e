"""The pages of a visitor and of a signed-in person. They need no script; a refused form comes back with words."""

from starlette.responses import Response

from gatepost.core.permissions import ADMINISTRATOR
from gatepost.core.sentences import Sentence
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError, InvalidCredentials, NotFound
from gatepost.services.beginnings import SignedIn
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.cards import cards_of
from gatepost.web.error_pages import why_signed_out
from gatepost.web.handover import hand_over, stay_known, take_back
from gatepost.web.rendering import go_to, in_words, page, refusal, safe_next

_ACCOUNT_DONE = {
    "password": Sentence("Your password is changed, and you are signed out everywhere else."),
    "others": Sentence("You are signed out everywhere else."),
    "ended": Sentence("That session is signed out."),
}
_LEFT = Sentence("You are signed out: you ended the session that you were using.")
_GUIDE = "guide.js"


def home(asking: Asked) -> Response:
    """The start page."""
    return page(asking, "home.html", {"docs": asking.request.app.state.offers_docs})


def sign_in_form(asking: Asked) -> Response:
    """The sign-in form."""
    query = asking.request.query_params
    done = _LEFT if query.get("done") == "left" and asking.found is None else None
    known = {"email": "", "next": query.get("next", "")}
    return page(asking, "sign_in.html", {**known, "notice": why_signed_out(asking.refused) or done})


def sign_in(asking: Asked) -> Response:
    """Sign in by the form."""
    email, wanted = asking.field("email"), asking.field("next")
    try:
        begun = asking.authority.sign_in.sign_in(email, asking.field("password"), asking.wish(Carrier.COOKIE))
    except GatepostError as error:
        context = {"email": email, "next": wanted, **refusal(error)}
        return page(asking, "sign_in.html", context, error)
    return _welcome(asking, begun, safe_next(asking, wanted))


def sign_up_form(asking: Asked) -> Response:
    """The sign-up form."""
    context = {"email": "", "next": asking.request.query_params.get("next", "")}
    return page(asking, "sign_up.html", {**context, **_rule(asking)}, script=_GUIDE)


def sign_up(asking: Asked) -> Response:
    """Sign up by the form."""
    email, wanted = asking.field("email"), asking.field("next")
    try:
        begun = asking.authority.sign_in.sign_up(email, asking.field("password"), asking.wish(Carrier.COOKIE))
    except GatepostError as error:
        context = {"email": email, "next": wanted, **_rule(asking), **refusal(error)}
        return page(asking, "sign_up.html", context, error, _GUIDE)
    return _welcome(asking, begun, safe_next(asking, wanted))


def sign_out(asking: Asked) -> Response:
    """Sign out by the button."""
    if asking.found is not None:
        asking.authority.sessions.sign_out(asking.found, asking.origin)
    response, wanted = go_to(asking, "/"), asking.field("next")
    if wanted:
        response.headers["location"] = safe_next(asking, wanted)
    return take_back(asking, response)


def invite_form(asking: Asked, secret: str) -> Response:
    """What a one-time link shows. Looking does not use it up: mail scanners and previews look too."""
    try:
        invitation = asking.authority.sign_in.open_invitation(secret)
    except NotFound as gone:
        return page(asking, "invite_gone.html", {}, gone)
    return page(asking, "invite.html", _invite(asking, secret, invitation.role, ""), script=_GUIDE)


def invite(asking: Asked, secret: str) -> Response:
    """Use a one-time link."""
    email = asking.field("email")
    ways_in = asking.authority.sign_in
    role = ""
    try:
        role = ways_in.open_invitation(secret).role
        begun = ways_in.accept_invitation(
            secret, email, asking.field("password"), asking.wish(Carrier.COOKIE)
        )
    except NotFound as gone:
        return page(asking, "invite_gone.html", {}, gone)
    except GatepostError as error:
        context = {**_invite(asking, secret, role, email), **refusal(error)}
        return page(asking, "invite.html", context, error, _GUIDE)
    return _welcome(asking, begun, f"{asking.root}/{'admin' if role == 'admin' else 'account'}")


def account(asking: Asked) -> Response:
    """One's own account."""
    done = _ACCOUNT_DONE.get(asking.request.query_params.get("done", ""))
    return _account(asking, {"notice": done})


def end_session(asking: Asked, session_id: str) -> Response:
    """End one of one's own sessions by its button."""
    try:
        asking.authority.sessions.end_own(asking.principal, session_id, asking.origin)
    except NotFound:
        return _account(asking, {"notice": Sentence("That session was over already.")})
    return go_to(asking, "/account?done=ended")


def end_others(asking: Asked) -> Response:
    """End all other sessions by the button."""
    asking.authority.sessions.end_others(asking.principal, asking.origin)
    return stay_known(asking, go_to(asking, "/account?done=others"))


def change_password(asking: Asked) -> Response:
    """Change the password by the form."""
    try:
        asking.authority.accounts.change_password(
            asking.principal, asking.field("current"), asking.field("new"), asking.origin
        )
    except InvalidCredentials as error:
        return _account(asking, {"errors": {"current": error.message}}, error)
    except GatepostError as error:
        return _account(asking, refusal(error, "new"), error)
    return stay_known(asking, go_to(asking, "/account?done=password"))


def _account(asking: Asking, context: dict[str, object], error: GatepostError | None = None) -> Response:
    account_id = asking.principal.account_id
    cards = cards_of(asking, account_id)
    known: dict[str, object] = {
        "sessions": cards.sessions,
        "count": cards.count,
        "more": cards.more,
        "member_since": in_words(asking.authority.accounts.find(account_id).created_at),
    }
    return page(asking, "account.html", {**known, **_rule(asking), **context}, error, _GUIDE)


def _rule(asking: Asking) -> dict[str, object]:
    return {"min_length": asking.authority.settings.passwords.min_length}


def _invite(asking: Asking, secret: str, role: str, email: str) -> dict[str, object]:
    action = f"{asking.root}/invite/{secret}"
    another = role == ADMINISTRATOR and asking.authority.store.has_role(ADMINISTRATOR)
    return {"action": action, "role": role, "another": another, "email": email, **_rule(asking)}


def _welcome(asking: Asking, begun: SignedIn, path: str) -> Response:
    response = go_to(asking, "")
    response.headers["location"] = path
    return hand_over(asking, begun, response)
