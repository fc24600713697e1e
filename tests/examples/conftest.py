"""A real browser for the examples that have pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium that knows nobody; each person opens a profile of their own in it."""
    with chromium(tmp_path_factory.mktemp("home")) as running:
        yield running
