"""Ending a token on the word of the client that holds it (RFC 7009).

Owns what dies with what: an access token alone, or with a refresh token its whole session. Does not judge who the
client is; that was proven before. Holding the token is the proof that it may be ended.
"""

from datetime import UTC, datetime

from gatepost.carriers import tokens
from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import has_handle_shape
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.ports import Introspection
from gatepost.core.revocation import SessionEnded, Standing, TokenEnded
from gatepost.core.rotation import NO_GRACE, Dead, Rotate, Unknown, decide_rotation
from gatepost.core.secrets import RefreshHandle, digest, parse_refresh
from gatepost.core.sessions import Origin
from gatepost.errors import Refused, UnauthorizedClient, UnsupportedTokenType
from gatepost.services.commits import Receipt
from gatepost.services.means import Means
from gatepost.services.standing import refreshable


class TokenRevocation:
    """Ends tokens for the clients they were issued to."""

    def __init__(self, means: Means, ring: Rings, issuer: str, truth: Introspection) -> None:
        self._means = means
        self._ring = ring
        self._issuer = issuer
        self._truth = truth

    def revoke(self, client_id: str, token: str, origin: Origin) -> Receipt | None:
        """End a token that was issued to this client; None where there was nothing to end.

        Raises `UnauthorizedClient` for a genuine token of another client, and `UnsupportedTokenType` for a session
        cookie: it was not ended, and whoever asked must not believe so.
        """
        self._require_no_cookie(token)
        handle = parse_refresh(token)
        if handle is None:
            return self._access(client_id, token, origin)
        return self._means.commits.decided(lambda: self._refresh(client_id, handle, origin))

    def _require_no_cookie(self, token: str) -> None:
        # Looked up, because by its form alone any unknown token could be one, and that is no error.
        opaque = has_handle_shape(token) and self._means.store.session_by_handle(digest(token)) is not None
        if opaque or token.partition(".")[0] in self._ring.current.opening:
            raise UnsupportedTokenType

    def _access(self, client_id: str, token: str, origin: Origin) -> Receipt | None:
        now = self._means.clock.now()
        try:
            verified = tokens.read_ours(token, self._ring.current, issuer=self._issuer, now=now)
        except Refused:
            return None
        claims = verified.claims
        if claims.client_id != client_id:
            raise UnauthorizedClient(detail="the access token was issued to another client")
        # One that is dead already gets no second fact: nobody fills the log with one token.
        if self._truth.standing(token, verified.subject) is not Standing.LIVE:
            return None
        until = datetime.fromtimestamp(claims.exp, UTC).isoformat()
        row = AuditRow(
            Event.TOKEN_ENDED,
            now,
            account_id=claims.sub,
            actor=client_id,
            session_id=claims.sid,
            address=origin.address,
            device=origin.device,
            more={"jti": claims.jti, "until": until},
        )
        return self._means.commits.end(Change(at=now, facts=(TokenEnded(claims.jti),), audit=(row,)))

    def _refresh(self, client_id: str, handle: RefreshHandle, origin: Origin) -> Receipt | None:
        now = self._means.clock.now()
        view = self._means.store.refresh(handle.id)
        if view is None:
            return None
        # Used up or not, whoever shows a token of this family wants an end. From its owner that is a sign-out; from
        # anybody else it says that there is a copy, for which the session ends at the token endpoint too.
        meaning = decide_rotation(view.family, handle, NO_GRACE, now)
        if isinstance(meaning, Unknown | Dead):
            return None
        if view.family.client_id != client_id:
            raise UnauthorizedClient(detail="the refresh token was issued to another client")
        session = refreshable(self._means, view)
        if session is None:
            return None
        row = AuditRow(
            Event.SESSION_ENDED,
            now,
            account_id=session.account_id,
            actor=client_id,
            session_id=session.id,
            address=origin.address,
            device=origin.device,
            more={"refresh_token": "current" if isinstance(meaning, Rotate) else "used up"},
        )
        change = Change(at=now, take=(session,), facts=(SessionEnded(session.id),), audit=(row,))
        return self._means.commits.end(change)
