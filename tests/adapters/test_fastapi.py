"""Gatepost inside a FastAPI application: mounted under a prefix and at the root, guarding its own endpoints."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from gatepost import Gatepost, Principal, Visitor
from gatepost.authority import Machine
from gatepost.errors import StoreUnusable
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from tests.web.house import ADA, CHEAP, PASSWORD, is_problem, settings_in

MACHINE = Machine(TurnableClock(), SystemRandomness(), profile=CHEAP)
SAME = {"sec-fetch-site": "same-origin"}


def application(auth: Gatepost, prefix: str, *, told: list[str] | None = None) -> FastAPI:
    """An application with a lifespan of its own and endpoints of every kind."""
    notes = told if told is not None else []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        notes.append("started")
        yield {"own": "state"}
        notes.append("stopped")

    app = FastAPI(lifespan=lifespan)
    auth.init_app(app, prefix=prefix)
    add_guarded(app, auth)
    add_restricted(app, auth)
    add_carts(app, auth)

    @app.get("/state")
    def state(request: Request) -> str:
        return str(request.state.own)

    return app


def add_guarded(app: FastAPI, auth: Gatepost) -> None:
    """Endpoints for whoever is signed in."""
    someone = Annotated[Principal, Depends(auth.signed_in)]

    @app.get("/me")
    def me(who: someone) -> dict[str, Any]:
        return {"account": who.account_id, "email": who.email, "carrier": who.carrier}

    @app.get("/me-async")
    async def me_async(who: someone) -> str:
        return str(who.account_id)

    @app.get("/own-answer")
    def own_answer(who: someone) -> Response:
        return PlainTextResponse("own", 203, headers={"x-own": who.session_id})

    @app.get("/own-error")
    def own_error(who: someone) -> None:
        raise HTTPException(418, f"not {who.roles}")

    @app.get("/anyone")
    def anyone(who: Annotated[Principal | Visitor, Depends(auth.a_session)]) -> str:
        return type(who).__name__


def add_restricted(app: FastAPI, auth: Gatepost) -> None:
    """Endpoints for those with a role or a permission."""
    support = [Depends(auth.require(role="support"))]
    reader = [Depends(auth.require(permission="reports:read"))]

    @app.delete("/orders/{number}", dependencies=support)
    def cancel(number: int) -> int:
        return number

    @app.get("/reports", dependencies=reader)
    async def reports() -> str:
        return "report"

    @app.get("/both", dependencies=[Depends(auth.require(role="support", permission="reports:read"))])
    def both() -> str:
        return "both"


def add_carts(app: FastAPI, auth: Gatepost) -> None:
    """Endpoints that use the data of whoever asks."""

    @app.get("/cart")
    def cart(request: Request) -> Any:
        return auth.data(request)

    @app.put("/cart", dependencies=[Depends(auth.signed_in)])
    def fill(request: Request, body: dict[str, Any]) -> Any:
        return auth.set_data(request, body)

    @app.put("/unguarded-cart")
    def fill_unguarded(request: Request) -> Any:
        return auth.set_data(request, {"a": 1})


@pytest.fixture
def embed(tmp_path: Path) -> Callable[..., Gatepost]:
    """`embed({"section": {...}})`: an embedded Gatepost in memory."""

    def make(overrides: dict[str, Any] | None = None) -> Gatepost:
        roles = {"roles": {"reader": ["reports:read"], "support": []}}
        return Gatepost(settings_in(tmp_path, {**roles, **(overrides or {})}), machine=MACHINE)

    return make


@pytest.fixture
def auth(embed: Callable[..., Gatepost]) -> Gatepost:
    """An embedded Gatepost."""
    return embed()


@pytest.fixture
def client(auth: Gatepost) -> Iterator[TestClient]:
    """A browser of an application with Gatepost under /auth."""
    with TestClient(application(auth, "/auth"), headers=SAME, follow_redirects=False) as made:
        yield made


def is_open(auth: Gatepost) -> bool:
    """Whether the database behind it is open."""
    return auth.opened is not None


def sign_up(client: TestClient, auth: Gatepost, *roles: str, prefix: str = "/auth") -> str:
    """A new account, signed in here by cookie; its id."""
    answer = client.post(f"{prefix}/api/sign-up", json={"email": ADA, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    account: str = answer.json()["account"]["id"]
    if roles:
        auth.authority.accounts.set_roles(account, roles, "test")
    return account


@pytest.mark.parametrize("prefix", ["/auth", "", "/a/b"])
def test_endpoints_and_guards_work_together(auth: Gatepost, prefix: str) -> None:
    """Sign up under the prefix, call an endpoint of the application, sign out, be refused."""
    with TestClient(application(auth, prefix), headers=SAME) as client:
        assert is_problem(client.get("/me"), 401, "signed_out")
        account = sign_up(client, auth, prefix=prefix)
        assert client.get("/me").json() == {"account": account, "email": ADA, "carrier": "cookie"}
        assert client.get("/me-async").json() == account
        cookie = client.cookies["gatepost"]
        assert client.post(f"{prefix}/api/sign-out").status_code == 204
        client.cookies.clear()
        assert is_problem(client.get("/me", headers={"cookie": f"gatepost={cookie}"}), 401, "invalid_token")


def test_token_works_at_the_applications_endpoints(client: TestClient, auth: Gatepost) -> None:
    """By bearer the e-mail is None: a token holds none."""
    account = sign_up(client, auth)
    client.cookies.clear()
    body = {"email": ADA, "password": PASSWORD, "carrier": "token"}
    token = client.post("/auth/api/sign-in", json=body).json()["tokens"]["access_token"]
    answer = client.get("/me", headers={"authorization": f"Bearer {token}"})
    assert answer.json() == {"account": account, "email": None, "carrier": "token"}


def test_own_answers_and_errors_of_endpoints_pass_unchanged(client: TestClient, auth: Gatepost) -> None:
    """A Response returned by the endpoint, and an HTTPException."""
    sign_up(client, auth)
    answer = client.get("/own-answer")
    assert (answer.status_code, answer.text, "x-own" in answer.headers) == (203, "own", True)
    assert client.get("/own-error").status_code == 418
    assert client.get("/own-error").json()["detail"].startswith("not")


def test_role_is_required(client: TestClient, auth: Gatepost) -> None:
    """403 without, also for an administrator: roles do not imply one another; taken away, it is gone at once."""
    account = sign_up(client, auth, "member")
    # The last administrator keeps the role.
    auth.authority.accounts.create("grace@example.com", PASSWORD, ["admin"], "test")
    assert is_problem(client.delete("/orders/7"), 403, "forbidden")
    auth.authority.accounts.set_roles(account, ["admin"], "test")
    assert is_problem(client.delete("/orders/7"), 403, "forbidden")
    auth.authority.accounts.set_roles(account, ["support"], "test")
    assert client.delete("/orders/7").json() == 7
    auth.authority.accounts.set_roles(account, ["member"], "test")
    assert is_problem(client.delete("/orders/7"), 403, "forbidden")


def test_permission_is_required(client: TestClient, auth: Gatepost) -> None:
    """Roles give permissions by settings; both together need both."""
    account = sign_up(client, auth, "support")
    assert [client.get(path).status_code for path in ("/reports", "/both")] == [403, 403]
    auth.authority.accounts.set_roles(account, ["reader"], "test")
    assert [client.get(path).status_code for path in ("/reports", "/both")] == [200, 403]
    auth.authority.accounts.set_roles(account, ["reader", "support"], "test")
    assert [client.get(path).status_code for path in ("/reports", "/both")] == [200, 200]


def test_guard_that_asks_for_nothing_is_a_mistake(auth: Gatepost) -> None:
    """`require()` says so when the application is built."""
    with pytest.raises(TypeError):
        auth.require()


def test_visitor_has_a_session_and_is_not_signed_in(client: TestClient) -> None:
    """`a_session` takes visitors, `signed_in` does not."""
    assert is_problem(client.get("/anyone"), 401, "signed_out")
    client.post("/auth/api/visit", json={})
    assert client.get("/anyone").json() == "Visitor"
    assert is_problem(client.get("/me"), 401, "signed_out")


def test_data_is_read_and_merged(client: TestClient, auth: Gatepost) -> None:
    """The same data as `/api/session/data` has; null takes away."""
    sign_up(client, auth)
    assert client.put("/cart", json={"items": [1], "old": True}).json() == {"items": [1], "old": True}
    assert client.put("/cart", json={"old": None}).json() == {"items": [1]}
    assert client.get("/cart").json() == {"items": [1]}
    assert client.get("/auth/api/session").json()["session"]["data"] == {"items": [1]}


def test_data_without_a_session_is_refused(client: TestClient, auth: Gatepost) -> None:
    """Reading asks the guard by itself; writing needs a guarded endpoint, where the cross-site rules have run."""
    assert is_problem(client.get("/cart"), 401, "signed_out")
    sign_up(client, auth)
    assert is_problem(client.put("/unguarded-cart"), 401, "signed_out")


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}],
)
def test_cross_site_rules_hold_for_the_applications_endpoints(
    auth: Gatepost, headers: dict[str, str]
) -> None:
    """A guarded endpoint that changes something refuses other sites; reading is allowed."""
    with TestClient(application(auth, "/auth")) as client:
        sign_up(client, auth, "support")
        csrf = client.cookies["gatepost-csrf"]
        assert is_problem(client.delete("/orders/7", headers=headers), 403, "cross_site")
        assert is_problem(client.delete("/orders/7"), 403, "cross_site")
        assert client.delete("/orders/7", headers={"x-csrf-token": csrf}).status_code == 200
        assert client.get("/me", headers=headers).status_code == 200


def test_ambiguous_credentials_are_refused_and_removed(client: TestClient, auth: Gatepost) -> None:
    """As at our own endpoints; errors are not to be stored."""
    sign_up(client, auth)
    answer = client.get("/me", headers={"authorization": "Bearer x"})
    assert is_problem(answer, 400, "ambiguous_credentials")
    assert "gatepost=; Max-Age=0" in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"


def test_issuer_and_links_carry_the_prefix(client: TestClient) -> None:
    """The metadata stands inside and, as RFC 8414 section 3.1 wants it, on the outer application; both are equal."""
    outer = client.get("/.well-known/oauth-authorization-server/auth")
    inner = client.get("/auth/.well-known/oauth-authorization-server")
    assert outer.json() == inner.json()
    assert outer.json()["issuer"] == "http://localhost:8400/auth"
    assert outer.json()["token_endpoint"] == "http://localhost:8400/auth/oauth/token"
    assert outer.headers["access-control-allow-origin"] == inner.headers["access-control-allow-origin"] == "*"


def test_pages_link_under_the_prefix(client: TestClient, auth: Gatepost) -> None:
    """Forms, style sheet and redirects stay inside the mount."""
    page = client.get("/auth/sign-in").text
    assert 'action="/auth/sign-in"' in page
    [style] = re.findall(r'<link rel="stylesheet" href="(/auth/static/gatepost\.css[^"]*)">', page)
    assert client.get(style).status_code == 200
    away = client.get("/auth/account")
    assert (away.status_code, away.headers["location"]) == (303, "/auth/sign-in?next=/auth/account")
    sign_up(client, auth)
    answer = client.post("/auth/sign-in", data={"email": ADA, "password": PASSWORD})
    assert answer.headers["location"] == "/auth/account"


@pytest.mark.parametrize("path", ["/auth/docs", "/auth/openapi.json", "/auth/metrics"])
def test_our_documentation_is_not_served_when_mounted(client: TestClient, path: str) -> None:
    """Unless asked for; the application's own stands where FastAPI puts it."""
    assert client.get(path).status_code == 404
    assert client.get("/openapi.json").json()["paths"].keys() >= {"/me", "/cart"}


