"""The OAuth endpoints, the public keys, and metadata of what works now (RFC 6749, 7009, 7517, 7662, 8414)."""

from typing import Any, Final

from anyio import to_thread
from starlette.responses import Response

from gatepost.core.sessions import FIRST_PARTY
from gatepost.errors import InvalidClient, UnsupportedGrantType
from gatepost.services.token_introspection import ActiveAccess, ActiveRefresh, Inactive
from gatepost.web.answers import json_answer, receipt_header, token_body
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.client_checks import parameter, required_parameter

_MAX_AGE: Final = 300
_WITH_A_SECRET: Final = ("client_secret_basic", "client_secret_post")


def token(asking: Asked) -> Response:
    """Exchange a refresh token for the next pair (RFC 6749 section 6)."""
    if required_parameter(asking, "grant_type") != "refresh_token":
        raise UnsupportedGrantType
    if parameter(asking, "client_id") not in {"", FIRST_PARTY}:
        raise InvalidClient
    presented = required_parameter(asking, "refresh_token")
    # `resource` alone may stand several times (RFC 8707 section 2).
    pair = asking.authority.tokens.refresh(presented, asking.origin, asking.form.get("resource", []))
    return json_answer(token_body(pair, asking.authority.clock.now()))


async def introspect(asking: Asked) -> Response:
    """Say whether a token is active, and what it speaks for (RFC 7662)."""
    client, presented = asking.confidential, required_parameter(asking, "token")
    parameter(asking, "token_type_hint")
    # It reads and writes nothing, so it does not wait among those that write.
    answer = await to_thread.run_sync(asking.authority.introspection.answer, client, presented)
    return json_answer(introspection_body(answer, asking.authority.settings.issuer))


def introspection_body(answer: ActiveAccess | ActiveRefresh | Inactive, issuer: str) -> dict[str, Any]:
    """The answer of RFC 7662 section 2.2: nothing private, and of an inactive token nothing at all."""
    match answer:
        case ActiveAccess(claims):
            return {
                "active": True,
                "token_type": "Bearer",
                "iss": claims.iss,
                "sub": claims.sub,
                "aud": claims.aud,
                "client_id": claims.client_id,
                "iat": claims.iat,
                "exp": claims.exp,
                "auth_time": claims.auth_time,
                "jti": claims.jti,
                "sid": claims.sid,
                "roles": claims.roles,
            }
        case ActiveRefresh():
            return {
                "active": True,
                "token_type": "refresh_token",
                "iss": issuer,
                "sub": answer.account_id,
                "aud": [issuer],
                "client_id": answer.client_id,
                "exp": int(answer.expires_at.timestamp()),
                "sid": answer.session_id,
            }
        case Inactive(standing):
            return {"active": False, "standing": standing.value} if standing else {"active": False}


def revoke(asking: Asked) -> Response:
    """End a token: an access token alone, a refresh token with its session (RFC 7009)."""
    presented = required_parameter(asking, "token")
    parameter(asking, "token_type_hint")
    receipt = asking.authority.revocation.revoke(asking.issued_to, presented, asking.origin)
    response = Response(headers=receipt_header(receipt) if receipt else None)
    return _readable_by_its_page(asking, response)


async def jwks(asking: Asked) -> Response:
    """The public keys (RFC 7517). Anyone may keep them for as long as a next key is published before it signs."""
    response = Response(asking.authority.ring.jwks(), media_type="application/jwk-set+json")
    return _public(response, int(asking.authority.settings.keys.jwks_cache.total_seconds()))


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
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": ["none", *_WITH_A_SECRET],
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": list(_WITH_A_SECRET),
    }


def _readable_by_its_page(asking: Asking, response: Response) -> Response:
    """Let the page that asked read the answer (RFC 7009 section 2.3). Only a registered origin gets this far.

    Without Access-Control-Allow-Credentials: an answer to a request that carried cookies is read by no other origin.
    """
    origin = asking.header("origin")
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Gatepost-Receipt"
        response.headers["Vary"] = "Origin"
    return response


def _public(response: Response, max_age: int = _MAX_AGE) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={max_age}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
