"""A narrow JWS: compact form, signing and verifying and nothing else (RFC 7515, RFC 7518 section 3, RFC 8037).

Owns bytes and signatures; knows no claims. The algorithm belongs to the key: a token cannot choose it, because its
header segment is only ever looked up among the texts that our keys would write, and never believed.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from gatepost.carriers.algorithms import ALGORITHMS, Algorithm
from gatepost.carriers.base64url import decode_strictly
from gatepost.core.secrets import encode
from gatepost.errors import Malformed

LONGEST: Final = 8192


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The half of a key that verifies, with the one algorithm it is good for.

    What `public` is depends on the algorithm, whose class alone looks into it. For HS256 it is the secret itself.
    """

    kid: str
    algorithm: Algorithm
    public: Any = field(repr=False)

    def header(self, typ: str) -> str:
        """The header segment of every token of this kind that this key signs."""
        return _header(self.algorithm, self.kid, typ)


@lru_cache(maxsize=64)
def _header(algorithm: str, kid: str, typ: str) -> str:
    return encode(json.dumps({"alg": algorithm, "kid": kid, "typ": typ}, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The half that signs. Never printed."""

    verifying: VerifyingKey
    private: Any = field(repr=False)


class Compact(NamedTuple):
    """The three segments of a compact JWS, still as they came.

    A tuple, because one is made at every first sight of a token, in a tenth of the time.
    """

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
    """The bytes of a segment; `Malformed` for anything that is not base64url in its one strict form."""
    try:
        return decode_strictly(segment)
    except ValueError as error:
        raise Malformed(detail="a segment is not base64url in its strict form") from error


def sign(key: PrivateKey, typ: str, payload: bytes) -> str:
    """A compact JWS over `payload`."""
    signed = f"{key.verifying.header(typ)}.{encode(payload)}"
    signature = ALGORITHMS[key.verifying.algorithm].sign(key.private, signed.encode("ascii"))
    return f"{signed}.{encode(signature)}"


def verify(key: VerifyingKey, compact: Compact) -> bytes:
    """The payload, if the signature is this key's; else `Malformed`. The caller has matched the header segment."""
    header, payload, signature = compact
    signed = f"{header}.{payload}".encode("ascii")
    if not ALGORITHMS[key.algorithm].verify(key.public, decode_segment(signature), signed):
        raise Malformed(detail="signature does not verify")
    return decode_segment(payload)
