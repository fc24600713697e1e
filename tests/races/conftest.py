"""Fixtures for races: an installation on a file, with clocks that really go."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.machine import SystemClock
from tests.races.contenders import STEADY
from tests.services.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation with nothing in it. No thread of it may meet trouble that the test has not looked at."""
    made = Installation(tmp_path, SystemClock(), dict(STEADY))
    yield made
    made.close()
    assert made.faults == []
