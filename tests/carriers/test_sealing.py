"""Boxes: what is sealed opens with the same key and name, unchanged, and in no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.carriers.sealing import MasterKey, Unopenable, derive, seal, unseal
from gatepost.testing.randomness import SeededRandomness
from tests.builders import MASTER

KEY = MASTER.for_purpose("tests")
RANDOMNESS = SeededRandomness()


@given(st.binary(max_size=100), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_box_opens_with_its_key_and_name(plain: bytes, name: str) -> None:
    """Any bytes, under any name."""
    assert unseal(KEY, name, seal(KEY, name, plain, RANDOMNESS)) == plain


def test_a_box_does_not_open_under_another_name_or_key() -> None:
    """The name is part of what is authenticated."""
    box = seal(KEY, "name", b"plain", RANDOMNESS)
    with pytest.raises(Unopenable):
        unseal(KEY, "name ", box)
    with pytest.raises(Unopenable):
        unseal(MASTER.for_purpose("other tests"), "name", box)


@given(st.data())
def test_a_changed_box_does_not_open(data: st.DataObject) -> None:
    """One bit anywhere, nonce and tag among them, or one byte less."""
    box = bytearray(seal(KEY, "name", b"plain", RANDOMNESS))
    place = data.draw(st.integers(0, len(box) - 1))
    cut = bytes(box[:place])
    box[place] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(box), cut):
        with pytest.raises(Unopenable):
            unseal(KEY, "name", damaged)


def test_the_same_text_is_never_sealed_to_the_same_box() -> None:
    """Each box has a nonce of its own."""
    assert seal(KEY, "name", b"plain", RANDOMNESS) != seal(KEY, "name", b"plain", RANDOMNESS)


def test_every_purpose_has_a_key_of_its_own() -> None:
    """Derived keys are 256 bits, repeat, and differ from the master key and from each other."""
    purposes = ["signing keys", "cross-site tokens", ""]
    keys = {derive(MASTER.raw, purpose) for purpose in purposes} | {MASTER.raw}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert derive(MASTER.raw, "signing keys") == MASTER.for_purpose("signing keys")


def test_the_master_key_is_not_printed() -> None:
    """A settings dump or traceback shows no byte of it."""
    assert repr(MasterKey(b"secret")) == "MasterKey()"
