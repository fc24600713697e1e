"""`gatepost account export`: every account as a line, in the form that `account import` reads.

Owns the file it writes (its owner's alone) and that hashes leave only on request. Reads page by page, so an account
that is made meanwhile may be in it or not.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from gatepost.authority import Authority
from gatepost.cli.installation import Installation, json_option, place_options
from gatepost.cli.output import note, say
from gatepost.cli.trail import csv_cell
from gatepost.core.accounts import Account
from gatepost.core.newcomers import COLUMNS
from gatepost.errors import SettingsError

_PAGE: Final = 500
_HASH: Final = "password_hash"
_WARNING: Final = "gatepost: Whoever has these hashes can guess at the passwords, on a machine of their own."


@click.command("export")
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="csv unless you say so."
)
@click.option("--with-hashes", is_flag=True, help="Write password hashes too.")
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="A new file, readable by you alone."
)
@json_option
@place_options
def export_accounts(
    installation: Installation, form: str, with_hashes: bool, output: Path | None, as_json: bool
) -> None:
    """Write every account, a line each, to stdout or into a new file."""
    columns = [name for name in COLUMNS if with_hashes or name != _HASH]
    if with_hashes:
        note(_WARNING)
    form = "jsonl" if as_json else form
    with installation.opened() as authority, _writer(output) as write:
        if form == "csv":
            write(",".join(columns))
        line = _csv_line if form == "csv" else _json_line
        for account in _accounts(authority):
            item = _item(account)
            write(line({name: item[name] for name in columns}))


def _accounts(authority: Authority) -> Iterator[Account]:
    after: str | None = None
    while True:
        found, after = authority.accounts.page(after=after, limit=_PAGE)
        yield from found
        if after is None:
            return


def _item(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email.typed,
        "email_verified": account.email_verified,
        "roles": list(account.roles),
        "created_at": _instant(account.created_at),
        "locked": account.locked_at is not None,
        "locked_at": account.locked_at and _instant(account.locked_at),
        "password_hash": account.password_hash,
    }


def _instant(at: datetime) -> str:
    # To the microsecond, unlike the listings: what comes back is the same account.
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json_line(item: dict[str, Any]) -> str:
    return json.dumps(item)


def _csv_line(item: dict[str, Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([csv_cell(_cell(value)) for value in item.values()])
    return written.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(value)
    return str(value).lower() if isinstance(value, bool) else value


@contextmanager
def _writer(output: Path | None) -> Iterator[Callable[[str], None]]:
    if output is None:
        yield say
        return
    try:
        descriptor = os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise SettingsError(f"The file {output} is there already. Name another.") from None
    except OSError as error:
        raise SettingsError(f"The file {output} cannot be made: {error.strerror}.") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path has been opened already
            yield lambda line: print(line, file=file)
    except BaseException:
        output.unlink()
        raise
