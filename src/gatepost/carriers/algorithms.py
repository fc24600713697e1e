"""The signature algorithms, one small class each: ES256, EdDSA, RS256, HS256 (RFC 7518, RFC 8037).

Owns how a key of an algorithm is made, opened, published, and how it signs and verifies bytes. Knows no token, no
header and no ring. A new algorithm is one class and one entry of the table at the end.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from gatepost.carriers.base64url import decode_strictly
from gatepost.core.ports import Randomness
from gatepost.core.secrets import encode

Algorithm = Literal["ES256", "EdDSA", "RS256", "HS256"]

_SHA256: Final = SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_CURVE: Final = ec.SECP256R1()
_PKCS1: Final = padding.PKCS1v15()
_HALF: Final = 32
_SECRET_BYTES: Final = 32
_RSA_BITS: Final = 2048
_LEAST_RSA_BITS: Final = 2048


class WrongKind(Exception):
    """The bytes are no key of this algorithm, or a weaker one than it takes."""


class SignatureAlgorithm(Protocol):
    """What the ring asks of an algorithm. Halves of a key are made here, and handed back to the same class only."""

    symmetric: bool
    """Whether whoever can verify can sign, so that the key is never published."""

    def make(self, randomness: Randomness) -> bytes:
        """A new key as bytes to be sealed."""

    def open(self, plain: bytes) -> tuple[Any, Any]:
        """The private and the public half of what `make` made. Raises `WrongKind`."""

    def jwk(self, public: Any) -> dict[str, str]:
        """The members of the public half as a JWK that are this algorithm's own (RFC 7517); none if symmetric."""

    def public_of(self, jwk: Mapping[str, str]) -> Any:
        """The public half out of such members. Raises `WrongKind`."""

    def sign(self, private: Any, message: bytes) -> bytes:
        """A signature as JWS writes it."""

    def verify(self, public: Any, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's, of exactly the length that JWS writes."""


class _Es256:
    """ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4)."""

    symmetric = False

    def make(self, randomness: Randomness) -> bytes:
        return _der(ec.generate_private_key(_CURVE))

    def open(self, plain: bytes) -> tuple[Any, Any]:
        private = _loaded(plain)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise WrongKind
        return private, private.public_key()

    def jwk(self, public: ec.EllipticCurvePublicKey) -> dict[str, str]:
        numbers = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _fixed(numbers.x), "y": _fixed(numbers.y)}

    def public_of(self, jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
        x, y = _number(jwk, "x"), _number(jwk, "y")
        try:
            return ec.EllipticCurvePublicNumbers(x, y, _CURVE).public_key()
        except ValueError as error:
            raise WrongKind from error

    def sign(self, private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, _ECDSA))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")

    def verify(self, public: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
        if len(signature) != 2 * _HALF:
            return False
        numbers = _der_integer(signature[:_HALF]) + _der_integer(signature[_HALF:])
        try:
            public.verify(b"0%c%b" % (len(numbers), numbers), message, _ECDSA)
        except InvalidSignature:
            return False
        return True


class _EdDsa:
    """Ed25519, which JOSE calls EdDSA (RFC 8037 section 3.1)."""

    symmetric = False

    def make(self, randomness: Randomness) -> bytes:
        return _der(ed25519.Ed25519PrivateKey.generate())

    def open(self, plain: bytes) -> tuple[Any, Any]:
        private = _loaded(plain)
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise WrongKind
        return private, private.public_key()

    def jwk(self, public: ed25519.Ed25519PublicKey) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": encode(public.public_bytes_raw())}

    def public_of(self, jwk: Mapping[str, str]) -> ed25519.Ed25519PublicKey:
        try:
            return ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk, "x"))
        except ValueError as error:
            raise WrongKind from error

    def sign(self, private: ed25519.Ed25519PrivateKey, message: bytes) -> bytes:
        return private.sign(message)

    def verify(self, public: ed25519.Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
        if len(signature) != 64:
            return False
        try:
            public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class _Rs256:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3), for verifiers that know nothing newer."""

    symmetric = False

    def make(self, randomness: Randomness) -> bytes:
        return _der(rsa.generate_private_key(65537, _RSA_BITS))

    def open(self, plain: bytes) -> tuple[Any, Any]:
        private = _loaded(plain)
        if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < _LEAST_RSA_BITS:
            raise WrongKind
        return private, private.public_key()

    def jwk(self, public: rsa.RSAPublicKey) -> dict[str, str]:
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _shortest(numbers.n), "e": _shortest(numbers.e)}

    def public_of(self, jwk: Mapping[str, str]) -> rsa.RSAPublicKey:
        try:
            public = rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n")).public_key()
        except ValueError as error:
            raise WrongKind from error
        if public.key_size < _LEAST_RSA_BITS:
            raise WrongKind
        return public

    def sign(self, private: rsa.RSAPrivateKey, message: bytes) -> bytes:
        return private.sign(message, _PKCS1, _SHA256)

    def verify(self, public: rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
        if len(signature) * 8 != public.key_size:
            return False
        try:
            public.verify(signature, message, _PKCS1, _SHA256)
        except InvalidSignature:
            return False
        return True


class _Hs256:
    """HMAC with SHA-256 (RFC 7518 section 3.2): one service, one secret of 256 random bits.

    Both halves are the HMAC with its key set up, of which every call takes a copy: that is half the cost.
    """

    symmetric = True

    def make(self, randomness: Randomness) -> bytes:
        return randomness.bytes(_SECRET_BYTES)

    def open(self, plain: bytes) -> tuple[Any, Any]:
        # Shorter than the hash would be weaker than the hash (RFC 7518 section 3.2).
        if len(plain) != _SECRET_BYTES:
            raise WrongKind
        mac = HMAC(plain, _SHA256)
        return mac, mac

    def jwk(self, public: HMAC) -> dict[str, str]:
        return {}

    def public_of(self, jwk: Mapping[str, str]) -> HMAC:
        raise WrongKind

    def sign(self, private: HMAC, message: bytes) -> bytes:
        mac = private.copy()
        mac.update(message)
        return mac.finalize()

    def verify(self, public: HMAC, signature: bytes, message: bytes) -> bool:
        mac = public.copy()
        mac.update(message)
        try:
            # Compares in constant time, and a signature of another length is another signature.
            mac.verify(signature)
        except InvalidSignature:
            return False
        return True


def _der_integer(half: bytes) -> bytes:
    # As `cryptography` would write it, in half the time: as short as it can be, and with no sign (X.690 section 8.3).
    digits = half.lstrip(b"\0") or b"\0"
    return b"\2%c%b" % (len(digits), digits) if digits[0] < 0x80 else b"\2%c\0%b" % (len(digits) + 1, digits)


def _der(private: Any) -> bytes:
    plain: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return plain


def _loaded(plain: bytes) -> object:
    try:
        # What is opened here was made here and sealed: looking for the factors once more would take 35 ms with RSA.
        return load_der_private_key(plain, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError) as error:
        raise WrongKind from error


def _fixed(number: int) -> str:
    return encode(number.to_bytes(_HALF, "big"))


def _shortest(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _octets(jwk: Mapping[str, str], member: str) -> bytes:
    try:
        return decode_strictly(jwk[member])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WrongKind from error


def _number(jwk: Mapping[str, str], member: str) -> int:
    return int.from_bytes(_octets(jwk, member), "big")


ALGORITHMS: Final[Mapping[str, SignatureAlgorithm]] = {
    "ES256": _Es256(),
    "EdDSA": _EdDsa(),
    "RS256": _Rs256(),
    "HS256": _Hs256(),
}
