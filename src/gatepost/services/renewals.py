"""Renewing what a browser holds, inside the request that brought it.

Owns which service renews which carrier, and that a failed renewal is a refusal of the carrier and nothing else. Called
by the guard through the request that is being answered, never by itself.
"""

from dataclasses import dataclass
from datetime import timedelta

from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import SealedCookie, TokenCookies
from gatepost.carriers.tokens import session_in
from gatepost.core.ports import Clock
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import Expired, InvalidGrant, Outdated, Revoked, TooLarge
from gatepost.services.sealed import SealedIssued, SealedSessions
from gatepost.services.tokens import TokenPair, Tokens


@dataclass(frozen=True, slots=True)
class Renewed:
    """What is presented from now on, and the credential as the browser is to keep it, and for how long."""

    presented: SealedCookie | TokenCookies
    credential: SealedIssued | TokenPair
    life: timedelta


class Renewals:
    """Renews carriers in cookies."""

    def __init__(self, sealed: SealedSessions, tokens: Tokens, rings: Rings, clock: Clock) -> None:
        self._sealed = sealed
        self._tokens = tokens
        self._rings = rings
        self._clock = clock

    def renew(self, presented: SealedCookie | TokenCookies, origin: Origin) -> Renewed:
        """The same session in a fresh carrier. Raises `Refused`, `SlowDown` or `Busy`."""
        match presented:
            case SealedCookie(value):
                return resealed(self._sealed.renew(value))
            case TokenCookies(access, refresh):
                if refresh is None:
                    raise Expired(detail="there is no refresh token to renew with")
                pair = self._refreshed(refresh, access, origin)
                shown = TokenCookies(pair.access.reveal(), pair.refresh.reveal())
                return Renewed(shown, pair, pair.ends_at - self._clock.now())

    def _refreshed(self, refresh: str, access: str | None, origin: Origin) -> TokenPair:
        # A refresh token that was planted beside somebody's access token would make them somebody else unnoticed.
        session_id = session_in(access, self._rings.current) if access else None
        try:
            return self._tokens.refresh(refresh, origin, carrier=Carrier.TOKEN_COOKIE, session_id=session_id)
        except InvalidGrant as error:
            raise Revoked(detail=error.detail) from error
        except TooLarge as error:
            # A refusal like any other: as an error of its own it would also meet whoever comes to sign in again.
            raise Outdated(detail=error.message) from error


def resealed(issued: SealedIssued) -> Renewed:
    """A sealed cookie that takes the place of the one presented."""
    return Renewed(SealedCookie(issued.value.reveal()), issued, issued.life)
