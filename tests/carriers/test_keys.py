"""The key ring: who opens a key, which keys sign, verify and are published."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gatepost.carriers.keys import make_key, open_ring
from gatepost.carriers.sealing import MasterKey, seal
from gatepost.core.keys import KeyState, RingKey
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
