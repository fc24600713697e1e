"""What a request presents: nothing, one carrier, or too much to say which is meant.

Reads raw header bytes, so that every framework hands in the same thing. Judges form only. An empty value is a value: a
browser sends none once a cookie was removed, so what is empty was planted or broken, and is refused as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gatepost.carriers.cookie import CookieNames, parse_cookies

_HANDLE_LENGTH: Final = 43


@dataclass(frozen=True, slots=True)
class Nothing:
    """No carrier of ours."""


@dataclass(frozen=True, slots=True)
class OpaqueCookie:
    """The value of our session cookie."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedCookie:
    """The value of our sealed cookie."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenCookies:
    """The tokens of one session in cookies, at least one of them: an access token's cookie ends with the token."""

    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token in the Authorization header (RFC 6750 section 2.1)."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one carrier, or two values of one."""


InCookies = OpaqueCookie | SealedCookie | TokenCookies
Presented = Nothing | InCookies | Bearer | Ambiguous


def read_presented(headers: Iterable[tuple[bytes, bytes]], names: CookieNames) -> Presented:
    """What the raw headers (names in lower case, as ASGI gives them) present.

    An Authorization header of another scheme than Bearer is not ours and is left alone.
    """
    bearers: list[bytes] = []
    cookies: list[bytes] = []
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() == b"bearer ":
                bearers.append(value[7:].strip(b" "))
        elif name == b"cookie":
            cookies.append(value)
    ours = _ours(cookies, names) if cookies else []
    if not bearers:
        return _in_cookies(ours, names) if ours else Nothing()
    if ours or len(bearers) > 1:
        return Ambiguous()
    return Bearer(bearers[0].decode("latin-1"))


def _ours(cookies: list[bytes], names: CookieNames) -> list[tuple[bytes, bytes]]:
    carriers = names.carriers
    return [pair for pair in parse_cookies(cookies) if pair[0] in carriers]


def _in_cookies(ours: list[tuple[bytes, bytes]], names: CookieNames) -> InCookies | Ambiguous:
    if len(ours) == 1:
        return _alone(ours[0], names)
    # Two tokens are one carrier; with two values of one name nobody could say which belong together.
    values = dict(ours)
    _, _, access, refresh = names.carriers
    if len(ours) == 2 and values.keys() == {access, refresh}:
        return TokenCookies(values[access].decode("latin-1"), values[refresh].decode("latin-1"))
    return Ambiguous()


def _alone(pair: tuple[bytes, bytes], names: CookieNames) -> InCookies:
    name, text = pair[0], pair[1].decode("latin-1")
    session, sealed, access, _ = names.carriers
    if name == session:
        return OpaqueCookie(text)
    if name == sealed:
        return SealedCookie(text)
    return TokenCookies(text, None) if name == access else TokenCookies(None, text)


def every_presented(headers: Iterable[tuple[bytes, bytes]], names: CookieNames) -> list[InCookies | Bearer]:
    """Each value of each carrier of a request by itself, also where they are too many: sign-in ends them all.

    Access and refresh token stand apart here, for they need not be of one session.
    """
    found: list[InCookies | Bearer] = []
    for name, value in headers:
        if name == b"cookie":
            found += [_alone(pair, names) for pair in _ours([value], names)]
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            found.append(Bearer(value[7:].strip(b" ").decode("latin-1")))
    return found


def has_handle_shape(value: str) -> bool:
    """Whether a value could be an opaque cookie of ours; anything else needs no look-up."""
    return len(value) == _HANDLE_LENGTH and value.isascii()
