"""Gatepost inside a plain Starlette application: mounted, guarding, with data and a lifespan."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from gatepost import Gatepost, testing
from gatepost.core.sessions import Carrier
from tests.web.house import is_problem, settings_in

CARRIERS = pytest.mark.parametrize("carrier", list(Carrier))


def application(auth: Gatepost, prefix: str) -> Starlette:
    """Routes as Starlette's documentation writes them."""
    support = auth.require(role="support")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        yield {"own": "state"}

    async def me(request: Request) -> Response:
        who = await auth.signed_in(request)
        return JSONResponse({"account": who.account_id, "own": request.state.own})

    async def cancel(request: Request) -> Response:
        await support(request)
        return PlainTextResponse("cancelled")

    async def add(request: Request) -> Response:
        await auth.a_session(request)
        return JSONResponse(dict(await run_in_threadpool(auth.set_data, request, {"cart": [1]})))

    def cart(request: Request) -> Response:
        return JSONResponse(dict(auth.data(request)))

    inner = Mount("/inner", routes=[Route("/me", me)])
    routes = [Route("/me", me), Route("/orders", cancel, methods=["DELETE"]), inner]
    carts = [Route("/cart", cart), Route("/cart", add, methods=["POST"])]
    app = Starlette(routes=[*routes, *carts], lifespan=lifespan)
    auth.init_app(app, prefix=prefix)
    return app


@pytest.fixture
def auth(tmp_path: Path) -> Gatepost:
    """An embedded Gatepost."""
    return Gatepost(settings_in(tmp_path, {"roles": {"support": []}}))


@pytest.fixture
def trial(auth: Gatepost) -> Iterator[testing.Trial]:
    """The application on trial."""
    with testing.trial(application(auth, "/auth"), auth) as on_trial:
        yield on_trial


@CARRIERS
def test_endpoints_are_guarded_for_every_carrier(trial: testing.Trial, carrier: Carrier) -> None:
    """Signed in, by role, with data; a guard raises, and the answer is a problem."""
    client = trial.signed_in(carrier=carrier)
    assert client.get("/me").json() == {"account": client.account_id, "own": "state"}
    assert client.get("/inner/me").status_code == 200
    assert is_problem(client.delete("/orders"), 403, "forbidden")
    assert client.post("/cart").json() == client.get("/cart").json() == {"cart": [1]}
    trial.revoke_session(client)
    assert is_problem(client.get("/me"), 401, "invalid_token")
    assert is_problem(trial.client().get("/me"), 401, "signed_out")


def test_forged_request_is_refused(trial: testing.Trial) -> None:
    """The rules are those of our own endpoints."""
    client = trial.signed_in(roles=["support"])
    assert is_problem(client.delete("/orders", headers={"sec-fetch-site": "cross-site"}), 403, "cross_site")
    assert client.delete("/orders").text == "cancelled"


def test_tokens_in_cookies_are_renewed_on_the_way(trial: testing.Trial) -> None:
    """What was renewed goes out with Starlette's own response."""
    client = trial.signed_in(carrier="token-cookie")
    trial.clock.turn(minutes=11)
    answer = client.get("/me")
    assert answer.status_code == 200
    assert "gatepost-access=" in answer.headers["set-cookie"]


def test_pages_and_metadata_stand_where_they_do_under_fastapi(trial: testing.Trial) -> None:
    """Under the prefix, and the metadata on the outer application."""
    client = trial.client()
    assert 'action="/auth/sign-in"' in client.get("/auth/sign-in").text
    assert client.get("/.well-known/oauth-authorization-server/auth").json()["issuer"].endswith("/auth")
    assert client.get("/nowhere").text == "Not Found"


def test_at_the_root_the_applications_routes_win(auth: Gatepost) -> None:
    """Ours are where it has none."""
    with TestClient(application(auth, ""), headers={"sec-fetch-site": "same-origin"}) as client:
        assert client.get("/sign-in").status_code == 200
        assert is_problem(client.get("/me"), 401, "signed_out")
        assert client.get("/nowhere").text == "Not Found"
