"""Access tokens: what they carry, what their claims must look like, when they end, for whom they are."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers import tokens
from gatepost.carriers.tokens import HEADER_LIMIT, REQUIRED, audiences_of, issue, parse_claims
from gatepost.core.secrets import Secret
from gatepost.errors import Expired, Malformed, NotForUs, Outdated, TooLarge
from tests.builders import ISSUER, NOW, TICK, make_claims, make_ring
from tests.carriers.forging import forge, read, text_of

RING = make_ring()
KEY = RING.signing
END = NOW + timedelta(minutes=10)


def read_at(now: datetime, leeway: timedelta = timedelta()) -> tokens.Verified:
    """Read a token that ends at `END`, at another moment."""
    return tokens.read(forge(KEY), RING, issuer=ISSUER, audience=ISSUER, now=now, leeway=leeway)


def test_what_is_issued_is_read() -> None:
    """Every claim comes back, with the key that signed; the token itself is a secret."""
    token = issue(KEY, make_claims(roles=["member", "Käpt'n"]))
    assert isinstance(token, Secret)
    verified = read(token.reveal(), RING)
    assert verified.kid == "key-1"
    assert {name: getattr(verified.claims, name) for name in REQUIRED} == make_claims(
        aud=(ISSUER,), roles=("member", "Käpt'n")
    )


def test_a_token_ends_at_the_very_second() -> None:
    """One microsecond before `exp` it passes, at `exp` it has expired (RFC 7519 section 4.1.4)."""
    assert read_at(END - TICK).claims.sub == "ada"
    with pytest.raises(Expired):
        read_at(END)


def test_leeway_moves_the_end_and_nothing_else() -> None:
    """With thirty seconds of it the boundary lies thirty seconds later."""
    leeway = timedelta(seconds=30)
    assert read_at(END + leeway - TICK, leeway).claims.sub == "ada"
    with pytest.raises(Expired):
        read_at(END + leeway, leeway)


def test_a_token_of_the_future_is_outdated() -> None:
    """Issued five minutes from now it is a neighbour's whose clock is ahead; a moment more, and one was set back."""
    ahead = timedelta(minutes=5)
    assert read_at(NOW - ahead).claims.sub == "ada"
    with pytest.raises(Outdated):
        read_at(NOW - ahead - TICK)


@pytest.mark.parametrize(
    "issuer",
    [f"{ISSUER}/", ISSUER.upper(), ISSUER[:-1], f"{ISSUER}.evil.example", "http://auth.example.com", "*"],
)
def test_a_token_of_another_issuer_is_not_for_us(issuer: str) -> None:
    """The issuer is compared letter by letter; a slash more is another one."""
    with pytest.raises(NotForUs):
        read(forge(KEY, payload=make_claims(iss=issuer)), RING)


@pytest.mark.parametrize(
    "audience",
    [
        [],
        ["*"],
        [f"{ISSUER}/"],
        [ISSUER[:-1]],
        [f"{ISSUER}.evil"],
        ["orders", "billing"],
        [ISSUER.upper()],
        [" " + ISSUER],
    ],
    ids=repr,
)
def test_a_token_for_another_audience_is_not_for_us(audience: list[str]) -> None:
    """A prefix, a star, a list of others and nothing at all do not name this service."""
    with pytest.raises(NotForUs):
        read(forge(KEY, payload=make_claims(aud=audience)), RING)


def test_one_of_several_audiences_is_enough() -> None:
    """A token may be made for more than one service."""
    assert read(forge(KEY, payload=make_claims(aud=["orders", ISSUER])), RING).claims.sub == "ada"


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_claim_must_be_there(name: str) -> None:
    """RFC 9068 section 2.2, and our own `sid`, `auth_time`, `roles` and `pos`: absent or null is refused."""
    absent = make_claims()
    del absent[name]
    for payload in (absent, make_claims(**{name: None})):
        with pytest.raises(Malformed):
            read(forge(KEY, payload=payload), RING)


