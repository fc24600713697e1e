"""The mark of a browser that has signed in to an account before, as a cookie's value.

Owns the text form and its authenticator. A mark signs nobody in: it says whose tries are counted apart from those of
strangers. Nothing of it is kept on the server. Pure, given the key; called by `services/known_devices.py`.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from gatepost.carriers.base64url import decode_strictly
from gatepost.core.secrets import encode, same

NONCE_BYTES: Final = 12
# A family shares a browser; whoever comes fifth is a stranger again.
MOST_MARKS: Final = 4
MARK_LIFE: Final = timedelta(days=400)
_POS, _AT, _MAC = 8, 5, 16
_BYTES: Final = NONCE_BYTES + _POS + _AT + _MAC
_LETTERS: Final = (_BYTES * 4 + 2) // 3
_BETWEEN: Final = "."


@dataclass(frozen=True, slots=True)
class DeviceMark:
    """A browser that signed in: a random name for it, the position it signed in at, and when."""

    nonce: bytes
    pos: int
    at: datetime


def write_mark(key: bytes, email_key: str, mark: DeviceMark) -> str:
    """The mark as text, good for this account alone."""
    body = mark.nonce + mark.pos.to_bytes(_POS, "big") + int(mark.at.timestamp()).to_bytes(_AT, "big")
    return encode(body + _mac(key, email_key, body))


def read_mark(key: bytes, email_key: str, text: str, now: datetime) -> DeviceMark | None:
    """The mark in a text, or None: of another account, not made by us, changed, or too old."""
    raw = _raw(text)
    if raw is None:
        return None
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if not same(mac, _mac(key, email_key, body)):
        return None
    at = datetime.fromtimestamp(int.from_bytes(body[-_AT:], "big"), UTC)
    if now >= at + MARK_LIFE:
        return None
    return DeviceMark(body[:NONCE_BYTES], int.from_bytes(body[NONCE_BYTES:-_AT], "big"), at)


def marks_in(value: str) -> list[str]:
    """The texts in a cookie's value that can be marks, newest first."""
    texts = value.split(_BETWEEN, MOST_MARKS)[:MOST_MARKS]
    return [text for text in texts if _raw(text) is not None]


def joined(newest: str, others: Iterable[str]) -> str:
    """A cookie's value out of a new mark and those that stay."""
    return _BETWEEN.join([newest, *others][:MOST_MARKS])


def _raw(text: str) -> bytes | None:
    if len(text) != _LETTERS:
        return None
    try:
        return decode_strictly(text)
    except ValueError:
        return None


def _mac(key: bytes, email_key: str, body: bytes) -> bytes:
    # The body has one length, so nothing moves between it and what follows.
    return hmac.digest(key, body + email_key.encode("utf-8", "surrogatepass"), sha256)[:_MAC]
