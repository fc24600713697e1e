"""`gatepost account ...`: the operator's hand on accounts, beside a running server or without one.

Each command calls one service and says what came of it. What a command ends is refused everywhere before it returns.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from gatepost.authority import Authority
from gatepost.cli.account_export import export_accounts
from gatepost.cli.account_import import import_accounts
from gatepost.cli.installation import ACTOR, Installation, issuer_of, json_option, place_options
from gatepost.cli.naming import NAME, NamesThings
from gatepost.cli.output import (
    Item,
    in_force,
    moment,
    note,
    printable,
    say,
    write_fields,
    write_json,
    write_listing,
)
from gatepost.cli.prompting import read_new_password, with_password_file
from gatepost.cli.waiting import changed_and_waited, wait_option
from gatepost.core.permissions import FIRST_ROLES
from gatepost.services.accounts import INVITATION_LIFE, Changed
from gatepost.web.answers import admin_account_body, admin_session_body, changed_body, instant

_COLUMNS: Final = ("id", "email", "roles", "locked_at", "created_at")
_SESSION_COLUMNS: Final = ("id", "carrier", "device", "address", "last_seen_at", "expires_at")
_PAGE: Final = 200


@click.group(cls=NamesThings)
def account() -> None:
    """Make, list, lock and change accounts. NAME is an account's id or e-mail."""


account.add_command(import_accounts)
account.add_command(export_accounts)


@account.command()
@click.argument("email")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Role of the account; may be repeated.")
@with_password_file
@json_option
@place_options
def create(
    installation: Installation, email: str, roles: Sequence[str], password_file: Path | None, as_json: bool
) -> None:
    """Make an account. Its password is read from a prompt, stdin or a file."""
    password = read_new_password(password_file)
    with installation.opened(make=True) as authority:
        made = authority.accounts.create(email, password, roles or FIRST_ROLES, ACTOR)
        if as_json:
            write_json({"account": admin_account_body(made, authority.accounts.roles)})
        else:
            say(f"Made {printable(made.email.typed)} ({', '.join(made.roles)}) with the id {made.id}.")


@account.command("list")
@click.option("--search", default="", metavar="TEXT", help="Only e-mails that contain this.")
@json_option
@place_options
def list_accounts(installation: Installation, search: str, as_json: bool) -> None:
    """List accounts."""
    with installation.opened() as authority:
        write_listing(_pages(authority, search), _COLUMNS, as_json=as_json)


@account.command()
@click.argument("name", type=NAME)
@json_option
@place_options
def show(installation: Installation, name: str, as_json: bool) -> None:
    """Show one account and its sessions."""
    with installation.opened() as authority:
        found = authority.accounts.find(name)
        item = admin_account_body(found, authority.accounts.roles)
        sessions = [admin_session_body(standing) for standing in authority.sessions.of_account(found.id)]
        if as_json:
            write_json({"account": item, "sessions": sessions})
            return
        write_fields(item)
        if sessions:
            say()
            write_listing([sessions], _SESSION_COLUMNS, as_json=False)


@account.command()
@click.argument("name", type=NAME)
@wait_option
@json_option
@place_options
def lock(installation: Installation, name: str, seconds: float, as_json: bool) -> None:
    """Lock an account: all of it ends, nobody signs in."""
    with installation.opened() as authority:
        changed = changed_and_waited(authority, authority.accounts.lock(name, ACTOR), seconds)
        _say_changed(authority, changed, "is locked", as_json=as_json)


@account.command()
@click.argument("name", type=NAME)
@json_option
@place_options
def unlock(installation: Installation, name: str, as_json: bool) -> None:
    """Unlock an account. What the lock ended stays ended."""
    with installation.opened() as authority:
        changed = authority.accounts.unlock(name, ACTOR)
        _say_changed(authority, changed, "is unlocked", as_json=as_json)


@account.command("roles")
@click.argument("name", type=NAME)
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@wait_option
@json_option
@place_options
def set_roles(
    installation: Installation, name: str, roles: Sequence[str], seconds: float, as_json: bool
) -> None:
    """Replace an account's roles by ROLE... They count from its next request on."""
    with installation.opened() as authority:
        changed = changed_and_waited(authority, authority.accounts.set_roles(name, roles, ACTOR), seconds)
        _say_changed(authority, changed, f"has the roles {', '.join(changed.account.roles)}", as_json=as_json)


@account.command()
@click.argument("name", type=NAME)
@with_password_file
@wait_option
@json_option
@place_options
def password(
    installation: Installation, name: str, password_file: Path | None, seconds: float, as_json: bool
) -> None:
    """Set an account's password and end all its sessions."""
    with installation.opened() as authority:
        # An unknown name is refused before anybody has to think of a password.
        found = authority.accounts.find(name)
        set_anew = authority.accounts.set_password(found.id, read_new_password(password_file), ACTOR)
        changed = changed_and_waited(authority, set_anew, seconds)
        _say_changed(authority, changed, "has a new password, and its sessions have ended", as_json=as_json)


@account.command()
@click.option("--role", required=True, metavar="ROLE", help="Role of the account that the link makes.")
@json_option
@place_options
def invite(installation: Installation, role: str, as_json: bool) -> None:
    """Print a one-time link that makes an account. Older open links for the role are taken back."""
    with installation.opened(make=True) as authority:
        expires_at = authority.clock.now() + INVITATION_LIFE
        secret = authority.accounts.invite(role, ACTOR)
        link = f"{issuer_of(authority.settings)}/invite/{secret.reveal()}"
    if as_json:
        write_json({"link": link, "role": role, "expires_at": instant(expires_at)})
        return
    note(f"This link makes one account with the role {role}, once, until {moment(expires_at)}:")
    say(link)


def _pages(authority: Authority, search: str) -> Iterator[list[Item]]:
    after: str | None = None
    while True:
        found, after = authority.accounts.page(after=after, limit=_PAGE, search=search)
        yield [admin_account_body(one, authority.accounts.roles) for one in found]
        if after is None:
            return


def _say_changed(authority: Authority, changed: Changed, what: str, *, as_json: bool) -> None:
    if as_json:
        write_json(changed_body(changed, authority.accounts.roles))
        return
    force = f": {in_force(changed.receipt)}" if changed.receipt else ""
    say(f"{printable(changed.account.email.typed)} {what}{force}.")