def test_our_documentation_is_served_when_asked_for(embed: Callable[..., Gatepost]) -> None:
    """The setting `docs`."""
    with TestClient(application(embed({"docs": True}), "/auth")) as client:
        assert client.get("/auth/docs").status_code == 200
        assert "/api/session" in client.get("/auth/openapi.json").json()["paths"]


@pytest.mark.parametrize("prefix", ["", "/auth"])
def test_our_metrics_are_served_when_asked_for(embed: Callable[..., Gatepost], prefix: str) -> None:
    """The setting `metrics.served`; still for this machine only."""
    app = application(embed({"metrics": {"served": True}}), prefix)
    with TestClient(app, client=("127.0.0.1", 1)) as local:
        assert "gatepost_live_facts" in local.get(f"{prefix}/metrics").text
        assert local.get(f"{prefix}/metrics", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 403


def test_at_the_root_metrics_are_the_applications_own(auth: Gatepost) -> None:
    """Unless asked for, nothing of ours stands in the way of its `/metrics`."""
    app = application(auth, "")

    @app.get("/metrics")
    def own() -> str:
        return "own"

    with TestClient(app, client=("127.0.0.1", 1)) as local:
        assert local.get("/metrics").json() == "own"


def test_lifespan_is_joined(auth: Gatepost) -> None:
    """The application's own start and stop still run, and its state arrives."""
    told: list[str] = []
    with TestClient(application(auth, "/auth", told=told)) as client:
        assert told == ["started"]
        assert client.get("/state").json() == "state"
        assert is_open(auth)
    assert told == ["started", "stopped"]
    assert not is_open(auth)


def test_application_can_be_started_twice(embed: Callable[..., Gatepost], tmp_path: Path) -> None:
    """As every test suite does: what was committed before is still there, and nothing of the first run is in use."""
    auth = embed({"database": {"url": f"sqlite:///{tmp_path}/twice.db"}})
    app = application(auth, "/auth")
    with TestClient(app, headers=SAME) as client:
        sign_up(client, auth)
        cookie = client.cookies["gatepost"]
    with TestClient(app, headers={**SAME, "cookie": f"gatepost={cookie}"}) as client:
        assert client.get("/me").status_code == 200
        assert client.get("/auth/api/session").status_code == 200


def test_nothing_is_opened_before_it_is_needed(auth: Gatepost) -> None:
    """Importing a module that builds the application opens no database; without a lifespan the first request does."""
    client = TestClient(application(auth, "/auth"), headers=SAME)
    assert not is_open(auth)
    assert client.get("/auth/healthz").status_code == 200
    assert is_open(auth)
    auth.authority.stop()


def test_applications_own_routes_win_at_the_root(auth: Gatepost) -> None:
    """Our paths are served where the application has none; unknown paths stay the application's."""
    app = application(auth, "")

    @app.get("/sign-in")
    def own_sign_in() -> str:
        return "own page"

    with TestClient(app, headers=SAME) as client:
        assert client.get("/sign-in").json() == "own page"
        assert client.get("/sign-up").headers["content-type"].startswith("text/html")
        assert client.get("/of-nobody").json() == {"detail": "Not Found"}
        assert is_problem(client.get("/api/of-nobody"), 404, "not_found")


def test_unknown_host_is_refused_inside_the_mount(client: TestClient) -> None:
    """421, as when we serve alone."""
    assert is_problem(client.get("/auth/api/session", headers={"host": "evil.com"}), 421, "unknown_host")


def test_what_only_the_operator_can_mend_is_told_to_nobody_else(
    auth: Gatepost,
) -> None:
    """The sentence names files: the caller is asked to come again, and learns no more."""
    app = application(auth, "/auth")

    @app.get("/broken")
    def broken() -> None:
        raise StoreUnusable("The file /srv/secret-place/gatepost.db cannot be read.")

    with TestClient(app) as client:
        answer = client.get("/broken")
    assert is_problem(answer, 503, "busy")
    assert "secret-place" not in answer.text
    assert "retry-after" in answer.headers
