"""The store in memory keeps every promise of a store, but for outliving its process."""

import pytest

from gatepost.errors import StoreUnusable
from gatepost.testing.log_suite import LogSuite
from gatepost.testing.opening import Opener
from gatepost.testing.overview_suite import OverviewSuite
from gatepost.testing.race_suite import RaceSuite
from gatepost.testing.reading_suite import ReadingSuite
from gatepost.testing.store_suite import StoreSuite
from gatepost.testing.sweep_suite import SweepSuite


class TestMemory(StoreSuite, ReadingSuite, OverviewSuite, LogSuite, SweepSuite, RaceSuite):
    """The shipped suites."""

    @pytest.fixture
    def opener(self, memory: Opener) -> Opener:
        """Memory."""
        return memory


def test_closed_memory_refuses_to_answer(memory: Opener) -> None:
    """A closed store says so instead of answering from what it still has."""
    store, _ = memory()
    store.close()
    with pytest.raises(StoreUnusable):
        store.position()
