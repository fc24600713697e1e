"""The first-party JSON endpoints of interface.md. Each calls one service and shapes its answer."""

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from gatepost.carriers.sealed import SealedAccount
from gatepost.core.accounts import Account
from gatepost.core.principals import Principal
from gatepost.core.sessions import Session
from gatepost.errors import BadRequest
from gatepost.web.answers import (
    account_body,
    full_session_body,
    json_answer,
    nothing,
    repeat_body,
    session_body,
    signed_in_body,
)
from gatepost.web.asking import Asking
from gatepost.web.awaiting import when_heard
from gatepost.web.bodies import CredentialsBody, PasswordBody, VisitBody
from gatepost.web.handover import hand_over, stay_known, take_back
from gatepost.web.reading import read_json


async def the_asking(request: Request) -> Asking:
    """The request as the checks left it."""
    asking: Asking = request.scope["gatepost.asking"]
    return asking


Asked = Annotated[Asking, Depends(the_asking)]


def visit(asking: Asked, body: VisitBody) -> Response:
    """Begin a session without an account."""
    authority = asking.authority
    begun = authority.sign_in.visit(body.carrier, asking.origin)
    session = full_session_body(begun.session, authority.limits.idle_expiry(begun.session))
    return hand_over(asking, begun, json_answer({"account": None, "session": session}, 201))


def sign_up(asking: Asked, body: CredentialsBody) -> Response:
    """Make an account and sign in."""
    wish = asking.wish(body.carrier, body.resources)
    begun = asking.authority.sign_in.sign_up(body.email, body.password, wish)
    return hand_over(asking, begun, json_answer(signed_in_body(asking.authority, begun), 201))


def sign_in(asking: Asked, body: CredentialsBody) -> Response:
    """Sign in with e-mail and password."""
    wish = asking.wish(body.carrier, body.resources)
    begun = asking.authority.sign_in.sign_in(body.email, body.password, wish)
    return hand_over(asking, begun, json_answer(signed_in_body(asking.authority, begun)))


def sign_out(asking: Asked) -> Response:
    """End the session that asks, and every carrier of it."""
    receipt = asking.found and asking.authority.sessions.sign_out(asking.found, asking.origin)
    return take_back(asking, when_heard(asking, receipt, nothing) if receipt else nothing())


async def session(asking: Asked) -> Response:
    """Who asks, and the session with its data."""
    sealed = asking.sealed
    if sealed is not None:
        return json_answer(who_body(asking, sealed.session, sealed.account))
    standing = asking.authority.sessions.current(asking.who)
    return json_answer(who_body(asking, standing.session, standing.account))


def who_body(asking: Asking, session: Session, account: Account | SealedAccount | None) -> dict[str, Any]:
    """The body of `GET /api/session`. The session is seen at this very moment, whatever was last written."""
    authority = asking.authority
    seen = authority.clock.now()
    return {
        "account": account_body(account, authority.accounts.roles) if account else None,
        "session": full_session_body(session, authority.limits.idle_expiry(session, seen), seen),
    }


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises `BadRequest`."""
    value = read_json(await request.body())
    if not isinstance(value, dict):
        raise BadRequest("Send a JSON object.")
    return value


def patch_data(asking: Asked, patch: Annotated[dict[str, Any], Depends(json_object)]) -> Response:
    """Merge a patch into the application's data (RFC 7396)."""
    return json_answer({"data": asking.merge_data(patch)})


def sessions(asking: Asked) -> Response:
    """The account's own sessions, newest first."""
    who: Principal = asking.principal
    own = asking.authority.sessions.of_account(who.account_id)
    repeats = asking.authority.sessions.repeats_elsewhere(own)
    items = [
        {
            **session_body(standing.session, standing.idle_expires_at),
            "current": standing.session.id == who.session_id,
            **repeat_body(repeats.get(standing.session.id)),
        }
        for standing in own
    ]
    return json_answer({"items": items})


def end_session(asking: Asked, session_id: str) -> Response:
    """End one of the account's own sessions."""
    receipt = asking.authority.sessions.end_own(asking.principal, session_id, asking.origin)
    return when_heard(asking, receipt, nothing)


def end_others(asking: Asked) -> Response:
    """End all of the account's sessions but the one that asks."""
    receipt = asking.authority.sessions.end_others(asking.principal, asking.origin)
    return stay_known(asking, when_heard(asking, receipt, nothing))


def change_password(asking: Asked, body: PasswordBody) -> Response:
    """Change the password and end every other session."""
    receipt = asking.authority.accounts.change_password(
        asking.principal, body.current, body.new, asking.origin
    )
    return stay_known(asking, when_heard(asking, receipt, nothing))
