"""What every store must do with facts: their order, what they write through, and what followers are told.

A suite to subclass, one test a promise.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from dataclasses import replace

import pytest

from gatepost.core.ports import FollowerRow, Log, Store
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    Logged,
    Position,
    SessionEnded,
    TokenEnded,
    parse_position,
)
from gatepost.core.sessions import Ended, decide_session
from gatepost.errors import Conflict
from gatepost.testing.clock import NOON
from gatepost.testing.opening import Opened, Opener
from gatepost.testing.records import (
    HOUR,
    LIMITS,
    a_client,
    a_family,
    a_ring_key,
    a_session,
    an_account,
    change,
    put,
)

EVERY_FACT: tuple[Fact, ...] = (
    TokenEnded("j1"),
    SessionEnded("s1"),
    AccountEnded("ada"),
    AccountEnded("ada", keep="s1"),
    AccountOutdated("ada"),
    ClientEnded("client"),
    KeyEnded("k1"),
    EveryoneEnded(),
    EveryoneOutdated(),
)


def say(store: Store, *facts: Fact) -> int:
    """Commit facts; the position after them."""
    return store.commit(change(facts=facts)).pos


def pos_of(store: Store, session_id: str) -> int:
    """The position that a session carries."""
    view = store.session(session_id)
    assert view is not None
    return view.session.pos


def stands(store: Store, session_id: str) -> bool:
    """Whether a session stands by the durable truth, an hour after noon."""
    view = store.session(session_id)
    return view is not None and not isinstance(decide_session(view, LIMITS, NOON + HOUR), Ended)


class LogSuite(Opened):
    """Facts: one order for all, written where the truth is read, never lost and never skipped over."""

    def test_facts_are_numbered_in_the_order_given(self, store: Store, log: Log) -> None:
        """The commit says where they are, and the log says the same."""
        committed = store.commit(change(facts=EVERY_FACT))
        assert committed.logged == tuple(Logged(seq, fact, NOON) for seq, fact in enumerate(EVERY_FACT, 1))
        assert committed.pos == len(EVERY_FACT) == store.position()
        assert log.read(None).facts == committed.logged

    def test_every_fact_that_is_read_names_the_place_after_it(self, store: Store, log: Log) -> None:
        """Each with the tag of its own row, as the commit told it too; so a reader may stand at any of them."""
        committed = store.commit(change(facts=EVERY_FACT))
        answer = log.read(None)
        assert [one.tag for one in answer.facts] == [one.tag for one in committed.logged]
        assert len({one.tag for one in answer.facts}) == len(EVERY_FACT)
        for number, one in enumerate(answer.facts, 1):
            later = log.read(Position(answer.position.log, one.seq, one.tag))
            assert (later.reset, later.facts) == (False, answer.facts[number:])

    def test_change_without_facts_tells_the_position_it_was_made_at(self, store: Store) -> None:
        """Sign-ins and touches append nothing."""
        before = store.commit(change(put=(an_account(),)))
        assert (before.pos, before.logged) == (0, ())
        say(store, SessionEnded("s1"))
        after = store.commit(change(put=(a_session(),)))
        assert (after.pos, after.logged) == (1, ())

    def test_reads_tell_the_position_of_their_snapshot(self, store: Store) -> None:
        """Whatever is made from a read carries that position."""
        put(store, an_account(), a_session())
        say(store, KeyEnded("k1"), KeyEnded("k2"))
        view = store.session("s1")
        found = store.account("ada")
        assert view is not None
        assert found is not None
        assert (view.pos, found[1], store.account_by_email("ada@example.com")[1]) == (2, 2, 2)
        assert store.account_by_email("nobody@example.com")[1] == 2

    def test_ending_an_account_ends_its_older_sessions(self, store: Store) -> None:
        """The account's row carries the position: what was issued before is dead, what comes after stands."""
        put(store, an_account(), a_session(), a_session("other", None))
        ended = say(store, AccountEnded("ada"))
        put(store, a_session("s2", pos=ended), a_session("late", pos=ended - 1))
        assert not stands(store, "s1")
        assert not stands(store, "late")
        assert stands(store, "s2")
        assert stands(store, "other")

    def test_put_does_not_undo_an_ending(self, store: Store) -> None:
        """Whatever position the record says that is put, the account keeps the newest."""
        put(store, an_account())
        ended = say(store, AccountEnded("ada"))
        put(store, an_account(roles=("admin",), version=2))
        found = store.account("ada")
        assert found is not None
        assert (found[0].ended_pos, found[0].roles) == (ended, ("admin",))

    def test_ending_in_the_change_that_puts_the_account_counts(self, store: Store) -> None:
        """Facts come last, so the put of the same change cannot hide one."""
        put(store, an_account(), a_session())
        store.commit(change(put=(an_account(locked_at=NOON, version=1),), facts=(AccountEnded("ada"),)))
        put(store, an_account(version=3))
        assert not stands(store, "s1")

    def test_ending_an_account_moves_its_version(self, store: Store) -> None:
        """A sign-in that had read the account before decides again, instead of making a session that is dead."""
        put(store, an_account())
        say(store, AccountEnded("ada"))
        with pytest.raises(Conflict):
            store.commit(change(expects=(an_account(version=1),)))
        store.commit(change(expects=(an_account(version=2),)))

    def test_kept_session_survives_with_its_refresh_family(self, store: Store) -> None:
        """Both move to the fact's position; every other session of the account ends."""
        put(store, an_account(), a_session(), a_session("s2"), a_family(), a_family("f2", "s2"))
        ended = say(store, AccountEnded("ada", keep="s1"))
        kept, other = store.refresh("f1"), store.refresh("f2")
        assert kept is not None
        assert other is not None
        assert (pos_of(store, "s1"), kept.family.pos, other.family.pos) == (ended, ended, 0)
        assert stands(store, "s1")
        assert not stands(store, "s2")

    def test_put_does_not_undo_a_keeping(self, store: Store) -> None:
        """A session or family that was read before keeps the fact's position when it is put."""
        put(store, an_account(), a_session(), a_family())
        ended = say(store, AccountEnded("ada", keep="s1"))
        put(store, a_session(data={"cart": 1}, version=1), a_family(version=1))
        refresh = store.refresh("f1")
        assert refresh is not None
        assert (pos_of(store, "s1"), refresh.family.pos) == (ended, ended)

    @pytest.mark.parametrize("first", [AccountEnded("ada"), AccountEnded("ada", keep="s2"), EveryoneEnded()])
    def test_dead_session_is_not_kept(self, store: Store, first: Fact) -> None:
        """Keeping brings nothing back that an earlier fact has ended."""
        put(store, an_account(), a_session(), a_session("s2"), a_family())
        say(store, first)
        say(store, AccountEnded("ada", keep="s1"))
        assert pos_of(store, "s1") == 0
        assert not stands(store, "s1")

    def test_dead_session_is_not_kept_within_one_change(self, store: Store) -> None:
        """The order of facts in a change is their order in the log."""
        put(store, an_account(), a_session())
        say(store, AccountEnded("ada"), AccountEnded("ada", keep="s1"))
        assert not stands(store, "s1")

    def test_session_of_somebody_else_is_not_kept(self, store: Store) -> None:
        """The kept session must be the account's own; that of a missing account is not kept either."""
        put(store, an_account(), a_session("s1", "eve"), a_session("s2", "gone"))
        say(store, AccountEnded("ada", keep="s1"), AccountEnded("gone", keep="s2"))
        assert (pos_of(store, "s1"), pos_of(store, "s2")) == (0, 0)

    def test_new_session_of_the_same_change_is_kept(self, store: Store) -> None:
        """A password change ends every session but the one it makes."""
        put(store, an_account(), a_session())
        facts = (AccountEnded("ada", keep="s2"),)
        ended = store.commit(change(put=(a_session("s2"), a_family("f2", "s2")), facts=facts)).pos
        assert pos_of(store, "s2") == ended
        assert stands(store, "s2")
        assert not stands(store, "s1")

    def test_ending_a_client_ends_its_older_sessions(self, store: Store) -> None:
        """Those of that client and no other; sessions made after it stand."""
        put(store, an_account(), a_client(), a_session("s1", client_id="c1"), a_session("s2"))
        put(store, a_session("s3", client_id="c2"))
        ended = say(store, ClientEnded("c1"))
        put(store, a_session("s4", client_id="c1", pos=ended))
        assert [stands(store, key) for key in ("s1", "s2", "s3", "s4")] == [False, True, True, True]
        view = store.session("s1")
        assert view is not None
        assert view.client_ended == ended

    def test_ending_a_client_moves_its_version(self, store: Store) -> None:
        """What was decided from the client as it was is decided again, and a put does not undo the ending."""
        put(store, a_client())
        ended = say(store, ClientEnded("c1"))
        with pytest.raises(Conflict):
            store.commit(change(expects=(a_client(version=1),)))
        put(store, a_client(version=2))
        assert store.client("c1") == a_client(version=3, ended_pos=ended)

    def test_ending_everyone_ends_visits_too(self, store: Store) -> None:
        """One row carries it for all; sessions made after it stand."""
        put(store, an_account(), a_session(), a_session("v1", None))
        ended = say(store, EveryoneEnded())
        put(store, a_session("s2", pos=ended))
        view = store.session("s2")
        assert view is not None
        assert view.everyone_ended == ended
        assert [stands(store, key) for key in ("s1", "v1", "s2")] == [False, False, True]

    @pytest.mark.parametrize(
        "fact",
        [
            TokenEnded("s1"),
            SessionEnded("s1"),
            AccountOutdated("ada"),
            ClientEnded("first-party"),
            KeyEnded("k1"),
        ],
    )
    def test_other_facts_leave_records_alone(self, store: Store, fact: Fact) -> None:
        """They hit by name, or make something renew; whoever says them takes the record itself."""
        put(store, an_account(), a_session())
        say(store, fact, EveryoneOutdated())
        assert stands(store, "s1")
        view = store.session("s1")
        assert view is not None
        assert (view.everyone_ended, view.account) == (0, replace(an_account(), version=1))

    def test_follower_reads_on_from_its_position(self, store: Store, log: Log) -> None:
        """Each answer holds exactly the facts after the position, and where to read on from."""
        start = log.read(None).position
        say(store, KeyEnded("k1"))
        first = log.read(start)
        say(store, KeyEnded("k2"), KeyEnded("k3"))
        second = log.read(first.position)
        assert ([one.seq for one in first.facts], first.reset) == ([1], False)
        assert ([one.seq for one in second.facts], second.reset) == ([2, 3], False)
        assert log.read(second.position).facts == ()
        assert second.age == 0

    def test_commit_tells_the_position_that_followers_know(self, store: Store, log: Log) -> None:
        """A receipt's position is one to read on from, also as text."""
        committed = store.commit(change(facts=(KeyEnded("k1"),)))
        assert committed.position == log.read(None).position
        assert parse_position(str(committed.position)) == committed.position

    def test_position_outside_the_log_is_answered_with_a_reset(self, store: Store, log: Log) -> None:
        """Another log's id, another row's tag, a row that is not there yet: nothing is skipped over."""
        say(store, KeyEnded("k1"), KeyEnded("k2"))
        head = log.read(None).position
        strangers = (replace(head, log="another"), replace(head, tag="another"), replace(head, seq=3))
        for position in (None, *strangers, Position(head.log, 1, head.tag), replace(head, seq=-1)):
            answer = log.read(position)
            assert answer.reset
            assert (len(answer.facts), answer.position) == (2, head)

    def test_reset_holds_the_facts_above_the_floor(self, store: Store, log: Log) -> None:
        """Who stands before the floor gets a reset; who stands on it or after it reads on."""
        positions = [store.commit(change(facts=(KeyEnded(f"k{n}"),))).position for n in range(3)]
        log.raise_floor(2)
        assert [one.seq for one in log.read(None).facts] == [3]
        below, on = log.read(positions[0]), log.read(positions[1])
        assert (below.reset, [one.seq for one in below.facts], below.floor) == (True, [3], 2)
        assert (on.reset, [one.seq for one in on.facts]) == (False, [3])

    def test_floor_never_falls_and_never_passes_the_head(self, store: Store, log: Log) -> None:
        """A floor above the newest fact would make everybody renew for nothing."""
        say(store, KeyEnded("k1"), KeyEnded("k2"))
        log.raise_floor(1)
        log.raise_floor(0)
        assert log.read(None).floor == 1
        log.raise_floor(99)
        assert log.read(None).floor == 2

    def test_log_says_when_something_was_committed(self, store: Store, log: Log) -> None:
        """True the first time, quiet while nothing happens, true after another's fact."""
        assert log.changed()
        log.read(None)
        assert not log.changed()
        say(store, KeyEnded("k1"))
        assert log.changed()
        assert not log.changed()

    def test_log_says_when_a_key_of_the_ring_changed(self, store: Store, log: Log) -> None:
        """Made, turned or gone: another number each time. Nothing else moves it."""
        numbers = [log.read(None).ring]
        put(store, a_ring_key())
        numbers.append(log.read(None).ring)
        put(store, a_ring_key(version=1))
        numbers.append(log.read(None).ring)
        store.commit(change(take=(a_ring_key(version=2),)))
        numbers.append(log.read(None).ring)
        put(store, an_account())
        say(store, KeyEnded("k1"))
        assert len(set(numbers)) == 4
        assert log.read(None).ring == numbers[-1]

    def test_followers_are_known_until_they_leave(self, log: Log) -> None:
        """One row an instance, the newest word counts."""
        log.confirm(FollowerRow("one", 11, 0, NOON))
        log.confirm(FollowerRow("two", 12, 3, NOON))
        log.confirm(FollowerRow("one", 11, 5, NOON + HOUR))
        assert log.followers() == [FollowerRow("one", 11, 5, NOON + HOUR), FollowerRow("two", 12, 3, NOON)]
        log.leave("one")
        log.leave("nobody")
        assert [row.instance for row in log.followers()] == ["two"]

    def test_another_hand_sees_what_was_committed(self, store: Store, opener: Opener) -> None:
        """The truth is one, however many have it open."""
        put(store, an_account())
        position = store.commit(change(facts=(AccountEnded("ada"),))).position
        other, other_log = opener()
        try:
            assert other.account("ada") == store.account("ada")
            assert other_log.read(None).position == position
        finally:
            if other is not store:
                other.close()
