"""Tokens in cookies renewed inside requests to an application's own endpoints, whatever answers them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from httpx2 import Response as Answer
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from gatepost import Gatepost, Principal
from gatepost.authority import Machine
from gatepost.errors import Expired, GatepostError, NotFound, Refused
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from gatepost.web.asking import Asking
from tests.web.house import ADA, CHEAP, PASSWORD, House, is_problem, set_cookies, settings_in
from tests.web.token_jars import (
    ACCESS,
    ACCESS_LIFE,
    REFRESH,
    cookie_header,
    names_removed,
    names_set,
    rotations,
)

SAME = {"sec-fetch-site": "same-origin"}
PUBLIC = {
    "Cache-Control": "public, max-age=600",
    "CDN-Cache-Control": "max-age=600",
    "Surrogate-Control": "max-age=600",
    "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
}


class Scene:
    """An application with endpoints of every kind, and a browser that holds tokens in cookies."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.clock = TurnableClock()
        machine = Machine(self.clock, SystemRandomness(), profile=CHEAP)
        self.auth = Gatepost(settings_in(folder), machine=machine)
        self.app = FastAPI()
        self.auth.init_app(self.app, prefix=prefix)
        self.app.add_middleware(GZipMiddleware)
        self.app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
        self.prefix = prefix
        self.meanwhile: Callable[[], None] = lambda: None
        self.seen: list[object] = []
        self.someone: Any = Depends(self.auth.signed_in)
        self.client = TestClient(
            self.app, headers=SAME, follow_redirects=False, raise_server_exceptions=False
        )

    @property
    def house(self) -> House:
        """What is behind it, as the tests of the web floor know it."""
        return House(self.auth.authority, self.app, self.clock)

    def enter(self) -> None:
        """Ada signs in, and her access token ends."""
        self.house.account()
        self.sign_in(self.client)
        self.clock.turn(ACCESS_LIFE)

    def sign_in(self, client: TestClient) -> None:
        """With tokens in cookies."""
        body = {"email": ADA, "password": PASSWORD, "carrier": "token-cookie"}
        assert client.post(f"{self.prefix}/api/sign-in", json=body).status_code == 200

    @property
    def rotations(self) -> int:
        """How often the browser's tokens were rotated."""
        return rotations(self.house, self.client)

    @property
    def repeats(self) -> int:
        """How often a used refresh token was shown again."""
        return self.auth.authority.tokens.outcomes.counted().get(("refresh", "repeated"), 0)


