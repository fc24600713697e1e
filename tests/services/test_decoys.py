"""An address that nobody has is answered at the cost of some account, as often as accounts cost that."""

from collections import Counter
from random import Random

import pytest

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.emails import Email
from gatepost.core.ports import Store
from gatepost.core.secrets import encode
from gatepost.errors import InvalidCredentials
from gatepost.factors.password import PasswordFactor, Profile
from gatepost.machine import SystemRandomness
from gatepost.services.beginnings import Wish
from gatepost.services.decoys import Decoys
from gatepost.stores.memory import MemoryStore
from gatepost.testing.clock import TurnableClock
from gatepost.testing.records import change
from tests.foreign import KINDS
from tests.services.installation import HOME

FACTOR = PasswordFactor(Profile("tiny", memory_kib=8, time_cost=1), slots=1, queue=8, wait=10)
KEY = b"k" * 32
ADA = "ada@example.com"
NOW = TurnableClock().now()
OURS = FACTOR.hash(b"x")
# How many accounts have which hash.
SHARES = {KINDS["django pbkdf2_sha256"]("x"): 240, OURS: 120, KINDS["bcrypt 2b"]("x"): 40}


def peopled(shares: dict[str, int]) -> Store:
    """A store with so many accounts of each kind, under random ids that are the same in every run."""
    random, store = Random(7), MemoryStore(SystemRandomness())
    stored = [one for one, count in shares.items() for _ in range(count)]
    accounts = tuple(
        Account(encode(random.randbytes(16)), Email(f"{n}@x", f"{n}@x"), one, (), NOW)
        for n, one in enumerate(stored)
    )
    store.commit(change(put=accounts))
    return store


def head(stored: str | None) -> str:
    """What tells the kinds apart."""
    return (stored or OURS)[:12]


def counted(decoys: Decoys) -> Counter[str]:
    """The kinds that four hundred unknown addresses are answered with."""
    return Counter(head(decoys.for_address(f"nobody{number}@example.com")) for number in range(400))


def test_unknown_addresses_cost_what_accounts_cost_as_often() -> None:
    """Of three kinds in three shares: who measures a cost learns how common it is, and nothing of the address."""
    found = counted(Decoys(peopled(SHARES), FACTOR, KEY))
    for stored, count in SHARES.items():
        assert abs(found[head(stored)] - count) < 40, found
    assert set(found) == {head(stored) for stored in SHARES}


def test_unknown_addresses_become_cheap_as_accounts_do() -> None:
    """Nothing is counted in advance: when the last foreign hash is gone, so are their costs."""
    assert set(counted(Decoys(peopled({OURS: 40}), FACTOR, KEY))) == {head(OURS)}


def test_an_address_keeps_its_cost_and_another_key_chooses_anew() -> None:
    """Asking twice tells nothing more; without the key nobody can say which cost an address would have."""
    store = peopled(SHARES)
    names = [f"nobody{number}@example.com" for number in range(64)]
    once, again, other = (
        [head(Decoys(store, FACTOR, key).for_address(name)) for name in names] for key in (KEY, KEY, b"other")
    )
    assert once == again
    assert once != other


@pytest.mark.parametrize("stored", [None, "damaged"])
def test_where_nobody_has_a_hash_that_can_be_read_the_cost_is_ours(stored: str | None) -> None:
    """An empty installation, accounts without a password, a damaged row."""
    assert Decoys(MemoryStore(SystemRandomness()), FACTOR, KEY).for_address("a@example.com") is None
    store = MemoryStore(SystemRandomness())
    store.commit(change(put=(Account("a" * 22, Email("b@x", "b@x"), stored, (), NOW),)))
    assert Decoys(store, FACTOR, KEY).for_address("a@example.com") is None


def test_place_beyond_the_last_account_leads_to_the_first() -> None:
    """Ids are a ring: with one account every address shares its cost, wherever its place is."""
    alone = KINDS["bcrypt 2b"]("x")
    assert counted(Decoys(peopled({alone: 1}), FACTOR, KEY)) == {head(alone): 400}


def test_sign_in_to_nobody_verifies_the_kind_that_is_here(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one account that came over, unknown addresses are verified at its cost, as often and as it is itself."""
    stored = KINDS["django pbkdf2_sha256"]("x")
    account = Account(authority.identifiers.name(), Email(ADA, ADA), stored, ("member",), NOW)
    authority.commits.commit(Change(at=NOW, put=(account,)))
    asked: list[str] = []
    verify = authority.hashing.verify

    def noted(given: str | None, *arguments: bytes) -> object:
        asked.append(head(given))
        return verify(given, *arguments)

    monkeypatch.setattr(authority.hashing, "verify", noted)
    for email in (ADA, "nobody@example.com", "no address", ""):
        with pytest.raises(InvalidCredentials):
            authority.sign_in.sign_in(email, "wrong", Wish(HOME))
    assert asked == [head(stored)] * 4
    assert authority.hashing.hashes_done == 4
