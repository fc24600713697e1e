"""A visit that begins inside an application's own request, for whoever comes without a session.

Owns when one begins and that its cookie goes out with whatever answers the request. `POST /api/visit` is the other
way; limits and rules against forged requests are the same. Called by the adapters.
"""

from gatepost.carriers.presented import Bearer, OpaqueCookie, SealedCookie
from gatepost.core.principals import Visitor
from gatepost.core.sessions import Carrier
from gatepost.errors import Refused, SignedOut, Stale
from gatepost.services.beginnings import CookieIssued, Visiting
from gatepost.web.asking import Asking
from gatepost.web.checks import Check, a_session, few_visits
from gatepost.web.handover import cookies_for, removals
from gatepost.web.renewal import Outgoing, renewed_in
from gatepost.web.turns import in_turn


def session_or_visit(carrier: Carrier) -> Check:
    """A live session; where there is none, or only a cookie of one that is over, a visit begins.

    A token that is over is refused as everywhere: a program is no visitor. So is who could not be given a cookie any
    more. Raises `SlowDown` for an address that begins too many.
    """

    async def found(asking: Asking) -> None:
        try:
            await a_session(asking)
        except Stale:
            raise
        except (Refused, SignedOut):
            outgoing = renewed_in(asking.request.scope)
            if outgoing is None or isinstance(asking.presented, Bearer):
                raise
            await few_visits(asking)
            authority, origin = asking.authority, asking.origin
            _hand_over(asking, await in_turn(lambda: authority.sign_in.visit(carrier, origin)), outgoing)

    return found


def _hand_over(asking: Asking, begun: Visiting, outgoing: Outgoing) -> None:
    session, credential = begun.session, begun.credential
    asking.found = Visitor(session.id, session.carrier, session.started_at)
    asking.session_id = session.id
    asking.presented = (
        OpaqueCookie(credential.handle.reveal())
        if isinstance(credential, CookieIssued)
        else SealedCookie(credential.value.reveal())
    )
    cookies = cookies_for(asking, begun)
    # What is left of another carrier would stand beside the new cookie in the next request, and be ambiguous.
    outgoing.put({**removals(asking, keep=tuple(cookies)), **cookies}, lambda: True)
