"""Which OAuth client asks: read from the request, strictly, and recognised by its secret (RFC 6749 section 2.3).

Owns the two ways in which a secret is shown, `client_secret_basic` and `client_secret_post`, and the checks of the
endpoints that need a client. Every refusal of a client looks the same. The table of routes calls the checks.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote_plus

from anyio import to_thread

from gatepost.core.clients import Client, Power
from gatepost.core.secrets import Secret
from gatepost.core.sessions import FIRST_PARTY
from gatepost.errors import BadRequest, InvalidClient, OAuthError, UnauthorizedClient
from gatepost.web.asking import Asking
from gatepost.web.turns import in_turn

T = TypeVar("T")

CHALLENGE: Final = 'Basic realm="gatepost"'
_BASIC: Final = "basic "
_NEVER_IN_THE_ADDRESS: Final = ("token", "client_secret")
# What a form writes of a text (RFC 6749 appendix B): a stray percent sign would be read in two ways.
_FORM_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~*!'()+-]|%[0-9A-Fa-f]{2})+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """The client that somebody says they are, and the secret they show for it."""

    client_id: str
    secret: Secret


async def nothing_in_the_address(asking: Asking) -> None:
    """What belongs into the body of a request is refused in its address, where logs would keep it: 400."""
    query = asking.request.scope["query_string"]
    if query and any(name in asking.request.query_params for name in _NEVER_IN_THE_ADDRESS):
        raise BadRequest("Send the token and the client's secret in the body, never in the address.")


async def introspecting_client(asking: Asking) -> None:
    """A client that may ask about tokens: else 401 `invalid_client` or 400 `unauthorized_client`."""
    client = await _recognised(asking)
    if Power.INTROSPECT not in client.powers:
        raise UnauthorizedClient("This client may not ask about tokens.")
    asking.client, asking.client_id = client, client.id


async def any_client(asking: Asking) -> None:
    """A client with its secret, or the first-party one, which has none: else 401 `invalid_client`."""
    header = asking.header("authorization") or ""
    is_public = parameter(asking, "client_id") == FIRST_PARTY and not parameter(asking, "client_secret")
    if is_public and not header.lower().startswith(_BASIC):
        asking.client_id = FIRST_PARTY
        return
    client = await _recognised(asking)
    asking.client, asking.client_id = client, client.id


def parameter(asking: Asking, name: str) -> str:
    """The one value of an OAuth parameter, "" if it is absent. Raises `OAuthError` if it stands twice."""
    try:
        return asking.field(name)
    except BadRequest:
        raise OAuthError(f"The parameter {name} stands more than once.") from None


def required_parameter(asking: Asking, name: str) -> str:
    """The same, where it has to be there: an empty value counts as none (RFC 6749 section 3.1)."""
    value = parameter(asking, name)
    if not value:
        raise OAuthError(f"The parameter {name} is missing.")
    return value


def parse_basic(value: str) -> ShownSecret | None:
    """The client and secret of an Authorization header of the scheme Basic (RFC 6749 section 2.3.1); None if malformed.

    Both were form-encoded before they were joined, so the colon between them is the only one.
    """
    encoded = value[len(_BASIC) :].strip(" ").encode("latin-1")
    try:
        raw = b64decode(encoded, validate=True)
        text = raw.decode("ascii")
    except ValueError:
        return None
    client_id, _, secret = text.partition(":")
    if b64encode(raw) != encoded or not (
        _FORM_ENCODED.fullmatch(client_id) and _FORM_ENCODED.fullmatch(secret)
    ):
        return None
    try:
        return ShownSecret(
            unquote_plus(client_id, errors="strict"), Secret(unquote_plus(secret, errors="strict"))
        )
    except UnicodeDecodeError:
        return None


def shown_in_header(asking: Asking) -> ShownSecret | None:
    """The secret in the request's Authorization header; None if there is none that can be read, or it is no secret."""
    header = asking.header("authorization") or ""
    return parse_basic(header) if header.lower().startswith(_BASIC) else None


async def recognised_by(recognise: Callable[[str, Secret], T], shown: ShownSecret, asking: Asking) -> T:
    """What `recognise` makes of a secret, in a thread. A wrong one is counted: `InvalidClient`, then `SlowDown`."""
    try:
        return await to_thread.run_sync(recognise, shown.client_id, shown.secret)
    except InvalidClient as error:
        guesses, address = asking.authority.guesses, asking.origin.address
        await in_turn(lambda: guesses.wrong_client(shown.client_id, address))
        raise InvalidClient(CHALLENGE, detail=error.detail) from None


async def _recognised(asking: Asking) -> Client:
    shown = _shown(asking)
    if shown is None:
        raise InvalidClient(CHALLENGE, detail="no client's secret was shown")
    return await recognised_by(asking.authority.clients.authenticate, shown, asking)


def _shown(asking: Asking) -> ShownSecret | None:
    header = asking.header("authorization") or ""
    client_id, secret = parameter(asking, "client_id"), parameter(asking, "client_secret")
    if not header.lower().startswith(_BASIC):
        # Another scheme names no client. Whatever it is for, it neither helps nor hinders.
        return ShownSecret(client_id, Secret(secret)) if client_id and secret else None
    if secret:
        raise OAuthError("Show the client's secret in the header or in the body, not in both.")
    shown = parse_basic(header)
    if shown is not None and client_id not in {"", shown.client_id}:
        raise OAuthError("The header and the body name two clients.")
    return shown
