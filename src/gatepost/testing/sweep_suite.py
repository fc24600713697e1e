"""What every store must do when it is swept: the dead go, only they, and in pieces.

A suite to subclass, one test a promise.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gatepost.core.ports import Store
from gatepost.core.revocation import AccountEnded, ClientEnded, EveryoneEnded
from gatepost.core.sessions import Carrier
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened
from gatepost.testing.records import (
    DAY,
    GRACE,
    GRACES,
    LIMITS,
    MICROSECOND,
    a_client,
    a_family,
    a_session,
    an_account,
    an_invitation,
    change,
    put,
    rotated,
    stored,
)

SOON = a_session(expires_at=NOON + DAY)


def sweep(store: Store, now: datetime, most: int = 100) -> int:
    """One sweep with the limits that all tests here use."""
    return store.sweep(LIMITS, GRACES, now, most)


class SweepSuite(Opened):
    """The sweep: exact at the boundary, bounded in size, and harmless to the living."""

    @pytest.mark.parametrize(
        ("session", "after"),
        [
            (SOON, DAY),
            (a_session(), LIMITS.idle),
            (a_session(account_id=None, data={"cart": 1}), LIMITS.visitor_idle),
            (a_session(account_id=None), LIMITS.visitor_empty),
        ],
        ids=["absolute", "idle", "visit", "empty visit"],
    )
    def test_session_goes_at_the_moment_its_time_is_over(
        self, store: Store, session: Any, after: timedelta
    ) -> None:
        """A microsecond earlier it stays."""
        put(store, an_account(), session, a_family())
        assert sweep(store, NOON + after - MICROSECOND) == 0
        assert store.session("s1") is not None
        assert sweep(store, NOON + after) == 1
        assert store.session("s1") is None
        assert store.refresh("f1") is None

    def test_touched_session_stays(self, store: Store) -> None:
        """Idle time counts from the last touch."""
        put(store, an_account(), a_session())
        store.touch([("s1", NOON + DAY)])
        assert sweep(store, NOON + LIMITS.idle) == 0
        assert sweep(store, NOON + LIMITS.idle + DAY) == 1

    def test_sessions_of_an_ended_account_go(self, store: Store) -> None:
        """With their refresh families, which are not counted; the kept one, newer ones and other people's stay."""
        put(store, an_account(), an_account("eve"), a_session("s1"), a_session("s2"), a_session("s3", "eve"))
        put(store, a_family("f1", "s1"), a_family("f2", "s2"))
        ended = store.commit(change(facts=(AccountEnded("ada", keep="s2"),))).pos
        put(store, a_session("s4", pos=ended))
        assert sweep(store, NOON) == 1
        assert store.refresh("f1") is None
        assert store.refresh("f2") is not None
        assert [view.session.id for view in store.sessions(after=None, limit=9)] == ["s2", "s3", "s4"]

    def test_session_that_was_dead_on_arrival_goes(self, store: Store) -> None:
        """A slow sign-in may write a session older than an ending that was swept already."""
        put(store, an_account())
        store.commit(change(facts=(AccountEnded("ada"),)))
        sweep(store, NOON)
        put(store, a_session())
        assert sweep(store, NOON) == 1

    def test_sessions_of_an_ended_client_go(self, store: Store) -> None:
        """Those of another client stay, and so does one that was made after the ending."""
        put(store, an_account(), a_client(), a_session("s1", client_id="c1"), a_session("s2", client_id="c2"))
        ended = store.commit(change(facts=(ClientEnded("c1"),))).pos
        put(store, a_session("s3", client_id="c1", pos=ended))
        assert sweep(store, NOON) == 1
        assert [store.session(key) is None for key in ("s1", "s2", "s3")] == [True, False, False]

    def test_everyone_ended_leaves_only_what_is_newer(self, store: Store) -> None:
        """Visits go too."""
        put(store, an_account(), a_session("s1"), a_session("v1", None))
        ended = store.commit(change(facts=(EveryoneEnded(),))).pos
        put(store, a_session("s2", pos=ended))
        assert sweep(store, NOON) == 2
        assert store.session("s2") is not None

    def test_sessions_of_a_locked_or_missing_account_go(self, store: Store) -> None:
        """Whoever cannot sign in has no sessions."""
        put(
            store,
            an_account(locked_at=NOON),
            a_session("s1"),
            a_session("s2", "nobody"),
            a_session("v1", None),
        )
        assert sweep(store, NOON) == 2
        assert store.session("v1") is not None

    def test_family_without_a_session_goes(self, store: Store) -> None:
        """One with a living session stays."""
        put(store, an_account(), a_session(), a_family("f1"), a_family("f2", "nobody"))
        assert sweep(store, NOON) == 1
        assert store.refresh("f1") is not None
        assert store.refresh("f2") is None

    def test_used_up_answer_is_forgotten_after_the_grace(self, store: Store) -> None:
        """Only the sealed answers go: a predecessor's digest still tells a replay, and no version is counted."""
        put(store, an_account(), a_session(), a_family())
        twice = rotated(rotated(a_family()))
        put(store, replace(twice, version=1))
        assert sweep(store, NOON + GRACE - MICROSECOND) == 0
        assert sweep(store, NOON + GRACE) == 1
        refresh = store.refresh("f1")
        assert refresh is not None
        previous, earlier = twice.previous, twice.earlier
        assert previous is not None
        assert earlier is not None
        assert refresh.family == replace(
            twice, version=2, previous=replace(previous, sealed=None), earlier=replace(earlier, sealed=None)
        )
        assert sweep(store, NOON + GRACE) == 0

    def test_answers_to_tokens_in_cookies_stay_for_the_longer_grace(self, store: Store) -> None:
        """For a horizon; that of the token before the predecessor goes with the end of its own, shorter one."""
        put(store, an_account(), a_session(carrier=Carrier.TOKEN_COOKIE), a_family())
        twice = rotated(rotated(a_family()))
        put(store, replace(twice, version=1))
        assert sweep(store, NOON + GRACE - MICROSECOND) == 0
        assert sweep(store, NOON + GRACE) == 1
        previous, earlier = twice.previous, twice.earlier
        assert previous is not None
        assert earlier is not None
        without = replace(twice, version=2, earlier=replace(earlier, sealed=None))
        assert stored(store, a_family()) == without
        assert sweep(store, NOON + GRACES.horizon - MICROSECOND) == 0
        assert sweep(store, NOON + GRACES.horizon) == 1
        assert stored(store, a_family()) == replace(without, previous=replace(previous, sealed=None))

    def test_expired_link_goes(self, store: Store) -> None:
        """At the moment it expires, not before."""
        put(store, an_invitation())
        assert sweep(store, NOON + DAY - MICROSECOND) == 0
        assert sweep(store, NOON + DAY) == 1
        assert store.invitations("admin") == []

    def test_sweep_takes_no_more_than_it_was_told(self, store: Store) -> None:
        """The rest goes with the next ones, so no sweep holds others up for long."""
        put(store, *(a_session(f"v{number}", None) for number in range(25)))
        put(store, an_account(), a_session())
        late = NOON + LIMITS.visitor_empty
        assert [sweep(store, late, most=10) for _ in range(4)] == [10, 10, 5, 0]
        assert store.session("s1") is not None
        assert sweep(store, late, most=0) == 0

    def test_sweep_of_the_living_changes_nothing(self, store: Store) -> None:
        """A store in which all is well is as it was."""
        put(store, an_account(), a_session(), a_family(), a_session("v1", None), an_invitation())
        before = [store.session("s1"), store.refresh("f1"), store.session("v1"), store.invitations("admin")]
        assert sweep(store, NOON) == 0
        after = [store.session("s1"), store.refresh("f1"), store.session("v1"), store.invitations("admin")]
        assert before == after
