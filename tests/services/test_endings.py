"""Every way to end something: what dies with it, everywhere, and what does not notice."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidCredentials, InvalidGrant, NotFound, Outdated, Revoked
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.testing.clock import TurnableClock
from tests.services.installation import (
    HOME,
    NEW_PASSWORD,
    WAYS_TO_HOLD,
    Device,
    Installation,
    Person,
    add_account,
    settle_in,
)

NOTHING: frozenset[str] = frozenset()
Ending = Callable[[Authority, Person], Receipt | None]


@pytest.fixture
def victim(authority: Authority) -> Person:
    """Whose things are ended."""
    return settle_in(authority, "victim@example.com")


@pytest.fixture
def bystander(authority: Authority) -> Person:
    """Who has nothing to do with it."""
    return settle_in(authority, "bystander@example.com")


def lock(at: Authority, person: Person) -> Receipt | None:
    """An operator locks the account."""
    return at.accounts.lock(person.account.id, "cli").receipt


def lock_and_unlock(at: Authority, person: Person) -> Receipt | None:
    """An operator locks the account and thinks better of it."""
    receipt = lock(at, person)
    assert at.accounts.unlock(person.account.id, "cli").receipt is None
    return receipt


def end_sessions(at: Authority, person: Person) -> Receipt | None:
    """An operator ends the account's sessions."""
    return at.accounts.end_sessions(person.account.id, "cli").receipt


def set_password(at: Authority, person: Person) -> Receipt | None:
    """An operator sets another password."""
    return at.accounts.set_password(person.account.id, NEW_PASSWORD, "cli").receipt


def sign_out_twice(at: Authority, person: Person) -> Receipt | None:
    """Both devices sign out."""
    at.sessions.sign_out(person.program.who(at), HOME)
    return at.sessions.sign_out(person.browser.who(at), HOME)


def end_each_as_owner(at: Authority, person: Person) -> Receipt | None:
    """The owner ends both sessions from the list, their own last."""
    who = person.browser.who(at)
    at.sessions.end_own(who, person.program.session.id, HOME)
    return at.sessions.end_own(who, person.browser.session.id, HOME)


def end_each_as_operator(at: Authority, person: Person) -> Receipt | None:
    """An operator ends both sessions by their ids."""
    at.sessions.end_any(person.program.session.id, "cli")
    return at.sessions.end_any(person.browser.session.id, "cli")


@pytest.mark.parametrize(
    "end",
    [
        lock,
        lock_and_unlock,
        end_sessions,
        set_password,
        sign_out_twice,
        end_each_as_owner,
        end_each_as_operator,
    ],
)
def test_what_is_ended_is_refused_everywhere_and_nobody_else_notices(
    installation: Installation, neighbour: Authority, victim: Person, bystander: Person, end: Ending
) -> None:
    """Cookie, access token and refresh token of the victim are dead in both processes when the call returns."""
    authority = installation.opened[0]
    assert victim.holds(neighbour) == bystander.holds(neighbour) == WAYS_TO_HOLD
    receipt = end(authority, victim)
    assert receipt is not None
    assert receipt.state is ReceiptState.IN_FORCE
    for at in (neighbour, authority):
        assert victim.holds(at) == NOTHING
        assert bystander.holds(at) == WAYS_TO_HOLD


def test_what_was_ended_is_refused_by_a_process_that_starts_later(
    installation: Installation, authority: Authority, victim: Person, bystander: Person
) -> None:
    """A server that was not there when the account was locked refuses all of it, and nothing else."""
    lock_and_unlock(authority, victim)
    later = installation.open()
    assert victim.holds(later) == NOTHING
    assert bystander.holds(later) == WAYS_TO_HOLD


def test_everyone_is_ended_at_once(
    authority: Authority, neighbour: Authority, victim: Person, bystander: Person
) -> None:
    """After the end of everyone nobody is signed in anywhere, and everybody may sign in again."""
    assert victim.holds(neighbour) == WAYS_TO_HOLD
    authority.sessions.end_all("cli")
    for at in (neighbour, authority):
        assert victim.holds(at) == bystander.holds(at) == NOTHING
    assert Device(neighbour, victim.account).holds(authority) == {"cookie"}


@pytest.mark.parametrize("mine", [Carrier.COOKIE, Carrier.TOKEN])
@pytest.mark.parametrize("by_password", [False, True])
def test_the_session_that_ends_all_others_lives_on_with_all_it_holds(
    authority: Authority,
    neighbour: Authority,
    victim: Person,
    bystander: Person,
    mine: Carrier,
    by_password: bool,
) -> None:
    """By "end the others" and by a new password: what asks keeps its carriers, the rest of the account is dead."""
    kept = Device(authority, victim.account, mine)
    before = kept.presented
    all_it_holds = kept.holds(neighbour)
    who = kept.who(authority)
    if by_password:
        authority.accounts.change_password(who, "copper lantern under the bridge", NEW_PASSWORD, HOME)
    else:
        authority.sessions.end_others(who, HOME)
    for at in (neighbour, authority):
        assert at.guard.check(before) == kept.who(at) == who
        assert kept.holds(at) == all_it_holds
        assert victim.holds(at) == NOTHING
        assert bystander.holds(at) == WAYS_TO_HOLD


def test_a_kept_session_is_ended_by_the_next_ending(authority: Authority, victim: Person) -> None:
    """Having been kept once protects from nothing that comes later."""
    kept = Device(authority, victim.account, Carrier.TOKEN)
    authority.sessions.end_others(kept.who(authority), HOME)
    other = Device(authority, victim.account)
    authority.sessions.end_others(other.who(authority), HOME)
    assert kept.holds(authority) == NOTHING
    assert other.holds(authority) == {"cookie"}


