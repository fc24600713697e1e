"""An API with a page of one script in front of it, which keeps no token within that script's reach.

Start it with `uvicorn tasks:app --app-dir examples --port 8400` and open http://localhost:8400.
The page signs in with the carrier `token-cookie`: an access and a refresh token in cookies that no script can read,
renewed inside the request that needs it. Other services can verify the access token by themselves.
"""

from collections import defaultdict
from pathlib import Path
from typing import Annotated

from fastapi import Body, Depends, FastAPI, HTTPException, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.base import RequestResponseEndpoint

from gatepost import Gatepost, Principal

app = FastAPI(title="Tasks")
auth = Gatepost()
auth.init_app(app, prefix="/auth")

Owner = Annotated[Principal, Depends(auth.signed_in)]
Text = Annotated[str, Body(embed=True, min_length=1, max_length=200)]
tasks: dict[str, list[str]] = defaultdict(list)


@app.get("/api/tasks")
def own(who: Owner) -> list[str]:
    return tasks[who.account_id]


@app.post("/api/tasks", status_code=201)
def add(who: Owner, text: Text) -> list[str]:
    tasks[who.account_id].append(text)
    return tasks[who.account_id]


@app.delete("/api/tasks/{place}")
def done(who: Owner, place: int) -> list[str]:
    if not 0 <= place < len(tasks[who.account_id]):
        raise HTTPException(404, "there is no such task")
    del tasks[who.account_id][place]
    return tasks[who.account_id]


@app.middleware("http")
async def only_own_scripts(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """A script that somebody smuggles into a text is not run."""
    response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    return response


app.mount("/", StaticFiles(directory=Path(__file__).parent / "tasks", html=True))
