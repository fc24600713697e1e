"""`gatepost audit ...`: the trail as it grows, as a file, and whether anybody has touched it.

Each command reads; none of them writes, beside a running server or without one. What lines look like is trail.py.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, assert_never

import click

from gatepost.authority import Authority
from gatepost.cli import trail
from gatepost.cli.installation import Installation, json_option, place_options
from gatepost.cli.naming import NAME, NamesThings
from gatepost.cli.output import Item, moment, note, say, write_json
from gatepost.core.audit import (
    Broken,
    Fault,
    RowChanged,
    RowInserted,
    RowRemoved,
    Seal,
    SealChanged,
    SealMisplaced,
    SealRemoved,
    TailCut,
    TrailReplaced,
    Unsealed,
    Verdict,
    Whole,
    seal_fields,
    seal_text,
)
from gatepost.errors import NotFound, SettingsError
from gatepost.web.answers import audit_body

_LOOK_AGAIN: Final = 0.5
# A seal is one line of some three hundred characters, at the end of a file that may be large.
_END_BYTES: Final = 65_536

account_option: Final = click.option(
    "--account", "name", metavar="NAME", type=NAME, help="Only rows about this account, by id or e-mail."
)


@click.group(cls=NamesThings)
def audit() -> None:
    """Read and export the audit trail, and verify that nobody has changed it."""


@audit.command()
@click.option("-n", "--lines", default=20, type=click.IntRange(0), metavar="COUNT", help="How many rows.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new rows as they come.")
@account_option
@json_option
@place_options
def tail(installation: Installation, lines: int, follow: bool, name: str | None, as_json: bool) -> None:
    """Show the newest rows, oldest first. Followed as JSON, each is a document on a line of its own."""
    with installation.opened() as authority:
        account = None if name is None else authority.audit.account_id(name)
        found = deque(_items(authority, account, _near_the_end(authority, account, lines)), maxlen=lines)
        if as_json and not follow:
            write_json({"items": list(found)})
            return
        for item in found:
            say(trail.json_line(item) if as_json else trail.line(item))
        if follow:
            _follow(authority, account, found[-1]["number"] if found else 0, as_json)


@audit.command()
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="csv unless you say so."
)
@account_option
@json_option
@place_options
def export(installation: Installation, form: str, name: str | None, as_json: bool) -> None:
    """Write every row to stdout, one line each. --json is --format jsonl, which ends with the newest seal."""
    with installation.opened() as authority:
        account = None if name is None else authority.audit.account_id(name)
        # Read before the rows, so that all it speaks for is among them.
        seal = authority.audit.newest()
        rows = _items(authority, account, 0)
        if form == "jsonl" or as_json:
            last = [{"seal": seal_fields(seal)}] if seal else []
            for item in chain(rows, last):
                say(trail.json_line(item))
            return
        say(trail.csv_heading())
        for item in rows:
            say(trail.csv_line(item))


@audit.command("seal")
@json_option
@place_options
def show_seal(installation: Installation, as_json: bool) -> None:
    """Write the newest seal to stdout. Keep it where nobody who can write to the database can reach it."""
    with installation.opened() as authority:
        seal = authority.audit.newest()
        if seal is None:
            raise NotFound("Nothing is sealed yet: a running server seals the trail within seconds.")
        if as_json:
            write_json(seal_fields(seal))
        else:
            say(seal_text(seal))


@audit.command()
@click.option(
    "--seal",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An exported seal, to see whether the end of the trail was cut off.",
)
@json_option
@place_options
def verify(installation: Installation, file: Path | None, as_json: bool) -> int:
    """Compare the trail with its seals; exit code 1 if anything was removed, changed or inserted."""
    with installation.opened() as authority:
        exported: Seal | None = None
        if file is not None:
            exported = authority.audit.read_seal(_end_of(file))
        verdict = authority.audit.verify(exported)
    if as_json:
        write_json(_verdict_item(verdict))
    else:
        _tell(verdict)
    return 1 if isinstance(verdict, Broken) else 0


def _items(authority: Authority, account: str | None, after: int) -> Iterator[Item]:
    pages = authority.audit.rows(account=account, after=after)
    return (audit_body(number, row) for page in pages for number, row in page)


def _near_the_end(authority: Authority, account: str | None, count: int) -> int:
    """A number after which the last `count` rows are. Those of one account may lie anywhere."""
    seal = authority.audit.newest()
    return max(0, seal.last - count) if seal and account is None else 0


def _follow(authority: Authority, account: str | None, after: int, as_json: bool) -> None:
    while True:
        for item in _items(authority, account, after):
            say(trail.json_line(item) if as_json else trail.line(item))
            after = item["number"]
        time.sleep(_LOOK_AGAIN)


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - _END_BYTES))
            return opened.read().decode("utf-8", "replace")
    except OSError as error:
        raise SettingsError(f"The file {file} cannot be read: {error.strerror}.") from error


def _tell(verdict: Verdict) -> None:
    extent = verdict.extent
    newest = extent.newest
    under = f"{_count(extent.rows, 'row')} under {_count(extent.seals, 'seal')}"
    if newest:
        under += f", the newest number {newest.number} of {moment(newest.at)} over rows up to {newest.last}"
    waiting = f"{_count(extent.waiting, 'row')} not sealed yet; a running server seals them within seconds."
    match verdict:
        case Whole():
            say(f"The audit trail is whole: {under}.")
        case Unsealed():
            say(f"What is sealed of the audit trail is whole: {under}.")
            say(waiting)
        case Broken(_, faults, more):
            for sentence in map(_in_words, faults):
                say(sentence)
            if more:
                say(f"And {more} more.")
            note("gatepost: the audit trail is not what was sealed.")


def _verdict_item(verdict: Verdict) -> dict[str, Any]:
    extent = verdict.extent
    faults, more = (verdict.faults, verdict.more) if isinstance(verdict, Broken) else ((), 0)
    return {
        "verdict": type(verdict).__name__.lower(),
        "rows": extent.rows,
        "seals": extent.seals,
        "unsealed": extent.waiting,
        "newest": seal_fields(extent.newest) if extent.newest else None,
        "faults": [
            {"fault": _NAMES[type(fault)], "number": fault.number, "says": _in_words(fault)}
            for fault in faults
        ],
        "more": more,
    }


_NAMES: Final[dict[type[Fault], str]] = {
    RowRemoved: "row_removed",
    RowChanged: "row_changed",
    RowInserted: "row_inserted",
    SealChanged: "seal_changed",
    SealRemoved: "seal_removed",
    SealMisplaced: "seal_misplaced",
    TailCut: "tail_cut",
    TrailReplaced: "trail_replaced",
}


def _in_words(fault: Fault) -> str:
    match fault:
        case RowRemoved(number):
            return f"Row {number} was removed."
        case RowChanged(number):
            return f"Row {number} was changed."
        case RowInserted(number):
            return f"Row {number} was inserted."
        case SealChanged(number):
            return (
                f"Seal {number} was changed, or made under another master key: nothing vouches for its rows."
            )
        case SealRemoved(number):
            return f"Seal {number} was removed: nothing vouches for its rows."
        case SealMisplaced(number):
            return f"Seal {number} does not follow the one before it: one of them is from another copy."
        case TailCut(number, last):
            return f"The end was cut off: there were seals up to number {number} and rows up to {last}."
        case TrailReplaced(number):
            return f"Seal {number} is not the one that was exported: the rows up to it were written anew."
        case _:
            assert_never(fault)


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
