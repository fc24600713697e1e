"""Showing the password again, before something dangerous.

Owns who may: the session that asks, with its account's password. What comes of it is a new sign-in of the same account
in the same carrier, which goes on with the data and ends the session that asked: a session keeps one moment at which
its owner was there, in its record and in whatever a client holds of it, and a privilege gets a new id.
"""

from dataclasses import replace

from gatepost.core.changes import AuditRow, Event
from gatepost.core.passwords import Verified, Wrong, as_typed, normalise
from gatepost.core.ports import PasswordHashing
from gatepost.core.principals import Principal
from gatepost.core.sessions import Origin
from gatepost.errors import InvalidCredentials, Revoked
from gatepost.services.beginnings import Beginning, Beginnings, SignedIn, Wish
from gatepost.services.guesses import Attempt
from gatepost.services.means import Means
from gatepost.services.outcomes import Outcomes, counted
from gatepost.services.standing import require_standing


class Reauthentication:
    """Renews the moment at which an account's owner was there."""

    def __init__(
        self, means: Means, beginnings: Beginnings, hashing: PasswordHashing, outcomes: Outcomes
    ) -> None:
        self._means = means
        self._beginnings = beginnings
        self._hashing = hashing
        self.outcomes = outcomes

    @counted("reauthentication")
    def prove(self, who: Principal, password: str, wish: Wish) -> SignedIn:
        """A session that begins now, in place of the one that asks.

        Raises `InvalidCredentials`, `SlowDown`, `Busy`, and `Revoked` if the session that asks was ended while the
        password was hashing: a thief who was signed out meanwhile does not get another one.
        """
        wish = replace(wish, carrier=who.carrier, brought_sessions=(*wish.brought_sessions, who.session_id))
        audiences = self._beginnings.audiences(wish)
        secret = normalise(password)
        verified: dict[str | None, Verified | Wrong] = {}

        def step(attempt: Attempt) -> SignedIn:
            view = require_standing(self._means, who)
            account = view.account
            if account is None:
                raise Revoked(detail="the account is gone")
            stored = account.password_hash
            if stored not in verified:
                verified[stored] = self._hashing.verify(stored, secret, as_typed(password))
            if not isinstance(verified[stored], Verified):
                raise self._refusal(who, wish.origin, attempt)
            beginning = Beginning(
                account,
                view.pos,
                Event.REAUTHENTICATED,
                expects=(account,),
                continues=view.session,
                attempt=attempt,
            )
            return self._beginnings.begin(beginning, wish, audiences)

        with self._means.guesses.of_session(who.session_id) as attempt:
            return self._means.commits.decided(lambda: step(attempt))

    def _refusal(self, who: Principal, origin: Origin, attempt: Attempt) -> InvalidCredentials:
        row = AuditRow(
            Event.REAUTHENTICATION_FAILED,
            self._means.clock.now(),
            account_id=who.account_id,
            actor=who.account_id,
            session_id=who.session_id,
            address=origin.address,
            device=origin.device,
        )
        attempt.failed(row)
        return InvalidCredentials("The password is not right.")
