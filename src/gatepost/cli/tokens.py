"""`gatepost token inspect`: looks into a credential without letting it leave the machine.

Owns the command, its words and its exit code: 1 where the credential would be refused. `inspection.py` judges.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from gatepost.checking.trusted_servers import Credential
from gatepost.cli.finding import Inspection, instant_of, span
from gatepost.cli.inspection import Verdict, inspect_pasted
from gatepost.cli.installation import Installation, json_option, place_options
from gatepost.cli.output import moment, printable, say, write_json
from gatepost.cli.pasted import Place
from gatepost.cli.prompting import read_secret, read_token
from gatepost.cli.published import Published, fetch_published
from gatepost.cli.records import KnownKey, Records, open_records
from gatepost.core.secrets import Secret
from gatepost.errors import InvalidFields
from gatepost.machine import SystemClock
from gatepost.settings import Settings
from gatepost.web.answers import instant

_TIMES: Final = ("iat", "nbf", "auth_time", "exp")


@click.group()
def token() -> None:
    """Look into a token without sending it anywhere."""


@token.command("inspect")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--server", metavar="URL", help="Judge by the keys that this issuer publishes, without a database."
)
@click.option(
    "--client",
    "client_id",
    metavar="ID",
    help="Ask this server for live facts too, as the verifier with this id (gatepost client create --verifier).",
)
@click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the client's secret from this file instead of a prompt or stdin.",
)
@click.option(
    "--audience", metavar="NAME", help="The service that is to accept it; default the issuer itself."
)
@json_option
@place_options
def inspect_token(
    installation: Installation, file: Path | None, audience: str | None, as_json: bool, **asked: Any
) -> None:
    """Show what the credential in FILE (or stdin) holds, and whether it would be accepted now and why not.

    With --server it is judged by that issuer's keys and, with --client, by what has been ended there until now.

    Takes access and refresh tokens, the values of session cookies and sealed cookies, and header lines as they are
    copied from a browser: Cookie, Set-Cookie, Authorization. It repeats no secret and sends nothing of them anywhere.
    """
    source = _source(file, **asked)
    text = read_token(file)
    if not text:
        raise InvalidFields({"token": "No token was given."})
    credential = source.credential()
    settings, now = installation.settings(), SystemClock().now()
    with _knowledge(settings, source.server, credential) as knowledge:
        verdict = inspect_pasted(text, settings.cookies.name, knowledge, now, audience=audience)
    if as_json:
        write_json(_answer(verdict))
    else:
        _show_all(verdict, now, "A server here" if source.server is None else "Whoever it is for")
    click.get_current_context().exit(1 if verdict.accepted is False else 0)


@dataclass(frozen=True, slots=True)
class _Source:
    """By what a credential is to be judged: a server and its client if they are named, else the local database."""

    server: str | None
    client_id: str | None
    secret_file: Path | None

    def credential(self) -> Credential | None:
        if self.client_id is None:
            return None
        return Credential(self.client_id, Secret(read_secret(self.secret_file)))


def _source(
    file: Path | None, *, server: str | None, client_id: str | None, secret_file: Path | None
) -> _Source:
    context = click.get_current_context()
    if client_id is None and secret_file is not None:
        raise click.UsageError("Name the client whose secret this is: --client ID.", context)
    if client_id is not None and server is None:
        raise click.UsageError("Name the server that knows this client: --server URL.", context)
    if client_id is not None and secret_file is None and file is None and not sys.stdin.isatty():
        raise click.UsageError(
            "The token comes from stdin, so name the file with the client's secret: --secret-file FILE.",
            context,
        )
    return _Source(server, client_id, secret_file)


@contextmanager
def _knowledge(
    settings: Settings, server: str | None, credential: Credential | None
) -> Iterator[Records | Published | str]:
    if server is not None:
        yield fetch_published(server, credential)
        return
    with open_records(settings) as records:
        yield records


def _answer(verdict: Verdict) -> dict[str, Any]:
    if len(verdict.found) == 1:
        return _item(verdict.found[0])
    items = [_item(one) for one in verdict.found]
    return {"accepted": verdict.accepted, "sentence": verdict.sentence, "items": items}


def _item(found: Inspection) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "accepted": found.accepted,
        "reasons": found.reasons,
        "remarks": found.remarks,
        "unchecked": found.unchecked or None,
        "found": found.place.value,
        "header": found.header,
        "claims": found.claims,
        "times": {name: instant(at) for name, at in _times(found.claims).items()},
        "key": _key(found.key) if found.key else None,
        "session": _session(found),
    }


def _key(key: KnownKey) -> dict[str, str]:
    return {"kid": key.kid, "algorithm": key.algorithm, "state": key.state_text}


def _show_all(verdict: Verdict, now: datetime, who: str) -> None:
    for found in verdict.found:
        _show(found, now, who)
        if len(verdict.found) > 1:
            say()
    if verdict.sentence:
        say(verdict.sentence)


def _show(found: Inspection, now: datetime, who: str) -> None:
    place = "" if found.place is Place.BARE else f", {found.place.value}"
    say(
        f"This is {'a thing of no known kind' if found.kind == 'unknown' else _with_article(found.kind)}{place}."
    )
    times = _times(found.claims)
    holds = "Holds" if found.kind == "sealed cookie" else "Claims"
    for title, part in (("Header", found.header), (holds, found.claims), ("Session", _session(found))):
        if part:
            say(f"{title}:")
            for name, value in part.items():
                at = times.get(name) if title == "Claims" else None
                words = f" ({moment(at)}, {span(at, now)})" if at else ""
                say(f"  {printable(name)}: {_text(value)}{words}")
    if found.key is not None:
        key = found.key
        say(f"{_of_key(found)} {printable(key.kid)} ({key.algorithm}), which is {key.state_text}.")
    for sentence in found.remarks:
        say(printable(sentence))
    _show_verdict(found, who)


def _of_key(found: Inspection) -> str:
    if found.kind == "JWT" or found.claims is None:
        return "It names the key"
    return "Sealed by the key" if found.kind == "sealed cookie" else "Signed by the key"


def _show_verdict(found: Inspection, who: str) -> None:
    match found.accepted:
        case True:
            say(f"{who} would accept it now.")
        case None:
            say("Nothing that can be checked from here speaks against it.")
            say(found.unchecked)
        case _:
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
