"""Authenticated encryption of small things at rest, and the keys derived for it.

Owns the master key's derivations and the box format: nonce (12 bytes), then AES-256-GCM ciphertext. Callers name what
they seal; a box opened under another name does not open.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gatepost.core.ports import Randomness

_NONCE: Final = 12
KEY_BYTES: Final = 32


class Unopenable(Exception):
    """The box was made with another key or under another name, or was changed."""


def derive(secret: bytes, purpose: str) -> bytes:
    """A 256-bit key for one purpose (HKDF-SHA256, RFC 5869), so that no two purposes ever share a key."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"gatepost {purpose}".encode()).derive(
        secret
    )


def seal(key: bytes, name: str, plain: bytes, randomness: Randomness) -> bytes:
    """A box that opens only with this key and this name."""
    nonce = randomness.bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, name.encode())


def unseal(key: bytes, name: str, box: bytes) -> bytes:
    """What is in a box; raises `Unopenable`."""
    try:
        return AESGCM(key).decrypt(box[:_NONCE], box[_NONCE:], name.encode())
    except (InvalidTag, ValueError) as error:
        raise Unopenable(name) from error


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The 256-bit key that is kept outside the database. Everything else is derived from it, purpose by purpose."""

    raw: bytes = field(repr=False)

    def for_purpose(self, purpose: str) -> bytes:
        """The derived key for one purpose."""
        return derive(self.raw, purpose)
