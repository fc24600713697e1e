"""A house for each test, closed at its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.web.routes import ROUTES, Route
from tests.web.house import Build, House, build


@pytest.fixture
def building(tmp_path: Path) -> Iterator[Build]:
    """`building({"section": {...}}, routes=...)`: a house with other settings."""
    built: list[House] = []

    def make(overrides: dict[str, Any] | None = None, *, routes: tuple[Route, ...] = ROUTES) -> House:
        built.append(build(tmp_path, overrides, routes=routes))
        return built[-1]

    yield make
    for house in built:
        house.close()


@pytest.fixture
def house(building: Build) -> House:
    """An authority in memory, with the settings as they are without any."""
    return building()


@pytest.fixture
def https(building: Build) -> House:
    """One that is reached at https://auth.example.com."""
    return building({"url": "https://auth.example.com"})
