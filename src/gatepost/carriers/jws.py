"""A narrow JWS: compact form, ES256, signing and verifying and nothing else (RFC 7515, RFC 7518 section 3.4).

Owns bytes and signatures; knows no claims. The algorithm belongs to the key: a token cannot choose it, because its
header segment is only ever looked up among the texts that our keys would write, and never believed.
"""

import json
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost.core.secrets import encode
from gatepost.errors import Malformed

LONGEST: Final = 8192
_HALF: Final = 32
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ES256: Final = ec.ECDSA(SHA256())

Algorithm = Literal["ES256"]


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key, with the one algorithm it is good for."""

    kid: str
    algorithm: Algorithm
    public: ec.EllipticCurvePublicKey = field(repr=False)

    def header(self, typ: str) -> str:
        """The header segment of every token of this kind that this key signs."""
        return _header(self.algorithm, self.kid, typ)


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str, typ: str) -> str:
    return encode(json.dumps({"alg": algorithm, "kid": kid, "typ": typ}, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The private half. Never printed."""

    verifying: VerifyingKey
    private: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compact:
    """The three segments of a compact JWS, still as they came."""

    header: str
    payload: str
    signature: str


def parse_compact(token: str) -> Compact:
    """Split a token. Raises `Malformed` for anything longer than 8,192 characters or not of three segments."""
    if len(token) > LONGEST:
        raise Malformed(detail="token longer than the limit")
    parts = token.split(".", 3)
    if len(parts) != 3 or not token.isascii():
        raise Malformed(detail="not a compact JWS")
    return Compact(*parts)


def decode_segment(segment: str) -> bytes:
    """Strict base64url without padding: one text for each value (RFC 7515 section 2, RFC 4648 section 3.5).

    Python's own decoder skips characters it does not know and ignores stray bits, so one token would have many texts.
    """
    raw = segment.encode("ascii", "replace")
    if raw.translate(None, _ALPHABET):
        raise Malformed(detail="a segment is not base64url")
    try:
        value = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except Base64Error as error:
        raise Malformed(detail="a segment is not base64url") from error
    if encode(value) != segment:
        raise Malformed(detail="a segment is not canonical base64url")
    return value


def sign(key: PrivateKey, typ: str, payload: bytes) -> str:
    """A compact JWS over `payload`."""
    signed = f"{key.verifying.header(typ)}.{encode(payload)}"
    r, s = decode_dss_signature(key.private.sign(signed.encode("ascii"), _ES256))
    return f"{signed}.{encode(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"


def verify(key: VerifyingKey, compact: Compact) -> bytes:
    """The payload, if the signature is this key's; else `Malformed`. The caller has matched the header segment."""
    signature = decode_segment(compact.signature)
    if len(signature) != 2 * _HALF:
        raise Malformed(detail="signature of a wrong length")
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.public.verify(
            encode_dss_signature(r, s), f"{compact.header}.{compact.payload}".encode("ascii"), _ES256
        )
    except InvalidSignature as error:
        raise Malformed(detail="signature does not verify") from error
    return decode_segment(compact.payload)
