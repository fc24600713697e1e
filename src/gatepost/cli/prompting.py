"""Reading what must not stand on a command line: from a hidden prompt, one line of stdin, or a file.

Arguments are in the process list and in the shell's history, so no secret is ever taken from one.
"""

import sys
from pathlib import Path
from typing import Final

import click

from gatepost.cli.installation import Command
from gatepost.errors import InvalidFields, SettingsError

_LONGEST: Final = 65_536

password_option: Final = click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the password from this file instead of a prompt or stdin.",
)


def with_password_file(command: Command) -> Command:
    """Give a command the option that names a file with the password."""
    return password_option(command)


def read_new_password(file: Path | None) -> str:
    """A password that is to be set; typed twice at a terminal. Raises `InvalidFields`, `SettingsError`."""
    if file is None and sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
        return typed
    password = _first_line(_bytes_of(file), "password")
    if not password:
        raise InvalidFields({"password": "No password was given."})
    return password


def read_token(file: Path | None) -> str:
    """A token out of a file, stdin or a hidden prompt, blanks around it removed."""
    if file is None and sys.stdin.isatty():
        typed: str = click.prompt("Token", hide_input=True, err=True)
        return typed.strip()
    try:
        return _bytes_of(file).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise InvalidFields({"token": "This is not text."}) from None


def read_secret(file: Path | None) -> str:
    """A client's secret out of a file, a hidden prompt, or the first line of stdin. Raises `InvalidFields`."""
    if file is None and sys.stdin.isatty():
        typed: str = click.prompt("The client's secret", hide_input=True, err=True)
        return typed.strip()
    secret = _first_line(_bytes_of(file), "secret").strip()
    if not secret:
        raise InvalidFields({"secret": "No secret was given."})
    return secret


def _bytes_of(file: Path | None) -> bytes:
    if file is None:
        return sys.stdin.buffer.read(_LONGEST)
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST)
    except OSError as error:
        raise SettingsError(f"The file {file} cannot be read: {error.strerror}.") from error


def _first_line(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8").partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        # The decoder's own error would quote the bytes.
        raise InvalidFields({name: "This is not text in UTF-8."}) from None
