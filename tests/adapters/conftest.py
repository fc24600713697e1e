"""An application whose hooks a test gives before it starts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

from gatepost import Gatepost, testing
from tests.adapters.arriving import Start
from tests.web.house import settings_in


@pytest.fixture
def auth(tmp_path: Path) -> Gatepost:
    """An embedded Gatepost that lets its application claim a tenant and a plan."""
    given = {"tokens": {"claims": ["tenant", "plan"]}, "roles": {"support": []}}
    return Gatepost(settings_in(tmp_path, {**given, "sessions": {"data_limit": 200}}))


@pytest.fixture
def start(auth: Gatepost) -> Iterator[Start]:
    """Opens the trial of an application, once the test has given its hooks."""
    app = FastAPI()
    auth.init_app(app, prefix="/auth")

    @app.get("/data")
    def data(request: Request) -> Any:
        return auth.data(request)

    opened = []

    def begin() -> testing.Trial:
        opened.append(testing.trial(app, auth))
        return opened[0].__enter__()

    yield begin
    if opened:
        opened[0].__exit__(None, None, None)
