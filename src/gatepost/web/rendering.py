"""Pages out of templates: the environment, what every page is given, times, devices and carriers in words.

Every text is said in the language of whoever asks: `_()` and `_n()` in templates, `Sentence` in Python, which is
translated where a template prints it. `appearance.py` owns style sheet, scripts and brand, `languages.py` the words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from gatepost.carriers.cookie import csrf_token, mask
from gatepost.core.changes import AuditRow
from gatepost.core.principals import Principal
from gatepost.core.sentences import Sentence
from gatepost.core.sessions import Carrier, Session
from gatepost.errors import GatepostError, InvalidFields, OperatorError, WeakPassword
from gatepost.services.sessions import Standing
from gatepost.web.appearance import Script, appearance_of, script_named
from gatepost.web.asking import Asking
from gatepost.web.envelope import PAGE_POLICY
from gatepost.web.handover import add_cookie
from gatepost.web.languages import LANGUAGES, PARAMETER, Language, chosen, language_of, remembering

_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
_CARRIERS: Final = {
    Carrier.COOKIE: Sentence("a cookie of the browser"),
    Carrier.SEALED: Sentence("a sealed cookie of the browser"),
    Carrier.TOKEN: Sentence("tokens of an app or program"),
    Carrier.TOKEN_COOKIE: Sentence("tokens in cookies of the browser"),
}
_ROLES: Final = {
    "admin": Sentence("administrator"),
    "support": Sentence("support"),
    "member": Sentence("member"),
}
_MONTHS: Final = (
    Sentence("January"),
    Sentence("February"),
    Sentence("March"),
    Sentence("April"),
    Sentence("May"),
    Sentence("June"),
    Sentence("July"),
    Sentence("August"),
    Sentence("September"),
    Sentence("October"),
    Sentence("November"),
    Sentence("December"),
)
_HANDHELD: Final = ("iOS", "Android")
_MOST_DAYS_AGO: Final = 30
_TOLD: Final = ("notice", "problem", "message")


@pass_context
def _printed(context: Context, value: object) -> object:
    if not isinstance(value, Sentence):
        return value
    language: Language = context["language"]
    return language.say(value)


_templates: Final = Environment(
    loader=PackageLoader("gatepost.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    finalize=_printed,
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
    last_seen_at: datetime
    kind: str
    expires: str
    current: bool
    warning: str


def page(
    asking: Asking,
    template: str,
    context: Mapping[str, Any],
    error: GatepostError | None = None,
    script: str = "",
) -> Response:
    """A page for whoever asks, with the status of the error it tells of.

    `script` names a file in `static/`. It is put into the page, which then needs no further request, and the page's
    policy allows that very text by its hash and nothing else.
    """
    language, inlined = language_of(asking), script_named(script) if script else None
    switch = {"languages": _switch(asking, language, kept=error is None)}
    html = _html(asking, template, {**context, **switch}, language, inlined)
    response = Response(html, error.status if error else 200, media_type="text/html")
    response.headers["Content-Language"] = language.code
    response.headers["Vary"] = "Accept-Language, Cookie"
    if inlined:
        response.headers["Content-Security-Policy"] = f"{PAGE_POLICY}; {inlined.policy}"
    if chosen(asking):
        add_cookie(response, remembering(asking, chosen(asking)))
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def part(asking: Asking, template: str, context: Mapping[str, Any]) -> str:
    """A piece of a page by itself, as a live page is sent it later. It is given what every page is given."""
    return _html(asking, template, context, language_of(asking), None)


def _html(
    asking: Asking, template: str, context: Mapping[str, Any], language: Language, script: Script | None
) -> str:
    settings, who = asking.authority.settings, asking.found
    look = appearance_of(settings.brand)
    shared: dict[str, Any] = {
        "root": asking.root,
        "brand": settings.brand.name,
        "look": look,
        "script": Markup(script.text) if script else None,  # noqa: S704 - a file of ours, and its hash must fit
        "who": who if isinstance(who, Principal) else None,
        "csrf": _csrf(asking),
        "notice": None,
        "problem": None,
        "errors": {},
        "development": settings.development and not settings.secure,
        "language": language,
        "languages": [],
        "ago": lambda moment: ago(moment, asking.authority.clock.now()),
        "role_in_words": role_in_words,
        "_": language.translate,
        "_n": language.count,
    }
    given = {**shared, **context}
    for name in _TOLD:
        if given.get(name):
            given[name] = language.say(given[name])
    given["errors"] = {name: language.say(said) for name, said in given["errors"].items()}
    return _templates.get_template(template).render(given)


def _csrf(asking: Asking) -> str:
    authority, who = asking.authority, asking.found
    if who is None or not asking.has_cookie:
        return ""
    return mask(csrf_token(authority.csrf_key, who.session_id), authority.randomness)


def _switch(asking: Asking, present: Language, *, kept: bool) -> list[tuple[Language, str]]:
    """Every other language with the address of this page in it. What answers a form has no address of its own.

    A refused request's query is not `kept`: it may hold what must not be repeated.
    """
    request = asking.request
    answers_form = request.method != "GET"
    # Without the path, which may begin with two slashes: the link would then lead to another host.
    here = f"{asking.root}/account" if answers_form else ""
    query = request.query_params.multi_items() if kept and not answers_form else []
    others = [(name, value) for name, value in query if name != PARAMETER]
    return [
        (language, f"{here}?{urlencode([*others, (PARAMETER, language.code)])}")
        for language in LANGUAGES.values()
        if language is not present
    ]


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


def in_words(moment: datetime) -> Sentence:
    """A time for people."""
    utc = moment.astimezone(UTC)
    return Sentence(
        "{day} {month} {year}, {time} UTC",
        day=utc.day,
        month=_MONTHS[utc.month - 1],
        year=utc.year,
        time=f"{utc:%H:%M}",
    )


def at_a_glance(moment: datetime, now: datetime, *, seconds: bool = False) -> str:
    """A time as short as it can be told: the day only if it is another one. The same in every language."""
    utc, form = moment.astimezone(UTC), "%H:%M:%S" if seconds else "%H:%M"
    day = "" if utc.date() == now.astimezone(UTC).date() else f"{utc:%Y-%m-%d} "
    return f"{day}{utc.strftime(form)} UTC"


def ago(moment: datetime, now: datetime) -> Sentence:
    """A time of the last days as people say it, an older one as a date."""
    minutes = int((now - moment).total_seconds() // 60)
    hours, days = minutes // 60, minutes // (24 * 60)
    if minutes < 1:
        return Sentence("just now")
    if hours < 1:
        return Sentence("a minute ago") if minutes == 1 else Sentence("{n} minutes ago", n=minutes)
    if days < 1:
        return Sentence("an hour ago") if hours == 1 else Sentence("{n} hours ago", n=hours)
    if days > _MOST_DAYS_AGO:
        return in_words(moment)
    return Sentence("a day ago") if days == 1 else Sentence("{n} days ago", n=days)


def _kind_of_device(session: Session) -> str:
    """Which picture stands for it."""
    if session.device.endswith(_HANDHELD):
        return "phone"
    return "program" if session.carrier is Carrier.TOKEN else "computer"


def device_in_words(device: str) -> str:
    """A device as the record has it, ready for other languages."""
    browser, on, system = device.partition(" on ")
    if on:
        return Sentence("{browser} on {system}", browser=browser, system=system)
    return Sentence("Unknown device") if device == "Unknown device" else device


def carrier_in_words(name: str) -> str:
    """What keeps a session, by the name of its carrier. Raises `ValueError` if there is none of that name."""
    return _CARRIERS[Carrier(name)]


def role_in_words(role: str) -> str:
    """What people call one of our own roles. One of the application is called by its name."""
    return _ROLES.get(role, role)


def _warning(repeat: AuditRow) -> Sentence:
    return Sentence(
        "Its token was used a second time from {device}, {address} on {moment}. If that was not you, end it.",
        device=device_in_words(repeat.device),
        address=repeat.address,
        moment=in_words(repeat.at),
    )


def card(standing: Standing, current: str, repeat: AuditRow | None = None) -> SessionCard:
    """One session as a card."""
    session, account = standing.session, standing.account
    return SessionCard(
        id=session.id,
        email=account.email.typed if account else "",
        device=device_in_words(session.device),
        address=session.address,
        carrier_text=_CARRIERS[session.carrier],
        started=in_words(session.started_at),
        last_seen=in_words(session.last_seen_at),
        last_seen_at=session.last_seen_at,
        kind=_kind_of_device(session),
        expires=in_words(standing.idle_expires_at),
        current=session.id == current,
        warning=_warning(repeat) if repeat else "",
    )
