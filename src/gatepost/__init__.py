"""Gatepost: sign-in with sessions and JWTs that can both be ended at once.

Names are loaded on first use, so that a service that only checks does not import a web framework or a database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatepost.adapters.fastapi import Gatepost
    from gatepost.core.hooks import Arrival, Grant, Move
    from gatepost.core.principals import Principal, Visitor
    from gatepost.errors import (
        Expired,
        GatepostError,
        Malformed,
        NotForUs,
        Outdated,
        Refused,
        Revoked,
        SignInRefused,
        Stale,
    )

__version__ = "0.1.0"

__all__ = [
    "Arrival",
    "Expired",
    "Gatepost",
    "GatepostError",
    "Grant",
    "Malformed",
    "Move",
    "NotForUs",
    "Outdated",
    "Principal",
    "Refused",
    "Revoked",
    "SignInRefused",
    "Stale",
    "Visitor",
]

_HOMES = {
    "Arrival": "gatepost.core.hooks",
    "Gatepost": "gatepost.adapters.fastapi",
    "Grant": "gatepost.core.hooks",
    "Move": "gatepost.core.hooks",
    "Principal": "gatepost.core.principals",
    "Visitor": "gatepost.core.principals",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "gatepost.errors")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
