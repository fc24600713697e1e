"""Moments that last microseconds, and records that should not be there: what the services make of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gatepost.core.changes import AuditRow, Change
from gatepost.core.passwords import Verified, Wrong
from gatepost.core.secrets import RefreshHandle, digest, encode
from gatepost.core.sessions import Carrier
from gatepost.errors import Busy, InvalidGrant, Revoked
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.services.beginnings import SignedIn
from gatepost.services.tokens import _Answer
from gatepost.stores.memory import MemoryStore
from gatepost.testing.services import HERE, House, checked_account, furnished, pair_of, wish
from tests.services.installation import PASSWORD

EMAIL = "ada@example.com"


class InterruptedStore(MemoryStore):
    """A store in memory; something can happen right before a repeat is counted."""

    before_counting: Callable[[], object] | None = None

    def count_repeat(self, family_id: str, generation: int, audit: AuditRow | None) -> int:
        """Let happen what is to happen, once; then count."""
        happens, self.before_counting = self.before_counting, None
        if happens is not None:
            happens()
        return super().count_repeat(family_id, generation, audit)


@pytest.fixture
def store() -> InterruptedStore:
    """An empty store."""
    return InterruptedStore(SystemRandomness())


@pytest.fixture
def house(store: InterruptedStore) -> Iterator[House]:
    """The services over it."""
    made = furnished(store, store)
    made.follower.start()
    made.accounts.create(EMAIL, PASSWORD, ["member"], "cli")
    yield made
    made.follower.stop()


@pytest.fixture
def program(house: House) -> SignedIn:
    """A client with tokens."""
    return house.sign_in.sign_in(EMAIL, PASSWORD, wish(Carrier.TOKEN))


def test_a_repeat_that_is_overtaken_by_the_next_rotation_is_a_replay(
    store: InterruptedStore, house: House, program: SignedIn
) -> None:
    """Between reading and counting the family moved on: the token is a grandparent now, and the session ends."""
    first = pair_of(program).refresh.reveal()
    second = house.tokens.refresh(first, HERE)
    store.before_counting = lambda: house.tokens.refresh(second.refresh.reveal(), HERE)
    with pytest.raises(InvalidGrant):
        house.tokens.refresh(first, HERE)
    with pytest.raises(Revoked):
        checked_account(house, second)


def test_a_repeat_that_is_overtaken_by_a_sign_out_gives_nothing(
    store: InterruptedStore, house: House, program: SignedIn
) -> None:
    """The answer that lay sealed goes with the session."""
    first = pair_of(program).refresh.reveal()
    second = house.tokens.refresh(first, HERE)
    who = checked_account(house, second)
    store.before_counting = lambda: house.sessions.sign_out(who, HERE)
    with pytest.raises(InvalidGrant):
        house.tokens.refresh(first, HERE)


def planted(store: MemoryStore, session_id: str, pos: int) -> str:
    """A refresh token whose family lies in the store by itself."""
    handle = RefreshHandle(encode(bytes(16)), encode(bytes(32)), encode(b"r" * 32))
    found = store.refresh(handle.id)
    assert found is None
    template = next(iter(store._shelves.families.records.values()))  # only its shape
    family = replace(
        template,
        id=handle.id,
        session_id=session_id,
        family=digest(handle.family),
        rotor=digest(handle.rotor),
        pos=pos,
        version=0,
    )
    store.commit(Change(at=SystemClock().now(), put=(family,)))
    return handle.token.reveal()


def test_a_family_without_its_session_refreshes_nothing(
    store: InterruptedStore, house: House, program: SignedIn
) -> None:
    """A store that lost the session, or a backup that holds half of it, signs nobody in."""
    with pytest.raises(InvalidGrant):
        house.tokens.refresh(planted(store, "no session", 0), HERE)


def test_a_family_older_than_an_ending_refreshes_nothing_though_its_session_stands(
    store: InterruptedStore, house: House, program: SignedIn
) -> None:
    """The family has a position of its own: a restored old row beside a newer session is refused by it."""
    house.accounts.end_sessions(EMAIL, "cli")
    later = house.sign_in.sign_in(EMAIL, PASSWORD, wish(Carrier.TOKEN))
    assert checked_account(house, later)
    with pytest.raises(InvalidGrant):
        house.tokens.refresh(planted(store, later.session.id, 0), HERE)
    assert house.tokens.refresh(pair_of(later).refresh.reveal(), HERE)


def test_an_opened_answer_prints_no_token() -> None:
    """Should it come into a log or a traceback, nobody learns what is in it."""
    answer = _Answer("the rotor", "the access token", SystemClock().now())
    assert "the" not in repr(answer)


class CrowdedHashing:
    """A password factor that finds every password right, by an old hash, and has no room to make a new one."""

    def hash(self, password: bytes) -> str:
        """No room."""
        raise Busy(1)

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified | Wrong:
        """Right, and due to be renewed."""
        return Verified(needs_rehash=True)


def test_a_hash_that_cannot_be_renewed_now_keeps_nobody_out(house: House) -> None:
    """The password was right; its better hash can wait for another sign-in."""
    before = house.accounts.find(EMAIL).password_hash
    house.hashing.hashing = CrowdedHashing()
    signed_in = house.sign_in.sign_in(EMAIL, PASSWORD, wish())
    assert checked_account(house, signed_in).email == EMAIL
    assert house.accounts.find(EMAIL).password_hash == before
