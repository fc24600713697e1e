"""The key ring: who opens a key, which keys sign, verify and are published."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gatepost.carriers.keys import make_key, open_key, open_ring, verifying_key
from gatepost.carriers.sealing import MasterKey, seal
from gatepost.core.keys import SEALING, KeyState, RingKey
from gatepost.errors import KeyUnusable, Malformed
from gatepost.testing.randomness import SeededRandomness
from tests.builders import MASTER, NOW, make_ring, make_signing_key
from tests.carriers.forging import forge, read

PUBLIC_MEMBERS = {"kty", "crv", "kid", "alg", "use", "x", "y"}


def test_a_new_key_is_active_and_sealed() -> None:
    """Its private half is nowhere in the record in clear, and no record prints the box."""
    record = make_signing_key()
    private = make_ring(record).signing.private.private_numbers().private_value.to_bytes(32, "big")
    assert record.state is KeyState.ACTIVE
    assert private not in record.sealed
    assert "sealed" not in repr(record)


def test_two_keys_are_never_the_same() -> None:
    """The same name, moment and randomness port make another pair: a key comes from the library's own source."""
    one, other = (make_key("key", MASTER, NOW, SeededRandomness()) for _ in range(2))
    assert one.public != other.public


def test_another_master_key_opens_nothing() -> None:
    """The operator reads which key it was and which file to put back."""
    with pytest.raises(KeyUnusable, match="key-1"):
        open_ring([make_signing_key()], MasterKey(b"x" * 32))


def test_a_key_moved_under_another_name_does_not_open() -> None:
    """A row that was exchanged in the database is noticed."""
    with pytest.raises(KeyUnusable):
        make_ring(replace(make_signing_key(), id="key-2"))


def test_a_damaged_box_does_not_open() -> None:
    """Empty, cut and lengthened boxes give the same sentence."""
    box = make_signing_key().sealed
    for sealed in (b"", b"short", box[:-1], box + b"x"):
        with pytest.raises(KeyUnusable, match="key-1"):
            make_ring(replace(make_signing_key(), sealed=sealed))


def test_a_key_of_another_kind_is_refused() -> None:
    """A newer version may have left one; it is named and not used."""
    plain = Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    box = seal(MASTER.for_purpose("signing keys"), "key-1", plain, SeededRandomness())
    with pytest.raises(KeyUnusable, match="kind"):
        make_ring(replace(make_signing_key(), sealed=box))


@pytest.mark.parametrize("states", [(), (KeyState.NEXT,), (KeyState.RETIRED,), (KeyState.WITHDRAWN,)])
def test_without_an_active_key_there_is_no_ring(states: tuple[KeyState, ...]) -> None:
    """A server that could not sign does not start."""
    records = [make_signing_key(f"key-{number}", state) for number, state in enumerate(states)]
    with pytest.raises(KeyUnusable):
        open_ring(records, MASTER)


def test_the_newest_active_key_signs() -> None:
    """While two are active, the later record is the one."""
    assert make_ring(make_signing_key("key-1"), make_signing_key("key-2")).signing.verifying.kid == "key-2"


def whole_life() -> tuple[RingKey, ...]:
    """One key in every state."""
    return tuple(make_signing_key(f"key-{state.value}", state) for state in KeyState)


def test_a_withdrawn_key_neither_verifies_nor_is_published() -> None:
    """Every other state does both, so tokens in flight live through a change of keys."""
    ring = make_ring(*whole_life())
    for record in whole_life():
        token = forge(make_ring(replace(record, state=KeyState.ACTIVE)).signing)
        if record.state is KeyState.WITHDRAWN:
            with pytest.raises(Malformed):
                read(token, ring)
        else:
            assert read(token, ring).kid == record.id
    published = [key["kid"] for key in json.loads(ring.jwks())["keys"]]
    assert sorted(published) == ["key-active", "key-next", "key-retired"]


def test_the_jwks_has_no_private_part_and_no_name_twice() -> None:
    """Exactly the public members of an EC key (RFC 7517, RFC 7518 section 6.2.1), in every state."""
    keys = json.loads(make_ring(*whole_life()).jwks())["keys"]
    assert all(set(key) == PUBLIC_MEMBERS for key in keys)
    assert all(
        (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig") for key in keys
    )
    assert len({key["kid"] for key in keys}) == len(keys)
    assert all(len(key["x"]) == len(key["y"]) == 43 for key in keys)


def whole_ring() -> tuple[RingKey, ...]:
    """A key that signs, and one in every state that seals."""
    seals = (
        replace(make_key(f"seal-{state.value}", MASTER, NOW, SeededRandomness(4), SEALING), state=state)
        for state in KeyState
    )
    return (make_signing_key(), *seals)


def test_a_ring_seals_with_one_key_and_opens_with_all() -> None:
    """A withdrawn one is said to be withdrawn, and is not among those that are believed."""
    ring = make_ring(*whole_ring())
    assert ring.sealing.kid == "seal-active"
    assert {key.kid: key.withdrawn for key in ring.opening.values()} == {
        f"seal-{state.value}": state is KeyState.WITHDRAWN for state in KeyState
    }
    assert all(key.header == header for header, key in ring.opening.items())
    assert ring.kids == {"key-1", "seal-active", "seal-next", "seal-retired"}
    assert ring.current is ring


def test_keys_that_seal_are_neither_published_nor_take_tokens_nor_print() -> None:
    """256 bits each, no public half; no header of theirs is one of a token."""
    ring = make_ring(*whole_ring())
    assert [key["kid"] for key in json.loads(ring.jwks())["keys"]] == ["key-1"]
    assert not set(ring.opening) & set(ring.headers)
    assert all(len(key.raw) == 32 and "raw=" not in repr(key) for key in ring.opening.values())
    assert "raw=" not in repr(open_key(whole_ring()[1], MASTER).held)
    assert all(not record.public for record in whole_ring()[1:])


def test_a_ring_without_a_key_that_seals_says_so() -> None:
    """When one is needed."""
    with pytest.raises(KeyUnusable, match="sealed cookies"):
        _ = make_ring().sealing


def test_a_key_that_seals_has_256_bits() -> None:
    """A shorter box under the right name is of a kind that is not known."""
    box = seal(MASTER.for_purpose("signing keys"), "A256GCM seal", b"short", SeededRandomness())
    record = replace(make_signing_key(), id="seal", algorithm=SEALING, sealed=box)
    with pytest.raises(KeyUnusable, match="kind"):
        open_key(record, MASTER)


@pytest.mark.parametrize("public", ["", "{", "{}", '{"x":"AA","y":"AA"}', "null", "[]"])
def test_a_public_half_that_cannot_be_read_is_refused(public: str) -> None:
    """Whoever verifies without a master key reads it as it lies in the database."""
    with pytest.raises(KeyUnusable, match="kind"):
        verifying_key(replace(make_signing_key(), public=public))
