"""A sealed cookie at an application's own endpoints: its data read, written, renewed, with and without `init_app`."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from gatepost import Gatepost
from gatepost.authority import Machine
from gatepost.errors import GatepostError
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from gatepost.web.answers import problem
from tests.services.sealed_devices import counted
from tests.web.house import ADA, CHEAP, PASSWORD, is_problem, settings_in
from tests.web.sealed_clients import NAME, cookie_of, names_set

SAME = {"sec-fetch-site": "same-origin"}
HORIZON = timedelta(minutes=10)
CLOCK = TurnableClock()


@pytest.fixture
def auth(tmp_path: Path) -> Gatepost:
    """An embedded Gatepost."""
    return Gatepost(settings_in(tmp_path), machine=Machine(CLOCK, SystemRandomness(), profile=CHEAP))


def application(auth: Gatepost) -> FastAPI:
    """An application that only uses the dependencies."""
    app = FastAPI()
    guarded = [Depends(auth.a_session)]

    @app.get("/cart", dependencies=guarded)
    def cart(request: Request) -> Any:
        return auth.data(request)

    @app.get("/unguarded")
    def unguarded(request: Request) -> Any:
        return auth.data(request)

    @app.put("/cart", dependencies=guarded)
    def fill(request: Request, body: dict[str, Any]) -> Any:
        return [auth.set_data(request, {name: value}) for name, value in body.items()][-1]

    @app.put("/own-answer", dependencies=guarded)
    def own_answer(request: Request, body: dict[str, Any]) -> Response:
        return PlainTextResponse(str(auth.set_data(request, body)))

    @app.put("/own-error", dependencies=guarded)
    def own_error(request: Request, body: dict[str, Any]) -> None:
        auth.set_data(request, body)
        raise HTTPException(418)

    @app.put("/later", dependencies=guarded)
    def later(request: Request, body: dict[str, Any], tasks: BackgroundTasks) -> None:
        tasks.add_task(auth.set_data, request, body)

    return app


@pytest.fixture
def client(auth: Gatepost) -> Iterator[TestClient]:
    """A browser with a sealed cookie, at an application that has called `init_app`."""
    app = application(auth)
    auth.init_app(app, prefix="/auth")
    with TestClient(app, headers=SAME, follow_redirects=False) as made:
        body = {"email": ADA, "password": PASSWORD, "carrier": "sealed"}
        assert made.post("/auth/api/sign-up", json=body).status_code == 201
        yield made


def test_data_comes_out_of_the_cookie_without_a_look_up(auth: Gatepost, client: TestClient) -> None:
    """Behind a guard and without one."""
    client.put("/cart", json={"cart": "book"})
    with counted(auth.authority) as counts:
        assert client.get("/cart").json() == client.get("/unguarded").json() == {"cart": "book"}
    assert counts == {}


@pytest.mark.parametrize("path", ["/cart", "/own-answer", "/own-error"])
def test_a_write_is_in_the_cookie_of_any_answer(client: TestClient, path: str) -> None:
    """Of the framework's answer, of the application's own and of its errors: one cookie with all that was written."""
    answer = client.put(path, json={"cart": "book", "page": 2})
    assert names_set(answer) == [NAME]
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/cart").json() == {"cart": "book", "page": 2}


@pytest.mark.parametrize("path", ["/cart", "/unguarded"])
def test_a_cookie_that_is_over_is_renewed_by_whatever_reads_it(client: TestClient, path: str) -> None:
    """One cookie in the answer, and none in the next."""
    CLOCK.turn(HORIZON)
    assert names_set(client.get(path)) == [NAME]
    assert names_set(client.get(path)) == []


def test_a_write_that_is_too_large_is_413_and_nothing_is_sent(client: TestClient) -> None:
    """As at our own endpoint."""
    client.put("/cart", json={"cart": "book"})
    before = cookie_of(client)
    answer = client.put("/cart", json={"essay": "x" * 3000})
    assert is_problem(answer, 413, "too_large")
    assert (names_set(answer), cookie_of(client)) == ([], before)


def test_a_write_after_the_answer_is_seen_from_the_next_renewal_on(client: TestClient) -> None:
    """It is in the record; the cookie had left before."""
    assert names_set(client.put("/later", json={"cart": "book"})) == []
    assert client.get("/cart").json() == {}
    CLOCK.turn(HORIZON)
    assert client.get("/cart").json() == {"cart": "book"}


def test_without_init_app_a_cookie_is_good_until_its_horizon(auth: Gatepost, client: TestClient) -> None:
    """There is nobody to send another: 401 then, and at the application that can renew it lives on."""
    plain = application(auth)

    @plain.exception_handler(GatepostError)
    async def refused(request: Request, error: GatepostError) -> Response:
        return problem(error)

    client.put("/cart", json={"cart": "book"})
    visitor = TestClient(plain, headers={**SAME, "cookie": f"{NAME}={cookie_of(client)}"})
    assert visitor.get("/cart").json() == {"cart": "book"}
    CLOCK.turn(HORIZON)
    assert is_problem(visitor.get("/cart"), 401, "invalid_token")
    assert client.get("/cart").json() == {"cart": "book"}
