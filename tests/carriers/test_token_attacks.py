"""Forged tokens (RFC 8725, security.md's list): each is refused as Malformed or NotForUs, and nothing else happens."""

import base64
import hmac
import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st

from gatepost.carriers.jws import LONGEST
from gatepost.core.secrets import encode
from gatepost.errors import Malformed, Refused
from tests.builders import make_claims, make_ring, make_signing_key
from tests.carriers.forging import ORDER, forge, halves, header_of, raw, read, text_of

RING = make_ring()
KEY = RING.signing
GENUINE = forge(KEY)
HEADER, PAYLOAD, SIGNATURE = GENUINE.split(".")
SIGNED = f"{HEADER}.{PAYLOAD}"


def assert_malformed(token: str) -> None:
    """The token is refused, with the words that every refusal has."""
    with pytest.raises(Malformed) as caught:
        read(token, RING)
    assert caught.value.message == Malformed.text
    assert caught.value.detail


def test_the_genuine_token_is_accepted() -> None:
    """Without this every other fact here would prove nothing."""
    assert read(GENUINE, RING).claims.jti == "token-1"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", " ", "\x00"])
@pytest.mark.parametrize("signature", ["", SIGNATURE, "AA"], ids=["empty", "stolen", "short"])
def test_an_unsigned_token_is_refused_however_none_is_spelled(alg: str, signature: str) -> None:
    """RFC 8725 section 2.1, with an empty, a genuine and a short signature."""
    header = encode(text_of(header_of(KEY, alg=alg)))
    assert_malformed(f"{header}.{PAYLOAD}.{signature}")
    assert_malformed(forge(KEY, header_of(KEY, alg=alg)))


PUBLIC = KEY.verifying.public
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_FORMS = {
    "pem": PEM,
    "pem without its last newline": PEM.rstrip(),
    "der": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "point": PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "compressed point": PUBLIC.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
    "jwk": RING.published[0].encode(),
    "x": json.loads(RING.published[0])["x"].encode(),
    "jwks": RING.jwks(),
    "kid": KEY.verifying.kid.encode(),
    "nothing": b"",
}
"""Every form in which an attacker can find our public key, and two short secrets."""


@pytest.mark.parametrize("name", PUBLIC_FORMS)
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "ES256"])
def test_the_public_key_is_no_hmac_secret(name: str, alg: str) -> None:
    """The algorithm is the key's own, so a public key never checks an HMAC (RFC 8725 section 2.1)."""
    signed, secret = f"{encode(text_of(header_of(KEY, alg=alg)))}.{PAYLOAD}", PUBLIC_FORMS[name]
    mac = hmac.digest(secret, signed.encode(), {"HS384": "sha384", "HS512": "sha512"}.get(alg, "sha256"))
    assert_malformed(f"{signed}.{encode(mac)}")
    assert_malformed(f"{signed}.{encode((mac * 2)[:64])}")


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": None},
        {"alg": ["ES256"]},
        {"alg": ["none", "ES256"]},
        {"alg": {"ES256": 1}},
        {"alg": True},
        {"alg": 256},
        {"alg": "es256"},
        {"alg": "ES256 "},
        {"alg": "ES384"},
        {"alg": "ES256K"},
        {"alg": "RS256"},
        {"alg": "PS256"},
        {"alg": "EdDSA"},
        {"alg": "dir", "enc": "A256GCM"},
        {"kid": None},
        {"kid": ""},
        {"kid": "key-2"},
        {"kid": "../../dev/null"},
        {"kid": "/proc/self/environ"},
        {"kid": "' or 1=1 --"},
        {"kid": "key-1\x00"},
        {"kid": "key-1\n"},
        {"kid": "$(id)"},
        {"kid": "%s%n"},
        {"kid": "http://127.0.0.1:1/"},
        {"kid": 1},
        {"kid": ["key-1"]},
        {"kid": {"$ne": ""}},
        {"kid": "k" * 6000},
        {"jku": "http://127.0.0.1:1/jwks.json"},
        {"x5u": "http://127.0.0.1:1/chain.pem"},
        {"x5c": ["AAAA"]},
        {"x5t": "AAAA"},
        {"jwk": {"kty": "EC"}},
        {"jwk": json.loads(RING.published[0])},
        {"crit": []},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": "id+jwt"},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "statuslist+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": "gatepost-ticket+jwt"},
        {"typ": ["at+jwt"]},
    ],
    ids=lambda changes: repr(changes)[:60],
)
def test_a_header_that_our_key_would_not_write_is_refused(changes: dict[str, object]) -> None:
    """Even with a genuine signature over it: nobody reads a stranger's header."""
    assert_malformed(forge(KEY, header_of(KEY, **changes)))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"ES256"',
        b"{",
        b"\xff\xfe",
        b'{"alg":"ES256","alg":"none","kid":"key-1","typ":"at+jwt"}',
        b'{"alg":"none","alg":"ES256","kid":"key-1","typ":"at+jwt"}',
        b'{"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}',
        b'{"kid":"key-1","alg":"ES256","typ":"at+jwt"}',
        b'{"\\u0061lg":"ES256","kid":"key-1","typ":"at+jwt"}',
        b'\xef\xbb\xbf{"alg":"ES256","kid":"key-1","typ":"at+jwt"}',
        b"[" * 3000 + b"]" * 3000,
        b'{"alg":' + b"9" * 5000 + b"}",
        b'{"alg":NaN}',
        b'{"alg":"\\ud800"}',
    ],
    ids=lambda header: repr(header)[:40],
)
def test_a_header_is_never_parsed(header: bytes) -> None:
    """Other spellings of our very header, and texts made to upset a parser, are just not ours."""
    assert_malformed(forge(KEY, header))


