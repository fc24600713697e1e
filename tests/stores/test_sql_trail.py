"""What it costs to ask the trail in SQL for the newest row of a kind: the sessions asked for, never the trail."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from gatepost.core.changes import Event
from gatepost.core.ports import Store
from gatepost.stores.columns import json_text
from gatepost.stores.sql_overview import BY_AGE, LAST_ACTS, LIVE_COUNTS
from gatepost.stores.sql_trail import REPEATS_ELSEWHERE
from gatepost.testing.opening import open_sql
from gatepost.testing.records import an_audit_row, change

SESSIONS = ("s1", "s2", "s3")
ASKED = {"sessions": json_text(SESSIONS)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the trail lies."""
    return tmp_path / "truth.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store in which each session was asked for from elsewhere once."""
    opened, _ = open_sql(path)
    grow(opened, Event.REFRESH_REPEATED_ELSEWHERE, 1)
    yield opened
    opened.close()


def grow(store: Store, event: Event, count: int) -> None:
    """So many more rows of this event for each session."""
    rows = [an_audit_row(event, session_id=session_id) for session_id in SESSIONS for _ in range(count)]
    store.commit(change(audit=tuple(rows)))


def planned(path: Path, statement: str, asked: Mapping[str, object]) -> list[str]:
    """How SQLite would go about it."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", asked)]


def steps(path: Path, statement: str = REPEATS_ELSEWHERE, asked: Mapping[str, object] = ASKED) -> int:
    """How many steps SQLite's machine takes to answer for each session."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(step, 1)
        assert len(connection.execute(statement, asked).fetchall()) == len(SESSIONS)
    return taken


@pytest.mark.parametrize("event", [Event.SIGN_IN_FAILED, Event.REFRESH_REPEATED_ELSEWHERE])
def test_newest_repeats_cost_the_same_in_a_long_trail(store: Store, path: Path, event: Event) -> None:
    """Not a step more with thousands of rows, of failed sign-ins or of repeats, about the same sessions."""
    before = steps(path)
    grow(store, event, 2000)
    assert steps(path) == before


def test_newest_repeats_are_searched_in_their_own_index(store: Store, path: Path) -> None:
    """By session in the index of these events, and then by number; no row of the trail is walked past."""
    plan = planned(path, REPEATS_ELSEWHERE, ASKED)
    assert any("USING INDEX audit_repeated_elsewhere (session_id=?)" in line for line in plan), plan
    assert not any(line.startswith(("SCAN audit", "SCAN other")) for line in plan), plan


def test_index_of_repeats_holds_nothing_else(store: Store, path: Path) -> None:
    """A failed sign-in, which anybody can make, adds no entry to it."""
    grow(store, Event.SIGN_IN_FAILED, 100)
    count = (
        "SELECT count(*) FROM audit INDEXED BY audit_repeated_elsewhere "
        "WHERE event = 'refresh_repeated_elsewhere'"
    )
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(count).fetchone() == (len(SESSIONS),)


def test_last_acts_cost_the_same_however_often_strangers_try(store: Store, path: Path) -> None:
    """By session in the index of what accounts did themselves, which nobody else makes longer."""
    grow(store, Event.SIGNED_IN, 1)
    asked = {"asked": json_text(SESSIONS)}
    plan, before = planned(path, LAST_ACTS, asked), steps(path, LAST_ACTS, asked)
    assert any("USING INDEX audit_own_act (session_id=?)" in line for line in plan), plan
    rows = [
        an_audit_row(Event.SIGN_IN_FAILED, session_id=one, actor=None)
        for one in SESSIONS
        for _ in range(2000)
    ]
    store.commit(change(audit=tuple(rows)))
    assert steps(path, LAST_ACTS, asked) == before


def test_overviews_are_read_along_their_indexes(store: Store, path: Path) -> None:
    """Sessions by their account; accounts from the newest on, with nothing to sort."""
    unset = dict.fromkeys(("now", "idle", "visitor_idle", "visitor_empty", "made", "limit"), 0)
    params = {**unset, "asked": "[]", "key": "", "part": "", "name": "", "role": "", "open": None}
    counting = planned(path, LIVE_COUNTS, params)
    assert any("USING INDEX session_account (account_id=?)" in line for line in counting), counting
    by_age = planned(path, BY_AGE, params)
    assert any("USING INDEX account_created" in line for line in by_age), by_age
    assert not any("ORDER BY" in line for line in by_age), by_age
