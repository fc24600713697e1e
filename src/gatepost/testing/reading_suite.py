"""What every store must tell: a suite to subclass, one test a promise.

Owns reads, their order and their pages, and that what comes back is what was put.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.core.changes import Event
from gatepost.core.emails import parse_email
from gatepost.core.keys import KeyState
from gatepost.core.ports import Log, Store
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened
from gatepost.testing.records import (
    DAY,
    HOUR,
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


class ReadingSuite(Opened):
    """Reads: everything as it was put, in a stated order, absence without an error."""

    def test_session_is_found_by_handle_with_its_account(self, store: Store) -> None:
        """One read brings all that decides about a session."""
        put(store, an_account(), a_session())
        view = store.session_by_handle(digest_of("s1"))
        assert view is not None
        assert (view.session, view.account) == (
            replace(a_session(), version=1),
            replace(an_account(), version=1),
        )
        assert (view.everyone_ended, view.pos) == (0, 0)

    def test_unknown_handle_and_unknown_ids_find_nothing(self, store: Store) -> None:
        """Absence is None or an empty list, never an error."""
        assert store.session_by_handle(digest_of("nobody")) is None
        assert store.session("nobody") is None
        assert store.account("nobody") is None
        assert store.refresh("nobody") is None
        assert store.invitation(digest_of("nobody")) is None
        assert store.sessions_of("nobody") == []
        assert store.account_by_email("nobody@example.com") == (None, 0)

    def test_session_of_a_missing_account_is_shown_without_one(self, store: Store) -> None:
        """The decision what that means is made elsewhere, so it must be visible."""
        put(store, a_session())
        view = store.session("s1")
        assert view is not None
        assert view.account is None

    def test_family_of_a_missing_session_is_shown_without_one(self, store: Store) -> None:
        """A refresh family alone has no session in its view."""
        put(store, a_family())
        refresh = store.refresh("f1")
        assert refresh is not None
        assert refresh.session is None

    def test_rotated_family_keeps_its_predecessor(self, store: Store) -> None:
        """The sealed answer, its time and where it was asked for come back as they were."""
        put(store, a_session(), a_family())
        put(store, rotated(replace(a_family(), version=1)))
        assert stored(store, a_family()) == rotated(a_family(), version=2)

    def test_sessions_of_an_account_come_newest_first(self, store: Store) -> None:
        """By their start; sessions of others and visits are not among them."""
        early, late = a_session("s1", started_at=NOON), a_session("s2", started_at=NOON + HOUR)
        put(store, early, late, a_session("s3", "eve"), a_session("v1", None))
        assert [view.session.id for view in store.sessions_of("ada")] == ["s2", "s1"]

    def test_all_sessions_come_in_pages_without_visits(self, store: Store) -> None:
        """In the order of ids, from after the last one seen."""
        put(store, *(a_session(f"s{number}") for number in range(5)), a_session("s9", None))
        first = [view.session.id for view in store.sessions(after=None, limit=3)]
        rest = [view.session.id for view in store.sessions(after=first[-1], limit=3)]
        assert (first, rest) == (["s0", "s1", "s2"], ["s3", "s4"])

    def test_accounts_come_in_pages_and_are_searched_by_email(self, store: Store) -> None:
        """The search looks inside the canonical e-mail and does not care how it was typed; an id is found whole."""
        put(store, *(an_account(key) for key in ("ada", "bob", "bobby", "eve")))
        assert [one.id for one in store.accounts(after=None, limit=2)] == ["ada", "bob"]
        assert [one.id for one in store.accounts(after="bob", limit=9)] == ["bobby", "eve"]
        assert [one.id for one in store.accounts(after=None, limit=9, search="BOB")] == ["bob", "bobby"]
        assert store.accounts(after=None, limit=9, search="%") == []
        put(store, an_account("Q7w", email=parse_email("x@example.com")))
        found = [store.accounts(after=None, limit=9, search=part) for part in ("Q7w", "q7w", "Q7")]
        assert [[one.id for one in page] for page in found] == [["Q7w"], [], []]

    def test_role_of_a_locked_account_does_not_count(self, store: Store) -> None:
        """A locked administrator is none; a role is a whole name, not a part of one."""
        put(store, an_account(roles=("member", "admin"), locked_at=NOON), an_account("eve", roles=("adm",)))
        assert not store.has_role("admin")
        put(store, an_account(roles=("member", "admin"), version=1))
        assert store.has_role("admin")
        assert not store.has_role("min")

    def test_keys_come_oldest_first(self, store: Store) -> None:
        """Whatever their state; a taken key is gone."""
        put(store, a_ring_key("k2", created_at=NOON + DAY, state=KeyState.NEXT), a_ring_key("k1"))
        assert [key.id for key in store.ring_keys()] == ["k1", "k2"]

    def test_clients_come_oldest_first(self, store: Store) -> None:
        """Ended ones too; an unknown id is nobody."""
        put(store, a_client("c2", created_at=NOON + DAY), a_client("c1", ended_at=NOON + HOUR))
        assert [client.id for client in store.clients()] == ["c1", "c2"]
        assert store.client("c3") is None

    def test_links_are_found_by_role(self, store: Store) -> None:
        """Oldest first, and of that role only."""
        put(store, an_invitation("i2", created_at=NOON + HOUR), an_invitation("i1"))
        put(store, an_invitation("i3", role="support"))
        assert [link.id for link in store.invitations("admin")] == ["i1", "i2"]

    def test_audit_rows_are_numbered_in_the_order_of_commits(self, store: Store) -> None:
        """They can be read on from a number, for all or for one account."""
        for account_id in ("ada", "eve", None):
            store.commit(change(audit=(an_audit_row(account_id=account_id, more={"kid": "k1"}),)))
        rows = store.audit_rows(account_id=None, after=0, limit=2)
        assert [(number, row.account_id, dict(row.more)) for number, row in rows] == [
            (1, "ada", {"kid": "k1"}),
            (2, "eve", {"kid": "k1"}),
        ]
        assert [number for number, _ in store.audit_rows(account_id=None, after=2, limit=9)] == [3]
        assert [number for number, _ in store.audit_rows(account_id="eve", after=0, limit=9)] == [2]

    def test_newest_repeat_from_elsewhere_is_found_by_session(self, store: Store) -> None:
        """The newest of each session that was asked for and has one; other events and other sessions are left out."""
        repeat = Event.REFRESH_REPEATED_ELSEWHERE
        for session_id, device in (
            ("s1", "first"),
            ("s2", "only"),
            ("s1", "last"),
            ("s3", "other"),
            (None, ""),
        ):
            store.commit(change(audit=(an_audit_row(repeat, session_id=session_id, device=device),)))
        store.commit(change(audit=(an_audit_row(session_id="s1"), an_audit_row(session_id="s4"))))
        assert store.repeats_elsewhere(["s1", "s2", "s2", "s4", "nobody"]) == {
            "s1": an_audit_row(repeat, session_id="s1", device="last"),
            "s2": an_audit_row(repeat, session_id="s2", device="only"),
        }
        assert store.repeats_elsewhere([]) == {}

    def test_audit_row_reads_back_as_it_was_written(self, store: Store) -> None:
        """Every field, with text of every script."""
        row = an_audit_row(
            Event.SESSION_ENDED, actor="cli", device="Ünïcode – 令牌 🗝", more={"why": "a\0b\n"}
        )
        store.commit(change(audit=(row,)))
        assert store.audit_rows(account_id="ada", after=0, limit=1) == [(1, row)]

    @pytest.mark.parametrize(
        ("fact", "says"),
        [
            (TokenEnded("t1"), Standing.ENDED),
            (SessionEnded("s1"), Standing.ENDED),
            (KeyEnded("k1"), Standing.ENDED),
            (ClientEnded("c1"), Standing.ENDED),
            (AccountEnded("ada"), Standing.ENDED),
            (AccountEnded("ada", keep="s2"), Standing.ENDED),
            (EveryoneEnded(), Standing.ENDED),
            (AccountOutdated("ada"), Standing.OUTDATED),
            (EveryoneOutdated(), Standing.OUTDATED),
            (AccountEnded("ada", keep="s1"), Standing.LIVE),
            (TokenEnded("s1"), Standing.LIVE),
            (AccountEnded("eve"), Standing.LIVE),
        ],
        ids=repr,
    )
    def test_log_says_of_a_subject_what_every_later_fact_says(
        self, store: Store, fact: Fact, says: Standing
    ) -> None:
        """One that speaks of it or of everyone, after its position and not at it; others are no matter."""
        store.commit(change(facts=(SessionEnded("other"), fact, TokenEnded("other"))))
        assert store.standing_of(_subject(pos=1)) is says
        assert store.standing_of(_subject(pos=2)) is Standing.LIVE
        assert store.standing_of(_subject(pos=9)) is Standing.LIVE

    def test_what_is_older_than_the_floor_is_outdated(self, store: Store, log: Log) -> None:
        """As it is for a follower, which may have forgotten what would hit it; an ending is still known."""
        store.commit(change(facts=(TokenEnded("t1"), TokenEnded("other"))))
        log.raise_floor(2)
        assert store.standing_of(_subject(pos=2)) is Standing.LIVE
        assert store.standing_of(_subject(pos=1)) is Standing.OUTDATED
        assert store.standing_of(_subject(pos=0)) is Standing.ENDED

    def test_a_subject_of_nobody_is_hit_by_its_own_names_only(self, store: Store) -> None:
        """A visit has no account, a cookie neither token nor key."""
        store.commit(change(facts=(AccountEnded("ada"), TokenEnded("t1"), KeyEnded("k1"))))
        visit = _subject(account_id=None, jti=None, kid=None)
        assert store.standing_of(visit) is Standing.LIVE
        store.commit(change(facts=(SessionEnded("s1"),)))
        assert store.standing_of(visit) is Standing.ENDED

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 11, 21, 12, 0, 0, 1, tzinfo=UTC),
            datetime(2262, 4, 11, 23, 47, 16, 854775, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
    )
    def test_times_keep_their_microseconds(self, store: Store, moment: datetime) -> None:
        """No rounding, before 1970 nor centuries ahead."""
        put(store, a_session(started_at=moment, last_seen_at=moment, expires_at=moment))
        session = stored(store, a_session())
        assert {session.started_at, session.last_seen_at, session.expires_at} == {moment}
        assert session.started_at.utcoffset() == moment.utcoffset()

    @pytest.mark.parametrize(
        "content",
        [
            {"cart": ["œuf", "鍵", "🗝"], "nested": {"a": [1, 2.5, True, None, {"": ""}]}},
            {"nul": "a\0b", "half": "\ud83d", "quotes": "\"'\\`"},
            {"big": 2**70, "small": -(2**70), "float": 0.1},
        ],
        ids=["unicode", "awkward", "numbers"],
    )
    def test_application_data_reads_back_as_it_was(self, store: Store, content: dict[str, Any]) -> None:
        """Whatever JSON can say."""
        put(store, a_session(data=content))
        assert stored(store, a_session()).data == content

    def test_application_data_is_shared_with_nobody(self, store: Store) -> None:
        """Neither who put it nor who read it can change what the store holds."""
        mine: dict[str, Any] = {"cart": [1]}
        put(store, a_session(data=mine), a_session("s2"))
        mine["cart"].append(2)
        stored(store, a_session()).data["cart"].append(3)
        stored(store, a_session("s2")).data["new"] = 1
        assert stored(store, a_session()).data == {"cart": [1]}
        assert stored(store, a_session("s2")).data == {}


def _subject(**different: Any) -> Subject:
    token = Subject(pos=0, session_id="s1", account_id="ada", client_id="c1", jti="t1", kid="k1")
    return replace(token, **different)
