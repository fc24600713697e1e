"""Strict base64url without padding: one text for each value (RFC 7515 section 2, RFC 4648 section 3.5).

Owns the reading; `core/secrets.encode` writes. Python's own decoder skips characters it does not know and ignores stray
bits, so one token would have many texts. Called by whatever reads a compact token or a JWK.
"""

from typing import Final

import msgspec

# The standard alphabet's own two signs become one that no alphabet has. So do the two that mean something in a JSON
# string: as such it is handed to the decoder, which refuses what is not in the alphabet in half the time of Python's.
_TO_STANDARD: Final = bytes.maketrans(b'-_+/="\\', b"+/!!!!!")
_PADDED: Final = (b'"', b'!"', b'=="', b'="')
# What a last character may be that carries four bits, or two, of the next byte: those bits have to be zero.
_LAST: Final[tuple[frozenset[str] | None, ...]] = (
    None,
    frozenset(),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)
_DECODER: Final = msgspec.json.Decoder(bytes)


def decode_strictly(text: str) -> bytes:
    """The bytes that a text stands for. Raises `ValueError` for any text that `encode` would not have written."""
    over = len(text) & 3
    last = _LAST[over]
    if last is not None and text[-1] not in last:
        raise ValueError("not canonical base64url")
    try:
        return _DECODER.decode(b'"' + text.encode("ascii").translate(_TO_STANDARD) + _PADDED[over])
    except msgspec.MsgspecError as error:
        raise ValueError("not base64url") from error
