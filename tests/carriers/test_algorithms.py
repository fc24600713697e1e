"""The four algorithms beside two libraries as oracles, both ways, and what each refuses in a signature."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from gatepost.carriers import tokens
from gatepost.carriers.algorithms import ALGORITHMS, WrongKind
from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.jws import decode_segment
from gatepost.carriers.keys import make_key, open_key, ring_of, verifying_key
from gatepost.carriers.sealing import unseal
from gatepost.core.keys import RingKey
from gatepost.core.secrets import encode
from gatepost.errors import Malformed
from gatepost.testing.randomness import SeededRandomness
from tests.builders import MASTER, NOW, make_claims
from tests.carriers.forging import ORDER, read, text_of

NAMES = sorted(ALGORITHMS)
RECORDS = {name: make_key("key-1", MASTER, NOW, SeededRandomness(1), name) for name in NAMES}
RINGS = {name: ring_of([open_key(record, MASTER)], name) for name, record in RECORDS.items()}  # type: ignore[arg-type]
GENUINE = {name: tokens.issue(ring.signing, make_claims()).reveal() for name, ring in RINGS.items()}
KEY_TYPES: dict[str, type[Key]] = {"ES256": ECKey, "EdDSA": OKPKey, "RS256": RSAKey, "HS256": OctKey}
# RFC 9864 calls "EdDSA" by the curve instead; the verifiers that are there know the old name.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
each_algorithm = pytest.mark.parametrize("name", NAMES)


def plain_of(name: str) -> bytes:
    """What is sealed in the record: the private key in DER, or the secret."""
    label = "key-1" if name == "ES256" else f"{name} key-1"
    return unseal(MASTER.for_purpose("signing keys"), label, RECORDS[name].sealed)


def secret_half(name: str) -> Any:
    """What another library signs with."""
    return plain_of(name) if name == "HS256" else RINGS[name].signing.private


def shown_half(name: str) -> Any:
    """What another library verifies with: out of our own record where that is public."""
    return plain_of(name) if name == "HS256" else jwt.PyJWK.from_dict(json.loads(RECORDS[name].public)).key


def joserfc_key(name: str) -> Key:
    """The same for joserfc."""
    if name == "HS256":
        return OctKey.import_key(plain_of(name))
    return KEY_TYPES[name].import_key(json.loads(RECORDS[name].public))


def joserfc_signer(name: str) -> Key:
    """A key of joserfc that signs as ours does."""
    if name == "HS256":
        return OctKey.import_key(plain_of(name))
    private = RINGS[name].signing.private
    return KEY_TYPES[name].import_key(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def joserfc_reads(name: str, token: str) -> bytes:
    """The payload of a token that joserfc accepts. Raises `JoseError`, `ValueError` or `UnicodeError`."""
    read: bytes = joserfc_jws.deserialize_compact(token, joserfc_key(name), algorithms=[name]).payload
    return read


@each_algorithm
def test_joserfc_accepts_what_we_sign(name: str) -> None:
    """With the public half out of the record, as the JWKS has it."""
    assert json.loads(joserfc_reads(name, GENUINE[name])) == make_claims()


@each_algorithm
def test_pyjwt_accepts_what_we_sign(name: str) -> None:
    """The same with the second library."""
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    claims = jwt.decode(GENUINE[name], shown_half(name), algorithms=[name], options=options)
    assert claims == make_claims()


@each_algorithm
def test_we_accept_what_joserfc_signs_in_our_form(name: str) -> None:
    """The same header and claims, their signature."""
    header = {"alg": name, "kid": "key-1", "typ": "at+jwt"}
    token = joserfc_jws.serialize_compact(
        header, text_of(make_claims()), joserfc_signer(name), algorithms=[name]
    )
    assert read(token, RINGS[name]).claims.sub == "ada"


@each_algorithm
def test_we_accept_what_pyjwt_signs_in_our_form(name: str) -> None:
    """The same header and claims, their signature."""
    headers = {"kid": "key-1", "typ": "at+jwt"}
    token = jwt.encode(make_claims(), secret_half(name), name, headers=headers)
    assert read(token, RINGS[name]).claims.sub == "ada"


@each_algorithm
@given(data=st.data())
def test_a_changed_token_is_refused_here_and_what_others_refuse_too(name: str, data: st.DataObject) -> None:
    """Whatever the oracles refuse we refuse; what they let pass by a looser reading we refuse as well."""
    text = GENUINE[name].encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    mutated = (text[:start] + data.draw(st.binary(max_size=3)) + text[end:]).decode("latin-1")
    assume(mutated != GENUINE[name])
    with pytest.raises(Malformed):
        read(mutated, RINGS[name])


@each_algorithm
@given(payload=st.binary(max_size=200), cut=st.integers(0, 12))
def test_whatever_joserfc_refuses_we_refuse(name: str, payload: bytes, cut: int) -> None:
    """Their signatures over any payload, whole and shortened: where they do not verify, nor do we."""
    header = {"alg": name, "kid": "key-1", "typ": "at+jwt"}
    token = joserfc_jws.serialize_compact(header, payload, joserfc_signer(name), algorithms=[name])
    token = token[: len(token) - cut]
    try:
        joserfc_reads(name, token)
    except (JoseError, ValueError):
        with pytest.raises(Malformed):
            read(token, RINGS[name])


@each_algorithm
def test_a_signature_has_one_length(name: str) -> None:
    """One byte less, one more at any place, none at all, and twice the signature are refused."""
    header, payload, segment = GENUINE[name].split(".")
    signature = decode_segment(segment)
    half = len(signature) // 2
    padded = signature[:half] + b"\0" + signature[half:]
    for wrong in (signature[:-1], signature + b"\0", b"\0" + signature, padded, b"", signature * 2):
        with pytest.raises(Malformed):
            read(f"{header}.{payload}.{encode(wrong)}", RINGS[name])


@each_algorithm
def test_a_key_verifies_nothing_of_another_kind(name: str) -> None:
    """The same kid and claims signed by another algorithm's key: its header is no header of this ring."""
    for other in NAMES:
        if other != name:
            with pytest.raises(Malformed):
                read(GENUINE[other], RINGS[name])
            header = GENUINE[name].partition(".")[0]
            with pytest.raises(Malformed):
                read(f"{header}.{GENUINE[other].partition('.')[2]}", RINGS[name])


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (ORDER, ORDER)])
def test_the_psychic_signature_is_none(r: int, s: int) -> None:
    """Zero, and the order of the curve, in either half (CVE-2022-21449)."""
    header, payload, _ = GENUINE["ES256"].split(".")
    signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    with pytest.raises(Malformed):
        read(f"{header}.{payload}.{signature}", RINGS["ES256"])


