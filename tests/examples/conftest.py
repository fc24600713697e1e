"""A real browser for the examples that have pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import chromium

# As long as other waits of a page: on a busy machine five seconds are soon over.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium that knows nobody; each person opens a profile of their own in it."""
    with chromium(tmp_path_factory.mktemp("home")) as running:
        yield running
