"""What every store must show an administrator: a suite to subclass, one test a promise.

Owns the orders in which people look for something, and that pages join without a gap.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

import pytest

from gatepost.core.accounts import AccountFilter
from gatepost.core.changes import Event
from gatepost.core.emails import parse_email
from gatepost.core.ports import Overview, Store
from gatepost.core.revocation import EveryoneEnded
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened
from gatepost.testing.records import (
    HOUR,
    LIMITS,
    MICROSECOND,
    a_client,
    a_session,
    an_account,
    an_audit_row,
    change,
    put,
    stored,
)


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

    def test_what_an_account_did_last_with_each_session_is_found(
        self, store: Store, overview: Overview
    ) -> None:
        """Of sessions that were asked for and have a row. What strangers try and others do to the account is no act
        of its own, nor is what it did with another session."""
        for event, different in (
            (Event.SIGNED_IN, {}),
            (Event.SIGNED_IN, {"session_id": "s2"}),
            (Event.PASSWORD_CHANGED, {}),
            (Event.SIGNED_IN, {"session_id": "s3", "account_id": "bob", "actor": "bob"}),
            (Event.SIGN_IN_FAILED, {"session_id": None, "actor": None}),
            (Event.REFRESH_REPEATED_ELSEWHERE, {"actor": None}),
            (Event.ROLES_CHANGED, {"session_id": None, "actor": "boss"}),
            (Event.TOKEN_ENDED, {"actor": "boss"}),
        ):
            store.commit(change(audit=(an_audit_row(event, **different),)))
        last = overview.last_acts(["s1", "s2", "s1", "none"])
        assert {key: row.event for key, row in last.items()} == {
            "s1": Event.PASSWORD_CHANGED,
            "s2": Event.SIGNED_IN,
        }
        assert overview.last_acts([]) == {}

    def test_live_sessions_are_counted_for_each_account(self, store: Store, overview: Overview) -> None:
        """Those that stand at that moment, to the very moment; the dead of every kind count for nothing."""
        put(
            store,
            an_account("ada"),
            an_account("bob", locked_at=NOON),
            an_account("eve"),
            an_account("may", ended_pos=1),
            a_client(ended_pos=1),
        )
        rested = NOON - LIMITS.idle
        put(
            store,
            *(a_session(f"s{number}") for number in range(3)),
            a_session("rested", last_seen_at=rested),
            a_session("nearly", last_seen_at=rested + MICROSECOND),
            a_session("over", expires_at=NOON),
            a_session("ended", client_id="c1"),
            a_session("locked", "bob"),
            a_session("old", "may"),
            a_session("gone", "nobody"),
            a_session("hers", "eve"),
            a_session("visit", None),
        )
        asked = ["ada", "bob", "may", "nobody", "ada"]
        assert overview.live_counts(asked, LIMITS, NOON) == {"ada": 4}
        assert overview.live_counts(["eve"], LIMITS, NOON) == {"eve": 1}
        assert overview.live_counts(["eve"], LIMITS, NOON + LIMITS.idle) == {}
        store.commit(change(facts=(EveryoneEnded(),)))
        assert overview.live_counts(["ada", "eve"], LIMITS, NOON) == {}

    def test_newest_accounts_come_first_in_pages(self, store: Store, overview: Overview) -> None:
        """By the moment they were made and then the id, from before the last one shown."""
        put(store, *(an_account(key) for key in ("ada", "eve")), an_account("bob", created_at=NOON + HOUR))
        first = overview.accounts_by_age(AccountFilter(), before=None, limit=2)
        assert [one.id for one in first] == ["bob", "eve"]
        rest = overview.accounts_by_age(AccountFilter(), before=(NOON, "eve"), limit=2)
        assert rest == [stored(store, an_account("ada"))]
        assert overview.accounts_by_age(AccountFilter(), before=(NOON, "ada"), limit=2) == []

    def test_accounts_are_found_by_what_is_true_of_them(self, store: Store, overview: Overview) -> None:
        """A part of the e-mail however it was typed, the whole id, a whole role, locked or not; all of it together."""
        put(
            store,
            an_account("ada", roles=("member", "admin"), locked_at=NOON),
            an_account("adam", roles=("administrator",)),
            an_account("bob", roles=("admin",)),
        )

        def found(text: str = "", role: str = "", locked: bool | None = None) -> str:
            accounts = overview.accounts_by_age(AccountFilter(text, role, locked), before=None, limit=9)
            return " ".join(one.id for one in accounts)

        assert (found("ADA"), found("bob"), found("%")) == ("adam ada", "bob", "")
        assert (found(role="admin"), found(role="min")) == ("bob ada", "")
        assert (found(locked=True), found(locked=False)) == ("ada", "bob adam")
        assert found("ad", "admin", locked=True) == "ada"
        assert found("b", "admin", locked=True) == ""
        put(store, an_account("Q7w", created_at=NOON - HOUR, email=parse_email("x@example.com")))
        assert (found("Q7w"), found("q7w"), found("Q7")) == ("Q7w", "", "")

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
