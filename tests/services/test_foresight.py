"""What a change of roles will do, said before it is done, by the very code that would do it."""

import pytest

from gatepost.authority import Authority
from gatepost.core.permissions import Difference
from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidFields, LastAdministrator, NotFound, TooLarge
from tests.services.installation import Device, Installation, add_account


@pytest.fixture
def authority(installation: Installation) -> Authority:
    """A server with roles that hold something, and far too many of them."""
    many = {f"a-role-with-a-long-name-{number:04}": [] for number in range(300)}
    installation.sections["roles"] = {"support": ["orders:refund"], **many}
    return installation.open()


def test_it_says_what_comes_and_goes_and_whom_it_meets(authority: Authority) -> None:
    """Roles, permissions, and the live sessions by carrier; nothing is written."""
    ada = add_account(authority, roles=["member"])
    for carrier in (Carrier.COOKIE, Carrier.TOKEN, Carrier.TOKEN):
        Device(authority, ada, carrier)
    before = authority.store.position()
    foreseen = authority.foresight.of_roles(ada.id, ["support", "support"])
    assert foreseen.difference == Difference(("support",), ("member",), ("orders:refund",), ())
    assert foreseen.roles == ("support",)
    assert foreseen.sessions == {Carrier.COOKIE: 1, Carrier.TOKEN: 2}
    assert foreseen.refusal is None
    assert authority.store.position() == before
    assert authority.accounts.find(ada.id) == ada


def test_it_says_that_it_is_the_last_administrator(authority: Authority) -> None:
    """As the change itself would."""
    boss = add_account(authority, roles=["admin"])
    assert isinstance(authority.foresight.of_roles(boss.id, []).refusal, LastAdministrator)
    assert authority.foresight.of_roles(boss.id, ["admin", "member"]).refusal is None
    add_account(authority, "other@example.com", ["admin"])
    assert authority.foresight.of_roles(boss.id, []).refusal is None


def test_it_says_that_tokens_would_be_too_large(authority: Authority) -> None:
    """With the sizes, as the change itself would."""
    ada = add_account(authority)
    every = [role for role in authority.accounts.roles if role != "admin"]
    refusal = authority.foresight.of_roles(ada.id, every).refusal
    assert isinstance(refusal, TooLarge)
    with pytest.raises(TooLarge) as refused:
        authority.accounts.set_roles(ada.id, every, "test")
    assert refused.value.message.split(":")[0] == refusal.message.split(":")[0]


def test_what_is_unknown_is_refused_at_once(authority: Authority) -> None:
    """A role that there is not, an account that there is not."""
    ada = add_account(authority)
    with pytest.raises(InvalidFields):
        authority.foresight.of_roles(ada.id, ["emperor"])
    with pytest.raises(NotFound):
        authority.foresight.of_roles("nobody", ["member"])
