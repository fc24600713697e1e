"""Files of accounts, CSV or JSON lines: bytes in, numbered lines of fields out, whatever the bytes are.

Owns encodings, line ends, quotes and sizes: one account is one line, at most 64 KiB of it are held, and a line that
cannot be read is one bad line. Knows no account. Called by `gatepost account import`.
"""

import csv
import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from gatepost.cli.trail import BEGINS_FORMULA
from gatepost.core.newcomers import COLUMNS
from gatepost.errors import SettingsError
from gatepost.services.newcomers import BadLine, Line

Form = Literal["csv", "jsonl"]

_LONGEST: Final = 65_536
_HEAD: Final = 4096
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_JSON_ENDINGS: Final = frozenset({".jsonl", ".ndjson", ".json"})
_TOO_LONG: Final = f"The line is longer than {_LONGEST:,} bytes."


def form_of(file: Path) -> Form:
    """The form that a file's name ends with; CSV unless it says JSON."""
    return "jsonl" if file.suffix.lower() in _JSON_ENDINGS else "csv"


class NewcomerFile:
    """One open file. Raises `SettingsError` with a sentence that says what to change where no line can be read."""

    def __init__(self, raw: BinaryIO, form: Form, *, ignore_unknown: bool) -> None:
        self._raw = raw
        self._form = form
        self._ignore_unknown = ignore_unknown
        found = os.fstat(raw.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(
                "Accounts are read from a file, not from a pipe: the same file may be read again."
            )
        self.size: int = found.st_size
        self._require_utf8()
        if form == "csv":
            self._heading(self._texts())

    @property
    def at(self) -> int:
        """How many bytes have been read."""
        return self._raw.tell()

    def lines(self) -> Iterator[Line | BadLine]:
        """Every line from the beginning; blank ones are left out."""
        texts = self._texts()
        heading = self._heading(texts) if self._form == "csv" else []
        for number, text in texts:
            if isinstance(text, BadLine):
                yield text
                continue
            try:
                fields = _cells(heading, text) if self._form == "csv" else _object(text)
                yield Line(number, self._known(fields))
            except ValueError as refused:
                yield BadLine(number, str(refused))

    def _require_utf8(self) -> None:
        head = self._raw.read(_HEAD)
        if not head:
            raise SettingsError("The file is empty.")
        if head.startswith(_UTF16_MARKS) or head.count(0) > len(head) // 4:
            raise SettingsError(
                "The file is in UTF-16 or UTF-32. Save it as UTF-8 and run the command again."
            )

    def _texts(self) -> Iterator[tuple[int, str | BadLine]]:
        """Lines as text, without their ends."""
        self._raw.seek(0)
        number = 0
        while piece := self._raw.readline(_LONGEST + 1):
            number += 1
            if len(piece) > _LONGEST and not piece.endswith(b"\n"):
                self._pass_over()
                yield number, BadLine(number, _TOO_LONG)
                continue
            piece = piece.removeprefix(_UTF8_MARK) if number == 1 else piece
            piece = piece.removesuffix(b"\n").removesuffix(b"\r")
            if piece.strip():
                yield number, _decoded(number, piece)

    def _pass_over(self) -> None:
        while (more := self._raw.readline(_LONGEST)) and not more.endswith(b"\n"):
            pass

    def _heading(self, texts: Iterator[tuple[int, str | BadLine]]) -> list[str]:
        _, text = next(texts, (0, ""))
        if isinstance(text, BadLine):
            raise SettingsError(f"The first line names the columns and cannot be read. {text.says}")
        try:
            names = [name.strip() for name in _row(text)]
        except ValueError as refused:
            raise SettingsError(f"The first line names the columns and cannot be read. {refused}") from None
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SettingsError(f"The first line names the column {twice[0][:64]!r} twice.")
        strangers = [name for name in names if name not in COLUMNS]
        if strangers and not self._ignore_unknown:
            raise SettingsError(_unknown(strangers[0]))
        if "email" not in names:
            raise SettingsError(
                f"The first line must name the columns, and email among them. The columns are {_KNOWN}."
            )
        return names

    def _known(self, fields: dict[str, Any]) -> dict[str, Any]:
        strangers = [name for name in fields if name not in COLUMNS]
        if strangers and not self._ignore_unknown:
            raise ValueError(_unknown(strangers[0]))
        return {name: value for name, value in fields.items() if name in COLUMNS}


_KNOWN: Final = ", ".join(COLUMNS)


def _unknown(name: str) -> str:
    return f"There is no column {name[:64]!r}. The columns are {_KNOWN}; --ignore-unknown leaves others out."


def _decoded(number: int, piece: bytes) -> str | BadLine:
    try:
        text = piece.decode("utf-8")
    except UnicodeDecodeError:
        return BadLine(number, "The line is not in UTF-8.")
    if "\0" in text or "\r" in text:
        return BadLine(number, "The line holds a NUL or a carriage return.")
    return text


def _row(text: str) -> list[str]:
    try:
        [row] = csv.reader([text], strict=True)
    except (csv.Error, ValueError):
        raise ValueError(
            "The quotes on this line do not match: a cell begins and ends with one, or has none."
        ) from None
    return row


def _cells(heading: Sequence[str], text: str) -> dict[str, Any]:
    row = _row(text)
    if len(row) != len(heading):
        raise ValueError(f"The line has {len(row)} cells, and there are {len(heading)} columns.")
    return {name: _plain(cell) for name, cell in zip(heading, row, strict=True)}


def _plain(cell: str) -> str:
    """A cell without the apostrophe that an export puts before what a spreadsheet would compute."""
    if not cell.startswith("'"):
        return cell
    first = unicodedata.normalize("NFKC", cell[1:].lstrip()[:1])
    return cell[1:] if first == "'" or first in BEGINS_FORMULA else cell


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_distinct)
    except RecursionError:
        raise ValueError("The line is not a JSON object.") from None
    except ValueError as refused:
        told = str(refused) if isinstance(refused, _NamedTwice) else "The line is not a JSON object."
        raise ValueError(told) from None
    if not isinstance(found, dict):
        raise ValueError("The line is not a JSON object.")
    return found


class _NamedTwice(ValueError):
    """An object names a field twice, and readers differ in which of them counts."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NamedTwice("The line names a field twice.")
    return found
