"""Pages out of templates: the environment, what every page is given, times and carriers in words, static files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from gatepost.carriers.cookie import csrf_token, mask
from gatepost.core.changes import AuditRow
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError, InvalidFields, NotFound, OperatorError, WeakPassword
from gatepost.services.commits import Receipt
from gatepost.services.sessions import Standing
from gatepost.web.api import Asked
from gatepost.web.asking import Asking

BRAND: Final = "Gatepost"
_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
_STATIC: Final = {"gatepost.css": "text/css; charset=utf-8", "gatepost.svg": "image/svg+xml"}
_CARRIERS: Final = {
    Carrier.COOKIE: "cookie in a browser",
    Carrier.SEALED: "sealed cookie in a browser",
    Carrier.TOKEN: "access and refresh token",
    Carrier.TOKEN_COOKIE: "tokens in cookies",
}
_templates: Final = Environment(
    loader=PackageLoader("gatepost.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session in words."""

    id: str
    email: str
    device: str
    address: str
    carrier_text: str
    started: str
    last_seen: str
    expires: str
    current: bool
    warning: str


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A receipt in words."""

    text: str


def page(
    asking: Asking, template: str, context: Mapping[str, Any], error: GatepostError | None = None
) -> Response:
    """A page for whoever asks, with the status of the error it tells of."""
    authority, who = asking.authority, asking.found
    token = ""
    if who is not None and asking.has_cookie:
        token = mask(csrf_token(authority.csrf_key, who.session_id), authority.randomness)
    shared: dict[str, Any] = {
        "root": asking.root,
        "brand": BRAND,
        "who": who if isinstance(who, Principal) else None,
        "csrf": token,
        "notice": None,
        "problem": None,
        "errors": {},
        "development": authority.settings.development and not authority.settings.secure,
    }
    html = _templates.get_template(template).render({**shared, **context})
    response = Response(html, error.status if error else 200, media_type="text/html")
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def refusal(error: GatepostError, field: str = "password") -> dict[str, Any]:
    """An error as a form shows it: beside the fields if it names any, else above them."""
    if isinstance(error, OperatorError):
        raise error
    if isinstance(error, InvalidFields):
        return {"errors": error.errors, "problem": None}
    if isinstance(error, WeakPassword):
        return {"errors": {field: error.message}, "problem": None}
    return {"errors": {}, "problem": error.message}


def go_to(asking: Asking, path: str) -> Response:
    """See another page of ours next. 303, so that a form with a password is never sent on."""
    return RedirectResponse(asking.root + path, 303)


def safe_next(asking: Asking, wanted: str) -> str:
    """Where to go after a sign-in: a path on this very host, else the account page."""
    return wanted if _PATH.fullmatch(wanted) else f"{asking.root}/account"


def in_words(moment: datetime) -> str:
    """A time for people."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def _warning(repeat: AuditRow) -> str:
    where = f"{repeat.device}, {repeat.address}"
    return f"Its token was used a second time from {where} on {in_words(repeat.at)}. If that was not you, end it."


def card(standing: Standing, current: str, repeat: AuditRow | None = None) -> SessionCard:
    """One session as a card."""
    session, account = standing.session, standing.account
    return SessionCard(
        id=session.id,
        email=account.email.typed if account else "",
        device=session.device,
        address=session.address,
        carrier_text=_CARRIERS[session.carrier],
        started=in_words(session.started_at),
        last_seen=in_words(session.last_seen_at),
        expires=in_words(standing.idle_expires_at),
        current=session.id == current,
        warning=_warning(repeat) if repeat else "",
    )


def receipt_line(receipt: Receipt) -> ReceiptLine:
    """What an administrator is told after an ending."""
    if receipt.state.value == "in_force":
        took = (receipt.in_force_at - receipt.committed_at).total_seconds() * 1000
        return ReceiptLine(f"In force everywhere, confirmed in {took:.0f} ms.")
    return ReceiptLine(
        "In force everywhere: a server that did not answer refuses everything until it has caught up."
    )


async def static(asking: Asked, name: str) -> Response:
    """A style sheet or picture of ours. Looked up by name, so that no path can leave the folder."""
    kind = _STATIC.get(name)
    if kind is None:
        raise NotFound
    content, tag = _files[name]
    headers = {"Cache-Control": "public, max-age=3600", "ETag": tag}
    if asking.header("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)


def _read(name: str) -> tuple[bytes, str]:
    content = files("gatepost.web").joinpath("static", name).read_bytes()
    return content, f'"{sha256(content).hexdigest()[:16]}"'


_files: Final = {name: _read(name) for name in _STATIC}
