"""Roles and what they allow."""

from gatepost.core.permissions import Difference, difference, permissions_of, unknown_roles
from tests.builders import ROLES


def test_permissions_are_those_of_any_role() -> None:
    """Roles add up; one that the installation does not have gives nothing."""
    assert permissions_of(["member", "support"], ROLES) == {"orders.read", "orders.cancel"}
    assert permissions_of(["captain"], ROLES) == frozenset()


def test_roles_do_not_imply_one_another() -> None:
    """An administrator may not do what only support may."""
    assert "orders.cancel" not in permissions_of(["admin"], ROLES)


def test_unknown_roles_are_named_once_and_in_order() -> None:
    """What a mistyped role list gets back."""
    assert unknown_roles(["zebra", "member", "ape", "zebra"], ROLES) == ["ape", "zebra"]


def test_a_change_of_roles_comes_to_what_it_gives_and_takes() -> None:
    """Roles by their names; a permission that another role holds too neither comes nor goes."""
    held = {"clerk": ("read", "write"), "reader": ("read",), "boss": ("fire",)}
    change = difference(["clerk"], ["reader", "boss", "boss"], held)
    assert (change.roles_gained, change.roles_lost) == (("boss", "reader"), ("clerk",))
    assert (change.permissions_gained, change.permissions_lost) == (("fire",), ("write",))
    assert difference(["clerk"], ["clerk"], held) == Difference((), (), (), ())
