"""How an application has its say: the hooks it may give, and the small values they are called with.

Owns the shapes and nothing else: no hook is ever shown a password, a cookie or a token. Services call the hooks;
`docs/hooks.md` tells an application's author when. Adapters collect them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.core.sessions import Carrier


@dataclass(frozen=True, slots=True)
class Arrival:
    """An account that has proved who it is, in the moment before its session is written.

    `is_new` says that the account itself is written with it. `address` and `device` are where the request came from.
    """

    account_id: str
    email: str
    email_verified: bool
    roles: tuple[str, ...]
    carrier: Carrier
    address: str
    device: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Move:
    """What could move into a session that begins.

    `visit` is the data of the visit that ends here, as far as `sessions.carry_over` lets it out; `held` the data of
    a session of the same account that this sign-in ends in the same client. Either may be empty.
    """

    arrival: Arrival
    visit: Mapping[str, Any] = field(repr=False)
    held: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token that is about to be made: whose it will be, and whom it is for."""

    account_id: str
    session_id: str
    roles: tuple[str, ...]
    audiences: tuple[str, ...]
    carrier: Carrier


Claim = str | int | bool | Sequence[str]
"""What a claim of the application may be."""

OnArrival = Callable[[Arrival], None]
Merge = Callable[[Move], Mapping[str, Any]]
MakeClaims = Callable[[Grant], Mapping[str, Claim]]


def only_the_visit(move: Move) -> Mapping[str, Any]:
    """What moves where the application says nothing: the visit's data. What a session held goes with it."""
    return move.visit


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of one application; those it does not give do nothing."""

    on_sign_up: tuple[OnArrival, ...] = ()
    on_sign_in: tuple[OnArrival, ...] = ()
    carry_over: Merge = only_the_visit
    claims: MakeClaims | None = None


NO_HOOKS: Final = Hooks()
