"""Somebody can always administer: the last administrator stays one, whoever asks and however many at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier

import pytest

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change, Committed
from gatepost.core.emails import parse_email
from gatepost.errors import LastAdministrator, OwnAccount
from tests.services.installation import Installation, add_account

ROUNDS = 15


def administrators(at: Authority) -> list[Account]:
    """Everybody who administers."""
    every = at.store.accounts(after=None, limit=100)
    return [one for one in every if "admin" in one.roles and one.locked_at is None]


def demote(at: Authority, account: Account) -> object:
    """Take the role away, if that may be."""
    return outcome(partial(at.accounts.set_roles, account.id, ["member"], "test"))


def lock(at: Authority, account: Account) -> object:
    """Lock the account, if that may be."""
    return outcome(partial(at.accounts.lock, account.id, "test"))


def outcome(act: Callable[[], object]) -> object:
    """What an act came to, a refusal among them."""
    try:
        return act()
    except LastAdministrator as error:
        return error


@pytest.mark.parametrize("act", [demote, lock])
def test_the_last_administrator_stays_one(
    authority: Authority, act: Callable[[Authority, Account], object]
) -> None:
    """Neither locked nor without the role; nothing is written. With another one both may be."""
    boss = add_account(authority, "boss@example.com", ["admin"])
    before = authority.store.position()
    assert isinstance(act(authority, boss), LastAdministrator)
    assert authority.accounts.find(boss.id) == boss
    assert authority.store.position() == before
    add_account(authority, "other@example.com", ["admin", "member"])
    assert not isinstance(act(authority, boss), LastAdministrator)


@pytest.mark.parametrize("act", [demote, lock])
def test_a_locked_administrator_is_none(
    authority: Authority, act: Callable[[Authority, Account], object]
) -> None:
    """Who cannot sign in does not count; what is taken from them takes nobody away."""
    boss = add_account(authority, "boss@example.com", ["admin"])
    other = add_account(authority, "other@example.com", ["admin"])
    authority.accounts.lock(other.id, "test")
    assert isinstance(act(authority, boss), LastAdministrator)
    assert not isinstance(act(authority, other), LastAdministrator)


@pytest.mark.parametrize("act", [demote, lock])
def test_an_administrator_without_a_password_is_none(
    authority: Authority, act: Callable[[Authority, Account], object]
) -> None:
    """An invitation that nobody took up signs nobody in; taking it back takes nobody away."""
    boss = add_account(authority, "boss@example.com", ["admin"])
    invited = replace(boss, id="invited", email=parse_email("invited@example.com"), password_hash=None)
    authority.commits.commit(Change(at=boss.created_at, put=(replace(invited, version=0),)))
    assert isinstance(act(authority, boss), LastAdministrator)
    assert not isinstance(act(authority, invited), LastAdministrator)


def test_an_administrator_without_a_password_may_go_first(authority: Authority) -> None:
    """Although nobody administers at all: it was nobody who could."""
    lone = add_account(authority, "lone@example.com", ["admin"])
    authority.commits.commit(Change(at=lone.created_at, put=(replace(lone, password_hash=None),)))
    assert not isinstance(demote(authority, lone), LastAdministrator)


def test_the_last_administrator_may_change_other_roles(authority: Authority) -> None:
    """Whatever keeps the role."""
    boss = add_account(authority, "boss@example.com", ["admin"])
    assert authority.accounts.set_roles(boss.id, ["admin", "support"], "test").account.roles == (
        "admin",
        "support",
    )


@pytest.mark.parametrize(
    "acts", [(demote, demote), (lock, lock), (demote, lock)], ids=["roles", "locks", "both"]
)
def test_of_two_who_put_each_other_out_at_once_one_remains(
    installation: Installation, acts: tuple[Callable[[Authority, Account], object], ...]
) -> None:
    """Through two server processes, again and again: never nobody, and one of the two is always refused."""
    servers = installation.open(), installation.open()
    for number in range(ROUNDS):
        pair = [add_account(servers[0], f"{number}-{one}@example.com", ["admin"]) for one in "ab"]
        together = Barrier(2)

        def put_out(place: int, pair: list[Account] = pair, together: Barrier = together) -> object:
            together.wait(60)
            return acts[place](servers[place], pair[place])

        with ThreadPoolExecutor(2) as threads:
            done = list(threads.map(put_out, range(2)))
        assert sum(isinstance(one, LastAdministrator) for one in done) == 1
        (left,) = administrators(servers[0])
        # Nobody of this round stands in the way of the next. No call allows that: it is written straight.
        gone = replace(left, roles=("member",))
        servers[0].commits.commit(Change(at=gone.created_at, put=(gone,)))


@pytest.mark.parametrize("act", [demote, lock])
def test_who_was_found_in_one_s_place_is_still_there_at_the_commit(
    authority: Authority, act: Callable[[Authority, Account], object]
) -> None:
    """The other administrator goes between the look and the write: decided again, and refused."""
    boss, other = (add_account(authority, f"{one}@example.com", ["admin"]) for one in ("boss", "other"))
    commit, late = authority.store.commit, list[object]()

    def after_the_other(change: Change) -> Committed:
        if not late:
            late.append(None)
            late.append(demote(authority, other))
        return commit(change)

    authority.store.commit = after_the_other  # type: ignore[method-assign]
    assert isinstance(act(authority, boss), LastAdministrator)
    assert [one.id for one in administrators(authority)] == [boss.id]


def test_an_administrator_locks_their_own_account_only_if_they_mean_it(authority: Authority) -> None:
    """`OwnAccount` first, even with others there; said twice it is done. By a command nobody is asked."""
    boss = add_account(authority, "boss@example.com", ["admin"])
    add_account(authority, "other@example.com", ["admin"])
    with pytest.raises(OwnAccount):
        authority.accounts.lock(boss.id, boss.id)
    with pytest.raises(OwnAccount):
        authority.accounts.lock("BOSS@example.com", boss.id)
    assert authority.accounts.find(boss.id).locked_at is None
    assert authority.accounts.lock(boss.id, boss.id, own=True).account.locked_at
