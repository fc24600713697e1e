"""A refusal as a page: what happened, in words, and what to do next; or the way to the sign-in.

Owns titles and advice by status. The error's own sentence comes from `errors.py`; which error it is, is decided
elsewhere. `app.py` calls it for whoever reads pages.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from gatepost.core.principals import Principal
from gatepost.core.sentences import Sentence
from gatepost.errors import Expired, Forbidden, GatepostError, Refused, Revoked
from gatepost.web.asking import Asking
from gatepost.web.rendering import page

_OTHERS: Final = Sentence("That did not work")
_TITLES: Final[Mapping[int, Sentence]] = {
    401: Sentence("Please sign in"),
    403: Sentence("Not allowed"),
    404: Sentence("Not found"),
    405: Sentence("Not like that"),
    413: Sentence("Too much at once"),
    421: Sentence("Wrong address"),
    429: Sentence("One moment, please"),
    431: Sentence("Too much at once"),
    500: Sentence("Our fault"),
    503: Sentence("One moment, please"),
}
_ADVICE: Final[Mapping[int, Sentence]] = {
    400: Sentence("Go back, load the page again, and try once more."),
    403: Sentence("If you followed a link from another site, open the page from here instead."),
    404: Sentence("The address may be mistyped, or what was here is gone."),
    405: Sentence("Go back, load the page again, and try once more."),
    408: Sentence("Nothing is lost. Try again in a while."),
    413: Sentence("Go back and send something smaller."),
    421: Sentence("Open this site under its usual address."),
    429: Sentence("Nothing is lost. Try again in a while."),
    500: Sentence("It is written down for whoever runs this site. Trying again later may help."),
    503: Sentence("Nothing is lost. Load the page again in a few seconds."),
}
_NOT_ALLOWED: Final = Sentence("If you should be allowed to, ask whoever runs this site.")


def error_page(asking: Asking, error: GatepostError) -> Response:
    """An error as a page of its own."""
    context = {
        "status": error.status,
        "title": _TITLES.get(error.status, _OTHERS),
        "message": error.message,
        "advice": _NOT_ALLOWED if isinstance(error, Forbidden) else _ADVICE.get(error.status, ""),
        "to_account": isinstance(asking.found, Principal),
    }
    return page(asking, "error.html", context, error)


def to_sign_in(asking: Asking) -> Response:
    """On to the sign-in, which leads back to the page that was asked for."""
    scope = asking.request.scope
    query = scope["query_string"].decode("latin-1")
    here = scope["path"] + (f"?{query}" if query else "")
    wanted = f"?next={quote(here)}" if asking.request.method == "GET" and here.isascii() else ""
    return RedirectResponse(f"{asking.root}/sign-in{wanted}", 303)


def why_signed_out(refused: GatepostError | None) -> Sentence | None:
    """What somebody is told who comes to the sign-in with a carrier that no longer stands; None for everybody else.

    No more than the refusal itself says: whoever holds a dead cookie may be its thief.
    """
    match refused:
        case Expired():
            return Sentence("You were signed out because your sign-in had run out. Please sign in again.")
        case Revoked():
            return Sentence(
                "You were signed out because this sign-in was ended: from another device, by a new password, "
                "or by whoever runs this site."
            )
        case Refused():
            return Sentence("You were signed out because this sign-in is no longer known here.")
        case _:
            return None
