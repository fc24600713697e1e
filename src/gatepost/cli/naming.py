"""Names of accounts and sessions as arguments. One id in 64 begins with a dash, and must not look like an option.

Owns how such an id gets past the option parser. What the name stands for is asked of the services.
"""

import re
from typing import Any, Final

import click

_ID: Final = re.compile(r"-[A-Za-z0-9_-]{21}", re.ASCII)
# No argument of a process can hold this character, so no name is mistaken for a marked one.
_MARK: Final = "\0"


class _Name(click.ParamType[str]):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value).removeprefix(_MARK)


NAME: Final = _Name()


class _NamingCommand(click.Command):
    """A command whose arguments may be ids."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = {spelling for param in self.get_params(ctx) for spelling in param.opts}
        marked = [
            _MARK + one if _ID.fullmatch(one) is not None and one not in options else one for one in args
        ]
        return super().parse_args(ctx, marked)


class NamesThings(click.Group):
    """A group of such commands."""

    command_class = _NamingCommand
