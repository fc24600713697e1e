"""What roles allow. Roles do not imply one another; each holds the permissions that the settings give it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ADMINISTRATOR: Final = "admin"
BUILT_IN_ROLES: Final = (ADMINISTRATOR, "support", "member")
FIRST_ROLES: Final = ("member",)


def permissions_of(roles: Iterable[str], held: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Every permission that at least one of the roles holds."""
    return frozenset(permission for role in roles for permission in held.get(role, ()))


def unknown_roles(roles: Iterable[str], held: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The roles that this installation does not have."""
    return sorted({role for role in roles if role not in held})


@dataclass(frozen=True, slots=True)
class Difference:
    """What comes and goes when roles change, in the order of the alphabet."""

    roles_gained: tuple[str, ...]
    roles_lost: tuple[str, ...]
    permissions_gained: tuple[str, ...]
    permissions_lost: tuple[str, ...]


def difference(
    before: Iterable[str], after: Iterable[str], held: Mapping[str, tuple[str, ...]]
) -> Difference:
    """What the roles `after` allow that those `before` do not, and the reverse."""
    had, has = set(before), set(after)
    could, can = permissions_of(had, held), permissions_of(has, held)
    return Difference(
        roles_gained=tuple(sorted(has - had)),
        roles_lost=tuple(sorted(had - has)),
        permissions_gained=tuple(sorted(can - could)),
        permissions_lost=tuple(sorted(could - can)),
    )
