"""What every store must do when many hands reach for it at once: a suite to subclass, one test a promise.

With `processes` above 1 the hands belong to so many processes, and the opener must be one that can be pickled.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar

import pytest

from gatepost.core.ports import Log, Store
from gatepost.core.revocation import AccountEnded, Logged, SessionEnded
from gatepost.core.sessions import Session
from gatepost.errors import Conflict
from gatepost.testing.clock import NOON
from gatepost.testing.crowd import Crowd, crowd
from gatepost.testing.opening import Opened, Opener
from gatepost.testing.records import (
    GRACES,
    LIMITS,
    a_family,
    a_session,
    an_account,
    an_audit_row,
    an_invitation,
    change,
    rotated,
)

ROUNDS = 12
MANY = 40


def take_all(store: Store, number: int) -> list[int]:
    """Take each of many links; which of them went to this hand."""
    won = []
    for link in range(ROUNDS):
        try:
            store.commit(change(take=(an_invitation(f"i{link}", version=1),)))
            won.append(link)
        except Conflict:
            pass
    return won


def rotate_all(store: Store, number: int) -> list[int]:
    """Rotate each of many families from the version all hands have read; which of them this hand rotated."""
    won = []
    for family in range(ROUNDS):
        try:
            store.commit(
                change(put=(rotated(a_family(f"f{family}", version=1)),), facts=(SessionEnded("s1"),))
            )
            won.append(family)
        except Conflict:
            pass
    return won


def sign_up(store: Store, number: int) -> bool:
    """Make an account with the e-mail that all hands want."""
    try:
        store.commit(change(put=(an_account(f"a{number}", email=an_account().email),)))
    except Conflict:
        return False
    return True


def count_up(store: Store, number: int) -> int:
    """Add one to a number in a session's data, several times; how often somebody else came first."""
    beaten = 0
    for _ in range(ROUNDS):
        while True:
            view = store.session("s1")
            assert view is not None
            session: Session = replace(view.session, data={"count": view.session.data.get("count", 0) + 1})
            try:
                store.commit(change(put=(session,)))
            except Conflict:
                beaten += 1
            else:
                break
    return beaten


def repeat(store: Store, number: int) -> list[int]:
    """Count repeats of one generation; what was answered."""
    return [store.count_repeat("f1", 1, None) for _ in range(ROUNDS)]


def append(store: Store, number: int) -> list[tuple[Logged, ...]]:
    """Commit facts, sometimes two at once, each commit with an audit row; what was answered."""
    answers = []
    for turn in range(ROUNDS):
        facts = (AccountEnded("ada"),) * (1 + turn % 2)
        answers.append(store.commit(change(facts=facts, audit=(an_audit_row(actor=f"{number}"),))).logged)
    return answers


def read_while_ending(store: Store, number: int) -> list[tuple[int, int]]:
    """Every second hand ends the account, the others read it; what each reader saw: ended, and the position."""
    seen = []
    for _ in range(ROUNDS):
        if number % 2:
            store.commit(change(facts=(AccountEnded("ada"),)))
            continue
        view = store.session("s1")
        found = store.account("ada")
        assert view is not None
        assert view.account is not None
        assert found is not None
        seen += [(view.account.ended_pos, view.pos), (found[0].ended_pos, found[1])]
    return seen


def touch_or_take(store: Store, number: int) -> None:
    """The first hand takes the session while all others touch it."""
    if number == 0:
        store.commit(change(take=(a_session(version=1),)))
        return
    for turn in range(ROUNDS):
        store.touch([("s1", NOON + timedelta(seconds=turn))])


def sweep(store: Store, number: int) -> int:
    """Sweep in small pieces until nothing is left; how many went."""
    gone = 0
    while swept := store.sweep(LIMITS, GRACES, NOON + LIMITS.visitor_empty, 7):
        gone += swept
    return gone


