"""Cookies as bytes: strict reading, exact writing, removal with the same attributes (RFC 6265bis)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.cookie import (
    CookieNames,
    attributes,
    names_for,
    parse_cookies,
    remove_cookie,
    write_cookie,
)
from gatepost.core.secrets import Secret

OURS = b"__Host-Http-gatepost"
UNICODE_BLANKS = [
    "\u00a0",
    "\u0085",
    "\u1680",
    "\u2000",
    "\u2003",
    "\u2028",
    "\u202f",
    "\u205f",
    "\u3000",
    "\ufeff",
    "\u200b",
]


def names_in(*headers: bytes) -> list[bytes]:
    """The names that are found."""
    return [name for name, _ in parse_cookies(headers)]


def test_cookies_over_https_have_prefixes_that_browsers_guard() -> None:
    """`__Host-Http-` for what no script may touch, `__Host-` for the one that scripts read."""
    assert names_for("gatepost", secure=True) == CookieNames(
        session="__Host-Http-gatepost",
        sealed="__Host-Http-gatepost-sealed",
        access="__Host-Http-gatepost-access",
        refresh="__Host-Http-gatepost-refresh",
        csrf="__Host-gatepost-csrf",
        secure=True,
    )


def test_cookies_on_loopback_have_no_prefix() -> None:
    """A browser would refuse a prefixed cookie over http."""
    names = names_for("shop", secure=False)
    assert names.held == ("shop", "shop-sealed", "shop-access", "shop-refresh")
    assert names.csrf == "shop-csrf"
    assert not names.secure


def test_the_names_of_the_carriers_are_at_hand_as_bytes() -> None:
    """In the order of `held`; the cross-site cookie, which holds none, is not among them."""
    names = names_for("shop", secure=True)
    assert names.carriers == tuple(name.encode() for name in names.held)
    assert names.csrf.encode() not in names.carriers


def test_names_and_values_come_in_order_with_duplicates() -> None:
    """The caller decides what two of one name mean; several headers are read as one list."""
    assert parse_cookies([b"a=1; b=2;a=3", b"a=4"]) == [
        (b"a", b"1"),
        (b"b", b"2"),
        (b"a", b"3"),
        (b"a", b"4"),
    ]


@pytest.mark.parametrize(
    ("header", "pairs"),
    [
        (b"", []),
        (b";", []),
        (b" ; ;; ", []),
        (b"a", []),
        (b"=a", []),
        (b" =a", []),
        (b"==", []),
        (b"a=", [(b"a", b"")]),
        (b"a==", [(b"a", b"=")]),
        (b"a=b=c", [(b"a", b"b=c")]),
        (b"\t a \t=\t b \t", [(b"a", b"b")]),
        (b"a=b c", [(b"a", b"b c")]),
        (b"a=1,b=2", [(b"a", b"1,b=2")]),
        (b"a=\xff\xfe", [(b"a", b"\xff\xfe")]),
    ],
    ids=repr,
)
def test_pairs_are_split_at_semicolon_and_first_equals(
    header: bytes, pairs: list[tuple[bytes, bytes]]
) -> None:
    """Blank and tab around a pair go; nameless and valueless pieces are no cookies; a comma separates nothing."""
    assert parse_cookies([header]) == pairs


@pytest.mark.parametrize("blank", UNICODE_BLANKS, ids=ascii)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_unicode_blank_before_our_name_makes_another_name(blank: str, encoding: str) -> None:
    """A sibling domain may plant such a cookie; stripped, it would pass for a protected one."""
    raw = blank.encode(encoding, "ignore")
    planted = [raw + OURS + b"=evil", OURS + raw + b"=evil", raw + b" " + OURS + b"=evil"] if raw else []
    for header in planted:
        assert OURS not in names_in(header)
        assert OURS not in names_in(b"a=b; " + header)


@pytest.mark.parametrize("control", [*range(0x09), *range(0x0A, 0x20), 0x7F], ids=hex)
def test_a_piece_with_a_control_byte_is_no_cookie(control: int) -> None:
    """In name or value, at any place; its neighbours are still read."""
    byte = bytes([control])
    for piece in (byte + OURS + b"=v", OURS + byte + b"=v", OURS + b"=" + byte + b"v", OURS + b"=v" + byte):
        assert parse_cookies([b"a=1; " + piece + b"; b=2"]) == [(b"a", b"1"), (b"b", b"2")]


def test_a_control_byte_spoils_only_its_own_piece() -> None:
    """Also when the piece is the first of a header or the last, and another header is clean."""
    assert parse_cookies([b"a=1\x00; b=2", b"c=3", b"d=4; e=\x7f5"]) == [
        (b"b", b"2"),
        (b"c", b"3"),
        (b"d", b"4"),
    ]


def test_a_tab_inside_a_value_is_kept() -> None:
    """It is the one control byte that browsers send (RFC 6265bis section 5.6)."""
    assert parse_cookies([b"a=b\tc"]) == [(b"a", b"b\tc")]


def test_the_legacy_version_attribute_changes_nothing() -> None:
    """`$Version` would turn on another grammar in an RFC 2965 parser; here it is a cookie of that name."""
    pairs = parse_cookies([b'$Version=1; a="x; ' + OURS + b'=evil; c=y"; $Path=/'])
    assert dict(pairs) == {b"$Version": b"1", b"a": b'"x', OURS: b"evil", b"c": b'y"', b"$Path": b"/"}


def test_quotes_hide_no_neighbour() -> None:
    """A quoted sandwich cannot carry our cookie into another one's value (it stays a cookie of ours)."""
    assert parse_cookies([b'x="a; ' + OURS + b'=secret; y=b"'])[1] == (OURS, b"secret")
    assert parse_cookies([OURS + b'="v"']) == [(OURS, b'"v"')]


