"""`python -m benchmarks`: run the rows, print the table, and write it where it is wanted."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import five_minutes
from benchmarks.beside import beside
from benchmarks.checks import known_cookie, new_session
from benchmarks.endings import endings
from benchmarks.footprint import start
from benchmarks.gateway import gateway
from benchmarks.growth import growth
from benchmarks.guessing import guessing
from benchmarks.processes import rival
from benchmarks.renewals import renewals
from benchmarks.requests import requests
from benchmarks.results import Report, Row, as_json
from benchmarks.sealed import sealed
from benchmarks.side_by_side import REQUESTS, as_page
from benchmarks.sizes import LONG, QUICK, TINY, Sizes
from benchmarks.storm import storm
from benchmarks.tokens import tokens
from benchmarks.versions import rival_versions, versions
from benchmarks.wire_bytes import wire_bytes
from benchmarks.work import work
from benchmarks.writes import refresh, sign_in_row

Rows = Row | tuple[Row, ...]
RUNS: Final[dict[str, Callable[[Sizes], Rows]]] = {
    "known-cookie": known_cookie,
    "new-session": new_session,
    "tokens": tokens,
    "sealed": sealed,
    "bytes": lambda _: wire_bytes(),
    "renewals": renewals,
    "refresh": refresh,
    "sign-in": sign_in_row,
    "revoke": endings,
    "storm": storm,
    "requests": requests,
    "gateway": gateway,
    "guessing": guessing,
    "growth": growth,
    "footprint": start,
    "beside": beside,
    "work": lambda _: work(),
}
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"


def run(sizes: Sizes, only: Sequence[str], command: str) -> Report:
    """Every row, or those asked for, told on stderr as they go."""
    rows: list[Row] = []
    for name, measure in RUNS.items():
        if only and name not in only:
            continue
        print(f"bench: {name}", file=sys.stderr, flush=True)
        found = measure(sizes)
        rows += [found] if isinstance(found, Row) else found
    rivals = rival_versions(sizes.rivals) if sizes.rivals else {}
    return Report(command, versions(), tuple(rows), rivals)


def written(page: str, table: str) -> str:
    """A page with the table between its two marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}{END}{after}"


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./gate bench", description="Ours beside the rivals and the limits, in one run."
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"only these: {', '.join(RUNS)}")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON too, - for stdout")
    parser.add_argument(
        "--write",
        metavar="FILE",
        help="put the table between the marks of this page, and the picture beside it",
    )
    parser.add_argument(
        "--rivals", metavar="PYTHON", help="the interpreter that has the rivals; ./gate gives it"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--long", action="store_true", help="the full sizes: a million sessions, more rounds")
    sizes.add_argument(
        "--tiny", action="store_true", help="no figures worth reading, only that all of it runs"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run; 2 for a row that there is not."""
    parser = _options()
    options = parser.parse_args(arguments)
    if strangers := sorted(set(options.rows) - set(RUNS)):
        parser.error(f"no such row: {', '.join(strangers)}")
    sizes = replace(LONG if options.long else TINY if options.tiny else QUICK, rivals=options.rivals)
    shown = [argument for argument in arguments if argument in {"--long", "--tiny", *RUNS}]
    report = run(sizes, options.rows, " ".join(["./gate bench", *shown]))
    table = as_page(report)
    if options.json == "-":
        print(json.dumps(as_json(report), indent=2))
    else:
        print(table, end="")
    if options.json and options.json != "-":
        Path(options.json).write_text(json.dumps(as_json(report), indent=2) + "\n")
    if options.write:
        page = Path(options.write)
        page.write_text(written(page.read_text(), table))
        if sizes.rivals and any(row.key == REQUESTS for row in report.rows):
            picture = str(page.with_suffix(".svg").resolve())
            rival(sizes.rivals, "rivals_picture", picture, given=json.dumps(as_json(report)))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["five-minutes"]:
        sys.exit(five_minutes.main(sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
