"""What an attacker makes: compact tokens with any header, any payload and any signature.

Signing with our own key is part of it: a refusal must not hang on the signature where the header is wrong already.
"""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost.carriers import tokens
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import KeyRing
from gatepost.core.secrets import encode
from tests.builders import ISSUER, NOW, make_claims

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of P-256 (FIPS 186-5)."""


def text_of(value: Any) -> bytes:
    """JSON as our tokens have it; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def halves(key: PrivateKey, signed: bytes) -> tuple[int, int]:
    """A genuine signature as its two numbers."""
    return decode_dss_signature(key.private.sign(signed, ec.ECDSA(SHA256())))


def raw(r: int, s: int, size: int = 32) -> str:
    """Two numbers as the signature segment of ES256 (RFC 7518 section 3.4)."""
    return encode(r.to_bytes(size, "big") + s.to_bytes(size, "big"))


def forge(key: PrivateKey, header: Any = None, payload: Any = None) -> str:
    """A token genuinely signed by `key`, whatever its header and payload say."""
    shown = key.verifying.header("at+jwt") if header is None else encode(text_of(header))
    signed = f"{shown}.{encode(text_of(make_claims() if payload is None else payload))}"
    return f"{signed}.{raw(*halves(key, signed.encode()))}"


def header_of(key: PrivateKey, **changes: Any) -> dict[str, Any]:
    """The header our key would write, with changes; a value of None takes the member out."""
    header = {"alg": "ES256", "kid": key.verifying.kid, "typ": "at+jwt"} | changes
    return {name: value for name, value in header.items() if value is not None}


def read(token: str, ring: KeyRing) -> tokens.Verified:
    """Read a token as the service it was made for does, at `NOW`."""
    return tokens.read(token, ring, issuer=ISSUER, audience=ISSUER, now=NOW)
