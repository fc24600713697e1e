"""Events that are easily left out of the audit trail: on the side of another act, or at its second look."""

from dataclasses import replace

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Change, Event
from gatepost.core.passwords import Verified, Wrong, normalise
from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidCredentials
from gatepost.services.beginnings import Wish
from gatepost.testing.clock import TurnableClock
from tests.services.installation import (
    ELSEWHERE,
    HOME,
    NEW_PASSWORD,
    PASSWORD,
    Device,
    add_account,
    settle_in,
    trail,
)


def test_whose_session_ends_because_somebody_else_signs_in_finds_it_in_their_trail(
    authority: Authority,
) -> None:
    """With who signed in there, and from where; the trail of the other account tells of the sign-in only."""
    ada, bob = settle_in(authority, "ada@example.com"), add_account(authority, "bob@example.com")
    wish = Wish(ELSEWHERE, brought_sessions=(ada.program.session.id,))
    authority.sign_in.sign_in("bob@example.com", PASSWORD, wish)
    row = trail(authority, ada.account)[-1]
    assert (row.event, row.actor, row.session_id) == (Event.SESSION_ENDED, bob.id, ada.program.session.id)
    assert (row.address, row.device) == (ELSEWHERE.address, ELSEWHERE.device)
    assert [one.event for one in trail(authority, bob)] == [Event.SIGNED_IN]
    assert "ended" not in trail(authority, bob)[0].more


def test_session_that_was_over_already_does_not_end_again(authority: Authority, clock: TurnableClock) -> None:
    """Somebody else's cookie of long ago is cleared away, and their trail stays as it is."""
    ada, bob = settle_in(authority, "ada@example.com"), add_account(authority, "bob@example.com")
    before = trail(authority, ada.account)
    clock.turn(authority.settings.sessions.idle)
    wish = Wish(ELSEWHERE, brought_sessions=(ada.program.session.id,))
    authority.sign_in.sign_in("bob@example.com", PASSWORD, wish)
    assert authority.store.session(ada.program.session.id) is None
    assert trail(authority, ada.account) == before
    assert [one.event for one in trail(authority, bob)] == [Event.SIGNED_IN]


def test_own_sessions_that_a_sign_in_ends_are_named_in_its_row(authority: Authority) -> None:
    """Where the sign-in replaced them; a visit that it ends is no sign-in of anybody."""
    ada = settle_in(authority, "ada@example.com")
    visit = authority.sign_in.visit(Carrier.COOKIE, HOME).session.id
    wish = Wish(HOME, brought_sessions=(ada.program.session.id, visit))
    authority.sign_in.sign_in("ada@example.com", PASSWORD, wish)
    assert trail(authority)[-1].more["ended"] == ada.program.session.id


def test_roles_of_a_new_account_are_in_its_first_row(authority: Authority) -> None:
    """An administrator who comes by the one-time link is told apart from a member who signs up."""
    link = authority.accounts.invite("admin", "cli").reveal()
    authority.sign_in.accept_invitation(link, "boss@example.com", PASSWORD, Wish(HOME))
    authority.sign_in.sign_up("ada@example.com", PASSWORD, Wish(HOME))
    used, signed_up = trail(authority)[-2:]
    assert (used.event, used.more["roles"]) == (Event.INVITATION_USED, "admin,member")
    assert (signed_up.event, signed_up.more["roles"]) == (Event.SIGNED_UP, "member")
    authority.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME))
    assert "roles" not in trail(authority)[-1].more


class Meanwhile:
    """The real password factor, with an act that lands while it computes the hash of the new password."""

    def __init__(self, at: Authority, act: object) -> None:
        self._real = at.hashing
        self._act = act

    def hash(self, password: bytes) -> str:
        """The hash, after the act."""
        assert callable(self._act)
        self._act()
        return self._real.hash(password)

    def verify(self, stored: str | None, password: bytes, as_typed: bytes | None = None) -> Verified | Wrong:
        """As ever."""
        return self._real.verify(stored, password, as_typed)


def test_password_change_that_is_refused_at_the_second_look_leaves_a_row(authority: Authority) -> None:
    """The current password was right at first and had been changed when it came to the commit."""
    account = add_account(authority)
    who = Device(authority, account).who(authority)
    changed_meanwhile = authority.hashing.hash(normalise(NEW_PASSWORD))

    def change_first() -> None:
        latest = authority.accounts.find(account.id)
        now = authority.clock.now()
        authority.commits.commit(Change(at=now, put=(replace(latest, password_hash=changed_meanwhile),)))

    authority.accounts._hashing = Meanwhile(authority, change_first)
    with pytest.raises(InvalidCredentials):
        authority.accounts.change_password(who, PASSWORD, "nine owls under a slow moon", ELSEWHERE)
    row = trail(authority, account)[-1]
    assert (row.event, row.session_id, row.address) == (
        Event.PASSWORD_CHANGE_FAILED,
        who.session_id,
        ELSEWHERE.address,
    )
