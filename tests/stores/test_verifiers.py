"""The list of verifiers in memory and in SQLite keeps every promise of such a list."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.core.changes import AuditRow, Event
from gatepost.core.ports import VerifierList
from gatepost.errors import Busy
from gatepost.stores.memory_verifiers import MemoryVerifiers
from gatepost.stores.sql import SqlStore
from gatepost.stores.sql_backup import take_backup
from gatepost.stores.sql_restore import Restoring, staged
from gatepost.stores.sqlite import connect
from gatepost.testing.clock import NOON
from gatepost.testing.randomness import SeededRandomness
from gatepost.testing.verifier_suite import BOOT, ONE, STRANGER, VerifierSuite


class TestMemoryVerifiers(VerifierSuite):
    """The shipped suite."""

    @pytest.fixture
    def reopened(self) -> Callable[[], VerifierList]:
        """Memory."""
        kept = MemoryVerifiers()
        return lambda: kept


class TestSqlVerifiers(VerifierSuite):
    """The shipped suite."""

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[], VerifierList]:
        """SQLite."""
        store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
        return store.verifiers


def test_who_announces_waits_half_a_second_for_another_program(tmp_path: Path) -> None:
    """And no longer: a verifier stands still meanwhile. Nothing is written then."""
    store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
    other = connect(tmp_path / "truth.db")
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(Busy):
        store.verifiers().announce([ONE], (), BOOT)
    assert time.monotonic() - began < 3
    other.execute("ROLLBACK")
    other.close()
    assert store.verifiers().verifiers() == []
    store.close()


def test_a_restore_keeps_those_who_are_on_the_list_now(tmp_path: Path) -> None:
    """Their leases go on, whatever the database holds; of whom the backup knows nothing is true any more."""
    database, backup = tmp_path / "truth.db", tmp_path / "backup.db"
    store = SqlStore.open(database, SeededRandomness())
    store.verifiers().announce([ONE], (), BOOT)
    take_backup(database, backup, lambda done, of: None)
    store.verifiers().announce([STRANGER], [ONE.key], BOOT)
    store.close()
    row = AuditRow(Event.RESTORED, NOON, actor="cli")
    with staged(backup, database) as copy:
        restoring = Restoring(NOON, True, row, SeededRandomness(), lambda keys: True)
        copy.write_into(database, restoring, lambda done, of: None)
    store = SqlStore.open(database, SeededRandomness())
    assert store.verifiers().verifiers() == [STRANGER]
    store.close()
