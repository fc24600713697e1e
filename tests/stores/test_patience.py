"""How long a follower's row waits for its turn to be written while another program holds the database."""

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.core.ports import FollowerRow
from gatepost.errors import Busy
from gatepost.machine import SystemRandomness
from gatepost.stores.sql import SqlStore
from gatepost.stores.sqlite import WAIT_SECONDS

ROW = FollowerRow("some server", 1, 0, datetime(2030, 1, 1, tzinfo=UTC))


def test_confirming_gives_up_before_the_lease_would_end(tmp_path: Path) -> None:
    """The follower's thread writes its row and renews the lease: it must not stand still as long as a commit may."""
    store = SqlStore.open(tmp_path / "some.db", SystemRandomness())
    log = store.log()
    with closing(sqlite3.connect(tmp_path / "some.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(Busy):
            log.confirm(ROW)
        assert time.monotonic() - began < WAIT_SECONDS - 0.5
        other.execute("ROLLBACK")
    log.confirm(ROW)
    assert log.followers() == [ROW]
    store.close()


def test_a_turn_among_threads_and_the_lock_among_processes_are_one_patience(tmp_path: Path) -> None:
    """A writer that waited behind another has only the rest left for the file, so nobody waits twice."""
    store = SqlStore.open(tmp_path / "some.db", SystemRandomness())
    waited: list[float] = []

    def write() -> None:
        began = time.monotonic()
        with pytest.raises(Busy):
            store.ready()
        waited.append(time.monotonic() - began)

    with closing(sqlite3.connect(tmp_path / "some.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writers = [threading.Thread(target=write) for _ in range(2)]
        writers[0].start()
        time.sleep(WAIT_SECONDS / 4)
        writers[1].start()
        for writer in writers:
            writer.join()
        other.execute("ROLLBACK")
    assert len(waited) == 2
    # One who waited twice would wait three quarters longer than a patience.
    assert max(waited) < WAIT_SECONDS * 1.6
    store.close()
