"""The applications that are asked over HTTP, each in a process of its own: `python -m benchmarks.servers NAME`.

All run on uvicorn with uvloop and httptools, one worker, no access log. Started by `processes.py` only.
"""

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import uvicorn
from fastapi import Depends, FastAPI, Request
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.world import settings_for
from gatepost import Gatepost, Principal
from gatepost.authority import Authority, Machine
from gatepost.cli.answering import Server
from gatepost.cli.listening import Listening
from gatepost.cli.workers import Line, Supervisor
from gatepost.factors.password import Profile
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.web.app import make_app, with_lifespan


def gatepost(folder: Path, port: int) -> ASGIApp:
    """The server as `gatepost serve` composes it."""
    authority = Authority(settings_for(folder, port))
    return with_lifespan(make_app(authority), authority)


def quick(folder: Path, port: int) -> ASGIApp:
    """The same, but for a password hash that costs next to nothing: where thousands sign in to be signed out again."""
    authority = _quick_authority(folder, port)
    return with_lifespan(make_app(authority), authority)


def _quick_authority(folder: Path, port: int) -> Authority:
    cheap = Profile("cheap", memory_kib=64, time_cost=1)
    return Authority(settings_for(folder, port), Machine(SystemClock(), SystemRandomness(), profile=cheap))


def guarded(folder: Path, port: int) -> ASGIApp:
    """Somebody's own FastAPI application with one endpoint that needs a sign-in."""
    app = FastAPI()
    auth = Gatepost(settings_for(folder, port))
    auth.init_app(app, prefix="/auth")

    @app.get("/me")
    async def me(who: Annotated[Principal, Depends(auth.signed_in)]) -> dict[str, Any]:
        return {"id": who.account_id}

    return app


def empty(folder: Path, port: int) -> ASGIApp:
    """A FastAPI endpoint that does nothing, alone and behind a dependency that does nothing either."""
    app = FastAPI()

    async def anybody(request: Request) -> str:
        return "nobody"

    @app.get("/depends")
    async def depends(who: Annotated[str, Depends(anybody)]) -> dict[str, Any]:
        return {"id": who}

    @app.get("/empty")
    async def nothing() -> dict[str, Any]:
        return {"id": "nobody"}

    return app


def signed_cookie(folder: Path, port: int) -> ASGIApp:
    """A FastAPI endpoint behind Starlette's signed session cookie."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key="a secret of the application")

    @app.get("/begin")
    async def begin(request: Request) -> dict[str, Any]:
        request.session["id"] = "ada"
        return {}

    @app.get("/me")
    async def me(request: Request) -> dict[str, Any]:
        return {"id": request.session["id"]}

    return app


def bare(folder: Path, port: int) -> ASGIApp:
    """The least that ASGI allows: no framework at all."""
    body = b'{"id":"nobody"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def echo(folder: Path, port: int) -> ASGIApp:
    """The least that ASGI allows for an answer without a body: alone, and with the headers that were told before."""
    told: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path == "/tell":
                told[:] = [(name[5:], value) for name, value in scope["headers"] if name.startswith(b"told-")]
            status = 200 if path == "/tell" else 204
            headers = told if path == "/told" else []
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    return app


APPS: Final[Mapping[str, Callable[[Path, int], ASGIApp]]] = {
    made.__name__: made for made in (gatepost, quick, guarded, empty, signed_cookie, bare, echo)
}
SEVERAL: Final[Mapping[str, int]] = {"one_worker": 1, "four_workers": 4}


def main(name: str, folder: str, port: str, descriptor: str) -> None:
    """Serve one of them on a socket that the parent opened."""
    if name in SEVERAL:
        _serve_several(SEVERAL[name], Path(folder), int(port), socket.socket(fileno=int(descriptor)))
        return
    config = uvicorn.Config(
        APPS[name](Path(folder), int(port)),
        log_level="warning",
        access_log=False,
        lifespan="on" if name in {"gatepost", "quick", "guarded"} else "off",
        loop="uvloop",
        http="httptools",
        server_header=False,
        date_header=False,
    )
    # Not `fd=`: uvicorn takes that for a Unix socket, and answers then wait 40 ms for Nagle and delayed ACKs.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


def _serve_several(count: int, folder: Path, port: int, listening: socket.socket) -> None:
    """As `gatepost serve --workers` does: made and closed once before the first fork, then once in each worker."""
    _quick_authority(folder, port).stop()
    opened = Listening((listening,))

    def work(line: Line) -> None:
        authority = _quick_authority(folder, port)
        authority.start()
        try:
            Server(authority, line.answers, line).answer(opened)
        finally:
            authority.stop()

    Supervisor(count, work, lambda: None, opened, SystemClock()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