def test_signatures_with_short_numbers_verify() -> None:
    """A number may begin with a zero byte, which DER leaves out. Found by signing until both halves had one."""
    algorithm, key = ALGORITHMS["ES256"], RINGS["ES256"].signing
    short, message = set[int](), b""
    while len(short) < 2:
        message += b"."
        signature = algorithm.sign(key.private, message)
        # With the next byte's highest bit the zero is needed, or the number would be negative.
        halves = {at for at in (0, 32) if signature[at] == 0 and signature[at + 1] < 0x80}
        short |= halves
        assert not halves or algorithm.verify(key.verifying.public, signature, message)


def test_an_eddsa_scalar_beyond_the_order_is_refused() -> None:
    """S + L signs the same equation; a second text of one signature is not taken (RFC 8032 section 5.1.7)."""
    order = 2**252 + 27742317777372353535851937790883648493
    header, payload, segment = GENUINE["EdDSA"].split(".")
    signature = decode_segment(segment)
    scalar = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(Malformed):
        read(f"{header}.{payload}.{encode(signature[:32] + scalar.to_bytes(32, 'little'))}", RINGS["EdDSA"])


def test_a_number_beyond_the_rsa_modulus_is_refused() -> None:
    """The signature plus the modulus is the same number to the formula, and another text."""
    header, payload, segment = GENUINE["RS256"].split(".")
    signature = int.from_bytes(decode_segment(segment), "big")
    modulus = RINGS["RS256"].signing.verifying.public.public_numbers().n
    for size in (256, 257):
        if (signature + modulus).bit_length() <= size * 8:
            with pytest.raises(Malformed):
                read(
                    f"{header}.{payload}.{encode((signature + modulus).to_bytes(size, 'big'))}",
                    RINGS["RS256"],
                )


