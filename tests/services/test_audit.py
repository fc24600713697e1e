"""Each act leaves exactly its row in the audit trail, in the change that does it, and no secret in it."""

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import AuditRow, Event
from gatepost.core.sessions import Carrier
from gatepost.errors import EmailTaken, InvalidCredentials, NotFound
from gatepost.services.beginnings import SignedIn, Wish
from tests.services.installation import (
    ELSEWHERE,
    HOME,
    NEW_PASSWORD,
    PASSWORD,
    Person,
    add_account,
    secrets_of,
    settle_in,
    trail,
)

EMAIL = "new@example.com"
Act = Callable[[Authority, Person], object]


def sign_up(at: Authority, person: Person) -> object:
    """A new account."""
    return at.sign_in.sign_up(EMAIL, PASSWORD, Wish(HOME))


def sign_in(at: Authority, person: Person) -> object:
    """With tokens."""
    return at.sign_in.sign_in("ada@example.com", PASSWORD, Wish(HOME, Carrier.TOKEN))


def fail_to_sign_in(at: Authority, person: Person) -> object:
    """With a wrong password."""
    return refused(at.sign_in.sign_in, "ada@example.com", "not the password", Wish(HOME))


def sign_out(at: Authority, person: Person) -> object:
    """In the browser."""
    return at.sessions.sign_out(person.browser.who(at), HOME)


def end_own(at: Authority, person: Person) -> object:
    """The program's session, from the browser."""
    return at.sessions.end_own(person.browser.who(at), person.program.session.id, HOME)


def end_others(at: Authority, person: Person) -> object:
    """All but the browser's."""
    return at.sessions.end_others(person.browser.who(at), HOME)


def change_password(at: Authority, person: Person) -> object:
    """In the browser."""
    return at.accounts.change_password(person.browser.who(at), PASSWORD, NEW_PASSWORD, HOME)


def fail_to_change_password(at: Authority, person: Person) -> object:
    """With a wrong current one."""
    who = person.browser.who(at)
    return refused(at.accounts.change_password, who, "not the password", NEW_PASSWORD, HOME)


def refused(act: Callable[..., object], *given: Any) -> object:
    """An act that is to be refused."""
    with pytest.raises(InvalidCredentials) as refusal:
        act(*given)
    return refusal.value


def rows_since(at: Authority, count: int) -> list[AuditRow]:
    """The rows after the first `count`."""
    return trail(at)[count:]


@pytest.mark.parametrize(
    ("act", "event"),
    [
        (sign_up, Event.SIGNED_UP),
        (sign_in, Event.SIGNED_IN),
        (fail_to_sign_in, Event.SIGN_IN_FAILED),
        (sign_out, Event.SIGNED_OUT),
        (end_own, Event.SESSION_ENDED),
        (end_others, Event.OTHER_SESSIONS_ENDED),
        (change_password, Event.PASSWORD_CHANGED),
        (fail_to_change_password, Event.PASSWORD_CHANGE_FAILED),
    ],
)
def test_what_somebody_does_themselves_leaves_one_row(authority: Authority, act: Act, event: Event) -> None:
    """With the moment, the account, the address and the device; a failed sign-in names no actor."""
    person = settle_in(authority, "ada@example.com")
    before = len(trail(authority))
    act(authority, person)
    [row] = rows_since(authority, before)
    account_id = authority.accounts.find(EMAIL if act is sign_up else "ada@example.com").id
    assert (row.event, row.at, row.account_id) == (event, authority.clock.now(), account_id)
    assert (row.address, row.device) == (HOME.address, HOME.device)
    assert row.actor == (None if event is Event.SIGN_IN_FAILED else account_id)


