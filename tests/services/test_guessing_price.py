"""What one try costs the database: turns to write, and waits for the disk. Counted on the connection that writes."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.principals import Principal
from gatepost.errors import InvalidCredentials, SlowDown
from gatepost.services.beginnings import Wish
from gatepost.services.guesses import Attempt
from gatepost.stores.sql import SqlStore
from tests.services.installation import HOME, NEW_PASSWORD, PASSWORD, Device, Installation, add_account, trail

ADA, NOBODY = "ada@example.com", "nobody@example.com"
WRONG = "no lantern was ever here"


@contextmanager
def written(at: Authority) -> Iterator[list[str]]:
    """What is said to the database by whoever writes."""
    assert isinstance(at.store, SqlStore)
    said: list[str] = []
    writer = at.store._file._writer().connection
    writer.set_trace_callback(said.append)
    yield said
    writer.set_trace_callback(None)


def commits_and_waits(said: list[str]) -> tuple[int, int]:
    """How many transactions, and how many of them waited for the disk."""
    return said.count("COMMIT"), said.count("PRAGMA synchronous = FULL")


@pytest.fixture
def still(installation: Installation) -> Iterator[Authority]:
    """An authority whose own threads write nothing."""
    authority = installation.unstarted()
    yield authority
    authority.stop()


def signed_in(at: Authority) -> Principal:
    """Ada, at a server that has read the log once."""
    ada = Device(at, add_account(at))
    at.follower.step()
    return ada.who(at)


@pytest.mark.parametrize("email", [ADA, NOBODY])
def test_a_wrong_password_costs_two_turns_and_no_wait_for_the_disk(still: Authority, email: str) -> None:
    """Its place, and then failure, place and row together: a flood of them takes the disk from nobody."""
    add_account(still)
    with written(still) as said, pytest.raises(InvalidCredentials):
        still.sign_in.sign_in(email, WRONG, Wish(HOME))
    assert commits_and_waits(said) == (2, 0)


def test_a_right_password_costs_two_turns_and_one_wait(still: Authority) -> None:
    """The place, and then the session together with what frees the place again."""
    add_account(still)
    with written(still) as said:
        still.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
    assert commits_and_waits(said) == (2, 1)


def test_other_passwords_that_are_shown_cost_no_more(still: Authority) -> None:
    """The password shown again, and the current one at a change: wrong ones wait for no disk either."""
    who = signed_in(still)
    with written(still) as said, pytest.raises(InvalidCredentials):
        still.reauthentication.prove(who, WRONG, Wish(HOME))
    assert commits_and_waits(said) == (2, 0)
    with written(still) as said, pytest.raises(InvalidCredentials):
        still.accounts.change_password(who, WRONG, NEW_PASSWORD, HOME)
    assert commits_and_waits(said) == (2, 0)
    with written(still) as said:
        still.reauthentication.prove(who, PASSWORD, Wish(HOME))
    assert commits_and_waits(said) == (2, 1)


@pytest.mark.parametrize("way", ["sign in", "show again"])
def test_a_right_password_frees_its_own_place_and_no_other(still: Authority, way: str) -> None:
    """Nine are being made. After one that came out right there is one place again, not two."""
    who = signed_in(still)

    def one_more() -> AbstractContextManager[Attempt]:
        if way == "sign in":
            return still.guesses.of_account(ADA, HOME.address, ())
        return still.guesses.of_session(who.session_id)

    with ExitStack() as flying:
        for _ in range(9):
            flying.enter_context(one_more())
        if way == "sign in":
            still.sign_in.sign_in(ADA, PASSWORD, Wish(HOME))
        else:
            still.reauthentication.prove(who, PASSWORD, Wish(HOME))
        flying.enter_context(one_more())
        with pytest.raises(SlowDown), one_more():
            raise AssertionError("two places were freed")


def test_threads_that_hash_end_with_their_authority(installation: Installation) -> None:
    """Whoever stops one and keeps it has none of its threads left."""
    before = set(threading.enumerate())
    authority = installation.unstarted()
    add_account(authority)
    hashing = {one for one in threading.enumerate() if one.name == "gatepost-hashing"} - before
    assert hashing
    authority.stop()
    for thread in hashing:
        thread.join(10)
        assert not thread.is_alive()


def test_a_row_of_a_failure_comes_with_its_count(installation: Installation) -> None:
    """Both are there for whoever opens the database next, though nobody waited for the disk."""
    first = installation.unstarted()
    for _ in range(11):
        with pytest.raises((InvalidCredentials, SlowDown)):
            first.sign_in.sign_in(NOBODY, WRONG, Wish(HOME))
    second = installation.unstarted()
    assert [row.event for row in trail(second)][-11:] == [Event.SIGN_IN_FAILED] * 10 + [Event.GUESSING_SLOWED]
    with pytest.raises(SlowDown):
        second.sign_in.sign_in(NOBODY, WRONG, Wish(HOME))
    for authority in (first, second):
        authority.stop()
    installation.troubles.clear()
