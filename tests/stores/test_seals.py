"""Every store keeps the promises about the audit trail's seals, among threads and among processes."""

import pytest

from gatepost.testing.opening import Opener
from gatepost.testing.seal_suite import SealSuite


class TestMemory(SealSuite):
    """In memory."""

    @pytest.fixture
    def opener(self, memory: Opener) -> Opener:
        """Memory."""
        return memory


class TestSqlite(SealSuite):
    """In a file."""

    @pytest.fixture
    def opener(self, sqlite: Opener) -> Opener:
        """SQLite."""
        return sqlite


class TestSqliteAmongProcesses(SealSuite):
    """In a file that four processes share."""

    processes = 4

    @pytest.fixture
    def opener(self, sqlite: Opener) -> Opener:
        """SQLite."""
        return sqlite
