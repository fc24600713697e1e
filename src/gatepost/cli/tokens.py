"""`gatepost token inspect`: looks into a token without letting it leave the machine. Exit code 0 if it would pass."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.inspection import Inspection, inspect, instant_of, span
from gatepost.cli.installation import Installation, json_option, place_options
from gatepost.cli.output import moment, printable, say, write_json
from gatepost.cli.prompting import read_token
from gatepost.cli.records import open_records
from gatepost.errors import InvalidFields
from gatepost.machine import SystemClock
from gatepost.web.answers import instant

_TIMES: Final = ("iat", "nbf", "auth_time", "exp")


@click.group()
def token() -> None:
    """Look into a token without sending it anywhere."""


@token.command("inspect")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
@place_options
def inspect_token(installation: Installation, file: Path | None, as_json: bool) -> None:
    """Show what the token in FILE (or stdin) holds, and whether it would be accepted now and why not.

    Takes an access token, a refresh token or the value of a session cookie. The token itself is not repeated.
    """
    text = read_token(file)
    if not text:
        raise InvalidFields({"token": "No token was given."})
    now = SystemClock().now()
    with open_records(installation.settings()) as records:
        found = inspect(text, records, now)
    if as_json:
        write_json(_item(found))
    else:
        _show(found, now)
    click.get_current_context().exit(0 if found.accepted else 1)


def _item(found: Inspection) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "accepted": found.accepted,
        "reasons": found.reasons,
        "remarks": found.remarks,
        "header": found.header,
        "claims": found.claims,
        "times": {name: instant(at) for name, at in _times(found.claims).items()},
        "key": {"kid": found.key.kid, "state": found.key.state.value} if found.key else None,
        "session": _session(found),
    }


def _show(found: Inspection, now: datetime) -> None:
    say(f"This is {'a thing of no known kind' if found.kind == 'unknown' else _with_article(found.kind)}.")
    times = _times(found.claims)
    for title, part in (("Header", found.header), ("Claims", found.claims), ("Session", _session(found))):
        if part:
            say(f"{title}:")
            for name, value in part.items():
                at = times.get(name) if title == "Claims" else None
                words = f" ({moment(at)}, {span(at, now)})" if at else ""
                say(f"  {printable(name)}: {_text(value)}{words}")
    if found.key is not None:
        say(f"Signed by the key {found.key.kid}, which is {found.key.state.value}.")
    for sentence in found.remarks:
        say(sentence)
    if found.accepted:
        say("A server here would accept it now.")
        return
    say("It would not be accepted:")
    for sentence in found.reasons:
        say(f"  {printable(sentence)}")


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind.startswith("a") else f"a {kind}"


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else json.dumps(value)


def _times(claims: Mapping[str, Any] | None) -> dict[str, datetime]:
    found = {name: instant_of((claims or {}).get(name)) for name in _TIMES}
    return {name: at for name, at in found.items() if at is not None}


def _session(found: Inspection) -> dict[str, Any] | None:
    if found.session is None:
        return None
    session, account = found.session.session, found.session.account
    return {
        "id": session.id,
        "carrier": session.carrier.value,
        "account_id": session.account_id,
        "email": account.email.typed if account else None,
        "started_at": instant(session.started_at),
        "last_seen_at": instant(session.last_seen_at),
        "expires_at": instant(session.expires_at),
    }
