"""How often readiness is tried, and how long what was found is believed."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.web.house import Build, is_problem


def test_a_store_that_could_be_written_is_believed_for_one_second(building: Build, tmp_path: Path) -> None:
    """Who asks more often costs no writer its turn; from the very second on it is tried, after a failure at once."""
    file = tmp_path / "ready.db"
    # A bound so long that the log, which follows the same file, is fresh all the while.
    house = building({"database": {"url": f"sqlite:///{file}"}, "revocation": {"bound": "10s"}})
    browser = house.browser()
    assert browser.get("/readyz").status_code == 200
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        house.clock.turn(timedelta(milliseconds=999))
        assert browser.get("/readyz").status_code == 200
        house.clock.turn(timedelta(milliseconds=1))
        assert is_problem(browser.get("/readyz"), 503, "busy")
    assert browser.get("/readyz").status_code == 200