@pytest.mark.parametrize(
    ("act", "event", "more"),
    [
        (lambda at, person: at.accounts.lock(person.account.id, "cli"), Event.ACCOUNT_LOCKED, {}),
        (lambda at, person: at.accounts.unlock(person.account.id, "cli"), Event.ACCOUNT_UNLOCKED, {}),
        (lambda at, person: at.accounts.end_sessions(person.account.id, "cli"), Event.SESSIONS_ENDED, {}),
        (
            lambda at, person: at.accounts.set_password(person.account.id, NEW_PASSWORD, "cli"),
            Event.PASSWORD_CHANGED,
            {},
        ),
        (
            lambda at, person: at.accounts.set_roles(person.account.id, ["support", "member"], "cli"),
            Event.ROLES_CHANGED,
            {"before": "member", "after": "support,member"},
        ),
        (lambda at, person: at.sessions.end_any(person.browser.session.id, "cli"), Event.SESSION_ENDED, {}),
        (lambda at, person: at.sessions.end_all("cli"), Event.EVERYONE_ENDED, {}),
        (lambda at, person: at.accounts.invite("admin", "cli"), Event.INVITATION_MADE, {"role": "admin"}),
        (
            lambda at, person: at.accounts.create(EMAIL, PASSWORD, ["member", "support"], "cli"),
            Event.ACCOUNT_CREATED,
            {"roles": "member,support"},
        ),
    ],
)
def test_what_an_operator_does_leaves_one_row_with_their_name(
    authority: Authority, act: Act, event: Event, more: dict[str, str]
) -> None:
    """Who did it, to whom, and the plain facts of the change."""
    person = settle_in(authority, "ada@example.com")
    before = len(trail(authority))
    act(authority, person)
    [row] = rows_since(authority, before)
    assert (row.event, row.actor, dict(row.more)) == (event, "cli", more)
    nobody = {Event.EVERYONE_ENDED, Event.INVITATION_MADE}
    whom = authority.accounts.find(EMAIL).id if event is Event.ACCOUNT_CREATED else person.account.id
    assert row.account_id == (None if event in nobody else whom)


def test_a_sign_in_that_ends_older_sessions_leaves_one_row(authority: Authority) -> None:
    """The ended ones are part of the same act."""
    person = settle_in(authority, "ada@example.com")
    before = len(trail(authority))
    wish = Wish(HOME, brought_sessions=(person.program.session.id, person.browser.session.id))
    authority.sign_in.sign_in("ada@example.com", PASSWORD, wish)
    [row] = rows_since(authority, before)
    assert row.event is Event.SIGNED_IN


def test_a_failed_sign_in_of_nobody_names_nobody(authority: Authority) -> None:
    """What was typed is not written down: people type passwords into the wrong field."""
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in("my secret password", "x", Wish(ELSEWHERE))
    row = trail(authority)[-1]
    assert (row.event, row.account_id, row.address) == (Event.SIGN_IN_FAILED, None, "203.0.113.99")
    assert "secret" not in repr(row)


def test_what_changes_nothing_leaves_no_row(authority: Authority) -> None:
    """A refusal of form, a taken address, a session of nobody, a plain refresh and a visit are not events."""
    person = settle_in(authority, "ada@example.com")
    before = len(trail(authority))
    with pytest.raises(EmailTaken):
        authority.sign_in.sign_up("ada@example.com", PASSWORD, Wish(HOME))
    with pytest.raises(NotFound):
        authority.sessions.end_any("nobody's", "cli")
    person.program.refresh(authority)
    authority.sign_in.visit(Carrier.COOKIE, HOME)
    assert rows_since(authority, before) == []


def test_no_row_holds_a_secret(authority: Authority) -> None:
    """After every kind of act the trail holds no password, cookie, token, rotor, link or digest of any."""
    link = authority.accounts.invite("admin", "cli").reveal()
    signed_in: list[SignedIn] = [
        authority.sign_in.accept_invitation(link, EMAIL, PASSWORD, Wish(HOME)),
        authority.sign_in.sign_in(EMAIL, PASSWORD, Wish(HOME, Carrier.TOKEN)),
    ]
    person = settle_in(authority, "ada@example.com")
    for act in (fail_to_sign_in, end_own, fail_to_change_password, change_password):
        act(authority, person)
    written = repr(trail(authority))
    live = [text for one in signed_in for text in secrets_of(one)]
    hashed = authority.accounts.find(EMAIL).password_hash
    for text in [link, PASSWORD, NEW_PASSWORD, "not the password", hashed, *live]:
        assert str(text) not in written


def test_an_act_that_loses_its_race_leaves_no_row(authority: Authority) -> None:
    """The row is part of the change: what is not committed is not told."""
    account = add_account(authority)
    link = authority.accounts.invite("admin", "cli").reveal()
    authority.sign_in.accept_invitation(link, EMAIL, PASSWORD, Wish(HOME))
    before = len(trail(authority))
    with pytest.raises(NotFound):
        authority.sign_in.accept_invitation(link, "other@example.com", PASSWORD, Wish(HOME))
    assert rows_since(authority, before) == []
    assert trail(authority, account) == []
