"""Thousands of runs in which everything goes wrong, and six faults that such runs must find."""

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.plans import Action, Plan, plan_of
from tests.simulation.shrinking import first_finding, shortened
from tests.simulation.world import simulate

_RUNS = 2000
_LONG_RUNS = 40_000
_SHARES = 4
_FAULT_RUNS = 400


@pytest.mark.parametrize("share", range(_SHARES))
@pytest.mark.timeout(3600)
def test_no_run_violates_an_invariant(request: pytest.FixtureRequest, share: int) -> None:
    """Nothing over is accepted past the bound, or after the answer at a server; no fact is skipped or dropped too
    early; no lease outlives its knowledge; nobody is told of an ending that did not happen.
    """
    runs = _LONG_RUNS if request.config.getoption("--long") else _RUNS
    finding = first_finding(range(share, runs, _SHARES))
    assert finding is None, str(finding)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    """Within a quarter of the runs that the code as it is comes through."""
    assert any(simulate(plan_of(seed), FAULTS[fault]).violation for seed in range(_FAULT_RUNS))


def test_runs_let_people_in_and_keep_them_out() -> None:
    """A simulation in which nobody was ever accepted would find nothing."""
    outcomes = [simulate(plan_of(seed)) for seed in range(20)]
    assert sum(outcome.accepted for outcome in outcomes) > 500
    assert sum(outcome.refused for outcome in outcomes) > 500


def test_a_seed_repeats_itself() -> None:
    """To the last event and the last digit of its time."""
    assert plan_of(7) == plan_of(7)
    assert simulate(plan_of(7)) == simulate(plan_of(7))


def test_a_finding_is_made_short_and_told() -> None:
    """What is left of the plan still violates something, and less of it would not."""
    parts = FAULTS["wall-clock"]
    finding = first_finding(range(50), parts)
    assert finding is not None
    assert simulate(finding.shortest, parts).violation is not None
    assert len(finding.shortest.actions) < len(plan_of(finding.seed).actions)
    assert f"seed {finding.seed}: " in str(finding)
    for left_out in finding.shortest.actions:
        assert simulate(_without(finding.shortest, left_out), parts).violation is None


def test_a_run_that_is_right_stays_as_long_as_it_was() -> None:
    """There is nothing to make shorter where nothing is violated."""
    plan = plan_of(7)
    assert shortened(plan) == (plan, simulate(plan))


def _without(plan: Plan, left_out: Action) -> Plan:
    actions = tuple(action for action in plan.actions if action != left_out)
    return Plan(plan.seed, plan.one_file, plan.servers, plan.verifiers, plan.length, actions)
