"""The session: when it stands, when it is over, which ones make room."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from gatepost.core.sessions import Alive, Ended, Session, SessionView, TimedOut, decide_session, surplus
from tests.builders import LIMITS, NOW, TICK, make_account, make_session, make_view, make_visit


def decide(view: SessionView, now: datetime) -> Alive | TimedOut | Ended:
    """The decision under the limits of these tests."""
    return decide_session(view, LIMITS, now)


@pytest.mark.parametrize(
    ("session", "rests"),
    [
        (make_session(), LIMITS.idle),
        (make_visit(data={"basket": [1]}), LIMITS.visitor_idle),
        (make_visit(), LIMITS.visitor_empty),
    ],
    ids=["account", "visit with data", "empty visit"],
)
def test_a_session_may_rest_until_just_before_its_idle_time(session: Session, rests: timedelta) -> None:
    """One microsecond before the idle time it stands, at the very moment it is over; a visit's time is its own."""
    view = make_view(session)
    assert decide(view, NOW + rests - TICK) == Alive(NOW + rests)
    assert decide(view, NOW + rests) == TimedOut()


def test_use_moves_the_idle_end() -> None:
    """Idle time is counted from when the session was last seen."""
    seen = NOW + timedelta(minutes=40)
    view = make_view(make_session(last_seen_at=seen))
    assert decide(view, seen + LIMITS.idle - TICK) == Alive(seen + LIMITS.idle)
    assert decide(view, seen + LIMITS.idle) == TimedOut()


def test_use_never_moves_the_absolute_end() -> None:
    """A session in use ends at its absolute end, at the very moment."""
    end = NOW + LIMITS.absolute
    view = make_view(make_session(last_seen_at=end - TICK))
    assert decide(view, end - TICK) == Alive(end)
    assert decide(view, end) == TimedOut()


def test_a_locked_account_has_no_live_session() -> None:
    """Locking ends every session, however new."""
    assert decide(make_view(account=make_account(locked_at=NOW)), NOW) == Ended()


def test_a_session_without_its_account_is_ended() -> None:
    """A deleted account takes its sessions with it, before the sweep has been by."""
    assert decide(SessionView(make_session(), None, everyone_ended=0, pos=0), NOW) == Ended()


@pytest.mark.parametrize(("pos", "lives"), [(6, False), (7, True), (8, True)])
def test_an_ending_of_the_account_hits_what_is_older(pos: int, lives: bool) -> None:
    """A session made at the position of the ending itself is newer than it."""
    view = make_view(make_session(pos=pos), make_account(ended_pos=7))
    assert isinstance(decide(view, NOW), Alive) is lives


@pytest.mark.parametrize(("pos", "lives"), [(6, False), (7, True), (8, True)])
@pytest.mark.parametrize("make", [make_session, make_visit])
def test_the_ending_of_everyone_hits_what_is_older(
    make: Callable[..., Session], pos: int, lives: bool
) -> None:
    """It hits visits too."""
    view = make_view(make(pos=pos), everyone_ended=7)
    assert isinstance(decide(view, NOW), Alive) is lives


@pytest.mark.parametrize("newest", range(3))
def test_a_view_knows_the_newest_of_its_endings(newest: int) -> None:
    """Of everyone, of the client, of the account: the greatest position, whichever it is; a visit has no account."""
    everyone, client, account = (9 if number == newest else 4 for number in range(3))
    view = make_view(
        make_session(), make_account(ended_pos=account), everyone_ended=everyone, client_ended=client
    )
    assert view.ended == 9
    assert SessionView(make_visit(), None, everyone_ended=3, pos=9).ended == 3


def test_an_ended_session_is_not_called_timed_out() -> None:
    """What was ended stays ended, also when its time is over besides."""
    view = make_view(account=make_account(locked_at=NOW))
    assert decide(view, NOW + LIMITS.absolute) == Ended()


def test_the_idle_expiry_is_never_after_the_absolute_end() -> None:
    """What a person is shown is the earlier of the two ends."""
    assert LIMITS.idle_expiry(make_session()) == NOW + LIMITS.idle
    late = make_session(last_seen_at=NOW + LIMITS.absolute - timedelta(minutes=1))
    assert LIMITS.idle_expiry(late) == NOW + LIMITS.absolute


def test_the_sessions_that_rested_longest_make_room() -> None:
    """Under the cap nothing ends; at the cap one does; over it as many as are too many."""
    sessions = [
        make_session(id=str(rested), last_seen_at=NOW - timedelta(minutes=rested)) for rested in (2, 5, 1, 4)
    ]
    assert surplus([], LIMITS) == []
    assert surplus(sessions[:2], LIMITS) == []
    assert [session.id for session in surplus(sessions[:3], LIMITS)] == ["5"]
    assert [session.id for session in surplus(sessions, LIMITS)] == ["5", "4"]


def test_no_record_prints_the_handle() -> None:
    """A session in a log line does not show the digest that finds it."""
    assert "handle" not in repr(make_session())
