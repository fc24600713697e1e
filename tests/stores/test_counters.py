"""Counters in memory and in SQLite keep every promise of counters, and the library `limits` counts with them."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from gatepost.core.ports import Counters
from gatepost.core.revocation import EveryoneEnded
from gatepost.errors import StoreUnusable
from gatepost.stores.counter_storage import CounterStorage
from gatepost.stores.memory_counters import MemoryCounters
from gatepost.stores.sql import SqlStore
from gatepost.testing.clock import TurnableClock
from gatepost.testing.counter_suite import CounterSuite, RecountingSuite
from gatepost.testing.crowd import crowd
from gatepost.testing.opening import Opener
from gatepost.testing.randomness import SeededRandomness
from gatepost.testing.records import an_account, change

MINUTE = timedelta(minutes=1)


def digest(name: str) -> bytes:
    """A name as it is kept."""
    return sha256(name.encode()).digest()


class TestMemoryCounters(CounterSuite):
    """The shipped suite."""

    @pytest.fixture
    def reopened(self) -> Callable[[], Counters]:
        """Memory."""
        counters = MemoryCounters()
        return lambda: counters


class TestSqlCounters(CounterSuite):
    """The shipped suite."""

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[], Counters]:
        """SQLite."""
        store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
        return store.counters


class TestMemoryRecounting(RecountingSuite):
    """The shipped suite."""

    @pytest.fixture
    def opener(self, memory: Opener) -> Opener:
        """Memory."""
        return memory


class TestSqlRecounting(RecountingSuite):
    """The shipped suite."""

    @pytest.fixture
    def opener(self, sqlite: Opener) -> Opener:
        """SQLite."""
        return sqlite


@pytest.mark.parametrize(
    "kept", [{"put": (an_account(),)}, {"take": (an_account(),)}, {"facts": (EveryoneEnded(),)}]
)
def test_records_and_facts_are_durable(kept: dict[str, Any]) -> None:
    """Only what is counted and noted may be lost with the power."""
    assert change(**kept).durable
    with pytest.raises(ValueError, match="durable"):
        change(**kept, durable=False)


def count_one(store: SqlStore, number: int) -> int:
    """Count once with the library."""
    storage = CounterStorage(store.counters(), TurnableClock(), digest)
    return storage.incr("a", 60)


def test_processes_count_together(sqlite: Opener) -> None:
    """Four of them, twenty times in all: each number once."""
    with crowd(4) as many:
        assert sorted(many.run(sqlite, count_one, 20)) == list(range(1, 21))  # type: ignore[arg-type]


def test_the_library_s_fixed_windows_go_by_our_clock() -> None:
    """A window ends when ours says so, to the very second."""
    clock = TurnableClock()
    limiter = FixedWindowRateLimiter(CounterStorage(MemoryCounters(), clock, digest))
    item = RateLimitItemPerMinute(2)
    assert [limiter.hit(item, "here") for _ in range(3)] == [True, True, False]
    assert limiter.hit(item, "there")
    assert limiter.get_window_stats(item, "here").reset_time == (clock.now() + MINUTE).timestamp()
    clock.turn(MINUTE - timedelta(seconds=1))
    assert not limiter.test(item, "here")
    clock.turn(timedelta(seconds=1))
    assert limiter.test(item, "here")
    assert limiter.get_window_stats(item, "here") == (clock.now().timestamp(), 2)


def test_the_storage_keeps_what_the_library_asks_of_one(tmp_path: Path) -> None:
    """Amounts, clearing one, its health; it never forgets all, because failures lie beside."""
    store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
    storage = CounterStorage(store.counters(), TurnableClock(), digest)
    assert (storage.incr("a", 60, 5), storage.incr("a", 60), storage.get("a"), storage.get("b")) == (
        5,
        6,
        6,
        0,
    )
    storage.clear("a")
    assert storage.get("a") == 0
    assert storage.check()
    with pytest.raises(NotImplementedError):
        storage.reset()
    store.close()
    assert not storage.check()
    with pytest.raises(StoreUnusable):
        storage.incr("a", 60)


def test_no_name_lies_in_the_database(tmp_path: Path) -> None:
    """Not in any file of it."""
    store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
    CounterStorage(store.counters(), TurnableClock(), digest).incr("198.51.100.77", 60)
    assert not [path for path in tmp_path.iterdir() if b"198.51.100.77" in path.read_bytes()]
    assert [path for path in tmp_path.iterdir() if digest("198.51.100.77") in path.read_bytes()]
    store.close()


def test_more_counters_than_one_step_takes_are_refused(tmp_path: Path) -> None:
    """A mistake in our own code, which would count some of them only."""
    store = SqlStore.open(tmp_path / "truth.db", SeededRandomness())
    with pytest.raises(ValueError, match="at most 8"):
        store.counters().tallies([bytes([number]) for number in range(9)])
    store.close()