def test_a_session_that_was_ended_is_not_kept_by_its_own_wish(
    authority: Authority, neighbour: Authority, victim: Person
) -> None:
    """A request that was checked before its session ended revives nothing by ending the others."""
    who = victim.program.who(authority)
    authority.accounts.end_sessions(victim.account.id, "cli")
    with pytest.raises(Revoked):
        authority.sessions.end_others(who, HOME)
    for at in (authority, neighbour):
        assert victim.holds(at) == NOTHING


def test_an_ended_account_signs_in_again_unless_it_is_locked(authority: Authority, victim: Person) -> None:
    """Ending sessions is no lock; a lock is one, until it is taken away."""
    authority.accounts.end_sessions(victim.account.id, "cli")
    assert Device(authority, victim.account).holds(authority) == {"cookie"}
    authority.accounts.lock(victim.account.id, "cli")
    with pytest.raises(InvalidCredentials):
        Device(authority, victim.account)
    authority.accounts.unlock(victim.account.id, "cli")
    assert Device(authority, victim.account, Carrier.TOKEN).holds(authority) == {"access", "refresh"}


def test_locking_again_ends_again_and_keeps_the_first_moment(
    authority: Authority, clock: TurnableClock, victim: Person
) -> None:
    """A second lock answers with a receipt of its own and does not move the moment of the lock."""
    first = authority.accounts.lock(victim.account.id, "cli")
    clock.turn(timedelta(minutes=1))
    second = authority.accounts.lock(victim.account.id, "cli")
    assert second.account.locked_at == first.account.locked_at
    assert second.account.ended_pos > first.account.ended_pos


def test_taken_roles_are_gone_at_the_next_request_without_a_new_sign_in(
    authority: Authority, neighbour: Authority, bystander: Person
) -> None:
    """The cookie goes on with the new roles; the access token is outdated, and its refresh brings the new ones."""
    person = settle_in(authority, "support@example.com", ("member", "support"))
    person.holds(neighbour)
    receipt = authority.accounts.set_roles(person.account.id, ["member"], "cli").receipt
    assert receipt is not None
    for at in (neighbour, authority):
        assert person.browser.who(at).roles == ("member",)
        with pytest.raises(Outdated):
            person.program.who(at)
    person.program.refresh(neighbour)
    for at in (neighbour, authority):
        assert person.program.who(at).roles == ("member",)
        assert bystander.holds(at) == WAYS_TO_HOLD


def test_a_new_password_is_the_only_one_from_then_on(authority: Authority, victim: Person) -> None:
    """After a change the old password signs nobody in and the new one does."""
    authority.accounts.set_password(victim.account.id, NEW_PASSWORD, "cli")
    with pytest.raises(InvalidCredentials):
        Device(authority, victim.account)
    assert Device(authority, victim.account, password=NEW_PASSWORD).holds(authority) == {"cookie"}


def test_a_wrong_current_password_changes_and_ends_nothing(authority: Authority, victim: Person) -> None:
    """Whoever found a browser open cannot set another password, nor sign its owner out by trying."""
    with pytest.raises(InvalidCredentials):
        authority.accounts.change_password(
            victim.browser.who(authority), "not the password", NEW_PASSWORD, HOME
        )
    assert victim.holds(authority) == WAYS_TO_HOLD
    assert Device(authority, victim.account).holds(authority) == {"cookie"}


def test_signing_out_twice_is_as_good_as_once(authority: Authority, victim: Person) -> None:
    """The second sign-out of a session finds nothing to end and says so without an error."""
    who = victim.browser.who(authority)
    assert authority.sessions.sign_out(who, HOME) is not None
    assert authority.sessions.sign_out(who, HOME) is None


def test_other_peoples_sessions_cannot_be_ended_or_told_from_none(
    authority: Authority, victim: Person, bystander: Person
) -> None:
    """A session of somebody else and one that never was give the same refusal, and nothing is ended."""
    who = bystander.browser.who(authority)
    for session_id in (victim.browser.session.id, "A" * 22):
        with pytest.raises(NotFound) as refusal:
            authority.sessions.end_own(who, session_id, HOME)
        assert str(refusal.value) == str(NotFound())
    assert victim.holds(authority) == WAYS_TO_HOLD


def test_a_known_refresh_token_of_an_ended_session_has_no_effect(
    authority: Authority, victim: Person
) -> None:
    """It is refused like any other text, and no fact is written for it."""
    authority.sessions.sign_out(victim.program.who(authority), HOME)
    before = authority.store.position()
    with pytest.raises(InvalidGrant):
        authority.tokens.refresh(victim.program.pair.refresh.reveal(), HOME)
    assert authority.store.position() == before


def test_ended_sessions_are_not_listed(authority: Authority, victim: Person, bystander: Person) -> None:
    """Neither their owner nor an operator sees a session that is dead, swept or not."""
    kept = Device(authority, victim.account)
    assert len(authority.sessions.of_account(victim.account.id)) == 3
    authority.sessions.end_others(kept.who(authority), HOME)
    [mine] = authority.sessions.of_account(victim.account.id)
    assert mine.session.id == kept.session.id
    everyone, _ = authority.sessions.everyone(after=None, limit=100)
    expected = {kept.session.id, bystander.browser.session.id, bystander.program.session.id}
    assert {one.session.id for one in everyone} == expected


def test_an_ending_bites_in_a_guard_that_has_never_seen_the_carrier(
    authority: Authority, neighbour: Authority
) -> None:
    """A token that a process meets for the first time after its ending is refused by its position."""
    program = Device(authority, add_account(authority), Carrier.TOKEN)
    authority.sessions.end_all("cli")
    with pytest.raises(Revoked):
        neighbour.guard.check(program.presented)
