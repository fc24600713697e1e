"""A session's data, and who sees which sessions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.sessions import Carrier
from gatepost.errors import NotFound, Revoked, TooLarge
from gatepost.services.sessions import merge_patch
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, Device, Installation, Person, add_account, settle_in


@pytest.fixture
def person(authority: Authority) -> Person:
    """Somebody with a browser and a program."""
    return settle_in(authority, "ada@example.com")


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_data_is_merged_as_rfc_7396_says(
    target: dict[str, object], patch: dict[str, object], merged: dict[str, object]
) -> None:
    """Members replace, null removes, objects merge, anything else is taken as it is; the target stays as it was."""
    before = repr(target)
    assert merge_patch(target, patch) == merged
    assert repr(target) == before


def nested(levels: int) -> dict[str, object]:
    """An object so many levels deep."""
    return {"a": nested(levels - 1)} if levels else {}


def test_data_may_be_32_levels_deep_and_no_deeper() -> None:
    """One level more is refused before it is written."""
    assert merge_patch({}, nested(32))
    with pytest.raises(TooLarge):
        merge_patch({}, nested(33))


def test_data_of_a_session_is_seen_by_every_process(
    authority: Authority, neighbour: Authority, person: Person
) -> None:
    """What one writes the other reads, at once: data is never remembered."""
    who = person.browser.who(authority)
    assert authority.sessions.merge_data(who, {"cart": [1]}) == {"cart": [1]}
    assert neighbour.sessions.merge_data(who, {"language": "de"}) == {"cart": [1], "language": "de"}
    assert authority.sessions.current(who).session.data == {"cart": [1], "language": "de"}


def test_data_over_the_limit_is_refused_with_its_size_and_changes_nothing(installation: Installation) -> None:
    """The refusal names the size, the limit and the largest keys."""
    installation.sections = {"sessions": {"data_limit": 100}}
    authority = installation.open()
    who = Device(authority, add_account(authority)).who(authority)
    authority.sessions.merge_data(who, {"small": 1})
    with pytest.raises(TooLarge) as refusal:
        authority.sessions.merge_data(who, {"large": "x" * 100, "medium": "y" * 10})
    message = str(refusal.value)
    assert "100" in message
    assert message.index("large") < message.index("medium") < message.index("small")
    assert authority.sessions.current(who).session.data == {"small": 1}


def test_many_who_write_at_once_all_keep_their_change(authority: Authority, person: Person) -> None:
    """16 threads each merge a key of their own into one session: all 16 are there."""
    who = person.browser.who(authority)
    together = threading.Barrier(16)

    def write(number: int) -> None:
        together.wait(60)
        authority.sessions.merge_data(who, {f"key{number}": number})

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, range(16)))
    assert authority.sessions.current(who).session.data == {f"key{n}": n for n in range(16)}


def test_an_ended_session_takes_and_gives_no_data(authority: Authority, person: Person) -> None:
    """Also for a request that was checked before it ended."""
    who, other = person.browser.who(authority), person.program.who(authority)
    authority.sessions.sign_out(who, HOME)
    authority.accounts.lock(person.account.id, "cli")
    for ended in (who, other):
        with pytest.raises(Revoked):
            authority.sessions.current(ended)
        with pytest.raises(Revoked):
            authority.sessions.merge_data(ended, {"a": 1})


def test_an_owner_sees_their_live_sessions_newest_first(
    authority: Authority, clock: TurnableClock, person: Person
) -> None:
    """With the moment at which each would fall idle; not those of others, and not the dead."""
    settle_in(authority, "other@example.com")
    clock.turn(timedelta(minutes=5))
    newest = Device(authority, person.account)
    authority.sessions.sign_out(person.program.who(authority), HOME)
    listed = authority.sessions.of_account(person.account.id)
    assert [one.session.id for one in listed] == [newest.session.id, person.browser.session.id]
    assert listed[0].idle_expires_at == clock.now() + authority.settings.sessions.idle


def test_an_operator_pages_through_everybodys_sessions(authority: Authority) -> None:
    """Each session once, in pages of the size asked for; visits are nobody's and not listed."""
    account = add_account(authority)
    mine = {Device(authority, account).session.id for _ in range(5)}
    authority.sign_in.visit(Carrier.COOKIE, HOME)
    found: list[str] = []
    after: str | None = None
    for _ in range(3):
        page, after = authority.sessions.everyone(after=after, limit=2)
        found += [one.session.id for one in page]
    assert after is None
    assert sorted(found) == sorted(mine)


def test_a_session_that_is_dead_is_not_found(authority: Authority, person: Person) -> None:
    """By its id, whether it is gone, ended or never was."""
    assert authority.sessions.find(person.browser.session.id).account == person.account
    authority.accounts.end_sessions(person.account.id, "cli")
    for session_id in (person.browser.session.id, "nobody's"):
        with pytest.raises(NotFound):
            authority.sessions.find(session_id)
        with pytest.raises(NotFound):
            authority.sessions.end_any(session_id, "cli")
