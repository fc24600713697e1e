"""What people use today in Python: libraries that verify a token, and those that keep a session in a cookie.

Each does what its documentation shows, with its key read beforehand.
"""

import json
import warnings
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from itsdangerous import TimestampSigner
from joserfc import jwe, jwk
from joserfc import jwt as joserfc_jwt

from benchmarks.issuers import Issuer
from benchmarks.measuring import Contender, Part, Work

# It says on import that its successor is joserfc, which stands beside it.
with warnings.catch_warnings(record=True):
    from authlib import jose

RAW: Final = "cryptography verify"
NO_REVOCATION: Final = "nobody can end what it accepts"
_NOTE: Final = f"issuer, audience and time checked, key at hand; {NO_REVOCATION} before it expires"
_FOURTEEN_DAYS: Final = 14 * 24 * 3600
_KINDS: Final[Mapping[str, type[Any]]] = {
    "ES256": jwk.ECKey,
    "EdDSA": jwk.OKPKey,
    "RS256": jwk.RSAKey,
    "HS256": jwk.OctKey,
}


def python_rivals(issuer: Issuer, token: Callable[[], str], limit: str = "") -> tuple[Contender, ...]:
    """PyJWT, joserfc and Authlib's jose, each verifying the next token."""
    makers = {"PyJWT": _by_pyjwt, "joserfc": _by_joserfc, "Authlib's jose": _by_authlib}
    return tuple(
        Contender(Part.RIVAL, name, make(issuer, token), _NOTE, limit) for name, make in makers.items()
    )


def _by_pyjwt(issuer: Issuer, token: Callable[[], str]) -> Work:
    key: Any = issuer.secret or issuer.public
    algorithms, name = [issuer.algorithm], issuer.name
    return lambda: jwt.decode(token(), key, algorithms=algorithms, audience=name, issuer=name)


def _by_joserfc(issuer: Issuer, token: Callable[[], str]) -> Work:
    key = _KINDS[issuer.algorithm].import_key(issuer.pem)
    algorithms, name = [issuer.algorithm], issuer.name
    claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": name}, aud={"essential": True, "value": name}
    )

    def verify() -> object:
        decoded = joserfc_jwt.decode(token(), key, algorithms=algorithms)
        claims.validate(decoded.claims)
        return decoded

    return verify


def _by_authlib(issuer: Issuer, token: Callable[[], str]) -> Work:
    key = {
        "ES256": jose.ECKey,
        "EdDSA": jose.OKPKey,
        "RS256": jose.RSAKey,
        "HS256": jose.OctKey,
    }[issuer.algorithm].import_key(issuer.pem)
    reader, name = jose.JsonWebToken([issuer.algorithm]), issuer.name
    options = {"iss": {"essential": True, "value": name}, "aud": {"essential": True, "value": name}}

    def verify() -> object:
        claims = reader.decode(token(), key, claims_options=options)
        claims.validate()
        return claims

    return verify


class JoserfcBox:
    """A session in a JWE by joserfc, with the algorithms that we use: `dir` and `A256GCM`."""

    def __init__(self, key: bytes) -> None:
        self._key = jwk.OctKey.import_key(key)

    def seal(self, contents: Mapping[str, Any]) -> str:
        """The contents as JSON in a compact JWE."""
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, json.dumps(contents).encode(), self._key)

    def open(self, text: str) -> Any:
        """What is in one."""
        return json.loads(jwe.decrypt_compact(text, self._key).plaintext or b"")


class SignedSession:
    """Starlette's SessionMiddleware, as it writes its cookie and reads it."""

    def __init__(self) -> None:
        self._signer = TimestampSigner("a secret of the application")

    def seal(self, contents: Mapping[str, Any]) -> bytes:
        """The contents as JSON in base64, signed and not encrypted."""
        return self._signer.sign(b64encode(json.dumps(contents).encode()))

    def open(self, signed: bytes) -> Any:
        """What is in one that is not older than fourteen days."""
        return json.loads(b64decode(self._signer.unsign(signed, max_age=_FOURTEEN_DAYS)))
