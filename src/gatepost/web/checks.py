"""The checks a route can ask for, each one small, named and independent.

`routes.py` says which route has which, in which order; a check raises its error or lets the request pass.
"""

from collections.abc import Awaitable, Callable

from gatepost.carriers.cookie import csrf_fits
from gatepost.carriers.presented import Ambiguous, Bearer
from gatepost.core.permissions import ADMINISTRATOR
from gatepost.core.principals import Principal
from gatepost.core.recency import is_recent
from gatepost.errors import (
    AmbiguousCredentials,
    BadRequest,
    CrossSite,
    Forbidden,
    ReauthenticationRequired,
    Refused,
    Revoked,
    SignedOut,
    SlowDown,
    Stale,
    UnsupportedMediaType,
)
from gatepost.services.visits import Visits
from gatepost.web.asking import Asking
from gatepost.web.cross_site import Foreign, Ours, Unsaid, decide_cross_site
from gatepost.web.reading import read_json
from gatepost.web.turns import in_turn

Check = Callable[[Asking], Awaitable[None]]


async def one_credential(asking: Asking) -> None:
    """Two carriers, or two values of one: 400 `ambiguous_credentials`, and ours are removed."""
    # Of two Authorization headers a proxy may have checked the other one, whatever its scheme.
    if isinstance(asking.presented, Ambiguous) or len(asking.header_values("authorization")) > 1:
        raise AmbiguousCredentials


async def one_cookie(asking: Asking) -> None:
    """Two values of a cookie are refused where two carriers are not: at the ways in, which end what is presented."""
    if asking.brings_twins:
        raise AmbiguousCredentials


async def not_cross_site(asking: Asking) -> None:
    """A request that changes something must come from us: 403 `cross_site`."""
    scope = asking.request.scope
    host = asking.header("host") or ""
    decision = decide_cross_site(
        asking.header_values("sec-fetch-site"),
        asking.header_values("origin"),
        lambda origin: asking.authority.settings.is_our_origin(origin, scope["scheme"], host),
    )
    match decision:
        case Ours():
            return
        case Foreign():
            raise CrossSite
        case Unsaid():
            await _require_token(asking)


async def _require_token(asking: Asking) -> None:
    if not asking.has_cookie:
        return
    try:
        who = await asking.find()
    except Stale:
        raise
    except Refused:
        # A dead cookie gives a forger nothing to ride on.
        return
    shown = asking.header("x-csrf-token") or asking.field("csrf")
    if not csrf_fits(asking.authority.csrf_key, who.session_id, shown):
        raise CrossSite("The request did not show that it came from a page of ours.")


async def json_body(asking: Asking) -> None:
    """Only `application/json` is read: 415. A form or text that happens to look like JSON can come from any site.

    FastAPI's own reading is laxer than ours (a name twice, NaN, UTF-16), so ours comes first to any endpoint: 400.
    """
    kind = (asking.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType
    read_json(await asking.request.body())


async def json_perhaps(asking: Asking) -> None:
    """No body, or one that `json_body` takes."""
    if await asking.request.body():
        await json_body(asking)


async def form_body(asking: Asking) -> None:
    """A page's form, urlencoded: 415 for anything else."""
    kind = (asking.header("content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        await asking.read_form()
    elif await asking.request.body():
        raise UnsupportedMediaType("Send the form as application/x-www-form-urlencoded.")


async def a_session(asking: Asking) -> None:
    """A live session, a visitor's too: else 401 `signed_out` or `invalid_token`, 503 `not_fresh`."""
    asking.found = await asking.find()


async def signed_in(asking: Asking) -> None:
    """A live session of an account."""
    await a_session(asking)
    if not isinstance(asking.found, Principal):
        raise SignedOut("Please sign in first: this visit has no account yet.")


async def signed_in_perhaps(asking: Asking) -> None:
    """Whoever is signed in, or nobody: for pages that greet."""
    try:
        await a_session(asking)
    except Stale:
        raise
    except (Refused, SignedOut, AmbiguousCredentials, SlowDown) as refused:
        # Tokens that were repeated too often among them: whoever gives up on them finds the form.
        asking.found, asking.refused = None, refused


async def session_perhaps(asking: Asking) -> None:
    """A live session, or one that is dead already. 401 `signed_out` if nothing is presented.

    An expired or outdated bearer token is refused, not called dead: its session may live, and whoever signs out must
    not be told that it has ended. In a cookie, where nobody can renew it, it is good for leaving.
    """
    try:
        await a_session(asking)
    except Stale:
        raise
    except Refused as error:
        if isinstance(asking.presented, Bearer) and not isinstance(error, Revoked):
            raise
        asking.found = asking.leaving()


async def admin(asking: Asking) -> None:
    """The role `admin`: else 403 `forbidden`."""
    if ADMINISTRATOR not in asking.principal.roles:
        raise Forbidden


async def freshly_signed_in(asking: Asking) -> None:
    """A sign-in that is young enough for dangerous acts: else 403 `reauthentication_required`.

    A cookie that was stolen, or a browser that was left open, is good for looking and not for this.
    """
    limit, now = asking.authority.settings.sessions.reauthenticate_after, asking.authority.clock.now()
    if not is_recent(asking.principal.authenticated_at, limit, now):
        raise ReauthenticationRequired(int(limit.total_seconds()))


async def few_visits(asking: Asking) -> None:
    """Visitor sessions are limited per address: 429 `slow_down`."""
    await _in_bounds(asking, asking.authority.visits)


async def few_sign_ups(asking: Asking) -> None:
    """Sign-ups are limited per address, whatever comes of them, for each says whether an e-mail is taken: 429."""
    await _in_bounds(asking, asking.authority.sign_ups)


async def _in_bounds(asking: Asking, visits: Visits) -> None:
    # It writes, so it waits among those that write and never in the event loop.
    wait = await in_turn(lambda: visits.wait(asking.origin.address))
    if wait:
        raise SlowDown(wait)


async def no_query_credentials(asking: Asking) -> None:
    """A token in the address is refused, not read: addresses end up in logs and histories (RFC 9700 section 4.3)."""
    if asking.request.scope["query_string"] and "access_token" in asking.request.query_params:
        raise BadRequest("Send the token in the Authorization header, never in the address.")
