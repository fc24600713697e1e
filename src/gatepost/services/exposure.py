"""Credentials that were sent in the clear: whoever listened has them now, so the sessions behind them end.

Owns which of them are still worth anything to a listener, and the end. What is forged, over or used by nobody's session
has no effect. Whether a request came in the clear is the web floor's to say; it calls this and nobody else does.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from gatepost.carriers import tokens
from gatepost.carriers.keys import Rings
from gatepost.carriers.presented import (
    Bearer,
    InCookies,
    OpaqueCookie,
    SealedCookie,
    TokenCookies,
    has_handle_shape,
)
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.ports import Introspection
from gatepost.core.revocation import SessionEnded, Standing
from gatepost.core.rotation import NO_GRACE, Dead, Unknown, decide_rotation
from gatepost.core.secrets import RefreshHandle, digest, parse_refresh
from gatepost.core.sessions import Origin, Session, SessionView
from gatepost.errors import Refused
from gatepost.services.means import Means
from gatepost.services.sealed import SealedSessions
from gatepost.services.standing import refreshable, stands

Look = Callable[[], Session | None]
"""Reads the live session of one credential from the store; None where the credential stands for none."""


class Exposure:
    """Ends the sessions whose credentials travelled in the clear."""

    def __init__(
        self, means: Means, ring: Rings, issuer: str, sealed: SealedSessions, truth: Introspection
    ) -> None:
        self._means = means
        self._ring = ring
        self._issuer = issuer
        self._sealed = sealed
        self._truth = truth

    def looks(self, shown: Iterable[InCookies | Bearer]) -> list[Look]:
        """How to look for the session of each that can be ours, by its signature or else its form. Reads nothing."""
        found = (self._look(one) for one in shown)
        return [look for look in found if look is not None]

    def any_stands(self, looks: Sequence[Look]) -> bool:
        """Whether one of them is of a live session. Only reads, so forged ones keep nobody from writing."""
        return any(look() is not None for look in looks)

    def end(self, looks: Sequence[Look], origin: Origin) -> bool:
        """End the sessions that are live still, and say whether there was one. Comes back when that is in force."""
        ended = [self._means.commits.decided(partial(self._end, look, origin)) for look in looks]
        return any(ended)

    def _look(self, one: InCookies | Bearer) -> Look | None:
        match one:
            case OpaqueCookie(value):
                return partial(self._of_handle, digest(value)) if has_handle_shape(value) else None
            case SealedCookie(value):
                return self._look_for_sealed(value)
            case Bearer(token) | TokenCookies(str(token), _):
                return self._look_for_token(token)
            case TokenCookies(_, refresh):
                handle = parse_refresh(refresh or "")
                return partial(self._of_refresh, handle) if handle else None

    def _look_for_sealed(self, value: str) -> Look | None:
        try:
            self._sealed.read(value)
        except Refused:
            return None
        return partial(self._of_sealed, value)

    def _look_for_token(self, token: str) -> Look | None:
        now = self._means.clock.now()
        try:
            # For whichever service it is: whoever has it can show it there.
            verified = tokens.read_ours(token, self._ring.current, issuer=self._issuer, now=now)
        except Refused:
            return None
        return partial(self._of_token, token, verified)

    def _of_handle(self, handle: bytes) -> Session | None:
        return self._live(self._means.store.session_by_handle(handle))

    def _of_sealed(self, value: str) -> Session | None:
        try:
            return self._live(self._sealed.owned(value)[1])
        except Refused:
            return None

    def _of_token(self, token: str, verified: tokens.Verified) -> Session | None:
        # Not by its session alone: a token that was ended by its name is worth nothing to a listener.
        if self._truth.standing(token, verified.subject) is not Standing.LIVE:
            return None
        return self._live(self._means.store.session(verified.claims.sid))

    def _of_refresh(self, handle: RefreshHandle) -> Session | None:
        view = self._means.store.refresh(handle.id)
        if view is None:
            return None
        # One that was used up counts: to show it at the token endpoint would end the session as well.
        meaning = decide_rotation(view.family, handle, NO_GRACE, self._means.clock.now())
        return None if isinstance(meaning, Unknown | Dead) else refreshable(self._means, view)

    def _live(self, view: SessionView | None) -> Session | None:
        return view.session if view is not None and stands(self._means, view) else None

    def _end(self, look: Look, origin: Origin) -> bool:
        session, now = look(), self._means.clock.now()
        if session is None:
            return False
        row = AuditRow(
            Event.CREDENTIAL_EXPOSED,
            now,
            account_id=session.account_id,
            session_id=session.id,
            address=origin.address,
            device=origin.device,
            more={"carrier": session.carrier.value},
        )
        fact = SessionEnded(session.id)
        self._means.commits.end(Change(at=now, take=(session,), facts=(fact,), audit=(row,)))
        return True
