"""Strict base64url without padding: one text for each value (RFC 7515 section 2, RFC 4648 section 3.5).

Owns the reading; `core/secrets.encode` writes. Python's own decoder skips characters it does not know and ignores stray
bits, so one token would have many texts. Called by whatever reads a compact token or a JWK.
"""

from binascii import a2b_base64
from typing import Final

# The standard alphabet's own two signs become one that no alphabet has.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", b"!", b"==", b"=")
# What a last character may be that carries four bits, or two, of the next byte: those bits have to be zero.
_LAST: Final[tuple[frozenset[str] | None, ...]] = (
    None,
    frozenset(),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)


def decode_strictly(text: str) -> bytes:
    """The bytes that a text stands for. Raises `ValueError` for any text that `encode` would not have written."""
    over = len(text) & 3
    last = _LAST[over]
    if last is not None and text[-1] not in last:
        raise ValueError("not canonical base64url")
    return a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + _PADDING[over], strict_mode=True)
