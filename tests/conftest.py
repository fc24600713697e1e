"""What every test shares: the real parts it may need, and how long Hypothesis searches.

Fixtures of one floor belong into that floor's own conftest.
"""

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.real_parts", "tests.sharing"]

# A shared machine stalls now and then; a deadline per example, or for making examples, would call that a fault.
_STALLS = [HealthCheck.too_slow]
# The short search is the same one every time, so that a change is judged by itself; the long one goes on looking.
settings.register_profile("short", deadline=None, suppress_health_check=_STALLS, derandomize=True)
settings.register_profile("long", deadline=None, suppress_health_check=_STALLS, max_examples=2000)


def pytest_configure(config: pytest.Config) -> None:
    """`--long` lets Hypothesis search further."""
    settings.load_profile("long" if config.getoption("--long") else "short")
    # A shell that starts this in its background has it ignored, here and by every child: no Ctrl+C could be tested.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
