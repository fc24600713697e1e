"""The checkout that the tests of ./gate start from."""

from pathlib import Path

import pytest

from tests.toolchain.checkout import PYTHON, Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh checkout on a machine of its own, with an interpreter."""
    fresh = Checkout(tmp_path)
    fresh.program("python3", PYTHON)
    return fresh
