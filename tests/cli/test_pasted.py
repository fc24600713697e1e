"""What `token inspect` takes for a credential in what somebody pasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.cli.pasted import Piece, Place, pieces_of

SECURE = "__Host-Http-gatepost"


@pytest.mark.parametrize(
    ("pasted", "pieces"),
    [
        ("abc", [("abc", Place.BARE)]),
        ("  abc \n", [("abc", Place.BARE)]),
        ("Bearer abc", [("abc", Place.HEADER)]),
        ("bEARER   abc", [("abc", Place.HEADER)]),
        ("Authorization: Bearer abc", [("abc", Place.HEADER)]),
        ("< authorization: bearer abc", [("abc", Place.HEADER)]),
        ("Authorization: Basic abc", []),
        (f"{SECURE}=abc", [("abc", Place.SESSION)]),
        (
            f"Set-Cookie: {SECURE}=abc; Max-Age=9; Path=/; Secure; HttpOnly; SameSite=Lax",
            [("abc", Place.SESSION)],
        ),
        (f"< set-cookie: {SECURE}-sealed=a.b..c; Path=/", [("a.b..c", Place.SEALED)]),
        ("gatepost-access=abc; Path=/", [("abc", Place.ACCESS)]),
        (
            f"> Cookie: theme=dark; {SECURE}-access=abc; {SECURE}-refresh=d.e.f; __Host-gatepost-csrf=x",
            [("abc", Place.ACCESS), ("d.e.f", Place.REFRESH)],
        ),
        (
            f"Set-Cookie: {SECURE}-access=abc; Path=/\nSet-Cookie: {SECURE}-refresh=d.e.f; Path=/",
            [("abc", Place.ACCESS), ("d.e.f", Place.REFRESH)],
        ),
        (
            f"Set-Cookie: {SECURE}=; Max-Age=0; Path=/\nSet-Cookie: {SECURE}-sealed=a; Path=/",
            [("a", Place.SEALED)],
        ),
        (f"Cookie: {SECURE}=", [("", Place.SESSION)]),
        (f"Cookie: {SECURE}=a; {SECURE}=b", [("a", Place.SESSION), ("b", Place.SESSION)]),
        ("Cookie: theme=dark", []),
        (f"GET /account HTTP/1.1\nHost: x\nCookie: {SECURE}=abc", [("abc", Place.SESSION)]),
        (f"Cookie: \u00a0{SECURE}=abc", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pasted_text_is_taken_apart_as_a_server_would(pasted: str, pieces: list[tuple[str, Place]]) -> None:
    """A bare value, `Bearer`, header lines as browsers and curl show them; names of strangers are left out."""
    assert pieces_of(pasted, "gatepost") == [Piece(text, place) for text, place in pieces]


def test_cookies_go_by_the_name_that_is_set() -> None:
    """With another `cookies.name` ours are called otherwise."""
    assert pieces_of("Cookie: shop=abc; gatepost=def", "shop") == [Piece("abc", Place.SESSION)]


def test_a_piece_does_not_print_what_it_holds() -> None:
    """A traceback is no place for a token."""
    assert "abc" not in repr(Piece("abc"))


@given(st.text(max_size=200))
def test_whatever_is_pasted_is_taken_apart(pasted: str) -> None:
    """There is no text on which it stumbles."""
    assert all(isinstance(piece, Piece) for piece in pieces_of(pasted, "gatepost"))