WRONG_TIMES: list[Any] = [True, False, "1", "", 1.5, 1.0, -1, 2**63, 2**64, [1], {"seconds": 1}]
WRONG_TEXTS: list[Any] = ["", 1, True, ["ada"], {"id": "ada"}, "x" * 513]
WRONG_LISTS: list[Any] = ["member", 1, True, [1], [None], [["member"]], {"member": 1}]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("exp", "iat", "auth_time", "pos") for value in WRONG_TIMES]
    + [(name, value) for name in ("iss", "sub", "client_id", "jti", "sid") for value in WRONG_TEXTS]
    + [(name, value) for name in ("aud", "roles", "permissions") for value in (*WRONG_LISTS, None)]
    + [("aud", [""]), ("aud", ["x" * 513])],
    ids=lambda value: repr(value)[:24],
)
def test_a_claim_of_a_wrong_type_is_refused(name: str, value: object) -> None:
    """A truth value is no number, a number no text, a text no list; signed by our own key or not."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=make_claims(**{name: value})), RING)


def test_a_time_is_refused_where_dates_end() -> None:
    """The last second of the year 9999 is a time; the next is not, and is no crash either."""
    last = 253_402_300_799
    far = make_claims(exp=last, auth_time=last)
    assert read(forge(KEY, payload=far), RING).claims.exp == last
    with pytest.raises(Outdated):
        read(forge(KEY, payload=make_claims(exp=last, iat=last)), RING)
    for name in ("exp", "auth_time", "iat"):
        with pytest.raises(Malformed):
            read(forge(KEY, payload=make_claims(**{name: last + 1})), RING)


def spliced(name: str, literal: str) -> bytes:
    """The claims with one value written as a literal that Python would not write."""
    return text_of(make_claims(**{name: "@"})).replace(b'"@"', literal.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", ["exp", "pos", "extra"])
@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "9" * 5000, "-" + "9" * 5000], ids=lambda text: text[:9]
)
def test_a_number_that_is_none_is_refused(name: str, literal: str) -> None:
    """Not a number, without end, or of five thousand digits: also in a member that nobody reads."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=spliced(name, literal)), RING)


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1e3", "01", "0x10", "1_000", "+1", "\u0661"])
def test_a_time_is_written_in_plain_digits(literal: str) -> None:
    """Exponents, leading zeros, other bases and other alphabets' digits are refused."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=spliced("exp", literal)), RING)


@pytest.mark.parametrize("literal", ['"\\ud800"', '"\\udc00"', '"a\\udfffb"', '"\\ud800\\ud800"', '"\ud800"'])
def test_half_a_character_is_refused(literal: str) -> None:
    """A lone surrogate would be a subject that no header and no database takes later."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=spliced("sub", literal)), RING)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"1",
        b'"text"',
        b"[]",
        b"{}",
        b"{",
        b"[" * 2900 + b"]" * 2900,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"\xff",
        b"\x00",
        b"\xef\xbb\xbf{}",
        text_of(make_claims()) + b"x",
        text_of(make_claims()) + text_of(make_claims()),
        text_of(make_claims())[:-1],
        b"\xef\xbb\xbf" + text_of(make_claims()),
        text_of(make_claims()).decode().encode("utf-16"),
        text_of(make_claims(x="@")).replace(b'"@"', b"[" * 2000 + b"]" * 2000),
        text_of(make_claims(sub="@")).replace(b"@", b"\xc0\xaf"),
        text_of(make_claims(sub="@")).replace(b"@", b"\xed\xa0\x80"),
        text_of(make_claims(sub="@")).replace(b"@", b"\n"),
    ],
    ids=lambda payload: repr(payload)[:32],
)
def test_a_payload_that_is_no_json_object_of_claims_is_refused(payload: bytes) -> None:
    """Other JSON, broken JSON, other encodings and nesting without end: refused, never a crash."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=payload), RING)


@pytest.mark.parametrize(
    "second",
    [
        b'"sub":"root"',
        b'"sub":"ada"',
        b'"\\u0073ub":"root"',
        b'"extra":1,"extra":1',
        b'"extra":{"a":1,"a":2}',
    ],
    ids=repr,
)
def test_a_member_that_stands_twice_is_refused(second: bytes) -> None:
    """Readers disagree about which one counts, so neither does; an escape in the name hides nothing."""
    with pytest.raises(Malformed):
        read(forge(KEY, payload=text_of(make_claims())[:-1] + b"," + second + b"}"), RING)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_claims_reader_fail(payload: bytes) -> None:
    """Any bytes are claims or Malformed."""
    with pytest.raises(Malformed):
        parse_claims(payload)


def test_a_token_that_would_not_fit_names_its_size_and_its_largest_claims() -> None:
    """Whoever gave somebody a thousand roles reads which claim it was."""
    claims = make_claims(roles=[f"role-{number}" for number in range(1000)], sub="s" * 400)
    with pytest.raises(TooLarge) as caught:
        issue(KEY, claims)
    size = len(issue(KEY, claims, longest=100_000).reveal())
    assert f"{size} bytes" in caught.value.message
    assert str(HEADER_LIMIT) in caught.value.message
    assert caught.value.message.index("roles (") < caught.value.message.index("sub (402 bytes)")


def test_a_token_may_be_just_as_long_as_the_limit() -> None:
    """At its own length it is made, one byte less is too few."""
    size = len(issue(KEY, make_claims()).reveal())
    assert len(issue(KEY, make_claims(), longest=size).reveal()) == size
    with pytest.raises(TooLarge):
        issue(KEY, make_claims(), longest=size - 1)


@pytest.mark.parametrize(
    ("requested", "given_out"),
    [
        ([], ("a", "b")),
        (["b"], ("b",)),
        (["b", "a", "b"], ("b", "a")),
        (["a", "c"], None),
        (["*"], None),
        (["A"], None),
        ([""], None),
    ],
)
def test_audiences_are_chosen_out_of_those_offered(
    requested: list[str], given_out: tuple[str, ...] | None
) -> None:
    """All by default, never one that is not offered (RFC 8707 section 2)."""
    assert audiences_of(requested, ["a", "b"]) == given_out
