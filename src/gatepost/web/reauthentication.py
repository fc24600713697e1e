"""Showing the password again: the JSON call, the page, and the way back to what was being done.

Owns the way there and back. Which routes ask for it says the table of routes; who may pass is the service's. A refused
form comes back as the page on which it stands: what was typed there is kept, and pressed again by whoever is asked.
"""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from gatepost.errors import GatepostError, InvalidCredentials
from gatepost.web.answers import json_answer, signed_in_body
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.bodies import ReauthenticateBody
from gatepost.web.handover import hand_over
from gatepost.web.rendering import go_to, page, refusal, safe_next

# What confirms an act, or protects it, belongs to the moment in which it is pressed.
_OF_THE_MOMENT: Final = frozenset({"csrf", "confirm", "password"})
_LONGEST: Final = 2048


def reauthenticate(asking: Asked, body: ReauthenticateBody) -> Response:
    """Show the password again: the session goes on as a new sign-in, under a new id."""
    wish = asking.wish(asking.principal.carrier, body.resources)
    begun = asking.authority.reauthentication.prove(asking.principal, body.password, wish)
    return hand_over(asking, begun, json_answer(signed_in_body(asking.authority, begun)))


def form(asking: Asked) -> Response:
    """Ask for the password again."""
    return _form(asking, asking.request.query_params.get("next", ""), {})


def by_form(asking: Asked) -> Response:
    """Show the password again by the form, and go back to what was being done."""
    wanted = asking.field("next")
    wish = asking.wish(asking.principal.carrier)
    try:
        begun = asking.authority.reauthentication.prove(asking.principal, asking.field("password"), wish)
    except InvalidCredentials as error:
        return _form(asking, wanted, {"errors": {"password": error.message}}, error)
    except GatepostError as error:
        return _form(asking, wanted, refusal(error), error)
    response = go_to(asking, "")
    response.headers["location"] = safe_next(asking, wanted)
    return hand_over(asking, begun, response)


def _form(
    asking: Asking, wanted: str, context: dict[str, Any], error: GatepostError | None = None
) -> Response:
    known = {"next": wanted, "email": asking.principal.email or ""}
    return page(asking, "reauthenticate.html", {**known, **context}, error)


def to_reauthentication(asking: Asking) -> Response:
    """To the form, and from there back to the page on which the act stands, filled in as it was."""
    request = asking.request
    named = [
        (name, value)
        for name, values in asking.form.items()
        for value in values
        if name not in _OF_THE_MOMENT
    ]
    if request.method == "GET":
        named = request.query_params.multi_items()
    path: str = request.scope["path"]
    back = f"{path}?{urlencode(named)}" if named else path
    kept = back if len(back) <= _LONGEST else path
    return RedirectResponse(f"{asking.root}/reauthenticate?{urlencode({'next': kept})}", 303)
