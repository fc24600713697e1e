"""`gatepost account import`: the accounts of another system, out of a file, in batches that are whole or not there.

Owns the order (with `--strict` the whole file is judged before anything is written), and that an import that was
stopped says how to go on. Lines are read by `newcomer_files.py`, judged and written by the service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from gatepost.authority import Authority
from gatepost.cli.import_report import ImportReport, shown
from gatepost.cli.installation import ACTOR, Installation, json_option, place_options
from gatepost.cli.newcomer_files import Form, NewcomerFile, form_of
from gatepost.errors import SettingsError
from gatepost.services.newcomers import BadLine, Candidate, Sightings
from gatepost.stores.sightings import TemporarySightings

# So many accounts in one transaction: some ten milliseconds, in which nobody else can write.
_BATCH: Final = 200
_LONGEST_SOURCE: Final = 128


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is to be taken, as the options say."""

    form: Form | None
    strict: bool
    ignore_unknown: bool


class _Import:
    """One run over one file."""

    def __init__(
        self, authority: Authority, file: NewcomerFile, source: str, report: ImportReport, seen: Sightings
    ) -> None:
        self._newcomers = authority.newcomers
        self._file = file
        self._source = source
        self._report = report
        self._seen = seen

    def carry_out(self, *, strict: bool) -> int:
        """All of it; the exit code. `strict` writes nothing at all if any line is bad."""
        if strict:
            self._check()
            if self._report.bad:
                return self._report.refused()
        self._run()
        return self._report.done()

    def _check(self) -> None:
        with shown("Checking", self._file.size) as progress:
            for candidate in self._candidates():
                standing = self._newcomers.standing(candidate, self._source)
                if isinstance(standing, BadLine):
                    self._report.refuse(standing)
                if candidate.number % _BATCH == 0:
                    progress(self._file.at)

    def _run(self) -> None:
        candidates = self._candidates()
        with shown("Importing", self._file.size) as progress:
            while batch := list(islice(candidates, _BATCH)):
                self._report.admit(self._newcomers.admit(batch, self._source, ACTOR))
                progress(self._file.at)

    def _candidates(self) -> Iterator[Candidate]:
        for line in self._file.lines():
            judged = line if isinstance(line, BadLine) else self._newcomers.judge(line, self._seen)
            if isinstance(judged, BadLine):
                self._report.refuse(judged)
            else:
                yield judged


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), help="FILE's name says it, if you do not."
)
@click.option("--strict", is_flag=True, help="Import nothing if any line is bad.")
@click.option("--ignore-unknown", is_flag=True, help="Leave out columns that Gatepost does not know.")
@click.option("--source", metavar="NAME", help="Name of this import; FILE's own, if you give none.")
@json_option
@place_options
def import_accounts(installation: Installation, *, file: Path, as_json: bool, **options: Any) -> int:
    """Take over the accounts in FILE, CSV or JSON lines, with the password hashes they have.

    Nobody who is here already is changed. Run the same command again to go on after a stop.
    """
    source = (options.pop("source") or file.name)[:_LONGEST_SOURCE]
    wanted = Wanted(**options)
    try:
        raw = file.open("rb")
    except OSError as error:
        raise SettingsError(f"The file {file} cannot be read: {error.strerror}.") from error
    with raw, TemporarySightings() as seen:
        lines = NewcomerFile(raw, wanted.form or form_of(file), ignore_unknown=wanted.ignore_unknown)
        report = ImportReport(file, source, as_json=as_json)
        with installation.opened(make=True) as authority, report:
            work = _Import(authority, lines, source, report, seen)
            return work.carry_out(strict=wanted.strict)