@pytest.mark.parametrize("name", ["ES256", "EdDSA", "RS256"])
def test_the_public_half_of_a_record_verifies_what_its_private_half_signs(name: str) -> None:
    """`verifying_key` needs no master key, and finds the very same header."""
    key = verifying_key(RECORDS[name])
    assert key is not None
    assert key.header("at+jwt") == GENUINE[name].partition(".")[0]
    assert ALGORITHMS[name].verify(
        key.public, ALGORITHMS[name].sign(RINGS[name].signing.private, b"text"), b"text"
    )


def test_a_secret_has_no_public_half() -> None:
    """Of HS256 nothing is written into the record in clear, and nothing is in the JWKS."""
    assert RECORDS["HS256"].public == ""
    assert verifying_key(RECORDS["HS256"]) is None
    assert json.loads(RINGS["HS256"].jwks()) == {"keys": []}
    with pytest.raises(WrongKind):
        ALGORITHMS["HS256"].public_of({"kty": "oct", "k": encode(b"k" * 32)})
    assert ALGORITHMS["HS256"].jwk(RINGS["HS256"].signing.private) == {}


def der(private: Any) -> bytes:
    """A private key as it lies sealed."""
    made: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return made


@each_algorithm
def test_bytes_of_another_kind_are_no_key(name: str) -> None:
    """Each algorithm opens its own keys alone: not another's, not a weak one, not what is no key."""
    strange = [plain_of(other) for other in NAMES if other != name]
    strange += [b"", b"x", b"x" * 31, b"x" * 33, der(ec.generate_private_key(ec.SECP384R1()))]
    strange.append(der(rsa.generate_private_key(65537, 1024)))
    for plain in strange:
        with pytest.raises(WrongKind):
            ALGORITHMS[name].open(plain)


@pytest.mark.parametrize("name", ["ES256", "EdDSA", "RS256"])
def test_a_public_half_that_is_none_is_refused(name: str) -> None:
    """A point that is not on the curve, a member missing, of a wrong type or not base64url, a short modulus."""
    jwk = json.loads(RECORDS[name].public)
    member = "n" if name == "RS256" else "x"
    short = encode(rsa.generate_private_key(65537, 1024).public_key().public_numbers().n.to_bytes(128, "big"))
    wrong = short if name == "RS256" else "AA"
    for changes in ({member: wrong}, {member: None}, {member: 1}, {member: "=="}, {member: ""}):
        with pytest.raises(WrongKind):
            ALGORITHMS[name].public_of({**jwk, **changes})
    del jwk[member]
    with pytest.raises(WrongKind):
        ALGORITHMS[name].public_of(jwk)


def test_the_oracles_keys_are_what_they_are_called() -> None:
    """The kinds that RFC 7518 and RFC 8037 name, P-256 and 2,048 bits."""
    assert isinstance(RINGS["ES256"].signing.private.curve, ec.SECP256R1)
    assert isinstance(RINGS["EdDSA"].signing.private, ed25519.Ed25519PrivateKey)
    assert RINGS["RS256"].signing.private.key_size == 2048
    assert len(plain_of("HS256")) == 32


@given(st.binary(max_size=80))
def test_strict_base64url_round_trips(raw: bytes) -> None:
    """Every byte string has a text."""
    assert decode_strictly(encode(raw)) == raw


@given(st.text(alphabet="ABQgwz019-_+/=! \n\té", max_size=9))
def test_strict_base64url_has_one_text_for_each_value(text: str) -> None:
    """Whatever decodes is written in no other way."""
    try:
        raw = decode_strictly(text)
    except ValueError:
        return
    assert encode(raw) == text


def records_of(*names: str) -> list[RingKey]:
    """Active keys of these algorithms under names of their own."""
    return [make_key(f"key-{name}", MASTER, NOW, SeededRandomness(2), name) for name in names]


@each_algorithm
def test_one_secret_never_stands_beside_public_keys(name: str) -> None:
    """With keys of all four in the store, an issuer of HS256 accepts that alone and every other never (ASVS 9.1.2)."""
    opened = [open_key(record, MASTER) for record in records_of(*NAMES)]
    ring = ring_of(opened, name)  # type: ignore[arg-type]
    accepted = {key.algorithm for key in ring.headers.values()}
    assert accepted == ({"HS256"} if name == "HS256" else {"ES256", "EdDSA", "RS256"})
    assert set(ring.active) == accepted
    assert ring.signing.verifying.algorithm == name
    published = {key["alg"] for key in json.loads(ring.jwks())["keys"]}
    assert published == accepted - {"HS256"}
