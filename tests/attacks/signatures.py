"""Signatures that look like a key's own and are not, for each algorithm, as attackers on its mathematics make them.

Owns the tricks; every one is made over the right bytes, under the right header. Where a trick needs the private key, it
shows a second form of a genuine signature that must not be taken either. Called by the tests of forged tokens.
"""

import hmac
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost.carriers.algorithms import ALGORITHMS, Algorithm
from gatepost.carriers.jws import PrivateKey, VerifyingKey
from gatepost.machine import SystemRandomness
from tests.attacks import edwards
from tests.attacks.targets import Target, signature_of

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of P-256 (FIPS 186-5)."""
_P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
_SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_WITHOUT_NULL = bytes.fromhex("302f300b06096086480165030402010420")
WEAK_SECRETS = (
    b"",
    b"\0",
    b"\0" * 32,
    b"secret",
    b"changeme",
    b"your-256-bit-secret",
    b"gatepost",
    b"k" * 32,
)


def tricks(target: Target, signed: str) -> Iterator[bytes]:
    """Every trick that there is against the algorithm of this target."""
    genuine = signature_of(target.key, signed)
    yield from _misfits(genuine)
    own = {"ES256": _es256, "EdDSA": _eddsa, "RS256": _rs256, "HS256": _hs256}[target.algorithm]
    yield from own(target, signed.encode("utf-8"), genuine)


@cache
def strange_key(algorithm: str, kid: str) -> PrivateKey:
    """A key of somebody else, with the name of one of ours; the same one for the same name."""
    private, public = ALGORITHMS[algorithm].open(ALGORITHMS[algorithm].make(SystemRandomness()))
    return PrivateKey(VerifyingKey(kid, cast(Algorithm, algorithm), public), private)


def second_form(target: Target, signed: str) -> bytes:
    """The other signature that ECDSA takes: `(r, n - s)`."""
    r, s = _halves(target.key, signed.encode("utf-8"))
    return _raw(r, P256_ORDER - s)


def _misfits(genuine: bytes) -> Iterator[bytes]:
    """The genuine one in another length, order or value, which no algorithm takes."""
    size = len(genuine)
    yield from (b"", b"\0", b"\0" * size, b"\xff" * size, genuine[:-1], genuine[1:], genuine[: size // 2])
    yield from (genuine + b"\0", b"\0" + genuine, genuine + genuine, genuine[::-1])
    yield genuine[size // 2 :] + genuine[: size // 2]
    for at in range(0, size, max(1, size // 8)):
        yield genuine[:at] + bytes([genuine[at] ^ 1]) + genuine[at + 1 :]
    yield genuine[:-1] + bytes([genuine[-1] ^ 0x80])


def _raw(r: int, s: int, size: int = 32) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _halves(key: PrivateKey, message: bytes) -> tuple[int, int]:
    return decode_dss_signature(key.private.sign(message, ec.ECDSA(SHA256())))


def _es256(target: Target, message: bytes, genuine: bytes) -> Iterator[bytes]:
    key, n = target.key, P256_ORDER
    chosen = (0, 1, 2, n - 1, n, n + 1, _P256_FIELD, 2**256 - 1)
    yield from (_raw(r, s) for r in chosen for s in chosen)
    r, s = _halves(key, message)
    for left, right in ((0, s), (r, 0), (n, s), (r, n), (s, r), (n - r, s), (r + n, s), (r, s + n)):
        yield _raw(left, right, 32 if max(left, right) < 2**256 else 33)
    der: bytes = key.private.sign(message, ec.ECDSA(SHA256()))
    yield from (der, der[:64], der[:64].ljust(64, b"\0"), b"\0" * (72 - len(der)) + der)
    yield from (_raw(r, s, 33), _raw(r, s, 31 if max(r, s) < 2**248 else 48), _raw(r, s, 64))
    yield from (genuine[:32] + bytes(zeros) + genuine[32:] for zeros in (1, 16, 32))
    yield from (bytes(zeros) + genuine for zeros in (1, 16, 32))
    yield r.to_bytes(32, "little") + s.to_bytes(32, "little")
    for strange in (SHA1(), SHA384(), SHA512()):
        yield _raw(*decode_dss_signature(key.private.sign(message, ec.ECDSA(strange))))
    other = ec.derive_private_key(target.key.private.private_numbers().private_value, ec.SECP256K1())
    yield _raw(*decode_dss_signature(other.sign(message, ec.ECDSA(SHA256()))))


def _eddsa(target: Target, message: bytes, genuine: bytes) -> Iterator[bytes]:
    first, scalar = genuine[:32], int.from_bytes(genuine[32:], "little")
    for times in range(1, 9):
        yield first + (scalar + times * edwards.ORDER).to_bytes(32, "little")
    for point in edwards.TORSION:
        small = edwards.encoded(point)
        for number in (0, 1, edwards.ORDER, edwards.ORDER - 1):
            yield small + number.to_bytes(32, "little")
        yield small[:31] + bytes([small[31] ^ 0x80]) + bytes(32)
    # Encodings of y = 1 and y = -1 that lie above the prime.
    yield from ((edwards.PRIME + y).to_bytes(32, "little") + bytes(32) for y in (0, 1))
    private = target.key.private
    public = private.public_key().public_bytes_raw()
    for point in edwards.TORSION[1:]:
        yield edwards.signed_with_torsion(private.private_bytes_raw(), public, message, point)
    # The pre-hashed kind, and the one with a context, sign other bytes (RFC 8032 section 5.1).
    yield private.sign(sha256(message).digest())
    yield private.sign(b"SigEd25519 no Ed25519 collisions\x00\x00" + message)
    yield public + bytes(32)


def _rs256(target: Target, message: bytes, genuine: bytes) -> Iterator[bytes]:
    private = target.key.private
    numbers = private.private_numbers()
    n, size = numbers.public_numbers.n, len(genuine)
    value = int.from_bytes(genuine, "big")
    yield from (number.to_bytes(size, "big") for number in (0, 1, n - 1, n, n - value))
    if value + n < 1 << 8 * size:
        yield (value + n).to_bytes(size, "big")
    for salt in (0, 32, padding.PSS.MAX_LENGTH):
        yield private.sign(message, padding.PSS(padding.MGF1(SHA256()), salt), SHA256())
    for strange in (SHA1(), SHA384(), SHA512()):
        yield private.sign(message, padding.PKCS1v15(), strange)
    hashed = sha256(message).digest()
    tail = _SHA256_DIGEST_INFO + hashed
    for block in _blocks(size, tail, hashed):
        yield pow(int.from_bytes(block, "big"), numbers.d, n).to_bytes(size, "big")
    # What a verifier takes that looks only at the front, with the exponent that makes a root easy (CVE-2006-4339).
    front = b"\0\1" + b"\xff" * 8 + b"\0" + tail
    yield _cube_root(int.from_bytes(front.ljust(size, b"\0"), "big")).to_bytes(size, "big")


def _blocks(size: int, tail: bytes, hashed: bytes) -> Iterator[bytes]:
    """Paddings that are nearly those of RFC 8017 section 9.2."""
    filled = b"\xff" * (size - 3 - len(tail))
    yield b"\0\1" + b"\xff" * 8 + b"\0" + tail + bytes(size - 11 - len(tail))
    yield b"\0\2" + filled + b"\0" + tail
    yield b"\0\0" + filled + b"\0" + tail
    yield b"\0\1" + filled[:-1] + b"\xfe" + b"\0" + tail
    yield b"\0\1" + bytes(len(filled)) + b"\0" + tail
    yield b"\0\1" + b"\xff" * (size - 3 - len(hashed)) + b"\0" + hashed
    bare = _WITHOUT_NULL + hashed
    yield b"\0\1" + b"\xff" * (size - 3 - len(bare)) + b"\0" + bare
    yield b"\0\1" + filled + b"\0" + tail[:-1] + bytes([tail[-1] ^ 1])


def _cube_root(number: int) -> int:
    """The smallest whole number whose cube is not less."""
    low, high = 0, 1 << number.bit_length() // 3 + 2
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def _hs256(target: Target, message: bytes, genuine: bytes) -> Iterator[bytes]:
    yield from (genuine[:size] for size in (1, 4, 8, 10, 16, 20, 24, 31))
    secrets = (*WEAK_SECRETS, target.key.verifying.kid.encode(), target.server.url.encode())
    for secret in secrets:
        yield from (hmac.digest(secret, message, name) for name in ("sha256", "sha384", "sha512"))
    yield sha256(message).digest()


def public_forms(target: Target) -> dict[str, bytes]:
    """Every form in which an attacker can find the public key of this server; nothing for a secret one."""
    public: Any = target.key.verifying.public
    if target.algorithm == "HS256":
        return {}
    listed = target.get("/.well-known/jwks.json", {})
    jwk = next(key for key in listed.json["keys"] if key["kid"] == target.key.verifying.kid)
    point = {
        "ES256": (Encoding.X962, PublicFormat.UncompressedPoint),
        "EdDSA": (Encoding.Raw, PublicFormat.Raw),
        "RS256": (Encoding.PEM, PublicFormat.PKCS1),
    }[target.algorithm]
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "pem": pem,
        "pem without its last newline": pem.rstrip(),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "bare": public.public_bytes(*point),
        "list": listed.body,
        **{member: str(value).encode() for member, value in jwk.items()},
    }
