"""What an import tells: each bad line by number as it is met, how far it is, and what came of it.

Owns the words, the JSON and the exit code. Holds no line, so that a file of bad ones needs no memory.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import click

from gatepost.cli.output import note, printable, say
from gatepost.services.newcomers import Admission, BadLine

_DONE: Final = 0
_SOME_BAD: Final = 1

Progress = Callable[[int], None]


class ImportReport:
    """The report of one import. Leaving the block by an error says what is there already and how to go on."""

    def __init__(self, file: Path, source: str, *, as_json: bool) -> None:
        self._file = file
        self._source = source
        self._as_json = as_json
        self._imported = 0
        self._already_there = 0
        self._without_password = 0
        self._written = False
        self.bad: int = 0

    def __enter__(self) -> Self:
        if self._as_json:
            say('{"bad": [')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._written:
            self._stopped()

    def refuse(self, line: BadLine) -> None:
        """Tell of a bad line."""
        if self._as_json:
            comma = "," if self.bad else ""
            say(comma + json.dumps({"line": line.number, "says": line.says}))
        else:
            if sys.stderr.isatty():
                # The progress bar stands on this line.
                click.echo("\r\x1b[K", nl=False, err=True)
            say(f"line {line.number}: {printable(line.says)}")
        self.bad += 1

    def admit(self, admission: Admission) -> None:
        """Count what became of a batch."""
        self._imported += admission.imported
        self._without_password += admission.without_password
        self._already_there += admission.already_there
        for line in admission.bad:
            self.refuse(line)

    def done(self) -> int:
        """The end of the file: what came of it, and the exit code."""
        self._write(stopped=False)
        if not self._as_json:
            say(f"{self._counts()}.")
        return _SOME_BAD if self.bad else _DONE

    def refused(self) -> int:
        """The end of a strict import with bad lines: nothing was written."""
        self._write(stopped=False)
        if not self._as_json:
            say(f"Nothing was imported: {_lines(self.bad)} bad.")
        return _SOME_BAD

    def _stopped(self) -> None:
        self._write(stopped=True)
        note(
            "gatepost: The import was stopped. Run the same command again to go on: what is there already is "
            "passed over."
        )

    def _write(self, *, stopped: bool) -> None:
        self._written = True
        if self._as_json:
            counts = {
                "file": str(self._file),
                "source": self._source,
                "imported": self._imported,
                "without_password": self._without_password,
                "already_there": self._already_there,
                "bad_lines": self.bad,
                "stopped": stopped,
            }
            say(f"], {json.dumps(counts)[1:]}")

    def _counts(self) -> str:
        parts = [f"{_accounts(self._imported)} imported"]
        if self._without_password:
            parts.append(f"{self._without_password} of them without a password")
        if self._already_there:
            parts.append(f"{self._already_there} already there")
        if self.bad:
            parts.append(f"{_lines(self.bad)} bad")
        return ", ".join(parts)


@contextmanager
def shown(doing: str, size: int) -> Iterator[Progress]:
    """How far it is, on a terminal; nothing in a pipe."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=size, label=doing, file=sys.stderr, hidden=hidden) as bar:

        def show(done: int) -> None:
            bar.update(done - bar.pos)

        yield show


def _accounts(count: int) -> str:
    return f"{count} account{'' if count == 1 else 's'}"


def _lines(count: int) -> str:
    return f"{count} line{' is' if count == 1 else 's are'}"
