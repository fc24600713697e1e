"""Which claims a kind of token may carry, and how long it may be, to the very byte."""

from base64 import urlsafe_b64decode
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.cookie import names_for, write_cookie
from gatepost.carriers.jws import LONGEST
from gatepost.carriers.keys import make_key, open_ring
from gatepost.carriers.tokens import (
    ALLOWED,
    HEADER_LIMIT,
    REQUIRED,
    AccessClaims,
    ClaimRefused,
    Kind,
    issue,
    parse_claims,
)
from gatepost.core.secrets import Secret
from gatepost.errors import TooLarge
from gatepost.machine import SystemRandomness
from gatepost.services.access_tokens import TokenForm
from tests.builders import ISSUER, MASTER, NOW, make_claims, make_ring
from tests.carriers.forging import read

RING = make_ring()
KEY = RING.signing
RINGS = {
    name: open_ring([make_key("key-1", MASTER, NOW, SystemRandomness(), name)], MASTER) for name in ALGORITHMS
}
KINDS = pytest.mark.parametrize("kind", list(Kind))


def test_the_claims_of_each_kind_are_these_and_no_others() -> None:
    """RFC 9068 section 2.2, `sid`, `auth_time`, `roles` and `pos`; `permissions` may be there. None is private."""
    always = {"iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "auth_time", "roles", "pos"}
    assert always == REQUIRED
    assert {kind: allowed - always for kind, allowed in ALLOWED.items()} == {
        kind: {"permissions"} for kind in Kind
    }


@KINDS
@pytest.mark.parametrize("name", ["email", "name", "password", "nbf", "scope", "Permissions", "SUB", ""])
def test_a_claim_that_is_not_allowed_stops_the_making(kind: Kind, name: str) -> None:
    """The refusal names claim and kind for the operator, and never the value."""
    with pytest.raises(ClaimRefused) as caught:
        issue(KEY, make_claims(**{name: "hunter2"}), kind)
    assert name in caught.value.detail
    assert kind.value in caught.value.detail
    assert "hunter2" not in caught.value.detail + caught.value.message


@KINDS
def test_a_claim_is_allowed_to_the_kind_that_lists_it_alone(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is struck from one list is refused there, and in no other kind."""
    monkeypatch.setitem(ALLOWED, kind, REQUIRED)
    for other in Kind:
        if other is kind:
            with pytest.raises(ClaimRefused, match="not made"):
                issue(KEY, make_claims(permissions=["orders:read"]), other)
        else:
            issue(KEY, make_claims(permissions=["orders:read"]), other)


def test_permissions_come_back_and_their_absence_too() -> None:
    """An empty list says that the roles permit nothing; no claim says nothing about it."""
    for permissions in ((), ("orders:read", "Käse")):
        token = issue(KEY, make_claims(permissions=permissions)).reveal()
        assert read(token, RING).claims.permissions == permissions
    assert read(issue(KEY, make_claims()).reveal(), RING).claims.permissions is msgspec.UNSET


@KINDS
def test_claims_of_an_application_stand_beside_ours_and_never_for_them(kind: Kind) -> None:
    """We read ours as if the others were not there; one of our names is refused, whatever it says."""
    own = {"tenant": "seven", "plan": ["a", "b"], "beta": True, "seats": 7}
    token = issue(KEY, make_claims(), kind, own=own).reveal()
    assert read(token, RING).claims == read(issue(KEY, make_claims(), kind).reveal(), RING).claims
    said = msgspec.json.decode(urlsafe_b64decode(f"{token.split('.')[1]}=="))
    assert {name: said[name] for name in own} == own
    for name in AccessClaims.__struct_fields__:
        with pytest.raises(ClaimRefused) as caught:
            issue(KEY, make_claims(), kind, own={name: "hunter2"})
        assert name in caught.value.detail
        assert "hunter2" not in caught.value.detail


def test_the_longest_token_in_a_header_is_read_by_us_and_passed_on_by_proxies() -> None:
    """The whole line, without its end, has the 8,190 bytes that nginx and Apache take."""
    assert len("Authorization: Bearer ") + HEADER_LIMIT == 8190
    assert HEADER_LIMIT < LONGEST


@pytest.mark.parametrize("algorithm", sorted(RINGS))
@given(padding=st.integers(0, 400), spare=st.integers(-2, 2))
def test_a_token_is_made_exactly_as_long_as_the_limit_allows(
    algorithm: str, padding: int, spare: int
) -> None:
    """Whatever it holds and whoever signs: at its own length and above it is made, below it is refused."""
    ring = RINGS[algorithm]
    claims = make_claims(roles=["r" * padding])
    size = len(issue(ring.signing, claims, longest=1 << 20).reveal())
    if spare >= 0:
        assert len(issue(ring.signing, claims, longest=size + spare).reveal()) == size
        return
    with pytest.raises(TooLarge, match=f"would have {size} bytes, the limit is {size + spare}"):
        issue(ring.signing, claims, longest=size + spare)


@given(
    name=st.text("abcdefghij", min_size=1, max_size=32),
    secure=st.booleans(),
    seconds=st.integers(1, 400 * 86_400),
    left=st.integers(0, 400 * 86_400),
)
def test_a_token_at_its_limit_fills_4096_bytes_of_set_cookie(
    name: str, secure: bool, seconds: int, left: int
) -> None:
    """Name, value and attributes together; less is left of the time, never more room is taken."""
    names = names_for(name, secure=secure)
    token = Secret("t" * TokenForm.of(names, timedelta(seconds=seconds), None).limit(Kind.COOKIE))
    whole = write_cookie(names.access, token, timedelta(seconds=seconds), secure=secure)
    assert len(whole) == 4096
    assert (
        len(write_cookie(names.access, token, timedelta(seconds=min(seconds, left)), secure=secure)) <= 4096
    )


def test_a_list_of_permissions_is_read_as_strictly_as_every_claim() -> None:
    """Bytes that we wrote are taken by the quick path, the same in other words by the slow one."""
    plain = msgspec.json.encode(make_claims(permissions=["a"]))
    assert parse_claims(plain).permissions == ("a",)
    assert parse_claims(plain.replace(b'"permissions":', b'"permissions" :')).iss == ISSUER
