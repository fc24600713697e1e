"""What roles allow. Roles do not imply one another; each holds the permissions that the settings give it."""

from collections.abc import Iterable, Mapping
from typing import Final

BUILT_IN_ROLES: Final = ("admin", "support", "member")
FIRST_ROLES: Final = ("member",)


def permissions_of(roles: Iterable[str], held: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Every permission that at least one of the roles holds."""
    return frozenset(permission for role in roles for permission in held.get(role, ()))


def unknown_roles(roles: Iterable[str], held: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The roles that this installation does not have."""
    return sorted({role for role in roles if role not in held})