class RaceSuite(Opened):
    """Races: one winner, nothing lost, nothing counted twice, one order."""

    processes: ClassVar[int] = 1
    racers: ClassVar[int] = 32

    @pytest.fixture(scope="class")
    @classmethod
    def crowd(cls) -> Iterator[Crowd]:
        """Many hands."""
        with crowd(cls.processes) as many:
            yield many

    def test_record_is_taken_by_one_hand_alone(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """However many reach for a one-time link at once, each link has one effect."""
        store.commit(change(put=tuple(an_invitation(f"i{link}") for link in range(ROUNDS))))
        won = Counter(link for mine in crowd.run(opener, take_all, self.racers) for link in mine)
        assert won == dict.fromkeys(range(ROUNDS), 1)

    def test_family_is_rotated_by_one_hand_alone(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """From one version only one successor comes, and the losers append nothing to the log."""
        store.commit(change(put=(a_session(), *(a_family(f"f{number}") for number in range(ROUNDS)))))
        won = Counter(family for mine in crowd.run(opener, rotate_all, self.racers) for family in mine)
        assert won == dict.fromkeys(range(ROUNDS), 1)
        assert store.position() == ROUNDS

    def test_email_goes_to_one_account(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """Sign-ups with one address at once make one account."""
        assert crowd.run(opener, sign_up, self.racers).count(True) == 1
        assert len(store.accounts(after=None, limit=self.racers)) == 1

    def test_no_update_is_lost(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """Whoever loads again and decides again after a conflict overwrites nobody."""
        store.commit(change(put=(a_session(),)))
        crowd.run(opener, count_up, 8)
        view = store.session("s1")
        assert view is not None
        assert view.session.data == {"count": 8 * ROUNDS}

    def test_every_repeat_is_counted_once(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """64 tabs repeating at once conflict with nobody, and each gets a number of its own."""
        store.commit(change(put=(a_session(), a_family())))
        numbers = sorted(number for mine in crowd.run(opener, repeat, 64) for number in mine)
        assert numbers == list(range(1, 64 * ROUNDS + 1))

    def test_facts_have_one_order_without_gaps(
        self, opener: Opener, store: Store, log: Log, crowd: Crowd
    ) -> None:
        """Every fact is in the log once, in the order in which its writer was answered."""
        store.commit(change(put=(an_account(),)))
        answers = crowd.run(opener, append, self.racers)
        for mine in answers:
            seqs = [logged.seq for logged_together in mine for logged in logged_together]
            assert seqs == sorted(seqs)
            assert all(later.seq == one.seq + 1 for together in mine for one, later in pairwise(together))
        answered = sorted(one.seq for mine in answers for together in mine for one in together)
        facts = log.read(None).facts
        assert answered == [one.seq for one in facts] == list(range(1, len(facts) + 1))
        assert len(store.audit_rows(account_id=None, after=0, limit=10_000)) == self.racers * ROUNDS

    def test_state_and_position_are_of_one_moment(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """Where every fact ends the same account, its row says exactly the position that the read says."""
        store.commit(change(put=(an_account(), a_session())))
        seen = [pair for mine in crowd.run(opener, read_while_ending, self.racers) for pair in mine]
        assert all(ended == position for ended, position in seen)
        assert store.position() == self.racers // 2 * ROUNDS

    def test_touch_brings_nothing_back(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """A session that is ended while others touch it stays ended."""
        store.commit(change(put=(a_session(),)))
        crowd.run(opener, touch_or_take, self.racers)
        assert store.session("s1") is None

    def test_each_dead_record_is_swept_once(self, opener: Opener, store: Store, crowd: Crowd) -> None:
        """Sweeps at the same time share the work: together they count each record once."""
        store.commit(change(put=tuple(a_session(f"v{number}", None) for number in range(MANY * 4))))
        assert sum(crowd.run(opener, sweep, 8)) == MANY * 4
        assert store.sweep(LIMITS, GRACES, NOON + LIMITS.visitor_empty, 100) == 0
