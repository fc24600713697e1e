"""The shipped races at sign-in and refresh, on every store there is."""

from functools import partial
from pathlib import Path

import pytest

from gatepost.core.ports import Log, Store
from gatepost.machine import SystemRandomness
from gatepost.stores.memory import MemoryStore
from gatepost.stores.sql import SqlStore
from gatepost.testing.opening import Opener
from gatepost.testing.sign_in_races import RefreshRaces, SignInRaces


def open_memory() -> tuple[Store, Log]:
    """A new store in memory, which is its own log."""
    store = MemoryStore(SystemRandomness())
    return store, store


def open_file(path: Path) -> tuple[Store, Log]:
    """The store in a file."""
    store = SqlStore.open(path, SystemRandomness())
    return store, store.log()


class InMemory:
    """Races in the memory of this process."""

    @pytest.fixture
    def opener(self) -> Opener:
        """A store that nobody else sees."""
        return open_memory


class InFile:
    """Races on an SQLite file."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        """A file of this test's own."""
        return partial(open_file, tmp_path / "gatepost.db")


class TestSignInInMemory(InMemory, SignInRaces):
    """Sign-in, memory."""


class TestSignInInFile(InFile, SignInRaces):
    """Sign-in, SQLite."""


class TestRefreshInMemory(InMemory, RefreshRaces):
    """Refresh, memory."""


class TestRefreshInFile(InFile, RefreshRaces):
    """Refresh, SQLite."""
