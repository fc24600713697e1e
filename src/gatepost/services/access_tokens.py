"""The access token in the making: its claims, out of what is true of whoever is to hold it, and the signature.

Owns the one list of claims that refreshing and the gateway share, and how long a token of each kind may be. Decides
neither how long a token lives nor who gets one: `tokens.py` and `short_tokens.py` do, and nobody else calls it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from gatepost.carriers import tokens
from gatepost.carriers.cookie import CookieNames, attributes
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import Rings
from gatepost.carriers.sealed import LONGEST as LONGEST_COOKIE
from gatepost.carriers.tokens import HEADER_LIMIT, Kind
from gatepost.core.hooks import Claim
from gatepost.core.permissions import permissions_of
from gatepost.core.secrets import Secret
from gatepost.services.identifiers import Identifiers

_LAST_POSITION: Final = (1 << 53) - 1


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is to be, as was true at log position `pos`. It never outlives `ends_at`.

    `own` are the application's claims, checked already.
    """

    account_id: str
    session_id: str
    client_id: str
    roles: tuple[str, ...]
    authenticated_at: datetime
    ends_at: datetime
    pos: int
    kind: Kind = Kind.BEARER
    own: Mapping[str, Claim] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What an issuer's tokens say beside what they must, and how long they may be.

    `permissions` is what each role permits where tokens are to say it, else None. `cookie_limit` is how many
    characters a token in a cookie may have.
    """

    permissions: Mapping[str, tuple[str, ...]] | None = None
    cookie_limit: int = LONGEST_COOKIE

    @classmethod
    def of(
        cls, names: CookieNames, longest: timedelta, permissions: Mapping[str, tuple[str, ...]] | None
    ) -> Self:
        """The form for cookies of these names that a browser keeps for at most `longest`.

        A browser takes 4,096 bytes of a whole Set-Cookie value. The room that the longest Max-Age takes is left free
        always: what fits at sign-in fits at every renewal.
        """
        around = len(names.access) + 1 + len(attributes(longest, secure=names.secure))
        return cls(permissions, LONGEST_COOKIE - around)

    def limit(self, kind: Kind) -> int:
        """How many characters a token of this kind may have."""
        return self.cookie_limit if kind is Kind.COOKIE else HEADER_LIMIT


class AccessTokens:
    """Signs access tokens of one issuer."""

    def __init__(
        self, rings: Rings, issuer: str, identifiers: Identifiers, form: TokenForm | None = None
    ) -> None:
        self._rings = rings
        self._issuer = issuer
        self._identifiers = identifiers
        self._form = form or TokenForm()

    @property
    def key(self) -> PrivateKey:
        """The key that signs at this moment."""
        return self._rings.current.signing

    def issue(
        self, holder: Holder, audiences: tuple[str, ...], life: timedelta, now: datetime
    ) -> tuple[Secret, datetime]:
        """A token and the moment of its end: both in whole seconds, so it lives up to one second less than `life`.

        Raises `TooLarge` for roles, permissions or audiences that do not fit.
        """
        issued = now.replace(microsecond=0)
        expires_at = min(issued + life, holder.ends_at.replace(microsecond=0))
        claims: dict[str, Any] = {
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
        if self._form.permissions is not None:
            claims["permissions"] = sorted(permissions_of(holder.roles, self._form.permissions))
        longest = self._form.limit(holder.kind)
        return tokens.issue(self.key, claims, holder.kind, longest=longest, own=holder.own), expires_at

    def require_fits(self, holder: Holder, audiences: tuple[str, ...], now: datetime) -> None:
        """Raise `TooLarge` if no token of this holder could be made, at the largest log position there can be."""
        self.issue(replace(holder, pos=_LAST_POSITION), audiences, timedelta(), now)
