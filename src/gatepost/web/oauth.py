"""The token endpoint, the public keys, and the metadata that says what works now (RFC 6749, 7517, 8414)."""

from typing import Any, Final

from starlette.responses import Response

from gatepost.core.sessions import FIRST_PARTY
from gatepost.errors import BadRequest, InvalidClient, OAuthError, UnsupportedGrantType
from gatepost.web.answers import json_answer, token_body
from gatepost.web.api import Asked
from gatepost.web.asking import Asking

_MAX_AGE: Final = 300


def token(asking: Asked) -> Response:
    """Exchange a refresh token for the next pair (RFC 6749 section 6)."""
    grant = _parameter(asking, "grant_type")
    if not grant:
        raise OAuthError("The parameter grant_type is missing.")
    if grant != "refresh_token":
        raise UnsupportedGrantType
    if _parameter(asking, "client_id") not in {"", FIRST_PARTY}:
        raise InvalidClient
    presented = _parameter(asking, "refresh_token")
    if not presented:
        raise OAuthError("The parameter refresh_token is missing.")
    # `resource` alone may stand several times (RFC 8707 section 2).
    pair = asking.authority.tokens.refresh(presented, asking.origin, asking.form.get("resource", []))
    return json_answer(token_body(pair, asking.authority.clock.now()))


def _parameter(asking: Asking, name: str) -> str:
    try:
        return asking.field(name)
    except BadRequest:
        raise OAuthError(f"The parameter {name} stands more than once.") from None


async def jwks(asking: Asked) -> Response:
    """The public keys (RFC 7517). May be cached for five minutes, by anyone."""
    response = Response(asking.authority.ring.jwks(), media_type="application/jwk-set+json")
    return _public(response)


async def metadata(asking: Asked) -> Response:
    """What this authorization server offers now (RFC 8414 section 2)."""
    return metadata_answer(asking.authority.settings.issuer)


def metadata_answer(issuer: str) -> Response:
    """The metadata of an issuer as a public document."""
    return _public(json_answer(metadata_body(issuer)))


def metadata_body(issuer: str) -> dict[str, Any]:
    """The metadata of an issuer. What is named works; what is not named does not."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["refresh_token"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
    }


def _public(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={_MAX_AGE}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
