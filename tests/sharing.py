"""Which tests run in the same worker: those that share something that is made once for all of them.

With `--dist loadgroup` this takes the place of pytest-xdist's own groups: version 3.8 writes a test's group where
pytest 9.2 does not look, so nothing was kept together. Whoever decides has not imported the tests, only their names.
Loaded by conftest.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
_SHARED = re.compile(r"scope=\"(?:module|session)\"")
# The servers under attack are kept by algorithm, over all files.
_ALGORITHM = re.compile(r"\[(?:.*-)?(ES256|EdDSA|RS256|HS256)(?:-.*)?\]$")


def sharers(nodeid: str, root: Path = ROOT) -> str:
    """What a test shares its worker with; its own name if it shares nothing."""
    path = nodeid.partition("::")[0]
    file = root / path
    if makes_for_many(file):
        return path
    if not makes_for_many(file.parent / "conftest.py"):
        return nodeid
    algorithm = _ALGORITHM.search(nodeid)
    return f"{file.parent.name} of {algorithm[1]}" if algorithm else path


@lru_cache
def makes_for_many(file: Path) -> bool:
    """Whether a file has a fixture that is made for more than one test."""
    return file.exists() and _SHARED.search(file.read_text()) is not None


class Sharing(LoadScopeScheduling):
    """Hands out tests that share something as one piece, the largest pieces first."""

    def _split_scope(self, nodeid: str) -> str:
        return sharers(nodeid, self.config.rootpath)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Ours for `--dist loadgroup`; any other way is pytest-xdist's."""
    return Sharing(config, log) if config.getoption("dist") == "loadgroup" else None
