"""What every store must do with records: a suite to subclass, one test a promise.

Owns puts, takes, expectations and reads. Facts, sweeping and races have suites of their own beside this one.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from dataclasses import replace
from typing import Any

import pytest

from gatepost.core.changes import Event, Record
from gatepost.core.emails import Email
from gatepost.core.ports import Store
from gatepost.core.revocation import AccountEnded, SessionEnded
from gatepost.core.sessions import Carrier
from gatepost.errors import Conflict
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened
from gatepost.testing.records import (
    HOUR,
    MICROSECOND,
    a_client,
    a_family,
    a_ring_key,
    a_session,
    an_account,
    an_audit_row,
    an_invitation,
    change,
    digest_of,
    put,
    rotated,
    stored,
)

EVERY_KIND = pytest.mark.parametrize(
    "record",
    [an_account(), a_session(), rotated(rotated(a_family())), a_ring_key(), a_client(), an_invitation()],
    ids=["account", "session", "family", "key", "client", "invitation"],
)


class StoreSuite(Opened):
    """Records: what is put can be read, versions guard every write, and a conflict leaves no trace."""

    @EVERY_KIND
    def test_record_reads_back_as_it_was_put(self, store: Store, record: Record) -> None:
        """Every field survives, and the version after the first write is 1."""
        put(store, record)
        assert stored(store, record) == replace(record, version=1)

    @EVERY_KIND
    def test_record_is_replaced_at_the_version_it_was_read_at(self, store: Store, record: Record) -> None:
        """Each replacement raises the version by one."""
        put(store, record)
        put(store, replace(record, version=1))
        assert stored(store, record).version == 2

    @EVERY_KIND
    @pytest.mark.parametrize("read", [0, 2])
    def test_put_at_another_version_conflicts(self, store: Store, record: Record, read: int) -> None:
        """A record that is there can be replaced neither as if it were new nor as if it were newer."""
        put(store, record)
        with pytest.raises(Conflict) as conflict:
            put(store, replace(record, version=read))
        assert conflict.value.record_id == record.id
        assert stored(store, record).version == 1

    @EVERY_KIND
    def test_put_of_a_record_that_is_gone_conflicts(self, store: Store, record: Record) -> None:
        """A replacement never brings back what somebody took."""
        with pytest.raises(Conflict):
            put(store, replace(record, version=1))
        assert stored(store, record) is None

    @EVERY_KIND
    def test_record_is_taken_once(self, store: Store, record: Record) -> None:
        """The second take of the same version conflicts, so one reader alone uses a record up."""
        put(store, record)
        taking = change(take=(replace(record, version=1),))
        store.commit(taking)
        assert stored(store, record) is None
        with pytest.raises(Conflict):
            store.commit(taking)

    @EVERY_KIND
    def test_take_at_another_version_conflicts(self, store: Store, record: Record) -> None:
        """What was replaced since it was read is not taken."""
        put(store, record)
        put(store, replace(record, version=1))
        with pytest.raises(Conflict):
            store.commit(change(take=(replace(record, version=1),)))
        assert stored(store, record).version == 2

    @EVERY_KIND
    def test_expected_record_must_be_as_it_was_read(self, store: Store, record: Record) -> None:
        """A record that was only read stops a change when it was replaced meanwhile, or taken."""
        put(store, record)
        expecting = change(expects=(replace(record, version=1),))
        store.commit(expecting)
        put(store, replace(record, version=1))
        with pytest.raises(Conflict):
            store.commit(expecting)
        store.commit(change(take=(replace(record, version=2),)))
        with pytest.raises(Conflict):
            store.commit(change(expects=(replace(record, version=2),)))

    def test_expecting_leaves_the_record_alone(self, store: Store) -> None:
        """An expectation is no write: two of the same version both pass."""
        put(store, an_account())
        for _ in range(2):
            store.commit(change(expects=(replace(an_account(), version=1),)))
        assert stored(store, an_account()).version == 1

    @pytest.mark.parametrize(
        "spoiler",
        [
            {"expects": (a_ring_key("missing"),)},
            {"take": (a_ring_key("missing", version=1),)},
            {"put": (a_family("f2"), a_ring_key("missing", version=3))},
        ],
        ids=["expects", "take", "put"],
    )
    def test_conflict_writes_nothing_at_all(self, store: Store, spoiler: dict[str, Any]) -> None:
        """Not a record, not a deletion, not a fact, not an audit row, not a version."""
        put(store, an_account(), a_session(), a_family())
        whole = {
            "put": (replace(an_account(), version=1, locked_at=NOON), a_session("s2")),
            "take": (replace(a_session(), version=1),),
            "facts": (AccountEnded("ada"), SessionEnded("s1")),
            "audit": (an_audit_row(),),
        }
        merged = {name: (*whole.get(name, ()), *spoiler.get(name, ())) for name in {*whole, *spoiler}}
        with pytest.raises(Conflict):
            store.commit(change(**merged))
        assert stored(store, an_account()) == replace(an_account(), version=1)
        assert stored(store, a_session()) == replace(a_session(), version=1)
        assert stored(store, a_family()) == replace(a_family(), version=1)
        assert store.session("s2") is None
        assert store.refresh("f2") is None
        assert store.position() == 0
        assert store.audit_rows(account_id=None, after=0, limit=10) == []

    def test_second_account_with_an_email_conflicts(self, store: Store) -> None:
        """Two people signing up with one address at once: one of them is told to look again."""
        put(store, an_account())
        other = an_account("eve", email=Email("ADA@example.com", "ada@example.com"))
        with pytest.raises(Conflict):
            put(store, other)
        assert store.account("eve") is None

    def test_account_cannot_change_to_an_email_that_is_taken(self, store: Store) -> None:
        """The rule holds for a replacement as for a new account."""
        put(store, an_account(), an_account("eve"))
        with pytest.raises(Conflict):
            put(store, an_account("eve", email=an_account().email, version=1))
        assert stored(store, an_account("eve")).email.key == "eve@example.com"

    def test_email_of_a_taken_account_is_free_in_the_same_change(self, store: Store) -> None:
        """Takes come before puts."""
        put(store, an_account())
        heir = an_account("heir", email=an_account().email)
        store.commit(change(put=(heir,), take=(replace(an_account(), version=1),)))
        assert store.account_by_email("ada@example.com")[0] == replace(heir, version=1)

    def test_second_session_with_a_handle_conflicts(self, store: Store) -> None:
        """One cookie names one session."""
        put(store, a_session())
        with pytest.raises(Conflict):
            put(store, a_session("s2", handle=digest_of("s1")))

    def test_sessions_without_a_cookie_are_many(self, store: Store) -> None:
        """A missing handle is not a handle that two sessions share."""
        put(store, *(a_session(key, handle=None, carrier=Carrier.TOKEN) for key in ("s1", "s2")))
        assert len(store.sessions_of("ada")) == 2

    def test_taking_a_session_takes_its_refresh_families(self, store: Store) -> None:
        """No refresh token outlives its session; those of other sessions stay."""
        put(store, a_session(), a_session("s2"), a_family(), a_family("f2", "s2"))
        store.commit(change(take=(replace(a_session(), version=1),)))
        assert store.refresh("f1") is None
        assert store.refresh("f2") is not None

    def test_taking_an_account_takes_all_that_hangs_on_it(self, store: Store) -> None:
        """Its sessions and their families go; other people's stay."""
        put(store, an_account(), a_session(), a_family(), a_session("s2", "eve"), a_family("f2", "s2"))
        store.commit(change(take=(replace(an_account(), version=1),)))
        assert store.session("s1") is None
        assert store.refresh("f1") is None
        assert store.refresh("f2") is not None

    def test_touch_moves_forward_only(self, store: Store) -> None:
        """A late flush of an earlier moment changes nothing, and no touch counts as a version."""
        put(store, a_session())
        store.touch([("s1", NOON + HOUR), ("s1", NOON + MICROSECOND)])
        store.touch([("s1", NOON)])
        assert stored(store, a_session()) == a_session(last_seen_at=NOON + HOUR, version=1)

    def test_touch_creates_nothing(self, store: Store) -> None:
        """A session that was ended is not brought back by a touch that was under way."""
        store.touch([("s1", NOON)])
        assert store.session("s1") is None
        store.touch([])

    def test_put_does_not_undo_a_touch(self, store: Store) -> None:
        """A record that was read before a touch keeps the later moment when it is put."""
        put(store, a_session())
        store.touch([("s1", NOON + HOUR)])
        put(store, a_session(version=1, data={"cart": 1}))
        assert stored(store, a_session()) == a_session(last_seen_at=NOON + HOUR, data={"cart": 1}, version=2)

    def test_repeats_are_counted_within_a_generation(self, store: Store) -> None:
        """The next generation starts anew; a repeat of a generation that is over counts nothing."""
        put(store, a_session(), a_family())
        assert [store.count_repeat("f1", 1, None) for _ in range(3)] == [1, 2, 3]
        put(store, replace(a_family(), version=1))
        assert store.count_repeat("f1", 1, None) == 4
        put(store, rotated(replace(a_family(), version=2)))
        assert store.count_repeat("f1", 1, None) == 0
        assert store.count_repeat("f1", 2, None) == 1
        assert store.count_repeat("nobody", 1, None) == 0

    def test_counting_a_repeat_is_no_version(self, store: Store) -> None:
        """A rotation that was decided before a repeat is not stopped by it; the audit row is written."""
        put(store, a_session(), a_family())
        store.count_repeat("f1", 1, an_audit_row(Event.REFRESH_REPEATED_ELSEWHERE))
        put(store, rotated(replace(a_family(), version=1)))
        [(_, row)] = store.audit_rows(account_id="ada", after=0, limit=9)
        assert row.event is Event.REFRESH_REPEATED_ELSEWHERE

    def test_store_in_use_says_it_is_ready(self, store: Store) -> None:
        """Asking changes nothing."""
        put(store, an_account())
        store.ready()
        assert store.position() == 0
