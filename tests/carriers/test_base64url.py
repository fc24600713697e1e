"""Base64url in its one strict form, held against what Python's own writer writes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from itertools import product

import pytest

from gatepost.carriers.base64url import decode_strictly

EVERY_SIGN = [chr(code) for code in range(256)]
ASCII = EVERY_SIGN[:128]


def read(text: str) -> bytes | None:
    """The bytes of a text, None if it is refused."""
    try:
        return decode_strictly(text)
    except ValueError:
        return None


def written(text: str) -> bytes | None:
    """The bytes for which Python writes this very text, None if there are none."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (Error, ValueError):
        return None
    return raw if urlsafe_b64encode(raw).rstrip(b"=").decode() == text else None


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_texts_are_read_if_and_only_if_they_are_written(length: int) -> None:
    """Every text of up to two signs of Latin-1."""
    for signs in product(EVERY_SIGN, repeat=length):
        text = "".join(signs)
        assert read(text) == written(text), ascii(text)


@pytest.mark.parametrize("length", [3, 4, 6, 8, 11])
def test_one_strange_sign_anywhere_is_a_refusal(length: int) -> None:
    """Every sign of ASCII at every place of a text that is otherwise good."""
    good = "QUJDREVGR0hJSktMTU4"[:length]
    for place, sign in product(range(length), ASCII):
        text = good[:place] + sign + good[place + 1 :]
        assert read(text) == written(text), ascii(text)


@pytest.mark.parametrize(
    "text",
    [
        "\\u0041UJD",
        "QUJD\\u0041UJ",
        "\\u0041" * 4,
        "\\/" * 4,
        '"QUJDRE"',
        'QUJD"',
        'QUJD","QUJD',
        " QUJDREU",
        "QUJD\n",
        "QUJD====",
        "QQ==",
        "QUJ+",
        "QU/D",
        "QUJDR\ud800VG",
    ],
)
def test_what_means_something_elsewhere_is_a_refusal(text: str) -> None:
    """Escapes, quotes, blanks, padding, the standard alphabet and half a character give no second text for a value."""
    with pytest.raises(ValueError):
        decode_strictly(text)
