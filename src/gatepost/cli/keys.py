"""`gatepost key ...`: which keys sign and seal, and turning them, beside a running server or without one."""

from typing import Any, Final

import click

from gatepost.authority import Authority
from gatepost.cli.installation import ACTOR, Installation, json_option, place_options
from gatepost.cli.naming import NAME, NamesThings
from gatepost.cli.output import in_force, moment, note, say, write_json, write_listing
from gatepost.cli.waiting import wait_option, waited
from gatepost.core.keys import KeyState, RingKey
from gatepost.web.answers import full_receipt_body, instant, key_body

_COLUMNS: Final = ("kid", "algorithm", "state", "since")


@click.group(cls=NamesThings)
def key() -> None:
    """See the keys that sign tokens and seal cookies, and turn them."""


@key.command("list")
@json_option
@place_options
def list_keys(installation: Installation, as_json: bool) -> None:
    """List every key that is not gone, oldest first. Nothing secret is shown."""
    with installation.opened() as authority:
        write_listing([[key_body(one) for one in authority.keys.listed()]], _COLUMNS, as_json=as_json)


@key.command()
@click.option(
    "--compromised",
    "kid",
    metavar="KID",
    type=NAME,
    help="End this key at once, with all that it signed: others know it.",
)
@click.option("--master", is_flag=True, help="Seal every key under a new master key.")
@wait_option
@json_option
@place_options
def rotate(installation: Installation, kid: str | None, master: bool, seconds: float, as_json: bool) -> None:
    """Let the next keys take over. What the old ones signed and sealed stands until it expires.

    With --compromised it does not: clients renew, nobody has to sign in again.
    """
    if kid is not None and master:
        raise click.UsageError(
            "Name a compromised key or the master key, one at a time.", click.get_current_context()
        )
    with installation.opened() as authority:
        if kid is not None:
            answer = _withdraw(authority, kid, seconds, as_json)
        elif master:
            answer = _change_master(installation, authority, as_json)
        else:
            answer = _turn(authority, as_json)
        if as_json:
            write_json({**answer, "keys": [key_body(one) for one in authority.keys.listed()]})


def _withdraw(authority: Authority, kid: str, seconds: float, as_json: bool) -> dict[str, Any]:
    receipt = waited(authority, authority.keys.withdraw(kid, ACTOR), seconds)
    if not as_json:
        say(f"The key {kid} is withdrawn, and all that it signed is refused: {in_force(receipt)}.")
        for one in authority.keys.listed():
            if one.state is KeyState.ACTIVE:
                say(f"Active is {_named(one)}.")
    return {"receipt": full_receipt_body(receipt)}


def _turn(authority: Authority, as_json: bool) -> dict[str, Any]:
    rotated = authority.keys.rotate(ACTOR)
    if not as_json:
        for one in rotated.keys:
            say(f"Active is {_named(one)} now.")
    if rotated.known_at is not None:
        note(
            "Services that keep the list of public keys may not have the new one before "
            f"{moment(rotated.known_at)}: until then they have to ask again for a key they do not know."
        )
    return {"known_at": instant(rotated.known_at) if rotated.known_at else None}


def _change_master(installation: Installation, authority: Authority, as_json: bool) -> dict[str, Any]:
    sealed = authority.keys.change_master(ACTOR)
    settings = installation.settings()
    given = settings.keys.master is not None
    if not as_json:
        say(f"{sealed} keys lie under the new master key.")
        if given:
            say("Take keys.master_before away when every server has been started with the new one.")
        else:
            say(f"It is in {settings.data / 'master.key'}; servers that run have taken it up by themselves.")
            say("Older copies of the database need the master key of their time: keep a copy of each apart.")
    return {"sealed": sealed}


def _named(one: RingKey) -> str:
    return f"{one.id} ({one.algorithm})"
