"""The next step of the supervisor, decided from what it knows: no process, no signal, no clock."""

from dataclasses import replace

import pytest

from gatepost.cli.staffing import (
    LEAVE_SECONDS,
    START_SECONDS,
    End,
    Kill,
    Retire,
    Stage,
    Start,
    Wanted,
    Worker,
    decide_steps,
    died_young,
    pause_after,
)

NOW = 1000.0


def crew(*stages: Stage, generation: int = 0) -> list[Worker]:
    """Workers 1, 2, 3 ... in these stages, each of which has just begun."""
    return [Worker(pid, generation, stage, NOW) for pid, stage in enumerate(stages, 1)]


def test_a_server_begins_with_all_its_workers() -> None:
    """With nobody there, as many are started as are wanted."""
    assert decide_steps([], Wanted(3), NOW) == (Start(), Start(), Start())


def test_a_worker_that_died_is_replaced() -> None:
    """One for one; whoever is leaving does not count."""
    assert decide_steps(crew(Stage.ANSWERING, Stage.STARTING), Wanted(3), NOW) == (Start(),)
    assert decide_steps(crew(Stage.ANSWERING, Stage.LEAVING), Wanted(2), NOW) == (Start(),)


def test_a_full_crew_is_left_alone() -> None:
    """Nothing to do while they start, and nothing when they answer."""
    assert decide_steps(crew(Stage.ANSWERING, Stage.STARTING), Wanted(2), NOW) == ()
    assert decide_steps(crew(Stage.ANSWERING, Stage.ANSWERING), Wanted(2), NOW) == ()


def test_a_replacement_waits_for_the_pause_to_end() -> None:
    """Not a moment before, and at that moment."""
    wanted = Wanted(2, not_before=NOW)
    assert decide_steps(crew(Stage.ANSWERING), wanted, NOW - 0.001) == ()
    assert decide_steps(crew(Stage.ANSWERING), wanted, NOW) == (Start(),)


def test_a_rolling_restart_is_one_worker_at_a_time() -> None:
    """A new one starts, answers, only then an old one is retired, and only when that is gone comes the next."""
    wanted, both = Wanted(2, generation=1), crew(Stage.ANSWERING, Stage.ANSWERING)
    assert decide_steps(both, wanted, NOW) == (Start(),)
    new = Worker(3, 1, Stage.STARTING, NOW)
    assert decide_steps([*both, new], wanted, NOW) == ()
    new = replace(new, stage=Stage.ANSWERING)
    assert decide_steps([*both, new], wanted, NOW) == (Retire(1),)
    leaving = replace(both[0], stage=Stage.LEAVING)
    assert decide_steps([leaving, both[1], new], wanted, NOW) == ()
    assert decide_steps([both[1], new], wanted, NOW) == (Start(),)


def test_a_restart_ends_when_nobody_old_is_left() -> None:
    """Two of the new generation are the whole crew."""
    assert decide_steps(crew(Stage.ANSWERING, Stage.ANSWERING, generation=1), Wanted(2, 1), NOW) == ()


def test_no_old_worker_leaves_while_a_new_one_cannot_answer() -> None:
    """A new generation that dies as it starts keeps the old one serving."""
    both = crew(Stage.ANSWERING, Stage.ANSWERING)
    assert decide_steps(both, Wanted(2, 1, not_before=NOW + 5), NOW) == ()


def test_the_end_of_the_server_is_told_to_all_at_once() -> None:
    """Whatever they are doing; nobody is told twice and nobody is started."""
    workers = crew(Stage.ANSWERING, Stage.STARTING, Stage.LEAVING)
    assert decide_steps(workers, Wanted(0, 7), NOW) == (End(1), End(2))


@pytest.mark.parametrize(
    ("stage", "patience"), [(Stage.STARTING, START_SECONDS), (Stage.LEAVING, LEAVE_SECONDS)]
)
def test_patience_ends(stage: Stage, patience: float) -> None:
    """A worker that neither starts nor leaves is killed at the end of its time, not before."""
    workers = crew(stage)
    assert Kill(1) not in decide_steps(workers, Wanted(1), NOW + patience - 0.001)
    assert Kill(1) in decide_steps(workers, Wanted(1), NOW + patience)


def test_whoever_answers_is_never_late() -> None:
    """However long."""
    assert decide_steps(crew(Stage.ANSWERING), Wanted(1), NOW + 1e9) == ()


def test_pauses_double_up_to_five_seconds() -> None:
    """The first replacement comes at once if the worker had lived; a crew that cannot live is not a busy loop."""
    assert [pause_after(deaths) for deaths in (0, 1, 2, 3)] == [0.0, 0.1, 0.2, 0.4]
    assert pause_after(10_000) == 5.0


def test_dying_young_is_within_ten_seconds_of_answering() -> None:
    """Or before it answered at all."""
    [answering] = crew(Stage.ANSWERING)
    [starting] = crew(Stage.STARTING)
    assert died_young(answering, NOW + 9.999)
    assert not died_young(answering, NOW + 10)
    assert died_young(starting, NOW + 50)
