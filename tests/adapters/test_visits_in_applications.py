"""Visits that begin inside an application's own request, and pages that greet whoever is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.responses import RedirectResponse, Response
from starlette.testclient import TestClient

from gatepost import Gatepost, Principal, Visitor, testing
from gatepost.errors import SignedOut
from tests.web.house import is_problem, set_cookies, settings_in

KINDS = pytest.mark.parametrize("carrier", ["cookie", "sealed"])
PATHS = {"cookie": "/basket", "sealed": "/sealed-basket"}
HELD = {"gatepost", "gatepost-sealed", "gatepost-access", "gatepost-refresh"}
NAMES = {"cookie": "gatepost", "sealed": "gatepost-sealed"}


def application(auth: Gatepost) -> FastAPI:
    """An application whose endpoints begin visits and answer in every way."""
    app = FastAPI()
    auth.init_app(app, prefix="/auth")
    somebody = Annotated[Principal | Visitor, Depends(auth.visit())]
    sealed = Annotated[Principal | Visitor, Depends(auth.visit("sealed"))]

    @app.post("/basket")
    def fill(_: somebody, request: Request) -> Response:
        auth.set_data(request, {"basket": [*auth.data(request).get("basket", []), 1]})
        return RedirectResponse("/who", 303)

    @app.post("/sealed-basket")
    def fill_sealed(_: sealed, request: Request) -> None:
        auth.set_data(request, {"basket": [*auth.data(request).get("basket", []), 1]})
        raise HTTPException(418)

    @app.get("/look")
    def look(who: somebody) -> str:
        return type(who).__name__

    @app.get("/who")
    def who(who: Annotated[Principal | Visitor | None, Depends(auth.perhaps)], request: Request) -> Any:
        return [type(who).__name__, auth.data(request) if who else {}]

    @app.post("/unheld")
    def unheld(_: Annotated[Any, Depends(auth.perhaps)], request: Request) -> Any:
        return auth.set_data(request, {"a": 1})

    return app


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[testing.Trial]:
    """The application on trial; four visits a minute may begin."""
    auth = Gatepost(settings_in(tmp_path, {"limits": {"visits_per_minute": 4}}))
    with testing.trial(application(auth), auth) as on_trial:
        yield on_trial


@KINDS
def test_a_visit_begins_in_the_request_that_needs_it(trial: testing.Trial, carrier: str) -> None:
    """Its cookie goes out with a redirect and with an error; the next request goes on with it."""
    client = trial.client()
    client.follow_redirects = False
    answer = client.post(PATHS[carrier])
    assert answer.status_code in {303, 418}
    assert answer.headers["cache-control"] == "no-store"
    assert {cookie.partition("=")[0] for cookie in set_cookies(answer)} == {NAMES[carrier], "gatepost-csrf"}
    client.post(PATHS[carrier])
    assert client.get("/who").json() == ["Visitor", {"basket": [1, 1]}]
    assert client.get("/auth/api/session").json()["session"]["carrier"] == carrier


@KINDS
def test_whoever_has_a_session_gets_no_visit(trial: testing.Trial, carrier: str) -> None:
    """Signed in by any carrier, the data goes into that session."""
    for held in ("cookie", "sealed", "token", "token-cookie"):
        client = trial.signed_in(carrier=held)
        client.post(PATHS[carrier])
        assert client.get("/who").json()[0] == "Principal"
        assert client.get("/auth/api/session").json()["session"]["id"] == client.session_id


@KINDS
@pytest.mark.parametrize("held", ["cookie", "sealed", "token-cookie"])
def test_a_session_in_a_cookie_that_is_over_gives_way_to_a_visit(
    trial: testing.Trial, carrier: str, held: str
) -> None:
    """Every cookie of the old carrier is removed, so that the next request is not ambiguous."""
    client = trial.signed_in(carrier=held)
    trial.revoke_session(client)
    assert client.get("/who").json() == ["NoneType", {}]
    client.post(PATHS[carrier])
    assert HELD.intersection(client.cookies) == {NAMES[carrier]}
    assert client.get("/who").json() == ["Visitor", {"basket": [1]}]


def test_a_token_that_is_over_is_refused_and_not_replaced(trial: testing.Trial) -> None:
    """A program is no visitor: it renews its token."""
    client = trial.signed_in(carrier="token")
    trial.revoke_session(client)
    assert is_problem(client.post("/basket"), 401, "invalid_token")
    assert is_problem(client.get("/look"), 401, "invalid_token")


def test_a_forged_request_begins_no_visit(trial: testing.Trial) -> None:
    """The rules against forged requests come first."""
    answer = trial.client().post("/basket", headers={"sec-fetch-site": "cross-site"})
    assert is_problem(answer, 403, "cross_site")
    assert set_cookies(answer) == []


def test_visits_of_one_address_are_counted_as_at_our_own_endpoint(trial: testing.Trial) -> None:
    """Four a minute here; the fifth waits, and who has a session does not count."""
    clients = [trial.client() for _ in range(5)]
    for client in clients[:4]:
        client.post("/basket")
    assert is_problem(clients[4].post("/basket"), 429, "slow_down")
    assert clients[0].post("/basket").status_code == 200


def test_two_cookies_of_ours_are_ambiguous_as_everywhere(trial: testing.Trial) -> None:
    """No visit is begun beside them, and nobody is taken for the one or the other."""
    client = trial.client()
    cookies = f"gatepost={'A' * 43}; gatepost-sealed=x"
    for answer in (
        client.post("/basket", headers={"cookie": cookies}),
        client.get("/who", headers={"cookie": cookies}),
    ):
        assert is_problem(answer, 400, "ambiguous_credentials")


def test_nobody_writes_where_nobody_was_found(trial: testing.Trial) -> None:
    """`perhaps` lets a stranger in to read; what would be written belongs to no session."""
    assert is_problem(trial.client().post("/unheld"), 401, "signed_out")
    assert trial.signed_in().post("/unheld").json() == {"a": 1}


@pytest.mark.parametrize("carrier", ["token", "token-cookie"])
def test_a_visit_holds_no_tokens(tmp_path: Path, carrier: str) -> None:
    """The mistake is told where it is made."""
    with pytest.raises(ValueError, match="cookie or sealed"):
        Gatepost(settings_in(tmp_path)).visit(carrier)


def test_while_nobody_can_say_who_asks_no_visit_begins(trial: testing.Trial) -> None:
    """503 and no cookie: whoever is signed in must not be turned into a visitor by an outage."""
    client = trial.signed_in()
    client.follow_redirects = False
    trial.authority.follower.stop()
    for answer in (client.post("/basket"), client.get("/who")):
        assert is_problem(answer, 503, "not_fresh")
        assert set_cookies(answer) == []


def test_no_visit_begins_where_nobody_would_send_its_cookie(trial: testing.Trial) -> None:
    """An application that `init_app` has not seen: the visit would never be asked for again."""
    elsewhere = FastAPI()

    @elsewhere.post("/basket")
    def fill(_: Annotated[Any, Depends(trial.auth.visit())]) -> None:
        raise AssertionError("a visit began")

    with pytest.raises(SignedOut):
        TestClient(elsewhere).post("/basket", headers={"host": "testserver"})
