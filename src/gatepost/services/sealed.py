"""Sealed cookies of sessions in the store: made, read back, renewed from the record.

Owns what is sealed, under which terms, and the exchange of a cookie that may not be believed any more. What belongs
to a session for ever is its secret, whose digest the record holds: whoever steals a sealing key can read cookies, and
cannot make one that would be exchanged.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, assert_never

from gatepost.carriers.cookie import CookieNames, attributes
from gatepost.carriers.keys import Rings
from gatepost.carriers.sealed import (
    LONGEST,
    SealedSession,
    SealingTerms,
    open_session,
    require_fits,
    seal_session,
    secret_digest,
)
from gatepost.core.secrets import Secret, same
from gatepost.core.sessions import Alive, Ended, Session, SessionView, TimedOut, decide_session
from gatepost.errors import Expired, Malformed, Outdated, Revoked, TooLarge
from gatepost.services.means import Means

# Positions, versions and moments have more digits later. What was written full must still fit when it is renewed.
_GROWTH: Final = 64
# Whoever has filled a visit to the brim must still be able to sign in with it: an address of 254 characters fits here.
_VISIT_LEAVES: Final = 6


@dataclass(frozen=True, slots=True)
class SealedIssued:
    """The new value of the sealed cookie, and how long a browser may keep it."""

    value: Secret
    life: timedelta


@dataclass(frozen=True, slots=True)
class SealedForm:
    """How the cookie is written, and how long its name and value may be together, in bytes."""

    names: CookieNames
    limit: int


class SealedSessions:
    """Makes and renews sealed cookies."""

    def __init__(self, means: Means, rings: Rings, terms: SealingTerms, form: SealedForm) -> None:
        self._means = means
        self._rings = rings
        self._terms = terms
        self._form = form

    def issue(self, view: SessionView, secret: Secret) -> SealedIssued:
        """The cookie of a session that begins. Raises `TooLarge` with the size and the largest keys."""
        return self._made(view, secret, self._writable(view.session))

    def rewritten(self, view: SessionView, secret: Secret) -> SealedIssued:
        """The cookie of a session whose record is about to be written with this data. Raises `TooLarge`.

        It is for whoever makes that write durable, and for nobody if it fails.
        """
        written = replace(view.session, version=view.session.version + 1)
        view = self._as_used(replace(view, session=written))
        return self._made(view, secret, self._writable(view.session))

    def require_writable(self, view: SessionView) -> None:
        """Raise `TooLarge` if what is to be written makes the cookie larger than its owner wants it.

        A visit leaves a sixth of the limit free for the account that signs in.
        """
        self._made(view, self._means.identifiers.secret(), self._writable(view.session))

    def require_fits(self, view: SessionView) -> None:
        """Raise `TooLarge` if an account could not sign in, or a session that has begun could not be renewed."""
        has_begun = view.session.version > 0
        limit = self._kept(view.session) if has_begun else self._writable(view.session)
        self._made(view, self._means.identifiers.secret(), limit)

    def read(self, value: str) -> SealedSession:
        """What a genuine cookie holds, whatever has become of its session. Raises `Malformed`."""
        return open_session(value, self._rings.current.opening, self._terms.issuer).contents

    def renew(self, value: str) -> SealedIssued:
        """A cookie from the record in exchange for an older one, or one under a key that was withdrawn.

        Raises `Malformed`, `Revoked`, `Expired`, or `Outdated` where no browser would keep it. One read, no write.
        """
        contents, view = self.owned(value)
        view = self._as_used(view)
        match decide_session(view, self._means.limits, self._means.clock.now()):
            case Alive():
                return self._renewed(view, Secret(contents.secret))
            case Ended():
                raise Revoked(detail="the session was ended")
            case TimedOut():
                raise Expired(detail="the session has timed out")
            case never:
                assert_never(never)

    def owned(self, value: str) -> tuple[SealedSession, SessionView]:
        """What a cookie holds, and the record of its session, whose secret it has. One read.

        For what writes into the record: whoever has stolen a sealing key is believed for a while, but has no secret.
        Raises `Malformed` or `Revoked`.
        """
        contents = self.read(value)
        view = self._means.store.session(contents.sid)
        if view is None:
            raise Revoked(detail="the session is gone")
        handle = view.session.handle
        if handle is None or not same(handle, secret_digest(contents.secret)):
            raise Malformed(detail="the secret is not that of the session it names")
        return contents, view

    def _as_used(self, view: SessionView) -> SessionView:
        # A session in use must not look idle to its own server because its last use is not written yet.
        noted = self._means.noted(view.session.id)
        if noted is None or noted <= view.session.last_seen_at:
            return view
        return replace(view, session=replace(view.session, last_seen_at=noted))

    def _renewed(self, view: SessionView, secret: Secret) -> SealedIssued:
        try:
            return self._made(view, secret, LONGEST)
        except TooLarge as error:
            # A refusal like any other: as an error of its own it would also meet whoever comes to sign in again.
            raise Outdated(detail=error.message) from error

    def _made(self, view: SessionView, secret: Secret, limit: int) -> SealedIssued:
        now = self._means.clock.now()
        contents = SealedSession.of(view, secret, self._terms, now)
        value = seal_session(contents, self._rings.current.sealing, self._means.identifiers.randomness)
        life = view.session.expires_at - now
        names = self._form.names
        rest = attributes(life, secure=names.secure)
        require_fits(names.sealed, value, rest, view.session.data, limit)
        return SealedIssued(value, life)

    def _writable(self, session: Session) -> int:
        limit = min(self._form.limit, self._kept(session))
        return limit if session.account_id is not None else limit - limit // _VISIT_LEAVES

    def _kept(self, session: Session) -> int:
        """How long name and value may be, so that a browser keeps the cookie now and whenever it is renewed."""
        longest = session.expires_at - session.started_at
        return LONGEST - 1 - len(attributes(longest, secure=self._form.names.secure)) - _GROWTH
