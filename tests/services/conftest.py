"""Fixtures for tests of the services: an installation on a file, and authorities over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.authority import Authority
from gatepost.testing.clock import TurnableClock
from tests.services.installation import Installation


@pytest.fixture
def clock() -> TurnableClock:
    """The clock of everybody in a test."""
    return TurnableClock()


@pytest.fixture
def installation(tmp_path: Path, clock: TurnableClock) -> Iterator[Installation]:
    """An installation with nothing in it. No thread of it may meet trouble that the test has not looked at."""
    made = Installation(tmp_path, clock)
    yield made
    made.close()
    assert made.faults == []


@pytest.fixture
def authority(installation: Installation) -> Authority:
    """A server process."""
    return installation.open()


@pytest.fixture
def neighbour(installation: Installation, authority: Authority) -> Authority:
    """Another server process over the same database."""
    return installation.open()
