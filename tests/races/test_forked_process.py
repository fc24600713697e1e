"""An authority that was opened and started before a fork, as a server that preloads its application does it."""

import json
import subprocess
import sys

import pytest

from tests.servers import ROOT, clean_environment


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What parent and child saw."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.races.forked", str(tmp_path_factory.mktemp("forked"))],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, list[str]] = json.loads(done.stdout)
    return answers


def test_a_forked_child_follows_the_log_from_its_first_check_on(told: dict[str, list[str]]) -> None:
    """It accepts what stands, under a follower's row of its own beside the parent's."""
    assert told["parent before"] == ["taken", "taken"]
    assert told["child before"] == ["taken"]
    assert told["followers"] == ["child", "parent"]


def test_an_ending_by_the_parent_bites_in_the_child_when_it_is_answered(told: dict[str, list[str]]) -> None:
    """The parent waits for the child's word, and the child refuses what it had accepted before."""
    assert told["parent ended"] == ["in_force"]
    assert told["child after"] == ["Revoked"]


def test_an_ending_by_the_child_bites_in_the_parent_when_it_is_answered(told: dict[str, list[str]]) -> None:
    """The child does not take the parent's row for its own: it waits for it too."""
    assert told["child ended"] == ["in_force"]
    assert told["parent after"] == ["Revoked", "Revoked"]


def test_a_child_that_stops_leaves_only_its_own_row(told: dict[str, list[str]]) -> None:
    """The parent follows on."""
    assert told["followers at the end"] == ["parent"]