async def passing(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """A middleware that builds the answer anew, as many do."""
    answer = await call_next(request)
    answer.headers["x-passed"] = "yes"
    return answer


def add_answers(app: FastAPI, someone: Any, folder: Path) -> None:
    """Endpoints that answer by themselves."""
    (folder / "report.txt").write_text("report " * 1000)
    guarded = [someone]
    made: dict[str, Callable[[], Response]] = {
        "/own": lambda: PlainTextResponse("own", 203),
        "/cached": lambda: PlainTextResponse("for all", headers=PUBLIC),
        "/long": lambda: PlainTextResponse("long " * 1000),
        "/redirect": lambda: RedirectResponse("/elsewhere", 302),
        "/unchanged": lambda: Response(status_code=304, headers={"ETag": '"1"'}),
        "/nothing": lambda: Response(status_code=204),
        "/file": lambda: FileResponse(folder / "report.txt"),
        "/own-cookie": lambda: PlainTextResponse("own", headers={"set-cookie": "theme=dark"}),
        "/own-removal": removing,
        "/stream": lambda: StreamingResponse(iter(["a", "b", "c"])),
    }
    for path, make in made.items():
        app.add_api_route(path, make, dependencies=guarded, response_model=None)


def removing() -> Response:
    """An answer that takes the tokens out of the browser by itself."""
    answer = PlainTextResponse("removed")
    for name in (ACCESS, REFRESH):
        answer.delete_cookie(name)
    return answer


def add_errors(app: FastAPI, someone: Any, auth: Gatepost) -> None:
    """Endpoints that raise."""
    raised: dict[str, Exception] = {
        "/http-error": HTTPException(418, "no coffee"),
        "/our-error": NotFound(),
        "/crash": RuntimeError("a mistake"),
    }

    def raising(error: Exception) -> Callable[[], None]:
        def endpoint() -> None:
            raise error

        return endpoint

    for path, error in raised.items():
        app.add_api_route(path, raising(error), dependencies=[someone])
    app.add_api_route("/forbidden", lambda: 1, dependencies=[Depends(auth.require(role="support"))])
    app.add_api_route(
        "/thrice",
        lambda: 1,
        dependencies=[someone, Depends(auth.a_session), Depends(auth.require(role="member"))],
    )

    @app.get("/validated", dependencies=[someone])
    def validated(number: int) -> int:
        return number

    @app.post("/changed", dependencies=[someone])
    async def changed() -> str:
        return "changed"


def add_carts(app: FastAPI, auth: Gatepost) -> None:
    """Endpoints that use the data of whoever asks, without and with a guard."""

    @app.get("/cart")
    def cart(request: Request) -> Any:
        return [auth.data(request), auth.data(request)]

    @app.put("/cart")
    def fill(request: Request, who: Annotated[Principal, Depends(auth.signed_in)]) -> Any:
        return auth.set_data(request, {"account": who.account_id})

    @app.put("/read-then-fill")
    def read_then_fill(request: Request) -> Any:
        auth.data(request)
        return auth.set_data(request, {"planted": True})


def add_late(scene: Scene) -> None:
    """Endpoints that go on when their answer has begun, or while others ask."""
    app, auth, someone = scene.app, scene.auth, scene.someone

    def look(request: Request) -> None:
        try:
            scene.seen.append(auth.data(request))
        except Refused as error:
            scene.seen.append(type(error))

    @app.get("/background", dependencies=[someone])
    def background(request: Request, tasks: BackgroundTasks) -> str:
        tasks.add_task(look, request)
        return "soon"

    @app.get("/background-unguarded")
    def background_unguarded(request: Request, tasks: BackgroundTasks) -> str:
        tasks.add_task(look, request)
        return "soon"

    @app.get("/stream-unguarded")
    def stream_unguarded(request: Request) -> StreamingResponse:
        def parts() -> Iterator[str]:
            yield "a"
            look(request)
            yield "b"

        return StreamingResponse(parts())

    @app.get("/slow", dependencies=[someone])
    def slow() -> str:
        scene.meanwhile()
        return "done"

    @app.websocket("/socket")
    async def socket(connection: WebSocket) -> None:
        asking = Asking(auth.authority, connection)  # type: ignore[arg-type]
        look_at = await outcome(asking)
        await connection.accept()
        await connection.send_text(look_at)
        await connection.close()


async def outcome(asking: Asking) -> str:
    """What the check says, in one word."""
    try:
        await asking.find()
    except GatepostError as error:
        return type(error).__name__
    return "passes"


@pytest.fixture(params=["/auth", ""], ids=["mounted", "at the root"])
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Ada's browser at the application; her access token is over."""
    made = Scene(tmp_path, request.param)
    add_answers(made.app, made.someone, tmp_path)
    add_errors(made.app, made.someone, made.auth)
    add_carts(made.app, made.auth)
    add_late(made)
    with made.client:
        made.enter()
        yield made


STATUSES = {
    "/own": 203, "/cached": 200, "/long": 200, "/redirect": 302, "/unchanged": 304, "/nothing": 204, "/file": 200,
    "/own-cookie": 200, "/stream": 200, "/http-error": 418, "/our-error": 404, "/crash": 500, "/forbidden": 403,
    "/thrice": 200, "/validated": 422, "/background": 200, "/cart": 200,
}  # fmt: skip


@pytest.mark.parametrize("path", STATUSES)
def test_every_kind_of_answer_brings_the_renewed_tokens(scene: Scene, path: str) -> None:
    """Whatever the endpoint answers or raises: both cookies once, `no-store`, one rotation; the next needs none."""
    answer = scene.client.get(path)
    assert answer.status_code == STATUSES[path]
    assert [name for name in names_set(answer) if name != "theme"] == [ACCESS, REFRESH]
    require_uncached(answer)
    again = scene.client.get("/own")
    assert (again.status_code, set_cookies(again), scene.rotations) == (203, [], 1)
    assert scene.repeats == 0


def require_uncached(answer: Answer) -> None:
    """Nothing between us and the browser may keep it."""
    assert answer.headers.get_list("cache-control") == ["no-store"]
    assert not {"cdn-cache-control", "surrogate-control", "expires"} & set(answer.headers)


def test_an_answer_that_renews_nothing_keeps_its_own_headers(scene: Scene) -> None:
    """What may be cached stays so, and an endpoint's own cookie is its own."""
    assert set(names_set(scene.client.get("/own-cookie"))) == {"theme", ACCESS, REFRESH}
    answer = scene.client.get("/cached")
    assert {name: answer.headers[name] for name in PUBLIC} == PUBLIC
    assert set_cookies(answer) == []


def test_what_an_answer_says_of_our_cookies_stands(scene: Scene) -> None:
    """An endpoint that removes them itself is not followed by what was renewed."""
    assert names_removed(scene.client.get("/own-removal")) == {ACCESS, REFRESH}
    assert {cookie.name for cookie in scene.client.cookies.jar} == {"gatepost-csrf", "gatepost-device"}


def test_our_own_calls_under_the_application_renew_once(scene: Scene) -> None:
    """Two layers stand around our endpoints there; the cookies are sent by one of them."""
    answer = scene.client.get(f"{scene.prefix}/api/session")
    assert (answer.status_code, names_set(answer)) == (200, [ACCESS, REFRESH])
    answer = scene.client.post(f"{scene.prefix}/api/sign-out")
    assert (answer.status_code, names_set(answer)) == (204, [])


def test_a_changing_request_of_another_site_renews_nothing(scene: Scene) -> None:
    """It is refused before anybody is looked for."""
    answer = scene.client.post("/changed", headers={"sec-fetch-site": "cross-site"})
    assert is_problem(answer, 403, "cross_site")
    assert (set_cookies(answer), scene.rotations) == ([], 0)
    assert scene.client.post("/changed").status_code == 200


def test_a_request_that_says_nothing_of_itself_needs_the_token_and_keeps_what_was_renewed(
    scene: Scene,
) -> None:
    """403 without it, with the new cookies, for the rotation has happened; then 200 with it."""
    del scene.client.headers["sec-fetch-site"]
    answer = scene.client.post("/changed")
    assert is_problem(answer, 403, "cross_site")
    assert names_set(answer) == [ACCESS, REFRESH]
    token = scene.client.cookies["gatepost-csrf"]
    assert scene.client.post("/changed", headers={"x-csrf-token": token}).status_code == 200
    assert scene.rotations == 1


def test_data_is_read_and_written_in_the_request_that_renews(scene: Scene) -> None:
    """In plain endpoints: twice read is once renewed; what is written lies in the record."""
    assert scene.client.get("/cart").json() == [{}, {}]
    assert scene.rotations == 1
    scene.clock.turn(ACCESS_LIFE)
    written = scene.client.put("/cart")
    assert names_set(written) == [ACCESS, REFRESH]
    assert scene.client.get("/cart").json() == [written.json()] * 2
    assert scene.rotations == 2


def test_reading_alone_does_not_open_the_way_to_writing(scene: Scene) -> None:
    """Whoever was found by reading has not been held to the rules against forged requests."""
    assert is_problem(scene.client.put("/read-then-fill"), 401, "signed_out")
    assert scene.client.get("/cart").json() == [{}, {}]


def test_nothing_is_renewed_once_the_answer_has_begun(scene: Scene) -> None:
    """Its cookies would never arrive: what asks then is refused, and nothing is rotated."""
    for path in ("/background-unguarded", "/stream-unguarded"):
        answer = scene.client.get(path)
        assert (answer.status_code, set_cookies(answer)) == (200, [])
    assert scene.seen == [Expired, Expired]
    assert scene.rotations == 0


def test_a_background_task_goes_on_with_what_its_request_has_found(scene: Scene) -> None:
    """Renewed before the answer, so known after it."""
    assert names_set(scene.client.get("/background")) == [ACCESS, REFRESH]
    assert scene.seen == [{}]


def test_a_websocket_handshake_renews_nothing(scene: Scene) -> None:
    """Refused while the access token is over; the page's next ordinary request renews, and then it passes."""
    said = []
    for _ in range(2):
        with scene.client.websocket_connect("/socket") as socket:
            said.append(socket.receive_text())
        if len(said) == 1:
            assert scene.rotations == 0
            scene.client.get("/own")
    assert said == ["Expired", "passes"]


def test_a_slow_answer_does_not_overwrite_a_later_sign_in(scene: Scene) -> None:
    """While it is made another tab signs in, which ends the session whose tokens it has renewed: it sends none."""
    tab = TestClient(scene.app, headers={**SAME, "cookie": cookie_header(scene.client)})
    scene.meanwhile = lambda: scene.sign_in(tab)
    answer = scene.client.get("/slow")
    assert (answer.status_code, set_cookies(answer)) == (200, [])
    tab.headers["cookie"] = cookie_header(tab)
    assert tab.get("/own").status_code == 203


def test_a_slow_answer_and_another_tab_get_the_same_tokens(scene: Scene) -> None:
    """Whichever comes first: one rotation, and both are the newest."""
    tab = TestClient(scene.app, headers={**SAME, "cookie": cookie_header(scene.client)})
    answers: list[Answer] = []
    scene.meanwhile = lambda: answers.append(tab.get("/own"))
    answers.append(scene.client.get("/slow"))
    assert set_cookies(answers[0]) == set_cookies(answers[1]) != []
    assert scene.rotations == 1


def test_an_application_that_sends_nothing_refuses_instead_of_losing_a_rotation(tmp_path: Path) -> None:
    """Guards alone, without `init_app`: 401 when the access token is over; nothing is rotated."""
    scene = Scene(tmp_path, "/auth")
    bare = FastAPI()
    bare.add_api_route("/own", lambda: 1, dependencies=[scene.someone])
    bare.add_exception_handler(GatepostError, scene.auth._problem)
    with scene.client, TestClient(bare, headers=SAME) as other:
        scene.enter()
        other.headers["cookie"] = cookie_header(scene.client)
        answer = other.get("/own")
        assert is_problem(answer, 401, "invalid_token")
        assert (set_cookies(answer), scene.rotations) == ([], 0)
        assert scene.client.get(f"{scene.prefix}/api/session").status_code == 200
