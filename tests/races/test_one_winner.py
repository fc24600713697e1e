"""What must happen once happens once, however many ask for it at the same moment."""

from dataclasses import dataclass

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.secrets import parse_refresh
from gatepost.core.sessions import Carrier
from tests.races.contenders import (
    ROOM,
    Contender,
    contend,
    contend_in_processes,
    refresh,
    sign_out,
    sign_up,
    use_link,
)
from tests.services.installation import HOME, Device, Installation, add_account, trail

THREADS = 64


@dataclass(frozen=True)
class Contest:
    """A place where 64 threads contend."""

    installation: Installation
    authority: Authority
    in_two_processes: bool

    def run(self, contender: Contender, text: str) -> list[str]:
        """What each of them got."""
        if self.in_two_processes:
            return contend_in_processes(self.installation.folder, contender, text, THREADS // 2)
        return contend(self.authority, contender, text, range(THREADS))


@pytest.fixture(params=["memory", "file", "two processes"])
def contest(request: pytest.FixtureRequest, installation: Installation) -> Contest:
    """In memory, over one file, and over one file from two processes beside a third that runs already."""
    installation.sections = dict(ROOM)
    if request.param == "memory":
        installation.sections["database"] = {"url": "memory://"}
    return Contest(installation, installation.open(), request.param == "two processes")


def generation_of(at: Authority, token: str) -> int:
    """How often the family of a refresh token was rotated."""
    handle = parse_refresh(token)
    assert handle is not None
    view = at.store.refresh(handle.id)
    assert view is not None
    return view.family.generation


def count_of(at: Authority, event: Event) -> int:
    """How often something stands in the audit trail."""
    return sum(row.event is event for row in trail(at))


def test_one_refresh_token_is_rotated_once_and_everybody_gets_the_same_answer(contest: Contest) -> None:
    """64 tabs with one token: one rotation, 64 equal pairs, nobody signed out."""
    authority = contest.authority
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    answers = contest.run(refresh, program.pair.refresh.reveal())
    assert len(answers) == THREADS
    [answer] = set(answers)
    token = answer.split(" ")[1]
    assert generation_of(authority, token) == 1
    assert program.holds(authority) == {"access", "refresh"}
    assert generation_of(authority, authority.tokens.refresh(token, HOME).refresh.reveal()) == 2
    assert count_of(authority, Event.REFRESH_REPLAYED) == 0


def test_a_chain_of_crowded_refreshes_signs_nobody_out(installation: Installation) -> None:
    """Ten generations, each used by 64 threads at once: ten rotations and one live session."""
    authority = installation.open()
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    token = program.pair.refresh.reveal()
    for generation in range(1, 11):
        [answer] = set(contend(authority, refresh, token, range(THREADS)))
        token = answer.split(" ")[1]
        assert generation_of(authority, token) == generation


def test_a_replay_by_many_at_once_ends_the_session_once(contest: Contest) -> None:
    """64 thieves with one used-up token are all refused, and there is one ending in the log and the trail."""
    authority = contest.authority
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    used_up = program.pair.refresh.reveal()
    program.refresh(authority)
    program.refresh(authority)
    assert set(contest.run(refresh, used_up)) == {"InvalidGrant"}
    assert authority.store.position() == 1
    assert count_of(authority, Event.REFRESH_REPLAYED) == 1
    assert program.holds(authority) == frozenset()


def test_one_address_is_taken_once(contest: Contest) -> None:
    """Of 64 who sign up with one address, one gets an account, and nothing is left of the others."""
    authority = contest.authority
    answers = contest.run(sign_up, "ada@example.com")
    assert answers.count("EmailTaken") == THREADS - 1
    [account] = authority.accounts.page(after=None, limit=10)[0]
    assert len(authority.sessions.of_account(account.id)) == 1
    assert count_of(authority, Event.SIGNED_UP) == 1


def test_one_link_makes_one_administrator(contest: Contest) -> None:
    """Of 64 who use a one-time link, one gets in."""
    authority = contest.authority
    link = authority.accounts.invite("admin", "cli").reveal()
    answers = contest.run(use_link, link)
    assert answers.count("NotFound") == THREADS - 1
    assert len(authority.accounts.page(after=None, limit=10)[0]) == 1
    assert count_of(authority, Event.INVITATION_USED) == 1


def test_one_session_is_ended_once(contest: Contest) -> None:
    """Of 64 who end a session, one does, and the others are told that there is none."""
    authority = contest.authority
    browser = Device(authority, add_account(authority))
    answers = contest.run(sign_out, browser.session.id)
    assert answers.count("NotFound") == THREADS - 1
    assert authority.store.position() == 1
    assert count_of(authority, Event.SESSION_ENDED) == 1
    assert browser.holds(authority) == frozenset()
