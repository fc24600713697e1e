"""What a request presents: nothing, one carrier, or too much to say which is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.cookie import names_for
from gatepost.carriers.presented import (
    Ambiguous,
    Bearer,
    Nothing,
    OpaqueCookie,
    Presented,
    SealedCookie,
    TokenCookies,
    every_presented,
    has_handle_shape,
    read_presented,
)

NAMES = names_for("gatepost", secure=True)
SESSION, SEALED, ACCESS, REFRESH = NAMES.carriers
CSRF = NAMES.csrf.encode()
COOKIE = (b"cookie", SESSION + b"=value")
TOKEN = (b"authorization", b"Bearer token")


def presented(*headers: tuple[bytes, bytes]) -> Presented:
    """What these headers present under our names over https."""
    return read_presented(headers, NAMES)


def test_a_request_without_a_credential_presents_nothing() -> None:
    """Other headers and other cookies are not looked at."""
    assert presented() == Nothing()
    assert presented((b"host", b"auth.example.com"), (b"x-authorization", b"Bearer token")) == Nothing()
    assert presented((b"cookie", b"theme=dark; gatepost=value"), (b"cookie", b"")) == Nothing()


def test_our_cookie_is_presented_wherever_it_stands() -> None:
    """Among others, and in the second of several Cookie headers, as HTTP/2 may split them."""
    assert presented(COOKIE) == OpaqueCookie("value")
    assert presented((b"cookie", b"theme=dark; " + SESSION + b"=value; a=b")) == OpaqueCookie("value")
    assert presented((b"cookie", b"theme=dark"), COOKIE) == OpaqueCookie("value")


def test_each_carrier_in_a_cookie_is_told_by_its_name() -> None:
    """The opaque value, the sealed session, and tokens of which either may be there alone."""
    assert presented((b"cookie", SEALED + b"=a.b.c")) == SealedCookie("a.b.c")
    assert presented((b"cookie", ACCESS + b"=a.b.c")) == TokenCookies("a.b.c", None)
    assert presented((b"cookie", REFRESH + b"=a.b.c")) == TokenCookies(None, "a.b.c")


@pytest.mark.parametrize(
    "headers",
    [
        ((b"cookie", ACCESS + b"=first; " + REFRESH + b"=second"),),
        ((b"cookie", REFRESH + b"=second; theme=dark; " + ACCESS + b"=first"),),
        ((b"cookie", REFRESH + b"=second"), (b"cookie", ACCESS + b"=first")),
    ],
)
def test_access_and_refresh_cookie_are_one_carrier(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """In either order, in one header or two."""
    assert presented(*headers) == TokenCookies("first", "second")


@pytest.mark.parametrize("name", [SESSION, SEALED, ACCESS, REFRESH])
def test_the_cross_site_cookie_is_no_carrier(name: bytes) -> None:
    """It signs nobody in, alone, twice or beside any carrier."""
    csrf = CSRF + b"=x; " + CSRF + b"=y"
    assert presented((b"cookie", csrf)) == Nothing()
    assert presented((b"cookie", csrf), TOKEN) == Bearer("token")
    alone = presented((b"cookie", name + b"=v"))
    assert presented((b"cookie", csrf + b"; " + name + b"=v")) == alone != Nothing()


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER", b"bEaReR"])
@pytest.mark.parametrize("blanks", [b" ", b"   "])
def test_the_scheme_is_compared_without_case(scheme: bytes, blanks: bytes) -> None:
    """RFC 9110 section 11.1; more than one blank may follow."""
    assert presented((b"authorization", scheme + blanks + b"token")) == Bearer("token")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Basic YTpi",
        b"DPoP token",
        b"Bearertoken",
        b"Bearer\ttoken",
        b"token",
        b"Digest Bearer x",
    ],
)
def test_an_authorization_of_another_scheme_is_not_ours(value: bytes) -> None:
    """A proxy's own Basic sign-in beside our cookie is no second credential."""
    assert presented((b"authorization", value)) == Nothing()
    assert presented((b"authorization", value), COOKIE) == OpaqueCookie("value")
    assert presented((b"authorization", value), TOKEN) == Bearer("token")


def test_an_empty_credential_is_still_one() -> None:
    """It will be refused; taken for nothing, a broken client would look signed out."""
    assert presented((b"authorization", b"Bearer ")) == Bearer("")
    assert presented((b"cookie", SESSION + b"=")) == OpaqueCookie("")
    assert presented((b"cookie", SEALED + b"=")) == SealedCookie("")
    assert presented((b"cookie", ACCESS + b"=; " + REFRESH + b"=")) == TokenCookies("", "")


@pytest.mark.parametrize("name", [SESSION, SEALED, ACCESS, REFRESH])
def test_a_removed_cookie_presents_nothing(name: bytes) -> None:
    """A browser leaves it away altogether; a piece without an equals sign is no cookie of that name either."""
    assert presented((b"cookie", CSRF + b"=x")) == Nothing()
    assert presented((b"cookie", name)) == Nothing()
    assert presented((b"cookie", b"=" + name)) == Nothing()


