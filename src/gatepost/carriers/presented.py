"""What a request presents: nothing, one carrier, or too much to say which is meant.

Reads raw header bytes, so that every framework hands in the same thing. Judges form only.
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
class Bearer:
    """An access token in the Authorization header (RFC 6750 section 2.1)."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one carrier, or two values of one."""


Presented = Nothing | OpaqueCookie | Bearer | Ambiguous


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
    handles = _handles(cookies, names) if cookies else []
    if len(bearers) + len(handles) > 1:
        return Ambiguous()
    if bearers:
        return Bearer(bearers[0].decode("latin-1"))
    return OpaqueCookie(handles[0].decode("latin-1")) if handles else Nothing()


def _handles(cookies: list[bytes], names: CookieNames) -> list[bytes]:
    wanted = names.session.encode()
    return [value for name, value in parse_cookies(cookies) if name == wanted]


def session_handles(headers: Iterable[tuple[bytes, bytes]], names: CookieNames) -> list[str]:
    """Every session cookie of a request, also when there are several: sign-in ends them all."""
    cookies = [value for name, value in headers if name == b"cookie"]
    return [value.decode("latin-1") for value in _handles(cookies, names)]


def has_handle_shape(value: str) -> bool:
    """Whether a value could be an opaque cookie of ours; anything else needs no look-up."""
    return len(value) == _HANDLE_LENGTH and value.isascii()
