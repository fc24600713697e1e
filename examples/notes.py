"""Notes that people keep: Gatepost mounted under /auth of a FastAPI application.

Start it with `uvicorn notes:app --app-dir examples --port 8400` and sign up at http://localhost:8400/auth/sign-up.
"""

from collections import defaultdict
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, Request

from gatepost import Gatepost, Principal

app = FastAPI(title="Notes")
auth = Gatepost()
auth.init_app(app, prefix="/auth")

SignedIn = Annotated[Principal, Depends(auth.signed_in)]
Support = Annotated[Principal, Depends(auth.require(role="support"))]
Text = Annotated[str, Body(embed=True, max_length=200)]
notes: dict[str, list[str]] = defaultdict(list)


@app.post("/notes", status_code=201)
def add(who: SignedIn, request: Request, text: Text) -> dict[str, Any]:
    notes[who.account_id].append(text)
    return dict(auth.set_data(request, {"last": text}))  # lies in the session, and goes with it


@app.get("/notes")
def own(who: SignedIn, request: Request) -> dict[str, Any]:
    return {"notes": notes[who.account_id], "last": auth.data(request).get("last")}


@app.delete("/notes/{account_id}", status_code=204)
def clear(who: Support, account_id: str) -> None:
    notes.pop(account_id, None)
