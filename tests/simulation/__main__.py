"""Any number of runs on every processor, or one of them told in full.

`PYTHONPATH=src python -m tests.simulation --seeds 1000000` looks further than CI does; `--seed 4711` tells one run;
`--fault NAME` plants a fault.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from multiprocessing import Pool

from tests.simulation.faults import FAULTS
from tests.simulation.plans import plan_of
from tests.simulation.processes import Parts
from tests.simulation.shrinking import Finding, first_finding, shortened
from tests.simulation.world import simulate

_BATCH = 100


def main() -> int:
    """0 if every run kept every invariant, 1 if one did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with everything that happened")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="with this fault planted")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    options = parser.parse_args()
    parts = FAULTS[options.fault] if options.fault else Parts()
    if options.seed is not None:
        finding = _told(options.seed, parts)
    else:
        finding = _searched(range(options.first, options.first + options.seeds), options.fault, options.jobs)
    if finding is not None:
        print(finding)
    return 0 if finding is None else 1


def _told(seed: int, parts: Parts) -> Finding | None:
    outcome = simulate(plan_of(seed), parts)
    print(plan_of(seed))
    for at, *words in outcome.trace:
        print(f"{at:8.4f}", *words)
    print(f"{outcome.accepted} accepted, {outcome.refused} refused")
    if outcome.violation is None:
        return None
    return Finding(seed, outcome.violation, *shortened(plan_of(seed), parts))


def _searched(seeds: range, fault: str | None, jobs: int) -> Finding | None:
    batches = [(seeds[start : start + _BATCH], fault) for start in range(0, len(seeds), _BATCH)]
    with Pool(jobs) as pool:
        for finding in _shown(pool.imap(_batch, batches), len(seeds)):
            if finding is not None:
                pool.terminate()
                return finding
    print(f"{len(seeds)} runs kept every invariant")
    return None


def _shown(findings: Iterator[Finding | None], total: int) -> Iterator[Finding | None]:
    for done, finding in enumerate(findings, 1):
        if sys.stderr.isatty():
            print(f"\r{min(done * _BATCH, total)} of {total}", end="", file=sys.stderr, flush=True)
        yield finding


def _batch(work: tuple[range, str | None]) -> Finding | None:
    seeds, fault = work
    return first_finding(seeds, FAULTS[fault] if fault else None)


if __name__ == "__main__":
    sys.exit(main())
