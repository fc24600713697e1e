"""What a change of roles will do, said before it is done.

Owns the comparison and nothing of the change: whether it is allowed is asked of the very code that would make it.
Called by the administration's role editor.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatepost.core.accounts import Account
from gatepost.core.permissions import Difference, difference
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError, LastAdministrator, TooLarge
from gatepost.services.accounts import Accounts
from gatepost.services.sessions import Sessions


@dataclass(frozen=True, slots=True)
class RolesForeseen:
    """What new roles come to: how many live sessions of each carrier meet them at their next request.

    `refusal` is why the change would not be made; None where it would.
    """

    account: Account
    roles: tuple[str, ...]
    difference: Difference
    sessions: Mapping[Carrier, int]
    refusal: GatepostError | None


class Foresight:
    """Rehearses changes."""

    def __init__(self, accounts: Accounts, sessions: Sessions) -> None:
        self._accounts = accounts
        self._sessions = sessions

    def of_roles(self, name: str, roles: Sequence[str]) -> RolesForeseen:
        """What `Accounts.set_roles` would do with these roles. Raises `NotFound`, `InvalidFields` for unknown ones."""
        account = self._accounts.find(name)
        refusal: GatepostError | None = None
        try:
            self._accounts.rehearse_roles(account, roles)
        except (LastAdministrator, TooLarge) as error:
            refusal = error
        live = self._sessions.of_account(account.id)
        return RolesForeseen(
            account=account,
            roles=tuple(dict.fromkeys(roles)),
            difference=difference(account.roles, roles, self._accounts.roles),
            sessions=Counter(one.session.carrier for one in live),
            refusal=refusal,
        )
