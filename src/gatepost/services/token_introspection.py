"""What a client is told about a token it asks about (RFC 7662).

Owns who may learn what. Asks the durable truth each time, never what this process remembers, so an answer is as new as
the store. Asking changes nothing: a used-up refresh token that is only asked about ends no session.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.carriers import tokens
from gatepost.carriers.keys import Rings
from gatepost.carriers.tokens import AccessClaims
from gatepost.core.clients import Client, Power
from gatepost.core.ports import Introspection
from gatepost.core.revocation import Standing
from gatepost.core.rotation import NO_GRACE, Rotate, decide_rotation
from gatepost.core.secrets import RefreshHandle, parse_refresh
from gatepost.errors import Refused
from gatepost.services.means import Means
from gatepost.services.standing import refreshable
from gatepost.services.tokens import TokenRules


@dataclass(frozen=True, slots=True)
class ActiveAccess:
    """An access token that every service it is for would accept now."""

    claims: AccessClaims


@dataclass(frozen=True, slots=True)
class ActiveRefresh:
    """A refresh token that would be exchanged now."""

    client_id: str
    account_id: str
    session_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Inactive:
    """Unknown, expired, ended, out of date, or none of this client's business: nobody is told which.

    But for a client that may follow the log, which holds the reason: `standing` says whether the token was ended or is
    out of date. RFC 7662 section 2.2 keeps it from those who would learn something by it.
    """

    standing: Standing | None = None


INACTIVE: Final = Inactive()


class TokenIntrospection:
    """Answers about tokens, out of the store."""

    def __init__(self, means: Means, ring: Rings, rules: TokenRules, truth: Introspection) -> None:
        self._means = means
        self._ring = ring
        self._rules = rules
        self._truth = truth

    def answer(self, client: Client, token: str) -> ActiveAccess | ActiveRefresh | Inactive:
        """What this client may know of a token. Raises `Busy` or `StoreUnusable` where the truth is out of reach."""
        handle = parse_refresh(token)
        return self._access(client, token) if handle is None else self._refresh(client, handle)

    def _access(self, client: Client, token: str) -> ActiveAccess | Inactive:
        now = self._means.clock.now()
        try:
            verified = tokens.read_ours(token, self._ring.current, issuer=self._rules.issuer, now=now)
        except Refused:
            return INACTIVE
        allowed = client.audiences or self._rules.audiences
        if set(allowed).isdisjoint(verified.claims.aud):
            return INACTIVE
        standing = self._truth.standing(token, verified.subject)
        if standing is not Standing.LIVE:
            return Inactive(standing) if Power.VERIFIER in client.powers else INACTIVE
        return ActiveAccess(verified.claims)

    def _refresh(self, client: Client, handle: RefreshHandle) -> ActiveRefresh | Inactive:
        # A service that is held to its audiences is shown access tokens. Told that a refresh token is active, it would
        # take one for a pass: it is for the authorization server alone (RFC 6749 section 1.5).
        view = None if client.audiences else self._means.store.refresh(handle.id)
        if view is None:
            return INACTIVE
        meaning = decide_rotation(view.family, handle, NO_GRACE, self._means.clock.now())
        session = refreshable(self._means, view)
        if session is None or session.account_id is None or not isinstance(meaning, Rotate):
            return INACTIVE
        return ActiveRefresh(view.family.client_id, session.account_id, session.id, view.family.expires_at)
