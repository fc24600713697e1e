"""The command line: one noun a file, one table that names them, one place where an error becomes a line and a code.

Owns exit codes (0 done, 1 refused, not found or nobody reading, 2 wrong usage, 130 interrupted). A noun's file is
imported when it is used, so that `gatepost --help` loads no database. Called by the installed script and `__main__`.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NamedTuple

import click

from gatepost import __version__
from gatepost.cli.output import report
from gatepost.errors import GatepostError

_INTERRUPTED: Final = 128 + signal.SIGINT
_READER_GONE: Final = 1


class _Noun(NamedTuple):
    """Where a command lives, and what the overview says of it."""

    place: str
    summary: str


NOUNS: Final = {
    "account": _Noun("gatepost.cli.accounts:account", "Make, list, lock and change accounts."),
    "audit": _Noun("gatepost.cli.audit:audit", "Read, export and verify the audit trail."),
    "backup": _Noun("gatepost.cli.backups:backup", "Copy the database into a file while servers go on."),
    "client": _Noun("gatepost.cli.clients:client", "Make, list and end OAuth clients."),
    "key": _Noun("gatepost.cli.keys:key", "See and turn the keys that sign and seal."),
    "migrate": _Noun("gatepost.cli.migrating:migrate", "Bring the database to the newest version."),
    "restore": _Noun("gatepost.cli.backups:restore", "Put a backup back while servers go on."),
    "serve": _Noun("gatepost.cli.serving:serve", "Start the server."),
    "session": _Noun("gatepost.cli.sessions:session", "See who is signed in, and end sessions."),
    "settings": _Noun("gatepost.cli.settings:settings", "Check and show the settings in force."),
    "token": _Noun("gatepost.cli.tokens:token", "Look into a token without sending it anywhere."),
}


class _Overview(click.Group):
    """The commands by name; each is imported when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        module, _, name = NOUNS[cmd_name].place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.summary) for name, noun in NOUNS.items()])


@click.group(cls=_Overview, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gatepost", message="%(prog)s %(version)s")
def gatepost() -> None:
    """Sign people in and keep them signed in until someone says stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Every error that is ours becomes one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # What people call their devices may not fit the terminal's encoding; a listing must not fail for that.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = gatepost.main(args=arguments, prog_name="gatepost", standalone_mode=False)
        sys.stdout.flush()
    except (GatepostError, click.ClickException) as error:
        return report(error)
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more on its way out, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE
    return code if isinstance(code, int) else 0
