"""Searching seeds for a violation, and making one that was found short enough to read."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tests.simulation.oracle import Violation
from tests.simulation.plans import Action, Plan, plan_of
from tests.simulation.processes import Parts
from tests.simulation.world import Outcome, simulate

_MOST_RUNS: Final = 300
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """A seed whose run violated an invariant: the run as it was, and the shortest plan found that still does."""

    seed: int
    violation: Violation
    shortest: Plan
    outcome: Outcome

    def __str__(self) -> str:
        lines = [" ".join((f"{at:8.4f}", *map(str, words))) for at, *words in self.outcome.trace[-_SHOWN:]]
        return "\n".join(
            [
                f"seed {self.seed}: {self.violation}",
                "",
                "The shortest plan found that violates something:",
                str(self.shortest),
                "",
                f"What happened in it, at most the last {_SHOWN} events:",
                *lines,
                str(self.outcome.violation),
            ]
        )


def first_finding(seeds: Iterable[int], parts: Parts | None = None) -> Finding | None:
    """The first of these seeds whose run violates an invariant, made short; None if there is none."""
    for seed in seeds:
        violation = simulate(plan_of(seed), parts).violation
        if violation is not None:
            plan, outcome = shortened(plan_of(seed), parts)
            return Finding(seed, violation, plan, outcome)
    return None


def shortened(plan: Plan, parts: Parts | None = None) -> tuple[Plan, Outcome]:
    """A plan with as few actions as can be found quickly that still violates something, and how it goes."""
    outcome = simulate(plan, parts)
    runs, size = 0, max(1, len(plan.actions) // 2)
    while size and runs < _MOST_RUNS:
        runs += 1
        shorter = _without_some(plan, size, parts)
        if shorter is None:
            size //= 2
        else:
            plan, outcome = shorter
    return plan, outcome


def _without_some(plan: Plan, size: int, parts: Parts | None) -> tuple[Plan, Outcome] | None:
    for start in range(0, len(plan.actions), size):
        left: tuple[Action, ...] = plan.actions[:start] + plan.actions[start + size :]
        shorter = replace(plan, actions=left)
        outcome = simulate(shorter, parts)
        if outcome.violation is not None:
            return shorter, outcome
    return None
