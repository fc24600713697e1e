"""Cookies as bytes: their names, the strict reading of a Cookie header, the writing of Set-Cookie (RFC 6265bis).

Also the token that shows a request to come from a page of ours, which is bound to a session. Knows nothing of what a
cookie's value means.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Final

from gatepost.core.ports import Randomness
from gatepost.core.secrets import Secret, encode

_CONTROLS: Final = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
LONGEST_LIFE: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The names of our cookies on one installation. `carriers` are the names of `held` as they come in a header.

    Over https they carry prefixes: `__Host-` binds a cookie to this very host, so that a sibling domain cannot plant
    one, and `__Host-Http-` adds that script cannot plant one either. Over plain http on loopback, in development
    only, a browser would refuse those, so there are none.
    """

    session: str
    sealed: str
    access: str
    refresh: str
    csrf: str
    secure: bool
    carriers: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once for all: every request compares its cookies with them.
        object.__setattr__(self, "carriers", tuple(name.encode() for name in self.held))

    @property
    def held(self) -> tuple[str, ...]:
        """Every cookie that can hold a carrier."""
        return (self.session, self.sealed, self.access, self.refresh)

    @property
    def device(self) -> str:
        """The cookie that says which accounts a browser has signed in to before. It carries nobody."""
        return f"{self.session}-device"


def names_for(name: str, *, secure: bool) -> CookieNames:
    """The cookie names for the setting `cookies.name`."""
    http, plain = ("__Host-Http-", "__Host-") if secure else ("", "")
    return CookieNames(
        session=f"{http}{name}",
        sealed=f"{http}{name}-sealed",
        access=f"{http}{name}-access",
        refresh=f"{http}{name}-refresh",
        csrf=f"{plain}{name}-csrf",
        secure=secure,
    )


def parse_cookies(headers: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Every name and value of the Cookie headers, in order, duplicates and all.

    Only blank and tab are stripped, and only around a pair. A parser that strips Unicode blanks turns a cookie that a
    script may plant into one of a protected name; one that honours `$Version` or quotes lets a cookie swallow its
    neighbours. A value with a control byte is dropped, as a browser would.
    """
    pairs = []
    for header in headers:
        clean = not _has_control(header)
        for piece in header.split(b";"):
            name, equals, value = piece.strip(b" \t").partition(b"=")
            if equals and name and (clean or not _has_control(piece)):
                pairs.append((name.rstrip(b" \t"), value.lstrip(b" \t")))
    return pairs


def _has_control(piece: bytes) -> bool:
    return len(piece.translate(None, _CONTROLS)) < len(piece)


def write_cookie(name: str, value: Secret, life: timedelta, *, secure: bool, script: bool = False) -> str:
    """A Set-Cookie value. `script` leaves HttpOnly away, for the one cookie that pages of ours must read."""
    return f"{name}={value.reveal()}{attributes(life, secure=secure, script=script)}"


def attributes(life: timedelta, *, secure: bool, script: bool = False) -> str:
    """All that follows the value in a Set-Cookie value that sets."""
    seconds = int(min(life, LONGEST_LIFE).total_seconds())
    return f"; Max-Age={seconds}{_everywhere(secure=secure, script=script)}"


def remove_cookie(name: str, *, secure: bool, script: bool = False) -> str:
    """A Set-Cookie value that deletes: browsers want the same attributes as when it was set."""
    return f"{name}=; Max-Age=0{_everywhere(secure=secure, script=script)}"


def _everywhere(*, secure: bool, script: bool) -> str:
    return "; Path=/" + ("; Secure" if secure else "") + ("" if script else "; HttpOnly") + "; SameSite=Lax"


def csrf_token(key: bytes, session_id: str) -> str:
    """The cookie-to-header token of a session: an HMAC of its id, so a token of another session never fits."""
    return encode(hmac.digest(key, session_id.encode(), sha256))


def mask(token: str, randomness: Randomness) -> str:
    """The token in a form that differs on every page, so that compression beside a secret tells nothing (BREACH)."""
    raw = token.encode()
    pad = randomness.bytes(len(raw))
    return (pad + bytes(a ^ b for a, b in zip(pad, raw, strict=True))).hex()


def unmask(masked: str) -> str:
    """What was masked; something that fits no session if it was not masked by us."""
    try:
        raw = bytes.fromhex(masked)
    except ValueError:
        return ""
    half = len(raw) // 2
    return bytes(a ^ b for a, b in zip(raw[:half], raw[half : 2 * half], strict=True)).decode(
        "ascii", "replace"
    )


def csrf_fits(key: bytes, session_id: str, presented: str) -> bool:
    """Whether a presented token, plain or masked, is the one of this session."""
    expected = csrf_token(key, session_id).encode()
    shown = presented if len(presented) == len(expected) else unmask(presented)
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), expected)
