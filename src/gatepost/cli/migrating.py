"""`gatepost migrate`: the database to the newest version. `serve` does the same at its start."""

import click

from gatepost.cli.installation import Installation, json_option, place_options, require_file
from gatepost.cli.output import say, write_json
from gatepost.machine import make_folder
from gatepost.stores.revisions import migrate as migrate_file


@click.command()
@json_option
@place_options
def migrate(installation: Installation, as_json: bool) -> None:
    """Bring the database to the newest version; make it if there is none."""
    settings = installation.settings()
    file = require_file(settings)
    if settings.database.url is None:
        make_folder(settings.data)
    before, after = migrate_file(file)
    if as_json:
        write_json({"from": before, "to": after})
    elif before == after:
        say(f"The database {file} is at version {after} already.")
    else:
        say(f"The database {file} was brought from {before or 'nothing'} to version {after}.")
