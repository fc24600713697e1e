"""The access token in the making: its claims, out of what is true of whoever is to hold it, and the signature.

Owns the one list of claims that refreshing and the gateway share. Decides neither how long a token lives nor who gets
one: `tokens.py` and `short_tokens.py` do, and nobody else calls it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gatepost.carriers import tokens
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import Rings
from gatepost.core.secrets import Secret
from gatepost.services.identifiers import Identifiers


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is to be, as was true at log position `pos`. It never outlives `ends_at`."""

    account_id: str
    session_id: str
    client_id: str
    roles: tuple[str, ...]
    authenticated_at: datetime
    ends_at: datetime
    pos: int


class AccessTokens:
    """Signs access tokens of one issuer."""

    def __init__(self, rings: Rings, issuer: str, identifiers: Identifiers) -> None:
        self._rings = rings
        self._issuer = issuer
        self._identifiers = identifiers

    @property
    def key(self) -> PrivateKey:
        """The key that signs at this moment."""
        return self._rings.current.signing

    def issue(
        self, holder: Holder, audiences: tuple[str, ...], life: timedelta, now: datetime
    ) -> tuple[Secret, datetime]:
        """A token and the moment of its end: both in whole seconds, so it lives up to one second less than `life`.

        Raises `TooLarge` for roles that do not fit.
        """
        issued = now.replace(microsecond=0)
        expires_at = min(issued + life, holder.ends_at.replace(microsecond=0))
        claims = {
            "iss": self._issuer,
            "sub": holder.account_id,
            "aud": audiences,
            "client_id": holder.client_id,
            "iat": int(issued.timestamp()),
            "exp": int(expires_at.timestamp()),
            "auth_time": int(holder.authenticated_at.timestamp()),
            "jti": self._identifiers.name(),
            "sid": holder.session_id,
            "roles": holder.roles,
            "pos": holder.pos,
        }
        return tokens.issue(self.key, claims), expires_at
