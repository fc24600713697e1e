"""An application with Gatepost inside, as a process of its own, whose endpoints are slow or die of it.

Run with a data folder and a port (0: any) as its arguments; prints its address once it answers. A password hash costs
next to nothing. Its own page has scripts, so that a browser can ask much at once.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI
from starlette.responses import HTMLResponse

from gatepost import Gatepost, Principal
from gatepost.authority import Machine
from gatepost.cli.listening import listen
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.settings import load_settings
from gatepost.testing.services import CHEAP

PAGE = "<!doctype html><html lang='en'><title>An application</title><h1>An application</h1></html>"


def make_application(auth: Gatepost) -> FastAPI:
    """Endpoints for whoever is signed in."""
    app = FastAPI()
    auth.init_app(app, prefix="/auth")
    someone = Annotated[Principal, Depends(auth.signed_in)]

    @app.get("/")
    def start() -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get("/me")
    def me(who: someone) -> str:
        return who.account_id

    @app.get("/page")
    def page(who: someone) -> HTMLResponse:
        return HTMLResponse(PAGE)

    @app.get("/slow")
    async def slow(who: someone) -> str:
        await asyncio.sleep(0.5)
        return who.account_id

    @app.get("/die")
    def die(who: someone) -> Any:
        # What was rotated for this request is committed, and its answer has not begun.
        os.kill(os.getpid(), signal.SIGKILL)

    return app


def main(folder: Path, port: int) -> None:
    """Serve until a signal comes."""
    sections = {"data": str(folder), "server": {"port": port}}
    settings = load_settings(sections, environ={}, directory=folder, embedded=True)
    sockets = listen("127.0.0.1", port)
    settings = settings.with_port(sockets[0].getsockname()[1])
    auth = Gatepost(settings, machine=Machine(SystemClock(), SystemRandomness(), profile=CHEAP))
    server = uvicorn.Server(uvicorn.Config(make_application(auth), log_level="warning"))
    print(f"http://localhost:{sockets[0].getsockname()[1]}", flush=True)
    server.run(sockets)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
