"""The store in SQLite keeps every promise of a store."""

import pytest

from gatepost.testing.crash_suite import CrashSuite
from gatepost.testing.log_suite import LogSuite
from gatepost.testing.opening import Opener
from gatepost.testing.overview_suite import OverviewSuite
from gatepost.testing.race_suite import RaceSuite
from gatepost.testing.reading_suite import ReadingSuite
from gatepost.testing.store_suite import StoreSuite
from gatepost.testing.sweep_suite import SweepSuite


class TestSqlite(StoreSuite, ReadingSuite, OverviewSuite, LogSuite, SweepSuite, RaceSuite):
    """The shipped suites."""

    @pytest.fixture
    def opener(self, sqlite: Opener) -> Opener:
        """SQLite."""
        return sqlite


class TestSqliteAmongProcesses(RaceSuite, CrashSuite):
    """The same races with the hands in four processes, and writers that are killed."""

    processes = 4

    @pytest.fixture
    def opener(self, sqlite: Opener) -> Opener:
        """SQLite."""
        return sqlite