@pytest.mark.parametrize(
    "halves_of",
    [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (ORDER, ORDER),
        (ORDER - 1, ORDER - 1),
        (ORDER, 1),
        (2**256 - 1, 2**256 - 1),
    ],
    ids=str,
)
def test_a_signature_of_chosen_numbers_is_refused(halves_of: tuple[int, int]) -> None:
    """The "psychic" zero signature and its relatives (CVE-2022-21449)."""
    assert_malformed(f"{SIGNED}.{raw(*halves_of)}")


def test_a_number_of_the_signature_out_of_range_is_refused() -> None:
    """`r + n` and `s + n` say the same to a verifier that reduces first; they must lie below n (FIPS 186-5)."""
    r, s = halves(KEY, SIGNED.encode())
    for left, right in ((r + ORDER, s), (r, s + ORDER), (r + ORDER, s + ORDER), (0, s), (r, 0)):
        size = 32 if max(left, right) < 2**256 else 33
        assert_malformed(f"{SIGNED}.{raw(left, right, size)}")


def test_the_second_form_of_a_signature_is_the_same_token() -> None:
    """`(r, n - s)` verifies too, by the nature of ECDSA: the text differs, so revocation names the `jti`."""
    r, s = halves(KEY, SIGNED.encode())
    verified = read(f"{SIGNED}.{raw(r, ORDER - s)}", RING)
    assert verified == read(GENUINE, RING)


def test_a_signature_in_another_form_is_refused() -> None:
    """DER, swapped halves, one half, one byte more or less, little-endian."""
    r, s = halves(KEY, SIGNED.encode())
    der = KEY.private.sign(SIGNED.encode(), ECDSA(SHA256()))
    little = r.to_bytes(32, "little") + s.to_bytes(32, "little")
    whole = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    forms = [der, little, whole[:32], whole[:63], whole + b"\0", b"\0" + whole, whole[32:] + whole[:32], b""]
    forms += [whole[:32] + bytes(zeros) + whole[32:] for zeros in (1, 16, 32)]
    for form in forms:
        assert_malformed(f"{SIGNED}.{encode(form)}")
    assert_malformed(f"{SIGNED}.{raw(r, s, 33)}")
    assert_malformed(f"{SIGNED}.{raw(r, s, 48)}")


def test_a_foreign_key_with_our_kid_is_refused() -> None:
    """The name of a key is no proof of it."""
    stranger = make_ring(make_signing_key("key-2")).signing
    signed = f"{HEADER}.{PAYLOAD}"
    assert_malformed(f"{signed}.{raw(*halves(stranger, signed.encode()))}")


def test_a_signature_belongs_to_its_token_alone() -> None:
    """Payload, header and signature of two genuine tokens cannot be mixed."""
    other = forge(KEY, payload=make_claims(sub="root", jti="token-2"))
    header, payload, signature = other.split(".")
    assert_malformed(f"{header}.{payload}.{SIGNATURE}")
    assert_malformed(f"{HEADER}.{PAYLOAD}.{signature}")
    assert_malformed(f"{PAYLOAD}.{HEADER}.{SIGNATURE}")


