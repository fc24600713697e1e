"""Accounts: making, finding and listing them, and what is refused."""

from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.errors import Busy, Conflict, EmailTaken, InvalidFields, NotFound, WeakPassword
from gatepost.services.counting import Counting
from gatepost.services.visits import Visits
from gatepost.stores.memory_counters import MemoryCounters
from gatepost.testing.clock import TurnableClock
from tests.services.installation import PASSWORD, add_account


def test_an_account_is_found_by_its_id_and_by_any_spelling_of_its_address(authority: Authority) -> None:
    """Everything else is not found, in the same words."""
    account = add_account(authority, "Ada@Example.com")
    for name in (account.id, "ada@example.com", "ADA@EXAMPLE.COM"):
        assert authority.accounts.find(name) == account
    for name in ("", "nobody", "nobody@example.com", "not@an@address", account.id.swapcase()):
        with pytest.raises(NotFound):
            authority.accounts.find(name)


def test_accounts_are_listed_in_pages_and_searched(authority: Authority) -> None:
    """Each once; the search looks at the address."""
    for name in ("ada", "adele", "eve"):
        add_account(authority, f"{name}@example.com")
    first, after = authority.accounts.page(after=None, limit=2)
    second, end = authority.accounts.page(after=after, limit=2)
    assert len(first) == 2
    assert end is None
    assert len({account.id for account in first + second}) == 3
    found, _ = authority.accounts.page(after=None, limit=10, search="AD")
    assert sorted(account.email.key for account in found) == ["ada@example.com", "adele@example.com"]


def test_an_account_is_made_once_with_known_roles_and_a_good_password(authority: Authority) -> None:
    """Roles are kept in the order given, each once."""
    account = authority.accounts.create("ada@example.com", PASSWORD, ["support", "member", "support"], "cli")
    assert account.roles == ("support", "member")
    assert authority.accounts.find(account.id).password_hash == account.password_hash
    with pytest.raises(EmailTaken):
        authority.accounts.create("ADA@example.com", PASSWORD, [], "cli")
    with pytest.raises(WeakPassword):
        authority.accounts.create("eve@example.com", "short", [], "cli")
    with pytest.raises(InvalidFields):
        authority.accounts.create("eve@example.com", PASSWORD, ["emperor"], "cli")
    with pytest.raises(InvalidFields):
        authority.accounts.create("no address", PASSWORD, [], "cli")
    assert len(authority.accounts.page(after=None, limit=10)[0]) == 1


def test_an_unknown_role_is_refused_and_changes_nothing(authority: Authority) -> None:
    """The refusal names the role and those there are."""
    account = add_account(authority)
    with pytest.raises(InvalidFields) as refusal:
        authority.accounts.set_roles(account.id, ["member", "emperor"], "cli")
    assert "'emperor'" in refusal.value.errors["roles"]
    assert authority.accounts.find(account.id) == account
    assert authority.store.position() == 0


@pytest.mark.parametrize("act", ["lock", "unlock", "end_sessions"])
def test_what_is_done_to_nobody_is_refused(authority: Authority, act: str) -> None:
    """An id of no account changes nothing."""
    with pytest.raises(NotFound):
        getattr(authority.accounts, act)("nobody", "cli")
    with pytest.raises(NotFound):
        authority.accounts.set_password("nobody", PASSWORD, "cli")
    assert authority.store.position() == 0


def test_a_weak_new_password_changes_nothing(authority: Authority) -> None:
    """On the operator's word as on the owner's."""
    account = add_account(authority)
    with pytest.raises(WeakPassword):
        authority.accounts.set_password(account.id, "short", "cli")
    assert authority.accounts.find(account.id) == account


def test_a_record_that_never_settles_ends_in_busy(authority: Authority) -> None:
    """A decision that loses every one of its tries gives up and says so; it does not turn for ever."""
    tries: list[int] = []

    def step() -> None:
        tries.append(1)
        raise Conflict("session", "never settles")

    with pytest.raises(Busy):
        authority.commits.decided(step)
    assert len(tries) == 64


def test_an_address_begins_so_many_visits_a_minute(clock: TurnableClock) -> None:
    """One more is told how many seconds to wait; another address is not concerned."""
    counting = Counting(MemoryCounters(), clock, bytes(32))
    one, neighbour = (Visits("visit", 3, counting) for _ in range(2))
    assert [visits.wait("192.0.2.7") for visits in (one, neighbour, one)] == [0, 0, 0]
    clock.turn(timedelta(seconds=20))
    assert (one.wait("192.0.2.7"), neighbour.wait("192.0.2.7")) == (40, 40)
    assert one.wait("192.0.2.8") == 0
    assert Visits("sign-up", 3, counting).wait("192.0.2.7") == 0
    clock.turn(timedelta(seconds=40))
    assert one.wait("192.0.2.7") == 0
