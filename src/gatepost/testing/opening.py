"""How a suite reaches the store it proves.

A store author subclasses a suite and gives the fixture `opener`: a function that opens the store again, each time over
the same truth. Where the truth can be shared by processes, the function must be one that can be pickled.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost.core.ports import Log, Store

Opener = Callable[[], tuple[Store, Log]]


class Opened:
    """The fixtures that every suite shares."""

    @pytest.fixture
    def opener(self) -> Opener:
        """Opens the store to be proved: empty at first, the same truth at every later call."""
        raise NotImplementedError("give a fixture named `opener`")

    @pytest.fixture
    def hands(self, opener: Opener) -> Iterator[tuple[Store, Log]]:
        """One pair of store and log, closed at the end."""
        store, log = opener()
        yield store, log
        store.close()

    @pytest.fixture
    def store(self, hands: tuple[Store, Log]) -> Store:
        """The store to be proved."""
        return hands[0]

    @pytest.fixture
    def log(self, hands: tuple[Store, Log]) -> Log:
        """Its log."""
        return hands[1]


def open_sql(path: Path) -> tuple[Store, Log]:
    """The SQL store in a file; with `functools.partial` an `Opener` that another process can call too."""
    # Here and not above: whoever writes a store of their own need not have SQLAlchemy.
    from gatepost.machine import SystemRandomness  # noqa: PLC0415
    from gatepost.stores.sql import SqlStore  # noqa: PLC0415

    store = SqlStore.open(path, SystemRandomness())
    return store, store.log()
