"""The narrow JWS beside two libraries as oracles: what we sign they accept, what they sign we accept."""

import json
from datetime import UTC, datetime

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, KeySet

from gatepost.carriers.jws import LONGEST, decode_segment, parse_compact, sign, verify
from gatepost.carriers.tokens import issue
from gatepost.core.secrets import encode
from gatepost.errors import Malformed
from tests.builders import ISSUER, make_claims, make_ring
from tests.carriers.forging import halves, raw, read, text_of

RING = make_ring()
KEY = RING.signing


def test_joserfc_accepts_what_we_sign() -> None:
    """With the key out of our own JWKS."""
    token = issue(KEY, make_claims()).reveal()
    keys = KeySet.import_key_set(json.loads(RING.jwks()))
    checked = joserfc_jws.deserialize_compact(token, keys, algorithms=["ES256"])
    assert json.loads(checked.payload) == make_claims()
    assert checked.headers() == {"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}


def test_pyjwt_accepts_what_we_sign() -> None:
    """With the key out of our own JWKS, audience and issuer checked."""
    token = issue(KEY, make_claims(exp=int(datetime.now(UTC).timestamp()) + 60, iat=1)).reveal()
    key = jwt.PyJWKSet.from_json(RING.jwks().decode())["key-1"]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER)
    assert claims["sub"] == "ada"


def test_we_accept_what_joserfc_signs_in_our_form() -> None:
    """Same header, same claims, their signature."""
    header = {"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}
    token = joserfc_jws.serialize_compact(header, text_of(make_claims()), ECKey.import_key(KEY.private))
    assert read(token, RING).claims.sub == "ada"


def test_we_accept_what_pyjwt_signs_in_our_form() -> None:
    """Same header, same claims, their signature."""
    token = jwt.encode(make_claims(), KEY.private, "ES256", headers={"kid": "key-1", "typ": "at+jwt"})
    assert read(token, RING).claims.sub == "ada"


@given(st.binary(max_size=400))
def test_any_payload_that_is_signed_verifies_and_comes_back(payload: bytes) -> None:
    """The signing layer knows no claims; the two forms of length and every byte survive."""
    token = sign(KEY, "at+jwt", payload)
    compact = parse_compact(token)
    assert verify(RING.key_of(compact), compact) == payload
    assert len(decode_segment(compact.signature)) == 64


@given(st.binary(max_size=80))
def test_a_segment_round_trips(raw: bytes) -> None:
    """Every byte string has a text."""
    assert decode_segment(encode(raw)) == raw


@given(st.text(alphabet="ABCDabcd0189-_+/= \n\u00e9", max_size=8))
def test_a_segment_has_one_text(segment: str) -> None:
    """Whatever decodes is written in no other way (RFC 4648 section 3.5)."""
    try:
        raw = decode_segment(segment)
    except Malformed:
        return
    assert encode(raw) == segment


@pytest.mark.parametrize(
    "segment", ["A", "AAAAA", "AB", "AAB", "AA==", "AA=", "A A", "+AAA", "/AAA", "A.AA", "ÀAAA"]
)
def test_a_segment_that_is_not_canonical_is_refused(segment: str) -> None:
    """A single character, stray bits, padding, blanks and the other alphabet."""
    with pytest.raises(Malformed):
        decode_segment(segment)


def test_a_payload_that_is_not_base64url_is_refused_although_it_is_signed() -> None:
    """The signature is over the text; what the text decodes to is asked after."""
    signed = f"{KEY.verifying.header('at+jwt')}.A"
    with pytest.raises(Malformed):
        read(f"{signed}.{raw(*halves(KEY, signed.encode()))}", RING)


def test_the_longest_token_is_8192_characters() -> None:
    """The limit itself is split, one more is not looked at."""
    assert parse_compact("a." + "b" * (LONGEST - 4) + ".c").payload.startswith("b")
    with pytest.raises(Malformed):
        parse_compact("a." + "b" * (LONGEST - 3) + ".c")


def test_keys_do_not_print_what_they_hold() -> None:
    """The private half in a log line would be the end of it."""
    assert repr(KEY) == "PrivateKey(verifying=VerifyingKey(kid='key-1', algorithm='ES256'))"
