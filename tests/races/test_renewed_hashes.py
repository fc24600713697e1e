"""A hash that came over is renewed inside the sign-in's change: whatever happens to the account meanwhile wins."""

from functools import partial

import pytest

from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.emails import parse_email
from gatepost.errors import InvalidCredentials
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.stores.memory import MemoryStore
from gatepost.testing.holding import at_once, meanwhile
from gatepost.testing.services import House, furnished, wish
from tests.foreign import KINDS

EMAIL = "ada@example.com"
OLD = "quiet river stone"
NEW = "seven herons over wet slate"


@pytest.fixture
def house() -> House:
    """The services over a store in memory, with an account that came over."""
    store = MemoryStore(SystemRandomness())
    made = furnished(store, store)
    now = SystemClock().now()
    stored = KINDS["django pbkdf2_sha256"](OLD)
    account = Account("a" * 22, parse_email(EMAIL), stored, ("member",), now)
    store.commit(Change(at=now, put=(account,)))
    return made


def test_a_password_set_while_the_old_hash_is_renewed_stays(house: House) -> None:
    """The sign-in finds the account moved, decides again on the new password, and is refused."""
    set_password = partial(house.accounts.set_password, EMAIL, NEW, "cli")
    done = meanwhile(house.hashing.making, partial(house.sign_in.sign_in, EMAIL, OLD, wish()), set_password)
    assert isinstance(done.exception(), InvalidCredentials)
    house.sign_in.sign_in(EMAIL, NEW, wish())
    with pytest.raises(InvalidCredentials):
        house.sign_in.sign_in(EMAIL, OLD, wish())


def test_a_lock_while_the_hash_is_renewed_refuses_the_sign_in(house: House) -> None:
    """And the hash stays the one that came over."""
    before = house.accounts.find(EMAIL).password_hash
    lock = partial(house.accounts.lock, EMAIL, "cli")
    done = meanwhile(house.hashing.making, partial(house.sign_in.sign_in, EMAIL, OLD, wish()), lock)
    assert isinstance(done.exception(), InvalidCredentials)
    assert house.accounts.find(EMAIL).password_hash == before


def test_two_first_sign_ins_at_once_both_get_in(house: House) -> None:
    """One renews the hash, the other verifies what that made; the account has one hash, and it is ours."""
    sign_in = partial(house.sign_in.sign_in, EMAIL, OLD, wish())
    first, second = at_once(house.hashing.making, sign_in, sign_in)
    assert first.result().session.id != second.result().session.id
    assert (house.accounts.find(EMAIL).password_hash or "").startswith("$argon2id$v=19$m=8,")
