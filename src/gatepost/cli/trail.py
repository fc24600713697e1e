"""Rows of the audit trail as lines: for a terminal, a log viewer, a spreadsheet.

What a browser sent ends up here, and whoever opens the file trusts it. Owns that one event is one line in every form,
that no line moves a cursor, and that no cell is taken for a formula. Called by `gatepost audit`.
"""

import csv
import io
import json
import unicodedata
from typing import Final

from gatepost.cli.output import Item

COLUMNS: Final = ("number", "at", "event", "account_id", "actor", "session_id", "address", "device", "more")
BEGINS_FORMULA: Final = frozenset("=+-@")
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def visible(text: str) -> str:
    """The text with every control and format character written out (`\\x1b`), reversibly."""
    return "".join(map(_visible, text))


def line(item: Item) -> str:
    """A row for people: number, moment and event, then what is known as `name=value`."""
    named = {
        "account": item["account_id"],
        "actor": item["actor"],
        "session": item["session_id"],
        "address": item["address"],
        "device": item["device"],
        **item["more"],
    }
    parts = [f"{visible(name)}={_quoted(str(value))}" for name, value in named.items() if value]
    return " ".join([str(item["number"]), item["at"], item["event"], *parts])


def json_line(item: Item) -> str:
    """A row as JSON in visible ASCII, without a line break in it."""
    return json.dumps(item)


def csv_heading() -> str:
    """The first line of the CSV form (RFC 4180, lines ended by LF)."""
    return ",".join(COLUMNS)


def csv_line(item: Item) -> str:
    """A row as CSV that a spreadsheet shows and does not compute. The column `more` holds JSON."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([csv_cell(item[name]) for name in COLUMNS])
    return written.getvalue()


def csv_cell(value: object) -> str:
    """A value as a spreadsheet shows it: an apostrophe before what it would compute, and before an apostrophe."""
    if value is None:
        return ""
    # Where a spreadsheet takes the semicolon for the separator, one inside a value would begin a cell of its own.
    text = visible(json.dumps(value) if isinstance(value, dict) else str(value)).replace(";", "\\x3b")
    # Some spreadsheets read the wide signs of East Asian keyboards as the narrow ones; NFKC makes them that.
    first = unicodedata.normalize("NFKC", text.lstrip()[:1])
    return f"'{text}" if first in BEGINS_FORMULA or first == "'" else text


def _visible(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _quoted(text: str) -> str:
    """A value that cannot be mistaken for the next name, whatever it holds."""
    shown = visible(text)
    if text and all(character not in ' "=' for character in text):
        return shown
    return '"' + shown.replace('"', '\\"') + '"'