def stray_bits(segment: str) -> str:
    """The segment with a last character that differs in bits that carry nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]


def re_encodings() -> Iterator[str]:
    """Other texts that a lenient base64 reader takes for the genuine token."""
    yield f"{GENUINE}="
    yield f"{GENUINE}=="
    yield f"{GENUINE}\n"
    yield f" {GENUINE}"
    yield f"{GENUINE} "
    yield f"{SIGNED}.{stray_bits(SIGNATURE)}"
    standard = base64.b64encode(base64.urlsafe_b64decode(SIGNATURE + "==")).decode()
    yield f"{SIGNED}.{standard}"
    yield f"{SIGNED}.{standard.rstrip('=')}/"
    for filler in ("\n", "\r\n", " ", "\t", "=", "\x00", "!", "\u00a0", "\uff21"):
        yield f"{SIGNED}.{SIGNATURE[:20]}{filler}{SIGNATURE[20:]}"
        yield f"{HEADER}.{PAYLOAD[:20]}{filler}{PAYLOAD[20:]}.{SIGNATURE}"
        yield f"{HEADER[:20]}{filler}{HEADER[20:]}.{PAYLOAD}.{SIGNATURE}"


def test_a_token_has_one_text() -> None:
    """Padding, stray bits, blanks and the other alphabet make another text, which is refused."""
    for token in re_encodings():
        assert_malformed(token)


def other_serializations() -> Iterator[str]:
    """What is not three segments of base64url, or not within the limit."""
    flat = {"payload": PAYLOAD, "protected": HEADER, "signature": SIGNATURE}
    general = {"payload": PAYLOAD, "signatures": [{"protected": HEADER, "signature": SIGNATURE}]}
    yield json.dumps(flat)
    yield json.dumps(general)
    yield json.dumps({"x": GENUINE})
    yield ""
    yield "."
    yield ".."
    yield "..."
    yield "...."
    yield SIGNED
    yield f"{SIGNED}."
    yield f".{PAYLOAD}.{SIGNATURE}"
    yield f"{HEADER}..{SIGNATURE}"
    yield f"{GENUINE}.{SIGNATURE}"
    yield f"{HEADER}.{PAYLOAD}.{SIGNATURE}.{PAYLOAD}.{SIGNATURE}"
    yield f"{GENUINE}."
    yield f".{GENUINE}"
    yield GENUINE[:-1]
    yield GENUINE.upper()
    yield f"Bearer {GENUINE}"
    yield f"{GENUINE}{'A' * LONGEST}"
    yield "\u00e9" + GENUINE
    yield "\ud800" + GENUINE
    yield "A" * 1_000_000
    yield "." * 1_000_000


def test_only_the_compact_form_of_three_segments_is_read() -> None:
    """JSON serialisations, unsigned and encrypted forms, and anything too long are refused."""
    for token in other_serializations():
        assert_malformed(token)


def test_a_token_of_exactly_the_longest_length_is_still_read() -> None:
    """8,192 characters are a token, 8,193 are not; the claims are padded with a member nobody reads."""
    spare = (LONGEST - len(GENUINE)) * 3 // 4
    fitting = [
        token
        for pad in range(spare - 24, spare + 4)
        if len(token := forge(KEY, payload=make_claims(x="p" * pad))) <= LONGEST
    ]
    assert max(map(len, fitting)) >= LONGEST - 1
    assert read(fitting[-1], RING).claims.jti == "token-1"
    assert_malformed(forge(KEY, payload=make_claims(x="p" * (spare + 8))))


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    """Any byte changed, added or taken out anywhere makes it another token, which is not ours."""
    text = GENUINE.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    mutated = text[:start] + data.draw(st.binary(max_size=3)) + text[end:]
    assume(mutated != text)
    assert_malformed(mutated.decode("latin-1"))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_is_more_than_refused(token: str) -> None:
    """Whatever is presented, the reader raises a refusal and nothing else."""
    with pytest.raises(Refused):
        read(token, RING)
    with pytest.raises(Refused):
        read(f"{HEADER}.{token}.{SIGNATURE}", RING)
    with pytest.raises(Refused):
        read(f"{HEADER}.{PAYLOAD}.{token}", RING)
