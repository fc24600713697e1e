"""`gatepost client ...`: other programs that ask us things, made and ended beside a running server or without one.

A secret is written once, alone on the last line of stdout, and nowhere else.
"""

from collections.abc import Sequence
from typing import Any, Final

import click

from gatepost.authority import Authority
from gatepost.cli.installation import ACTOR, Installation, issuer_of, json_option, place_options
from gatepost.cli.naming import NAME, NamesThings
from gatepost.cli.output import in_force, note, printable, say, write_json, write_listing
from gatepost.cli.waiting import wait_option, waited
from gatepost.core.clients import Client, Power
from gatepost.services.clients import ClientMade, ClientWish
from gatepost.web.answers import full_receipt_body, instant

_COLUMNS: Final = ("id", "name", "powers", "audiences", "created_at", "ended_at")


@click.group(cls=NamesThings)
def client() -> None:
    """Make, list and end OAuth clients: programs that speak to the server under a secret of their own."""


@client.command()
@click.argument("name")
@click.option(
    "--verifier", "powers", flag_value=Power.VERIFIER.value, multiple=True, help="May follow the log."
)
@click.option(
    "--introspect", "powers", flag_value=Power.INTROSPECT.value, multiple=True, help="May ask about tokens."
)
@click.option(
    "--service", "powers", flag_value=Power.SERVICE.value, multiple=True, help="May act in its own name."
)
@click.option(
    "--audience",
    "audiences",
    multiple=True,
    metavar="AUDIENCE",
    help="Only tokens for this audience are its business; may be repeated. Without it, all of this issuer's.",
)
@json_option
@place_options
def create(
    installation: Installation, name: str, powers: Sequence[str], audiences: Sequence[str], as_json: bool
) -> None:
    """Make a client. Its secret is written once, on the last line."""
    if not powers:
        raise click.UsageError(
            "Say what it may do: --verifier, --introspect, --service.", click.get_current_context()
        )
    wish = ClientWish(name, tuple(Power(power) for power in powers), tuple(audiences))
    with installation.opened(make=True) as authority:
        made = authority.clients.create(wish, _offered(authority), ACTOR)
    _hand_over(made, f"Made the client {printable(name)} with the id {made.client.id}.", as_json=as_json)


@client.command("list")
@json_option
@place_options
def list_clients(installation: Installation, as_json: bool) -> None:
    """List clients, oldest first; those that have ended too."""
    with installation.opened() as authority:
        write_listing([[client_item(one) for one in authority.clients.all()]], _COLUMNS, as_json=as_json)


@client.command()
@click.argument("client_id", metavar="ID", type=NAME)
@wait_option
@json_option
@place_options
def revoke(installation: Installation, client_id: str, seconds: float, as_json: bool) -> None:
    """End a client: everything issued to it is dead, and its secret opens nothing."""
    with installation.opened() as authority:
        receipt = waited(authority, authority.clients.revoke(client_id, ACTOR), seconds)
    if as_json:
        write_json({"receipt": full_receipt_body(receipt)})
    else:
        say(f"Client {printable(client_id)} has ended: {in_force(receipt)}.")


@client.command()
@click.argument("client_id", metavar="ID", type=NAME)
@json_option
@place_options
def secret(installation: Installation, client_id: str, as_json: bool) -> None:
    """Give a client another secret, written once, on the last line. The old one is dead at once, at the feed
    within the bound."""
    with installation.opened() as authority:
        made = authority.clients.change_secret(client_id, ACTOR)
    _hand_over(made, f"The client {printable(made.client.name)} has another secret.", as_json=as_json)


def client_item(one: Client) -> dict[str, Any]:
    """A client as it is listed: everything but its secret's digest."""
    return {
        "id": one.id,
        "name": one.name,
        "powers": [power.value for power in one.powers],
        "audiences": list(one.audiences),
        "created_at": instant(one.created_at),
        "ended_at": instant(one.ended_at) if one.ended_at else None,
    }


def _offered(authority: Authority) -> tuple[str, ...]:
    # The port of a running server is not among the settings of this command, but it is part of the issuer.
    settings = authority.settings
    return tuple(dict.fromkeys((issuer_of(settings), *settings.tokens.audiences)))


def _hand_over(made: ClientMade, what: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"client": client_item(made.client), "secret": made.secret.reveal()})
        return
    say(what)
    note("This is its secret. It is shown this once:")
    say(made.secret.reveal())
