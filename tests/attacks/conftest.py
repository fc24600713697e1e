"""The servers under attack: one for each algorithm, started at the first test that asks and kept for all of them."""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.targets import ALGORITHM_NAMES, Target

Start = Callable[[str], Target]


@pytest.fixture(scope="session")
def start_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """The server of an algorithm, started once. Kept by name: a fixture with parameters starts one at each turn."""
    running: dict[str, Target] = {}

    def start(name: str) -> Target:
        if name not in running:
            running[name] = Target(tmp_path_factory.mktemp("target") / "server", name)
        return running[name]

    yield start
    for one in running.values():
        one.close()


@pytest.fixture(params=ALGORITHM_NAMES)
def target(request: pytest.FixtureRequest, start_target: Start) -> Target:
    """A server that signs with this algorithm, and somebody's genuine tokens of it."""
    return start_target(request.param)


@pytest.fixture(params=["ES256"])
def es256(request: pytest.FixtureRequest, start_target: Start) -> Target:
    """The one of ES256 alone."""
    return start_target(request.param)
