"""What an application has to say when a session begins: whether it may, and what it holds.

Owns the order of the hooks and what their answers must look like. They run when all else is decided and before
anything is written: one that raises leaves nothing behind. A record that changes meanwhile makes the whole step start
again, and the hooks with it. Called by `beginnings.py`, for every way in.
"""

import json
from collections.abc import Mapping
from typing import Any

from gatepost.core.accounts import Account
from gatepost.core.hooks import NO_HOOKS, Arrival, Hooks, Move, only_the_visit
from gatepost.core.sessions import Carrier, Origin
from gatepost.services.session_data import require_data_fits


class Arrivals:
    """Asks the application about those who arrive. `data_limit` is in bytes of JSON."""

    def __init__(self, hooks: Hooks = NO_HOOKS, data_limit: int = 0) -> None:
        self._hooks = hooks
        self._data_limit = data_limit

    def welcome(self, arrival: Arrival) -> None:
        """Let every hook see who arrives, a new account's first. Raises what a hook raises."""
        first = self._hooks.on_sign_up if arrival.is_new else ()
        for hook in (*first, *self._hooks.on_sign_in):
            # As an object: a hook may be typed loosely, and one that says False, or was not awaited, means no.
            said: object = hook(arrival)
            if said is not None:
                raise TypeError(f"{hook!r} returned something; a hook refuses by raising SignInRefused")

    def carried(
        self, arrival: Arrival, visit: Mapping[str, Any], held: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What the new session holds. Raises `TooLarge`, ValueError for what is no JSON, and what the hook raises."""
        if self._hooks.carry_over is only_the_visit:
            return visit
        kept = self._hooks.carry_over(Move(arrival, visit, held))
        # As the store will give it back: a tuple is a list then, and a date would not have come through.
        plain: dict[str, Any] = json.loads(json.dumps(dict(kept), allow_nan=False))
        require_data_fits(plain, self._data_limit)
        return plain


def arrival_of(account: Account, carrier: Carrier, origin: Origin) -> Arrival:
    """Who arrives, as hooks see them: nothing that signs in is among it."""
    return Arrival(
        account_id=account.id,
        email=account.email.typed,
        email_verified=account.email_verified,
        roles=account.roles,
        carrier=carrier,
        address=origin.address,
        device=origin.device,
        is_new=account.version == 0,
    )
