"""What every store must show an administrator: a suite to subclass, one test a promise.

Owns the orders in which people look for something, and that pages join without a gap.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

import pytest

from gatepost.core.changes import Event
from gatepost.core.ports import Overview, Store
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened
from gatepost.testing.records import HOUR, a_session, an_account, an_audit_row, change, put


class OverviewSuite(Opened):
    """Pages for people: last used first, newest first, by where an address begins."""

    @pytest.fixture
    def overview(self, store: Store) -> Overview:
        """What the store shows."""
        return store.overview()

    def test_sessions_come_last_used_first_in_pages(self, store: Store, overview: Overview) -> None:
        """By the last use and then the id, from before the last one shown; a visit is not among them."""
        late = [a_session(key, last_seen_at=NOON + HOUR) for key in ("s1", "s3")]
        put(store, an_account(), a_session("s2"), a_session("s4"), *late, a_session("v1", None))
        first = overview.sessions_by_use(before=None, limit=3)
        assert [view.session.id for view in first] == ["s3", "s1", "s4"]
        end = first[-1].session
        rest = overview.sessions_by_use(before=(end.last_seen_at, end.id), limit=3)
        assert [view.session.id for view in rest] == ["s2"]
        assert rest[0].account is not None
        assert rest[0] == store.session("s2")

    def test_a_touched_session_comes_to_the_front(self, store: Store, overview: Overview) -> None:
        """The order is that of use, not of the start."""
        put(store, a_session("s1"), a_session("s2"))
        store.touch([("s1", NOON + HOUR)])
        assert [view.session.id for view in overview.sessions_by_use(before=None, limit=9)] == ["s1", "s2"]

    def test_sessions_are_found_by_where_their_address_begins(self, store: Store, overview: Overview) -> None:
        """In pages, by address and id; a sign that means something elsewhere means itself."""
        places = {"s1": "198.51.100.20", "s2": "198.51.100.2", "s3": "198.51.101.1", "s4": "2001:db8::1"}
        put(store, *(a_session(key, address=address) for key, address in places.items()))
        put(store, a_session("v1", None, address="198.51.100.2"))
        found = overview.sessions_from("198.51.100.2", after=None, limit=1)
        assert [view.session.id for view in found] == ["s2"]
        rest = overview.sessions_from("198.51.100.2", after=("198.51.100.2", "s2"), limit=9)
        assert [view.session.id for view in rest] == ["s1"]
        assert [view.session.id for view in overview.sessions_from("2001:", after=None, limit=9)] == ["s4"]
        assert overview.sessions_from("198%", after=None, limit=9) == []

    def test_audit_rows_come_newest_first_in_pages(self, store: Store, overview: Overview) -> None:
        """For all or for one account, from before a number."""
        for account_id in ("ada", "eve", "ada", None):
            store.commit(change(audit=(an_audit_row(account_id=account_id),)))
        numbers = [number for number, _ in overview.audit_back(account_id=None, before=None, limit=3)]
        assert numbers == [4, 3, 2]
        assert [one for one, _ in overview.audit_back(account_id=None, before=2, limit=3)] == [1]
        assert [one for one, _ in overview.audit_back(account_id="ada", before=None, limit=9)] == [3, 1]
        assert [one for one, _ in overview.audit_back(account_id="ada", before=3, limit=9)] == [1]
        assert overview.audit_back(account_id=None, before=1, limit=9) == []

    def test_newest_row_of_each_account_is_found(self, store: Store, overview: Overview) -> None:
        """Of those that were asked for and have one."""
        for event, account_id in (
            (Event.SIGNED_IN, "ada"),
            (Event.SIGNED_IN, "eve"),
            (Event.SIGNED_OUT, "ada"),
            (Event.SIGNED_IN, "bob"),
        ):
            store.commit(change(audit=(an_audit_row(event, account_id=account_id),)))
        newest = overview.newest_audit(["ada", "eve", "ada", "nobody"])
        assert {key: row.event for key, row in newest.items()} == {
            "ada": Event.SIGNED_OUT,
            "eve": Event.SIGNED_IN,
        }
        assert overview.newest_audit([]) == {}

    def test_another_holder_of_a_role_is_found(self, store: Store, overview: Overview) -> None:
        """Not the one that is named, none that is locked or has no password, and only by the role's whole name."""
        put(
            store,
            an_account("ada", roles=("member", "admin")),
            an_account("bob", roles=("admin",), locked_at=NOON),
            an_account("eve", roles=("administrator",)),
            an_account("may", roles=("admin",), password_hash=None),
        )
        assert overview.other_holder("admin", besides="ada") is None
        found = overview.other_holder("admin", besides="eve")
        assert found is not None
        assert (found.id, found.version) == ("ada", 1)
