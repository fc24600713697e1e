"""What a run found: rows, their targets and whether they were met, as a table for people and JSON for machines."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from textwrap import wrap
from typing import Any, Final

from benchmarks.measuring import Entry, Part

_WIDTH: Final = 110


class Unit(StrEnum):
    """What the values of a row are. More is better for a rate only."""

    MICROSECONDS = "μs"
    MILLISECONDS = "ms"
    SECONDS = "s"
    RATE = "requests/s"
    MEGABYTES = "MB"
    PERCENT = "% of a core"
    BYTES = "bytes"
    COUNT = "operations"


@dataclass(frozen=True, slots=True)
class Target:
    """What one entry should reach: `factor` times the value of another entry, or `factor` itself.

    For a rate that is the least it may be, for everything else the most.
    """

    entry: str
    factor: float
    against: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One question with every answer that was measured beside each other, and how many calls are behind them."""

    key: str
    title: str
    unit: Unit
    entries: tuple[Entry, ...]
    targets: tuple[Target, ...] = ()
    note: str = ""

    def value(self, name: str) -> float:
        """The value of an entry by its name. Raises KeyError."""
        return next(entry.value for entry in self.entries if entry.name == name)

    def reached(self, target: Target) -> tuple[float, bool]:
        """What stands where the target's factor stands, and whether that is good enough."""
        value = self.value(target.entry)
        if target.against is not None:
            value /= self.value(target.against)
        return value, value >= target.factor if self.unit is Unit.RATE else value <= target.factor


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run; `rivals` are the versions in the environment of the rivals, where there is one."""

    command: str
    versions: Mapping[str, str]
    rows: tuple[Row, ...]
    rivals: Mapping[str, str] = field(default_factory=dict)


def number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def as_markdown(report: Report) -> str:
    """The run as Markdown: the command, the machine, one table, the notes."""
    beside = f" Beside it {_spoken(report.rivals)}." if report.rivals else ""
    lines = [
        *wrap(f"Measured by `{report.command}` on {_spoken(report.versions)}.{beside}", _WIDTH),
        "",
        "| what | who | median | quartiles | ours : this | this : its limit | target | reached |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for row in report.rows:
        lines += _lines(row)
    notes = [
        line for note in _notes(report.rows) for line in wrap(f"- {note}", _WIDTH, subsequent_indent="  ")
    ]
    return "\n".join([*lines, "", *notes]) + "\n"


def _spoken(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in versions.items())


def _lines(row: Row) -> Iterable[str]:
    ours = next((entry for entry in row.entries if entry.part is Part.OURS), None)
    for place, entry in enumerate(row.entries):
        title = f"{row.title} ({row.unit.value})" if place == 0 else ""
        targets = [target for target in row.targets if target.entry == entry.name]
        compared = entry.part is not Part.OURS and ours is not None and entry.value > 0
        cells = (
            title,
            f"**{entry.name}**" if entry.part is Part.OURS else f"{entry.part.value}: {entry.name}",
            number(entry.value),
            "" if entry.low == entry.high else f"{number(entry.low)} – {number(entry.high)}",
            f"{number(ours.value / entry.value)}" if compared and ours is not None else "",
            number(entry.value / row.value(entry.limit)) if entry.limit else "",
            "; ".join(_wanted(row, target) for target in targets),
            "; ".join(_verdict(row, target) for target in targets),
        )
        yield f"| {' | '.join(cells)} |"


def _wanted(row: Row, target: Target) -> str:
    side = "at least" if row.unit is Unit.RATE else "at most"
    if target.against is None:
        return f"{side} {number(target.factor)}"
    return f"{side} {number(target.factor)} × {target.against}"


def _verdict(row: Row, target: Target) -> str:
    value, good = row.reached(target)
    return f"{number(value)}: {'met' if good else 'missed'}"


def _notes(rows: Iterable[Row]) -> Iterable[str]:
    """Each note once, with everybody it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            about.setdefault(row.note, []).append(row.title)
        for entry in row.entries:
            if entry.note:
                about.setdefault(entry.note, []).append(entry.name)
    for note, names in about.items():
        yield f"{', '.join(dict.fromkeys(names))}: {note.rstrip('.')}."


def as_json(report: Report) -> dict[str, Any]:
    """The run as plain JSON, targets with what was reached."""
    rows = []
    for row in report.rows:
        plain = asdict(row)
        for target, told in zip(row.targets, plain["targets"], strict=True):
            told["reached"], told["met"] = row.reached(target)
        rows.append(plain)
    versions = {"versions": dict(report.versions), "rivals": dict(report.rivals)}
    return {"command": report.command, **versions, "rows": rows}
