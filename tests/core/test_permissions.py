"""Roles and what they allow."""

from gatepost.core.permissions import permissions_of, unknown_roles
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
