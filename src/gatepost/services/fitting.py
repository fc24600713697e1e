"""Whether what an account says fits into every carrier that this installation offers.

Owns the check that comes before a change of roles, so that it fails there and not at somebody's next renewal. Measures
by making the carrier: there is no second arithmetic of sizes. Called by `accounts.py`.
"""

from dataclasses import replace
from typing import Final

from gatepost.core.accounts import Account
from gatepost.core.sessions import Carrier, Session, SessionView
from gatepost.errors import TooLarge
from gatepost.services.means import Means
from gatepost.services.sealed import SealedSessions
from gatepost.services.standing import stands
from gatepost.services.tokens import Tokens

_LONG_DEVICE: Final = "x" * 64
_LONG_ADDRESS: Final = "x" * 45


class Fitting:
    """Measures accounts."""

    def __init__(self, means: Means, tokens: Tokens, sealed: SealedSessions) -> None:
        self._means = means
        self._tokens = tokens
        self._sealed = sealed

    def require(self, account: Account) -> tuple[Session, ...]:
        """Raise `TooLarge` with the sizes if a carrier could not hold what this account says.

        Looked at are tokens for every audience, a sealed cookie without data, and each live sealed session with the
        data that it holds. The records of these are given back, for the change to expect: what is written into one of
        them meanwhile is measured again.
        """
        views = [view for view in self._means.store.sessions_of(account.id) if self._is_sealed(view)]
        try:
            self._tokens.require_fits(account)
            for view in (self._blank(account), *views):
                self._sealed.require_fits(replace(view, account=account))
        except TooLarge as error:
            raise TooLarge(
                f"Nothing was changed: with these roles it would not fit. {error.message}"
            ) from error
        return tuple(view.session for view in views)

    def _is_sealed(self, view: SessionView) -> bool:
        return view.session.carrier is Carrier.SEALED and stands(self._means, view)

    def _blank(self, account: Account) -> SessionView:
        """A session that holds nothing, as long as one gets by itself."""
        now = self._means.clock.now()
        session = Session(
            id=self._means.identifiers.name(),
            carrier=Carrier.SEALED,
            account_id=account.id,
            handle=None,
            started_at=now,
            last_seen_at=now,
            expires_at=now + self._means.limits.absolute,
            device=_LONG_DEVICE,
            address=_LONG_ADDRESS,
            pos=0,
        )
        return SessionView(session, account, everyone_ended=0, pos=(1 << 53) - 1)
