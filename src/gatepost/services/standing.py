"""The session of whoever asks, as the store has it now.

A check says who asked when the request came in. What ends other things on that word looks again in the change itself,
and expects the session it found: a thief whose session was ended while a password was hashing must not go on with it.
"""

from gatepost.core.principals import Principal, Visitor
from gatepost.core.rotation import RefreshView
from gatepost.core.sessions import Alive, Session, SessionView, decide_session
from gatepost.errors import Revoked
from gatepost.services.means import Means


def stands(means: Means, view: SessionView) -> bool:
    """Whether a session from the store is alive at this moment."""
    return isinstance(decide_session(view, means.limits, means.clock.now()), Alive)


def refreshable(means: Means, view: RefreshView) -> Session | None:
    """The live session of a refresh family that stands, or None. Says nothing of the token that was shown."""
    held = view.session
    if held is None or not stands(means, held):
        return None
    return None if view.family.pos < held.ended else held.session


def require_standing(means: Means, who: Principal | Visitor) -> SessionView:
    """The live session that asks. Raises `Revoked`."""
    view = means.store.session(who.session_id)
    if view is None or not stands(means, view):
        raise Revoked(detail="the session ended after it was checked")
    return view


def own_session(means: Means, who: Principal) -> Session:
    """The record of the live session that asks, for a change to expect. Raises `Revoked`."""
    return require_standing(means, who).session
