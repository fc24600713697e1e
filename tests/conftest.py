"""What every test shares: the real parts it may need, and how long Hypothesis searches.

Fixtures of one floor belong into that floor's own conftest.
"""

import pytest
from hypothesis import settings

pytest_plugins = ["tests.real_parts"]

# A shared machine stalls now and then; a deadline per example would call that a fault.
# The short search is the same one every time, so that a change is judged by itself; the long one goes on looking.
settings.register_profile("short", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=2000)


def pytest_configure(config: pytest.Config) -> None:
    """`--long` lets Hypothesis search further."""
    settings.load_profile("long" if config.getoption("--long") else "short")
