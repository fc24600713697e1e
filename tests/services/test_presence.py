"""Who is signed in now, page by page: last used first, by e-mail, by address, with what they did last."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change, Event
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import InvalidCredentials, InvalidFields
from gatepost.services.beginnings import Wish
from gatepost.services.presence import PresencePage
from gatepost.testing.clock import TurnableClock
from gatepost.testing.records import a_session
from tests.services.installation import PASSWORD, add_account

Turn = Callable[[str | None], PresencePage]


def signs_in(at: Authority, account: Account, address: str = "192.0.2.7") -> str:
    """The id of a new session from this address."""
    wish = Wish(Origin(address, "Firefox on Linux"), Carrier.COOKIE)
    return at.sign_in.sign_in(account.email.typed, PASSWORD, wish).session.id


def every_page(turn: Turn) -> list[list[str]]:
    """The ids on every page, from the first to the last."""
    pages, after = list[list[str]](), None
    while True:
        page = turn(after)
        pages.append([one.standing.session.id for one in page.present])
        if page.go_on is None:
            return pages
        after = page.go_on


def test_those_who_were_last_used_come_first(authority: Authority, clock: TurnableClock) -> None:
    """In pages that join; who has signed out is on none."""
    ada = add_account(authority)
    ids = []
    for _ in range(5):
        ids.append(signs_in(authority, ada))
        clock.turn(seconds=1)
    authority.sessions.end_any(ids.pop(2), "test")
    pages = every_page(lambda after: authority.presence.newest(after=after, limit=2))
    assert pages == [[ids[3], ids[2]], [ids[1], ids[0]], []]


def test_the_dead_do_not_fill_a_page(authority: Authority, clock: TurnableClock) -> None:
    """The living are found behind hundreds of records that the sweep has not met."""
    late = clock.now() + timedelta(minutes=1)
    old = [a_session(f"dead-{number}", last_seen_at=late) for number in range(450)]
    authority.commits.commit(Change(at=clock.now(), put=tuple(old)))
    mine = signs_in(authority, add_account(authority))
    page = authority.presence.newest(limit=3)
    assert [one.standing.session.id for one in page.present] == [mine]
    assert page.go_on is None


def test_a_page_looks_past_so_many_dead_and_no_more(authority: Authority, clock: TurnableClock) -> None:
    """Then it says where to go on, instead of reading everything."""
    late = clock.now() + timedelta(minutes=1)
    authority.commits.commit(
        Change(
            at=clock.now(),
            put=tuple(a_session(f"dead-{number:04}", last_seen_at=late) for number in range(1100)),
        )
    )
    mine = signs_in(authority, add_account(authority))
    pages = every_page(lambda after: authority.presence.newest(after=after, limit=3))
    assert len(pages) > 1
    assert [one for page in pages for one in page] == [mine]


def test_sessions_are_found_by_a_part_of_the_email(authority: Authority) -> None:
    """Account by account."""
    wanted = [signs_in(authority, add_account(authority, f"ada{number}@example.com")) for number in range(3)]
    signs_in(authority, add_account(authority, "eve@example.org"))
    pages = every_page(lambda after: authority.presence.search("ADA", after=after, limit=2))
    assert len(pages[0]) == 2
    assert sorted(one for page in pages for one in page) == sorted(wanted)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("192.0.2.", {"one", "two"}),
        ("192.0.2.7", {"one"}),
        ("192.", {"one", "two"}),
        ("2001:db8", {"six"}),
        ("::1", {"loop"}),
        ("2001:DB8", set()),
        ("10.0.0.1", set()),
    ],
)
def test_sessions_are_found_by_where_an_address_begins(
    authority: Authority, wanted: str, found: set[str]
) -> None:
    """Addresses of both kinds; an e-mail is not taken for one."""
    ada = add_account(authority)
    places = {"one": "192.0.2.7", "two": "192.0.2.80", "six": "2001:db8::7", "loop": "::1"}
    ids = {signs_in(authority, ada, address): name for name, address in places.items()}
    pages = every_page(lambda after: authority.presence.search(wanted, after=after, limit=1))
    assert {ids[one] for page in pages for one in page} == found


def test_each_is_shown_with_what_its_account_did_last(authority: Authority) -> None:
    """With that very session. A stranger's try and an administrator's act are nothing that it did."""
    ada, eve = add_account(authority), add_account(authority, "eve@example.com")
    first, other, hers = signs_in(authority, ada), signs_in(authority, ada), signs_in(authority, eve)
    who = Principal(
        ada.id, first, ada.roles, frozenset(), Carrier.COOKIE, authority.clock.now(), ada.email.typed
    )
    with pytest.raises(InvalidCredentials):
        authority.accounts.change_password(who, "not the password", "four words nobody has", Origin("", ""))
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in(eve.email.typed, "wrong", Wish(Origin("198.51.100.1", ""), Carrier.COOKIE))
    authority.accounts.set_roles(ada.id, ["support"], "test")
    present = authority.presence.newest(limit=9).present
    assert {one.standing.session.id: one.last and one.last.event for one in present} == {
        first: Event.PASSWORD_CHANGE_FAILED,
        other: Event.SIGNED_IN,
        hers: Event.SIGNED_IN,
    }


def test_a_page_of_a_search_is_no_longer_than_was_asked_for(
    authority: Authority, clock: TurnableClock
) -> None:
    """It ends among the sessions of one account, newest first; the next goes on there, though that one has ended."""
    people = [add_account(authority, f"ada{number}@example.com") for number in range(2)]
    ids = {person.id: list[str]() for person in people}
    for _ in range(5):
        clock.turn(seconds=1)
        for person in people:
            ids[person.id].insert(0, signs_in(authority, person))
    expected = [one for person in sorted(ids) for one in ids[person]]
    for size in (1, 3, 4, 5, 7, 10):
        pages = every_page(lambda after, size=size: authority.presence.search("ada", after=after, limit=size))
        assert [one for page in pages for one in page] == expected
        assert {len(page) for page in pages[:-1]} <= {size}
        assert len(pages[-1]) <= size
    page = authority.presence.search("ada", limit=3)
    authority.sessions.end_any(expected[2], "test")
    rest = authority.presence.search("ada", after=page.go_on, limit=9)
    assert [one.standing.session.id for one in rest.present] == expected[3:]
    with pytest.raises(InvalidFields):
        authority.presence.search("ada", after=f"{people[0].id}~x", limit=3)


@pytest.mark.parametrize("after", ["", "x", "~", "2026~s1", "2026-11-21T12:00:00~s1", "9" * 60 + "~s"])
def test_a_place_that_no_page_has_named_is_refused(authority: Authority, after: str) -> None:
    """`InvalidFields`, of the list and of the search by address."""
    with pytest.raises(InvalidFields):
        authority.presence.newest(after=after, limit=2)
    with pytest.raises(InvalidFields):
        authority.presence.search("192.0.", after=after.replace("~", ""), limit=2)
