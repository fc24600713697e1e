"""Secrets as values: what must never be printed, how it is digested, how two are compared.

Owns the text forms of the random handles that clients hold. Makes no randomness of its own: the bytes are handed in
by whoever holds the randomness port.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

HANDLE_BYTES: Final = 32
ID_BYTES: Final = 16
_REFRESH_SHAPE: Final = (22, 43, 43)


class Secret:
    """Text that signs somebody in. It prints as `Secret(…)`, compares in constant time and cannot be pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it to its owner."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same(digest(self._text), digest(other._text))

    def __hash__(self) -> int:
        return hash(digest(self._text))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not to be stored")


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def digest(text: str) -> bytes:
    """SHA-256 of a high-entropy text: what the store keeps instead of it. 32 bytes.

    A slow hash would add nothing: 256 random bits cannot be guessed however fast the guesses are checked.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, which only a stranger sends. The plain form comes first because every check pays for it.
        raw = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).digest()


def same(left: bytes, right: bytes) -> bool:
    """Whether two digests are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)


@dataclass(frozen=True, slots=True, repr=False)
class RefreshHandle:
    """A refresh token as its three parts: `id.family.rotor`.

    The id finds the record, the family shows that the holder once had a genuine token of this session, the rotor
    says which generation it is. Only digests of family and rotor are ever stored.
    """

    id: str
    family: str
    rotor: str

    def __repr__(self) -> str:
        return f"RefreshHandle(id={self.id!r}, …)"

    @property
    def token(self) -> Secret:
        """The refresh token as the client holds it."""
        return Secret(f"{self.id}.{self.family}.{self.rotor}")


def parse_refresh(text: str) -> RefreshHandle | None:
    """The parts of a refresh token, or None if it does not have the shape of one."""
    if len(text) > sum(_REFRESH_SHAPE) + 2:
        return None
    parts = text.split(".")
    if tuple(len(part) for part in parts) != _REFRESH_SHAPE or not text.isascii():
        return None
    return RefreshHandle(*parts)
