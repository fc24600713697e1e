"""`gatepost session ...`: who is signed in, and ending that, beside a running server or without one."""

from collections.abc import Iterator
from typing import Final

import click

from gatepost.authority import Authority
from gatepost.cli.installation import ACTOR, Installation, json_option, place_options
from gatepost.cli.naming import NAME, NamesThings
from gatepost.cli.output import Item, in_force, printable, say, write_fields, write_json, write_listing
from gatepost.cli.waiting import wait_option, waited
from gatepost.errors import NotFound
from gatepost.services.commits import Receipt
from gatepost.services.sessions import Standing
from gatepost.web.answers import admin_session_body, full_receipt_body

_COLUMNS: Final = ("id", "email", "carrier", "device", "address", "last_seen_at", "expires_at")
_PAGE: Final = 200

account_option: Final = click.option(
    "--account", "name", metavar="NAME", type=NAME, help="An account, by id or e-mail."
)


@click.group(cls=NamesThings)
def session() -> None:
    """See who is signed in, and end sessions."""


@session.command("list")
@account_option
@json_option
@place_options
def list_sessions(installation: Installation, name: str | None, as_json: bool) -> None:
    """List live sessions, of all accounts or of one."""
    with installation.opened() as authority:
        pages = _everyone(authority) if name is None else _of_account(authority, name)
        write_listing(pages, _COLUMNS, as_json=as_json)


@session.command()
@click.argument("session_id", metavar="SID", type=NAME)
@json_option
@place_options
def show(installation: Installation, session_id: str, as_json: bool) -> None:
    """Show one live session."""
    with installation.opened() as authority:
        item = admin_session_body(_live(authority, session_id))
        if as_json:
            write_json({"session": item})
        else:
            write_fields(item)


@session.command()
@click.argument("session_id", metavar="[SID]", required=False, type=NAME)
@account_option
@click.option("--all", "everyone", is_flag=True, help="Every session of everybody.")
@wait_option
@json_option
@place_options
def revoke(
    installation: Installation,
    session_id: str | None,
    name: str | None,
    everyone: bool,
    seconds: float,
    as_json: bool,
) -> None:
    """End one session, all of an account, or all there are. Exactly one of the three."""
    if [session_id is not None, name is not None, everyone].count(True) != 1:
        raise click.UsageError("Name one session, or --account NAME, or --all.", click.get_current_context())
    with installation.opened() as authority:
        what, ended = _end(authority, session_id, name)
        receipt = waited(authority, ended, seconds)
    if as_json:
        write_json({"receipt": full_receipt_body(receipt)})
    else:
        say(f"{what}: {in_force(receipt)}.")


def _end(authority: Authority, session_id: str | None, name: str | None) -> tuple[str, Receipt]:
    if session_id is not None:
        ended = authority.sessions.end_any(_live(authority, session_id).session.id, ACTOR)
        return f"Session {session_id} has ended", ended
    if name is None:
        return "Every session has ended", authority.sessions.end_all(ACTOR)
    changed = authority.accounts.end_sessions(name, ACTOR)
    if changed.receipt is None:
        raise NotFound("There was nothing to end.")
    return f"Every session of {printable(changed.account.email.typed)} has ended", changed.receipt


def _live(authority: Authority, session_id: str) -> Standing:
    try:
        return authority.sessions.find(session_id)
    except NotFound:
        raise NotFound("There is no such session, or it is over already.") from None


def _everyone(authority: Authority) -> Iterator[list[Item]]:
    after: str | None = None
    while True:
        found, after = authority.sessions.everyone(after=after, limit=_PAGE)
        yield [admin_session_body(standing) for standing in found]
        if after is None:
            return


def _of_account(authority: Authority, name: str) -> Iterator[list[Item]]:
    found = authority.accounts.find(name)
    yield [admin_session_body(standing) for standing in authority.sessions.of_account(found.id)]
