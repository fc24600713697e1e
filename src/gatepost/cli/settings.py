"""`gatepost settings ...`: what is in force, where it comes from, and what deserves a thought. Starts nothing."""

import click

from gatepost.cli.installation import Installation, json_option, server_options
from gatepost.cli.output import say, write_json, write_listing


@click.group()
def settings() -> None:
    """Check and show the settings in force, as `serve` with the same options would have them."""


@settings.command()
@json_option
@server_options
def show(installation: Installation, as_json: bool) -> None:
    """List every setting with its value and source. What holds a password is hidden."""
    rows = installation.settings(serving=True).describe()
    write_listing([[row._asdict() for row in rows]], ("key", "value", "source"), as_json=as_json)


@settings.command()
@json_option
@server_options
def check(installation: Installation, as_json: bool) -> None:
    """Say whether a server would start with these settings, and what deserves a thought."""
    warnings = installation.settings(serving=True).warnings()
    if as_json:
        write_json({"items": [{"warning": sentence} for sentence in warnings]})
        return
    for sentence in warnings:
        say(f"warning: {sentence}")
    say("A server would start with these settings.")
