"""Carriers handed to a browser and taken back: at a sign-in, at a sign-out, after an ambiguous request.

Owns which of our cookies are in a browser afterwards. Makes no credential and judges none.
"""

from starlette.responses import Response

from gatepost.carriers.cookie import csrf_token, remove_cookie, write_cookie
from gatepost.core.secrets import Secret
from gatepost.core.sessions import Carrier
from gatepost.errors import AmbiguousCredentials, GatepostError
from gatepost.services.beginnings import SignedIn, Visiting
from gatepost.web.asking import Asking
from gatepost.web.cookies import cookies_of
from gatepost.web.renewal import renewed_in


def hand_over(asking: Asking, begun: SignedIn | Visiting, response: Response) -> Response:
    """Put the new carrier into the response and take every other cookie of ours out of the browser."""
    authority = asking.authority
    if begun.session.carrier is Carrier.TOKEN:
        return take_back(asking, response)
    life = begun.session.expires_at - authority.clock.now()
    names = authority.cookies
    cookies = cookies_of(names, begun.credential, life)
    token = Secret(csrf_token(authority.csrf_key, begun.session.id))
    cookies[names.csrf] = write_cookie(names.csrf, token, life, secure=names.secure, script=True)
    for cookie in cookies.values():
        add_cookie(response, cookie)
    return take_back(asking, response, keep=tuple(cookies))


def take_back(asking: Asking, response: Response, keep: tuple[str, ...] = ()) -> Response:
    """Remove the cookies of ours that this request brought, and send none that it has renewed."""
    renewed = renewed_in(asking.request.scope)
    if renewed is not None:
        renewed.clear()
    names = asking.authority.cookies
    brought = b"; ".join(value for key, value in asking.headers if key == b"cookie")
    for name in (*names.held, names.csrf):
        if name not in keep and name.encode() + b"=" in brought:
            add_cookie(response, remove_cookie(name, secure=names.secure, script=name == names.csrf))
    return response


def remove_ours(error: GatepostError, asking: Asking, response: Response) -> Response:
    """After an ambiguous request all our cookies go, so that the next try is not ambiguous again.

    After any other refusal none does: the answer to a late request would delete the cookie of a new sign-in.
    """
    return take_back(asking, response) if isinstance(error, AmbiguousCredentials) else response


def add_cookie(response: Response, cookie: str) -> None:
    """Append a Set-Cookie header."""
    response.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))
