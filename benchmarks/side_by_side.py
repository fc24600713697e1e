"""Everything that `beside.py` measured as one line for each contestant, for readers who choose between them."""

from collections.abc import Iterable, Mapping
from typing import Final

from benchmarks.measuring import Entry
from benchmarks.results import Report, Row, as_markdown, number

REQUESTS: Final = "beside-requests"
_COLUMNS: Final[Mapping[str, str]] = {
    "beside-inside": "who it is, without HTTP",
    REQUESTS: "who am I, over HTTP",
    "beside-sign-in": "sign-in",
    "beside-refresh": "refresh",
    "beside-sign-out": "sign-out",
    "beside-bytes": "header",
    "beside-start": "start",
    "beside-memory": "memory",
}


def as_page(report: Report) -> str:
    """The whole run for a page: this table first, where there is one, then all rows."""
    return "\n".join([*(lines := as_table(report.rows)), *([""] if lines else []), as_markdown(report)])


def as_table(rows: Iterable[Row]) -> list[str]:
    """The lines of the table, the ones of ours first; none if nobody was asked over HTTP."""
    measured = {row.key: row for row in rows if row.key in _COLUMNS}
    if REQUESTS not in measured:
        return []
    found = {key: {one.name: one for one in row.entries} for key, row in measured.items()}
    titles = [f"{title} ({measured[key].unit.value})" for key, title in _COLUMNS.items() if key in measured]
    lines = [
        f"| who | {' | '.join(titles)} | its credential after the sign-out |",
        f"|---|{'---:|' * len(titles)}---|",
    ]
    for one in measured[REQUESTS].entries:
        cells = [_cell(found[key].get(one.name)) for key in _COLUMNS if key in measured]
        name = f"**{one.name}**" if one.part == "ours" else one.name
        lines.append(f"| {name} | {' | '.join(cells)} | {one.after} |")
    return lines


def _cell(entry: Entry | None) -> str:
    return "–" if entry is None else number(entry.value)
