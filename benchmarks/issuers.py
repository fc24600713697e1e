"""A key of each algorithm as we hold it and as every library takes it, with tokens that it has signed.

The least that verifying one of them takes stands here too; `rivals.py` and `node.py` have the libraries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.measuring import Work
from benchmarks.world import World
from gatepost.carriers.algorithms import ALGORITHMS, Algorithm
from gatepost.carriers.jws import PrivateKey, VerifyingKey, decode_segment, parse_compact
from gatepost.carriers.keys import ACCESS_TYP, KeyRing
from gatepost.carriers.presented import Bearer
from gatepost.carriers.tokens import issue

TAKING_TURNS: Final = 16
_ECDSA: Final = ECDSA(SHA256())
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()

Pieces = tuple[bytes, bytes]
"""A signature as `cryptography` takes it, and what it is over."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs with one algorithm. `secret` is None but for HS256, where it is all there is."""

    algorithm: Algorithm
    name: str
    ring: KeyRing
    tokens: tuple[str, ...]
    secret: bytes | None

    @property
    def public(self) -> Any:
        """The public key as `cryptography` has it."""
        return self.ring.signing.verifying.public

    @property
    def pem(self) -> bytes:
        """The public key as every library reads it; of HS256 the secret."""
        if self.secret is not None:
            return self.secret
        written: bytes = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return written

    @property
    def bearers(self) -> tuple[Bearer, ...]:
        """The tokens as they are presented."""
        return tuple(map(Bearer, self.tokens))


def issuers(w: World) -> tuple[Issuer, ...]:
    """One of each algorithm, all under the name of this installation, with tokens for the session of its bearer."""
    return tuple(_issuer(w, algorithm) for algorithm in ALGORITHMS)


def _issuer(w: World, algorithm: str) -> Issuer:
    identifiers, kind = w.authority.identifiers, ALGORITHMS[algorithm]
    plain = kind.make(identifiers.randomness)
    private, public = kind.open(plain)
    key = VerifyingKey(identifiers.name(), msgspec.convert(algorithm, Algorithm), public)
    signing = PrivateKey(key, private)
    ring = KeyRing(signing, {key.header(ACCESS_TYP): key}, (), {key.algorithm: signing})
    claims = msgspec.json.decode(decode_segment(parse_compact(w.bearer.token).payload))
    tokens = [issue(signing, {**claims, "jti": identifiers.name()}).reveal() for _ in range(TAKING_TURNS)]
    issuer = w.authority.settings.issuer
    return Issuer(key.algorithm, issuer, ring, tuple(tokens), plain if kind.symmetric else None)


def raw_verify(issuer: Issuer) -> Work:
    """The signature alone, already decoded, by `cryptography`; no claim is read."""
    pieces = cycle([_pieces(issuer, token) for token in issuer.tokens])
    verify = _verifying(issuer)
    return lambda: verify(next(pieces))


def _pieces(issuer: Issuer, token: str) -> Pieces:
    compact = parse_compact(token)
    signature = decode_segment(compact.signature)
    if issuer.algorithm == "ES256":
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        signature = encode_dss_signature(r, s)
    return signature, f"{compact.header}.{compact.payload}".encode()


def _verifying(issuer: Issuer) -> Callable[[Pieces], object]:
    public, secret = issuer.public, issuer.secret
    match issuer.algorithm:
        case "ES256":
            return lambda of: public.verify(of[0], of[1], _ECDSA)
        case "EdDSA":
            return lambda of: public.verify(of[0], of[1])
        case "RS256":
            return lambda of: public.verify(of[0], of[1], _PADDING, _SHA256)
        case "HS256":
            return lambda of: _verify_mac(secret or b"", of)


def _verify_mac(secret: bytes, of: Pieces) -> None:
    mac = HMAC(secret, _SHA256)
    mac.update(of[1])
    mac.verify(of[0])
