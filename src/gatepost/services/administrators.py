"""That somebody can always administer.

Owns the one rule about the last administrator. Called by whatever locks an account, takes its role or deletes it.
"""

from gatepost.core.accounts import Account
from gatepost.core.permissions import ADMINISTRATOR
from gatepost.errors import LastAdministrator
from gatepost.services.means import Means


def require_another(means: Means, account: Account) -> tuple[Account, ...]:
    """Who else administers, for the change that takes this account out to expect. Raises `LastAdministrator`.

    Read here and not expected there, two administrators who demote each other at once would both find the other.
    Whoever has no password yet cannot sign in and counts as nobody, and nobody is looked for where the account does not
    administer by now.
    """
    if ADMINISTRATOR not in account.roles or account.locked_at is not None or account.password_hash is None:
        return ()
    other = means.store.overview().other_holder(ADMINISTRATOR, besides=account.id)
    if other is None:
        raise LastAdministrator
    return (other,)
