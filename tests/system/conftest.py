"""A real server and a real browser for each test that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.servers import STEADY, RunningServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server on a free port with an empty data folder."""
    with RunningServer(tmp_path / "server", environment=STEADY) as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A Chromium that knows nobody."""
    home = tmp_path / "home"
    home.mkdir()
    with chromium(home) as running:
        yield running
