"""Carriers handed to a browser and taken back: at a sign-in, at a sign-out, after an ambiguous request.

Owns which of our cookies are in a browser afterwards. Makes no credential and judges none.
"""

from starlette.responses import Response

from gatepost.carriers.cookie import csrf_token, remove_cookie, write_cookie
from gatepost.carriers.device import MARK_LIFE
from gatepost.core.secrets import Secret
from gatepost.core.sessions import Carrier
from gatepost.errors import AmbiguousCredentials, GatepostError
from gatepost.services.beginnings import SignedIn, Visiting
from gatepost.web.asking import Asking
from gatepost.web.cookies import cookies_of
from gatepost.web.renewal import renewed_in


def hand_over(asking: Asking, begun: SignedIn | Visiting, response: Response) -> Response:
    """Put the new carrier into the response and take every other cookie of ours out of the browser."""
    if begun.session.carrier is Carrier.TOKEN:
        return take_back(asking, response)
    cookies = cookies_for(asking, begun)
    for cookie in cookies.values():
        add_cookie(response, cookie)
    return take_back(asking, response, keep=tuple(cookies))


def cookies_for(asking: Asking, begun: SignedIn | Visiting) -> dict[str, str]:
    """The Set-Cookie values that hold a session which has begun, by name, the cross-site token's among them."""
    authority = asking.authority
    life = begun.session.expires_at - authority.clock.now()
    names = authority.cookies
    cookies = cookies_of(names, begun.credential, life)
    token = Secret(csrf_token(authority.csrf_key, begun.session.id))
    cookies[names.csrf] = write_cookie(names.csrf, token, life, secure=names.secure, script=True)
    if isinstance(begun, SignedIn):
        mark = authority.guesses.devices.remembered(begun.account, begun.session.pos, asking.marks)
        cookies[names.device] = write_cookie(names.device, mark, MARK_LIFE, secure=names.secure)
    return cookies


def stay_known(asking: Asking, response: Response) -> Response:
    """After everything else of an account was ended, and every mark with it: the browser that did it stays known."""
    authority, names = asking.authority, asking.authority.cookies
    found = authority.store.account(asking.principal.account_id)
    mark = authority.guesses.devices.renewed(*found, asking.marks) if found else None
    if mark is not None:
        add_cookie(response, write_cookie(names.device, mark, MARK_LIFE, secure=names.secure))
    return response


def take_back(asking: Asking, response: Response, keep: tuple[str, ...] = ()) -> Response:
    """Remove the cookies of ours that this request brought, and send none that it has renewed."""
    renewed = renewed_in(asking.request.scope)
    if renewed is not None:
        renewed.clear()
    for cookie in removals(asking, keep).values():
        add_cookie(response, cookie)
    return response


def removals(asking: Asking, keep: tuple[str, ...] = ()) -> dict[str, str]:
    """The Set-Cookie values that remove the cookies of ours which this request brought, by name."""
    names = asking.authority.cookies
    brought = b"; ".join(value for key, value in asking.headers if key == b"cookie")
    return {
        name: remove_cookie(name, secure=names.secure, script=name == names.csrf)
        for name in (*names.held, names.csrf)
        if name not in keep and name.encode() + b"=" in brought
    }


def remove_ours(error: GatepostError, asking: Asking, response: Response) -> Response:
    """After an ambiguous request all our cookies go, so that the next try is not ambiguous again.

    After any other refusal none does: the answer to a late request would delete the cookie of a new sign-in.
    """
    return take_back(asking, response) if isinstance(error, AmbiguousCredentials) else response


def add_cookie(response: Response, cookie: str) -> None:
    """Append a Set-Cookie header."""
    response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
