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
    has_handle_shape,
    read_presented,
    session_handles,
)

NAMES = names_for("gatepost", secure=True)
SESSION = NAMES.session.encode()
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
    ],
)
def test_more_than_one_carrier_is_ambiguous(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Cookie and token, or two values of either, even equal ones: which is meant must not be guessed."""
    assert presented(*headers) == Ambiguous()


def test_every_session_cookie_is_listed_for_whoever_ends_them() -> None:
    """Sign-in ends all that was presented."""
    headers = [(b"cookie", SESSION + b"=a; x=y"), TOKEN, (b"cookie", SESSION + b"=b; " + SESSION + b"=a")]
    assert session_handles(headers, NAMES) == ["a", "b", "a"]


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


@given(
    st.lists(st.tuples(st.sampled_from([b"cookie", b"authorization"]), st.binary(max_size=80)), max_size=4)
)
def test_no_header_makes_the_reader_fail(headers: list[tuple[bytes, bytes]]) -> None:
    """Any bytes present something or nothing; what is presented is text."""
    match presented(*headers):
        case Bearer(text) | OpaqueCookie(text):
            assert isinstance(text, str)
        case Nothing() | Ambiguous():
            pass


def test_no_credential_is_printed() -> None:
    """What was presented may stand in a log line."""
    assert repr(presented(COOKIE)) == "OpaqueCookie()"
    assert repr(presented(TOKEN)) == "Bearer()"