@pytest.mark.parametrize(
    "name", [OURS.lower(), OURS.upper(), b"__host-http-gatepost", b"gatepost", b"%5F_Host-Http-gatepost"]
)
def test_another_spelling_of_our_name_is_another_name(name: bytes) -> None:
    """Names are compared byte by byte; nothing is decoded."""
    assert OURS not in names_in(name + b"=v")


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_make_the_parser_fail(headers: list[bytes]) -> None:
    """Whatever comes, names are never empty and nothing holds a control byte or a semicolon."""
    for name, value in parse_cookies(headers):
        assert name == name.strip(b" \t") != b""
        assert value == value.strip(b" \t")
        assert b";" not in name + value
        assert b"=" not in name
        assert not any(byte < 0x20 and byte != 9 for byte in name + value)


def test_a_cookie_is_written_exactly_so() -> None:
    """Path, Secure, HttpOnly and SameSite always stand there; no Domain ever does."""
    written = write_cookie("__Host-Http-gatepost", Secret("v"), timedelta(hours=1), secure=True)
    assert written == "__Host-Http-gatepost=v; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert write_cookie("gatepost", Secret("v"), timedelta(hours=1), secure=False) == (
        "gatepost=v; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize("secure", [True, False])
def test_the_attributes_are_all_that_follows_the_value(secure: bool) -> None:
    """Whoever asks whether a cookie fits counts what will be sent."""
    life = timedelta(minutes=5)
    assert write_cookie("a", Secret("v"), life, secure=secure) == f"a=v{attributes(life, secure=secure)}"


def test_only_the_cookie_for_scripts_lacks_httponly() -> None:
    """It holds the cross-site token, which pages of ours send in a header."""
    written = write_cookie(
        "__Host-gatepost-csrf", Secret("v"), timedelta(seconds=1), secure=True, script=True
    )
    assert written == "__Host-gatepost-csrf=v; Max-Age=1; Path=/; Secure; SameSite=Lax"


@pytest.mark.parametrize(("life", "seconds"), [(399, 399), (400, 400), (401, 400)])
def test_a_cookie_lives_at_most_400_days(life: int, seconds: int) -> None:
    """Browsers cap it there (RFC 6265bis section 5.5); we say what is true."""
    written = write_cookie("a", Secret("v"), timedelta(days=life), secure=True)
    assert f"; Max-Age={seconds * 86_400};" in written


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("script", [True, False])
def test_removing_repeats_the_attributes_of_setting(secure: bool, script: bool) -> None:
    """A browser deletes only what has the same path, and keeps a Secure cookie from one without it."""
    written = write_cookie("a", Secret("v"), timedelta(seconds=9), secure=secure, script=script)
    removed = remove_cookie("a", secure=secure, script=script)
    assert removed == written.replace("a=v; Max-Age=9;", "a=; Max-Age=0;")