@pytest.mark.parametrize(
    "headers",
    [
        (TOKEN, COOKIE),
        (COOKIE, TOKEN),
        (TOKEN, TOKEN),
        (TOKEN, (b"authorization", b"bearer other")),
        (COOKIE, COOKIE),
        (COOKIE, (b"cookie", SESSION + b"=other")),
        ((b"cookie", SESSION + b"=value; " + SESSION + b"=value"),),
        ((b"cookie", SESSION + b"=value; a=b; " + SESSION + b"="),),
        ((b"authorization", b"Bearer "), COOKIE),
        (TOKEN, (b"cookie", SEALED + b"=v")),
        (TOKEN, (b"cookie", ACCESS + b"=v")),
        (TOKEN, (b"cookie", REFRESH + b"=v")),
        (TOKEN, (b"cookie", ACCESS + b"=v; " + REFRESH + b"=v")),
        (COOKIE, (b"cookie", SEALED + b"=v")),
        (COOKIE, (b"cookie", SEALED + b"=")),
        (COOKIE, (b"cookie", ACCESS + b"=v")),
        (COOKIE, (b"cookie", REFRESH + b"=v")),
        ((b"cookie", SEALED + b"=v; " + REFRESH + b"=v"),),
        ((b"cookie", SEALED + b"=v; " + SEALED + b"=v"),),
        ((b"cookie", ACCESS + b"=v; " + ACCESS + b"=v"),),
        ((b"cookie", REFRESH + b"=v; " + REFRESH + b"=w"),),
        ((b"cookie", ACCESS + b"=v; " + REFRESH + b"=v; " + REFRESH + b"="),),
        ((b"cookie", ACCESS + b"=v; " + REFRESH + b"=v; " + SEALED + b"=v"),),
        ((b"cookie", b"; ".join(name + b"=v" for name in NAMES.carriers)),),
    ],
)
def test_more_than_one_carrier_is_ambiguous(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Two kinds of carrier, or two values of one, even equal or empty: which is meant must not be guessed."""
    assert presented(*headers) == Ambiguous()


def test_every_value_of_every_carrier_is_listed_for_whoever_ends_them() -> None:
    """Sign-in ends all that was presented: in the order in which it came, equal ones too, tokens each by itself."""
    headers = [
        (b"cookie", REFRESH + b"=r; x=y; " + SESSION + b"=a; " + CSRF + b"=c"),
        TOKEN,
        (b"authorization", b"Basic YTpi"),
        (b"cookie", SEALED + b"=s; " + SESSION + b"=a; " + ACCESS + b"=t"),
        (b"authorization", b"bearer  other "),
    ]
    assert every_presented(headers, NAMES) == [
        TokenCookies(None, "r"),
        OpaqueCookie("a"),
        Bearer("token"),
        SealedCookie("s"),
        OpaqueCookie("a"),
        TokenCookies("t", None),
        Bearer("other"),
    ]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("a" * 43, True),
        ("a" * 42, False),
        ("a" * 44, False),
        ("", False),
        ("a" * 42 + "\xff", False),
        ("a" * 5000, False),
    ],
)
def test_only_43_ascii_characters_can_be_a_handle(value: str, fits: bool) -> None:
    """Anything else is refused without a look-up."""
    assert has_handle_shape(value) is fits


_PIECES = st.sampled_from([*(name + b"=" for name in NAMES.carriers), b"; ", b"Bearer ", b"v", CSRF + b"=x"])
_VALUES = st.one_of(st.binary(max_size=80), st.lists(_PIECES, max_size=8).map(b"".join))


@given(st.lists(st.tuples(st.sampled_from([b"cookie", b"authorization"]), _VALUES), max_size=4))
def test_what_is_presented_is_the_one_thing_that_is_listed(headers: list[tuple[bytes, bytes]]) -> None:
    """Any bytes present something or nothing, and both readers agree: one listed carrier, none, or too many."""
    listed = every_presented(headers, NAMES)
    match presented(*headers):
        case Nothing():
            assert listed == []
        case Ambiguous():
            assert len(listed) > 1
        case TokenCookies(str(access), str(refresh)):
            both = [TokenCookies(access, None), TokenCookies(None, refresh)]
            assert listed in (both, both[::-1])
        case one:
            assert listed == [one]


@pytest.mark.parametrize("shown", [*(name + b"=secret" for name in NAMES.carriers)])
def test_no_carrier_is_printed(shown: bytes) -> None:
    """What a request presents may stand in a traceback."""
    assert "secret" not in repr(presented((b"cookie", shown)))
    assert "secret" not in repr(presented((b"authorization", b"Bearer secret")))
