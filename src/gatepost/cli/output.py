"""What commands write: tables, JSON, receipts in words, and errors as lines on stderr.

Owns form only. Whatever a person typed or a browser sent is shown without control characters: a device's name must
not move the cursor of the operator who looks at it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from gatepost.core.verifiers import Policy
from gatepost.errors import GatepostError, InvalidFields
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.services.hearings import VerifierHearing

_USAGE: Final = 2
_REFUSED: Final = 1
_GAP: Final = "  "

Item = Mapping[str, Any]


def say(text: str = "") -> None:
    """One line on stdout."""
    click.echo(text)


def note(text: str) -> None:
    """One line on stderr, for what a script that reads stdout should not get."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """The text with every control and format character as a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)


def write_json(value: object) -> None:
    """One JSON document on stdout, in ASCII."""
    say(json.dumps(value, indent=2))


def write_listing(pages: Iterable[Sequence[Item]], columns: Sequence[str], *, as_json: bool) -> None:
    """A listing page by page: a table of the columns, or `{"items": [...]}` with every field.

    Pages are written as they come, so that a million rows need no memory.
    """
    if as_json:
        _write_items(pages)
    else:
        _write_table(pages, columns)


def write_fields(item: Item) -> None:
    """One thing, a field a line."""
    width = max(map(len, item), default=0)
    for name, value in item.items():
        say(f"{name:<{width}}{_GAP}{cell(value)}")


def cell(value: object) -> str:
    """A JSON value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value)) or "-"
    return printable(str(value)) or "-"


def in_force(receipt: Receipt) -> str:
    """A receipt in words."""
    waited = (receipt.in_force_at - receipt.committed_at).total_seconds() * 1000
    if receipt.state is ReceiptState.IN_FORCE:
        return f"in force everywhere after {waited:.0f} ms"
    if receipt.state is ReceiptState.PENDING:
        return f"in force at every server process after {waited:.0f} ms; {_unheard(receipt)}"
    by_verifier = not receipt.silent and any(one.ended for one in receipt.verifiers)
    silent = "verifier" if by_verifier else "server process"
    return (
        f"bounded: a {silent} stayed silent; it refuses everything until it has caught up, "
        f"at latest from {moment(receipt.latest_at)} on"
    )


def _unheard(receipt: Receipt) -> str:
    awaited = [one for one in receipt.verifiers if one.awaited]
    bounded = [_verifier(one) for one in awaited if one.policy is not Policy.ALLOW]
    free = [_verifier(one) for one in awaited if one.policy is Policy.ALLOW]
    until = f"{', '.join(bounded)} may accept it until {moment(receipt.latest_at)}"
    said = [until] if bounded else []
    said += [f"{', '.join(free)} may accept it until it expires"] if free else []
    return "not confirmed: " + "; ".join(said)


def _verifier(one: VerifierHearing) -> str:
    return printable(f"{one.name}/{one.instance}")


def moment(at: datetime) -> str:
    """A moment for people, to the second, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def report(error: GatepostError | click.ClickException) -> int:
    """Say on stderr why nothing was done; the exit code for it."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and error.ctx is not None:
        note(error.ctx.get_help())
        return _USAGE
    if isinstance(error, click.UsageError):
        _complain(error.format_message())
        if error.ctx is not None:
            note(f"Try '{error.ctx.command_path} --help'.")
        return _USAGE
    if isinstance(error, click.ClickException):
        _complain(error.format_message())
        return _REFUSED
    if isinstance(error, InvalidFields):
        for name, sentence in error.errors.items():
            _complain(f"{name}: {sentence}")
        return _REFUSED
    _complain(error.message)
    if error.hint:
        note(error.hint)
    return _REFUSED


def _complain(text: str) -> None:
    note(f"gatepost: {printable(text)}")


def _write_items(pages: Iterable[Sequence[Item]]) -> None:
    say('{"items": [')
    before = ""
    for item in (item for page in pages for item in page):
        if before:
            say(before + ",")
        before = json.dumps(item)
    if before:
        say(before)
    say("]}")


def _write_table(pages: Iterable[Sequence[Item]], columns: Sequence[str]) -> None:
    widths = [len(name) for name in columns]
    heading: list[list[str]] = [list(columns)]
    for page in pages:
        rows = heading + [[cell(item.get(name)) for name in columns] for item in page]
        heading = []
        widths = [max([width, *(len(row[at]) for row in rows)]) for at, width in enumerate(widths)]
        for row in rows:
            say(_GAP.join(map(str.ljust, row, widths)).rstrip())
