"""What is verified where there is no account: a hash that costs what the hash of some account costs.

Accounts that came from elsewhere keep their hashes until they sign in, and these cost more or less than ours. Were an
unknown address always answered at the cost of ours, a stopwatch would tell it from those. Owns the choice for each
address; the hash is made by the password factor. Called by `sign_in.py`, for known addresses too.
"""

import hmac

from gatepost.core.ports import PasswordHashing, Store
from gatepost.core.secrets import ID_BYTES, encode


class Decoys:
    """Chooses for each address an account whose cost it shares while it has none itself.

    Ids are random, so a keyed place among them falls on every account alike: of the unknown addresses as many are
    answered at a certain cost as of the known ones, and each keeps its own from one attempt to the next. That stays
    true while accounts sign in one by one and their hashes become ours, and it needs nothing to be counted.
    """

    def __init__(self, store: Store, hashing: PasswordHashing, key: bytes) -> None:
        self._store = store
        self._hashing = hashing
        self._key = key

    def for_address(self, email_key: str) -> str | None:
        """A hash that no password is known to match; None for the cost of a new hash of ours."""
        place = encode(hmac.digest(self._key, email_key.encode(), "sha256")[:ID_BYTES])
        # The first account is looked up even where it is not needed: both paths ask the same questions.
        found = [
            *self._store.accounts(after=place, limit=1),
            *self._store.accounts(after=None, limit=1),
        ]
        stored = found[0].password_hash if found else None
        return None if stored is None else self._hashing.decoy_like(stored)
