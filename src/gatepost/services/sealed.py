"""Sealed cookies of sessions in the store: made, read back, renewed from the record.

Owns what is sealed, under which terms, and the exchange of a cookie that may not be believed any more. What belongs
to a session for ever is its secret, whose digest the record holds: whoever steals a sealing key can read cookies, and
cannot make one that would be exchanged.
"""

from dataclasses import dataclass
from datetime import timedelta

from gatepost.carriers.cookie import CookieNames, attributes
from gatepost.carriers.keys import Rings
from gatepost.carriers.sealed import (
    SealedSession,
    SealingTerms,
    open_session,
    require_fits,
    seal_session,
    secret_digest,
)
from gatepost.core.secrets import Secret, same
from gatepost.core.sessions import Alive, Ended, SessionView, TimedOut, decide_session
from gatepost.errors import Expired, Malformed, Revoked
from gatepost.services.means import Means


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
        """A cookie that says what the view says. Raises `TooLarge` with the size and the largest keys."""
        now = self._means.clock.now()
        contents = SealedSession.of(view, secret, self._terms, now)
        value = seal_session(contents, self._rings.current.sealing, self._means.identifiers.randomness)
        life = view.session.expires_at - now
        names = self._form.names
        rest = attributes(life, secure=names.secure)
        require_fits(names.sealed, value, rest, view.session.data, self._form.limit)
        return SealedIssued(value, life)

    def require_fits(self, view: SessionView) -> None:
        """Raise `TooLarge` if the cookie of this session could not hold what the view says."""
        self.issue(view, Secret("x" * len(self._means.identifiers.secret().reveal())))

    def read(self, value: str) -> SealedSession:
        """What a genuine cookie holds, whatever has become of its session. Raises `Malformed`."""
        return open_session(value, self._rings.current.opening, self._terms.issuer).contents

    def renew(self, value: str) -> SealedIssued:
        """A cookie from the record in exchange for an older one, or one under a key that was withdrawn.

        Raises `Malformed`, `Revoked` or `Expired`. One read, no write.
        """
        contents = self.read(value)
        view = self._means.store.session(contents.sid)
        if view is None:
            raise Revoked(detail="the session is gone")
        handle = view.session.handle
        if handle is None or not same(handle, secret_digest(contents.secret)):
            raise Malformed(detail="the secret is not that of the session it names")
        match decide_session(view, self._means.limits, self._means.clock.now()):
            case Alive():
                return self.issue(view, Secret(contents.secret))
            case Ended():
                raise Revoked(detail="the session was ended")
            case TimedOut():
                raise Expired(detail="the session has timed out")
