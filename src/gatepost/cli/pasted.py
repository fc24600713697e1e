"""What somebody pasted: a bare token or cookie value, `Bearer x`, or header lines as a browser or curl shows them.

Owns the taking apart, by the same strict reading as the server's, and judges nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gatepost.carriers.cookie import names_for, parse_cookies
from gatepost.core.sessions import Carrier

_HEADERS: Final = ("set-cookie:", "cookie:")
_AUTHORIZATION: Final = "authorization:"
_BEARER: Final = "bearer "


class Place(StrEnum):
    """Where a text was found."""

    BARE = "by itself"
    HEADER = "in an Authorization header"
    SESSION = "in the session cookie"
    SEALED = "in the sealed cookie"
    ACCESS = "in the access token's cookie"
    REFRESH = "in the refresh token's cookie"

    @property
    def carrier(self) -> Carrier | None:
        """The carrier that a server takes what is found here for; None where that is not said."""
        return _CARRIERS.get(self)


_CARRIERS: Final = {
    Place.HEADER: Carrier.TOKEN,
    Place.SESSION: Carrier.COOKIE,
    Place.SEALED: Carrier.SEALED,
    Place.ACCESS: Carrier.TOKEN_COOKIE,
    Place.REFRESH: Carrier.TOKEN_COOKIE,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One credential and where it was found."""

    text: str = field(repr=False)
    place: Place = Place.BARE


def pieces_of(pasted: str, cookie_name: str) -> list[Piece]:
    """Every credential in a pasted text; `cookie_name` is the word in the names of our cookies.

    None where header lines hold no cookie of ours. A text that is no header line is one credential as it stands.
    """
    lines = [_plain(line) for line in pasted.splitlines() if line.strip()]
    if not any(_is_header(line, cookie_name) for line in lines):
        return [_bare(pasted.strip())]
    return [piece for line in lines for piece in _in_header(line, cookie_name)]


def _plain(line: str) -> str:
    # As curl -v shows what it sends and what it gets.
    return line.strip().removeprefix("> ").removeprefix("< ").strip()


def _is_header(line: str, cookie_name: str) -> bool:
    lower = line.lower()
    return lower.startswith((*_HEADERS, _AUTHORIZATION)) or bool(list(_in_cookies(line, cookie_name)))


def _in_header(line: str, cookie_name: str) -> Iterator[Piece]:
    lower = line.lower()
    if lower.startswith(_AUTHORIZATION):
        value = line[len(_AUTHORIZATION) :].strip()
        if value.lower().startswith(_BEARER):
            yield _bare(value)
        return
    for header in _HEADERS:
        if lower.startswith(header):
            line = line[len(header) :]
            break
    # Empty it is, in a Set-Cookie line, where a server takes a cookie away; in a Cookie line it is a value.
    removed = not lower.startswith("cookie:")
    yield from (piece for piece in _in_cookies(line, cookie_name) if piece.text or not removed)


def _in_cookies(line: str, cookie_name: str) -> Iterator[Piece]:
    places = _places(cookie_name)
    for name, value in parse_cookies([line.encode("utf-8", "surrogateescape")]):
        place = places.get(name.decode("latin-1"))
        if place is not None:
            yield Piece(value.decode("utf-8", "replace"), place)


def _places(cookie_name: str) -> dict[str, Place]:
    both = [names_for(cookie_name, secure=secure) for secure in (True, False)]
    return {
        name: place
        for names in both
        for name, place in zip(
            names.held, (Place.SESSION, Place.SEALED, Place.ACCESS, Place.REFRESH), strict=True
        )
    }


def _bare(text: str) -> Piece:
    if text[: len(_BEARER)].lower() == _BEARER:
        return Piece(text[len(_BEARER) :].strip(), Place.HEADER)
    return Piece(text)
