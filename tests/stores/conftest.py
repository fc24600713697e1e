"""How the tests of this floor open each store."""

from functools import partial
from pathlib import Path

import pytest

from gatepost.core.ports import Log, Store
from gatepost.stores.memory import MemoryStore
from gatepost.testing.opening import Opener, open_sql
from gatepost.testing.randomness import SeededRandomness

pytest.register_assert_rewrite(
    *(
        f"gatepost.testing.{name}_suite"
        for name in ("store", "reading", "log", "sweep", "race", "crash", "seal", "counter", "verifier")
    )
)


@pytest.fixture
def memory() -> Opener:
    """A store in memory; opening it again gives the same one."""
    store = MemoryStore(SeededRandomness())

    def again() -> tuple[Store, Log]:
        return store, store

    return again


@pytest.fixture
def sqlite(tmp_path: Path) -> Opener:
    """A store in a file; opening it again makes new connections to it."""
    return partial(open_sql, tmp_path / "truth.db")
