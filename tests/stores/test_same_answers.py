"""Memory and SQLite give the same answers to the same questions, whatever was asked before.

The store in memory decides with the functions of core; SQLite says the same in SQL. Here each is the other's oracle.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.accounts import AccountFilter
from gatepost.core.changes import Change, Event, Record
from gatepost.core.ports import FollowerRow, Log, Store
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    KeyEnded,
    SessionEnded,
    Subject,
    TokenEnded,
)
from gatepost.errors import Conflict
from gatepost.services.audit import Audit
from gatepost.stores.memory import MemoryStore
from gatepost.testing.clock import NOON, TurnableClock
from gatepost.testing.opening import open_sql
from gatepost.testing.randomness import SeededRandomness
from gatepost.testing.records import (
    DAY,
    GRACE,
    GRACES,
    HOUR,
    LIMITS,
    a_client,
    a_family,
    a_ring_key,
    a_session,
    an_account,
    an_audit_row,
    an_invitation,
    change,
    digest_of,
    rotated,
    stored,
)

ACCOUNTS, SESSIONS, FAMILIES, LINKS = ("a1", "a2"), ("s1", "s2", "s3"), ("f1", "f2"), ("i1", "i2")
NAMED = [("s1", "a1", "c", "j1", "k2"), ("s2", "a2", "d", "j2", "k1"), ("s3", None, "d", None, None)]
LATER = [timedelta(), GRACE, HOUR, DAY, 14 * DAY, 90 * DAY]

Ask = Callable[[Store, Log], Any]

moments = st.sampled_from(LATER).map(lambda later: NOON + later)
positions = st.integers(0, 4)
accounts = st.builds(
    an_account,
    st.sampled_from(ACCOUNTS),
    email=st.sampled_from(["x", "y"]).map(lambda key: an_account(key).email),
    roles=st.sampled_from([(), ("member",), ("member", "admin")]),
    locked_at=st.none() | moments,
    ended_pos=positions,
)
sessions = st.builds(
    a_session,
    st.sampled_from(SESSIONS),
    account_id=st.sampled_from([*ACCOUNTS, None]),
    handle=st.sampled_from([None, digest_of("h1"), digest_of("h2")]),
    started_at=moments,
    last_seen_at=moments,
    expires_at=moments,
    pos=positions,
    data=st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3), max_size=2),
    client_id=st.sampled_from(["first-party", "c1"]),
)
families = st.builds(
    a_family,
    st.sampled_from(FAMILIES),
    st.sampled_from([*SESSIONS, "nobody"]),
    generation=st.integers(1, 2),
    pos=positions,
)
records = st.one_of(
    accounts,
    sessions,
    families,
    families.map(rotated),
    families.map(rotated).map(rotated),
    st.builds(a_client, st.sampled_from(["c1", "c2"]), ended_pos=positions),
    st.builds(an_invitation, st.sampled_from(LINKS), expires_at=moments),
    st.builds(a_ring_key, st.sampled_from(["k1", "k2"]), created_at=moments),
)
facts = st.one_of(
    st.builds(AccountEnded, st.sampled_from([*ACCOUNTS, "nobody"]), st.none() | st.sampled_from(SESSIONS)),
    st.sampled_from([EveryoneEnded(), EveryoneOutdated(), AccountOutdated("a1"), ClientEnded("c1")]),
    st.sampled_from([SessionEnded("s1"), TokenEnded("j1"), KeyEnded("k1")]),
)
audits = st.builds(
    an_audit_row,
    st.sampled_from([Event.SIGNED_IN, Event.REFRESH_REPEATED_ELSEWHERE]),
    account_id=st.none() | st.sampled_from(ACCOUNTS),
    session_id=st.none() | st.sampled_from(SESSIONS),
    device=st.sampled_from(["one", "two"]),
)


@dataclass(frozen=True)
class Part:
    """A record to put, take or expect: nearly always at the version it has, now and then at a wrong one."""

    record: Record
    off: int

    def now(self, store: Store) -> Any:
        """The record at the version that is right by now, or at the wrong one."""
        found = stored(store, self.record)
        return replace(self.record, version=max(0, (found.version if found else 0) + self.off))


parts = st.builds(Part, records, st.sampled_from([0] * 9 + [1, -1]))


@dataclass(frozen=True)
class Committing:
    """A change whose versions are looked up when it is made."""

    put: list[Part]
    take: list[Part]
    expects: list[Part]
    more: Change

    def __call__(self, store: Store, log: Log) -> Any:
        """What came of it: the position and the facts, or what it conflicted with."""
        made = replace(
            self.more,
            put=tuple(part.now(store) for part in self.put),
            take=tuple(part.now(store) for part in self.take),
            expects=tuple(part.now(store) for part in self.expects),
        )
        try:
            committed = store.commit(made)
        except Conflict as conflict:
            return conflict.record, conflict.record_id
        return committed.pos, committed.logged


def touching(session_id: str, at: Any) -> Ask:
    """Touch one session."""
    return lambda store, log: store.touch([(session_id, at)])


def repeating(family: str, generation: int) -> Ask:
    """Count a repeat."""
    return lambda store, log: store.count_repeat(family, generation, None)


def sweeping(now: Any) -> Ask:
    """Sweep everything that is dead at a moment."""
    return lambda store, log: store.sweep(LIMITS, GRACES, now, 1000)


def sealing() -> Ask:
    """Seal what waits for it."""
    return lambda store, log: Audit(store, TurnableClock(), bytes(32)).seal()


def flooring(seq: int) -> Ask:
    """Raise the floor."""
    return lambda store, log: log.raise_floor(seq)


def following(name: str, seq: int) -> Ask:
    """Confirm, or leave for a negative position."""
    row = FollowerRow(name, 1, seq, NOON)
    return lambda store, log: log.confirm(row) if seq >= 0 else log.leave(name)


more = st.builds(
    lambda facts, audit: change(facts=tuple(facts), audit=tuple(audit)),
    st.lists(facts, max_size=3),
    st.lists(audits, max_size=2),
)
commits = st.builds(
    Committing, st.lists(parts, max_size=4), st.lists(parts, max_size=1), st.lists(parts, max_size=1), more
)
steps = st.one_of(
    commits,
    commits,
    commits,
    st.builds(touching, st.sampled_from(SESSIONS), moments),
    st.builds(repeating, st.sampled_from(FAMILIES), st.integers(1, 3)),
    st.builds(sweeping, moments),
    st.builds(flooring, positions),
    st.builds(sealing),
    st.builds(following, st.sampled_from(["one", "two"]), st.integers(-1, 3)),
)


def everything(store: Store, log: Log) -> Any:
    """All that can be asked."""
    answer = log.read(None)
    return {
        "accounts": [store.account(key) for key in ACCOUNTS],
        "by email": [store.account_by_email(f"{key}@example.com") for key in "xy"],
        "listed": [store.accounts(after=None, limit=9, search=part) for part in ("", "X@")],
        "admin": store.has_role("admin"),
        "newest": [
            store.overview().accounts_by_age(AccountFilter(part, "", locked), before=None, limit=9)
            for part in ("", "X@")
            for locked in (None, True, False)
        ],
        "live": store.overview().live_counts(ACCOUNTS, LIMITS, NOON + HOUR),
        "last": store.overview().last_acts(SESSIONS),
        "sessions": [store.session(key) for key in SESSIONS],
        "by handle": [store.session_by_handle(digest_of(key)) for key in ("h1", "h2")],
        "of account": [store.sessions_of(key) for key in ACCOUNTS],
        "pages": [store.sessions(after=after, limit=2) for after in (None, "s1")],
        "families": [store.refresh(key) for key in FAMILIES],
        "links": store.invitations("admin"),
        "keys": (store.ring_keys(), answer.ring),
        "clients": (store.clients(), store.client("c1")),
        "audit": [store.audit_rows(account_id=key, after=1, limit=5) for key in (None, "a1")],
        "repeats": store.repeats_elsewhere(SESSIONS[:2]),
        "entries": [store.audit_entries(after=after, upto=4, limit=3) for after in (-1, 0, 2)],
        "seals": (store.newest_seal(), store.seals(after=0, limit=9), store.seals(after=1, limit=1)),
        "log": (answer.facts, answer.position.seq, answer.floor, answer.reset, store.position()),
        "standing": [store.standing_of(Subject(pos, *named)) for pos in range(5) for named in NAMED],
        "followers": log.followers(),
    }


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Makes one new database after the other, copied from an empty one: migrating each would take longer."""
    folder = tmp_path_factory.mktemp("same")
    empty = folder / "empty.db"
    open_sql(empty)[0].close()
    numbers = count()

    def copy() -> Path:
        return Path(shutil.copyfile(empty, folder / f"{next(numbers)}.db"))

    yield copy
    shutil.rmtree(folder)


@given(st.lists(steps, min_size=1, max_size=15))
def test_memory_and_sqlite_agree_on_every_sequence(fresh: Callable[[], Path], asked: list[Ask]) -> None:
    """Each step has the same outcome in both, and after it both tell the same story."""
    memory = MemoryStore(SeededRandomness())
    path = fresh()
    sqlite, log = open_sql(path)
    try:
        for ask in asked:
            assert ask(memory, memory) == ask(sqlite, log)
            assert everything(memory, memory) == everything(sqlite, log)
    finally:
        sqlite.close()
        path.unlink()
