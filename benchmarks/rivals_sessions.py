"""Sessions without accounts: Starlette's and Flask's signed cookies, Flask-Session's files.

Runs in the rivals' environment; `rivals_serving` and `rivals_inside` call it. Each is set up as its documentation
shows. Whose password is right is not their trade, so their `/sign-in` only writes into the session.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

SECRET: Final = "read this from the environment in a real application"


def prepare(name: str, folder: Path, email: str, password: str) -> None:
    """There is nobody to be made: who signs in is believed."""


def make(name: str, folder: Path) -> Any:
    """The application: ASGI for Starlette, WSGI for Flask."""
    return _MAKERS[name](folder)


def reading(name: str, folder: Path, email: str, password: str) -> Callable[[], object]:
    """What reads the cookie of somebody who has signed in, as Flask does it at the beginning of a request."""
    app = make(name, folder)
    client = app.test_client()
    client.post("/sign-in", json={"email": email})
    shown = client.get_cookie("session").value
    arriving = app.test_request_context(headers={"Cookie": f"session={shown}"}).request
    opened = app.session_interface.open_session

    def read() -> object:
        return opened(app, arriving)["email"]

    return read


def _starlette(folder: Path) -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def ready(request: Request) -> JSONResponse:
        return JSONResponse({})

    async def sign_in(request: Request) -> JSONResponse:
        request.session["email"] = (await request.json())["email"]
        return JSONResponse({})

    async def me(request: Request) -> JSONResponse:
        if "email" not in request.session:
            return JSONResponse({}, 401)
        return JSONResponse({"email": request.session["email"]})

    async def sign_out(request: Request) -> JSONResponse:
        request.session.clear()
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/ready", ready),
            Route("/sign-in", sign_in, methods=["POST"]),
            Route("/me", me),
            Route("/sign-out", sign_out, methods=["POST"]),
        ],
        middleware=[Middleware(SessionMiddleware, secret_key=SECRET)],
    )


def _flask(folder: Path) -> Any:
    from flask import Flask, jsonify, request, session

    app = Flask("rival")
    app.secret_key = SECRET

    @app.get("/ready")
    def ready() -> Any:
        return {}

    @app.post("/sign-in")
    def sign_in() -> Any:
        session["email"] = request.get_json()["email"]
        return {}

    @app.get("/me")
    def me() -> Any:
        if "email" not in session:
            return {}, 401
        return jsonify(email=session["email"])

    @app.post("/sign-out")
    def sign_out() -> Any:
        session.clear()
        return {}

    return app


def _flask_session(folder: Path) -> Any:
    from cachelib.file import FileSystemCache
    from flask_session import Session

    app = _flask(folder)
    app.config["SESSION_TYPE"] = "cachelib"
    app.config["SESSION_CACHELIB"] = FileSystemCache(cache_dir=str(folder / "sessions"), threshold=500)
    Session(app)
    return app


_MAKERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "starlette": _starlette,
    "flask": _flask,
    "flask_session": _flask_session,
}
