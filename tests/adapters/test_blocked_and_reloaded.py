"""An application whose handler blocks the event loop, and one that is reloaded while people are signed in."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from gatepost.machine import SystemClock
from tests.examples.applications import environment_of, running
from tests.services.installation import open_authority

PASSWORD = "plenty of quiet words"
_RUNNING = re.compile(r"running on http://[\d.]+:(\d+)")
_APPLICATION = """
import time
from pathlib import Path
from fastapi import Depends, FastAPI
from gatepost import Gatepost, Principal

app = FastAPI()
auth = Gatepost()
auth.init_app(app, prefix="/auth")

@app.get("/edition")
def edition():
    return "first"

@app.get("/me")
async def me(who: Principal = Depends(auth.signed_in)):
    return who.account_id

@app.get("/block")
async def block():
    # Said before it begins, for whoever waits for it.
    print("blocking", flush=True)
    time.sleep(3)
    while not Path("let-go").exists():
        time.sleep(0.01)
    return "blocked"
"""


def application_in(folder: Path) -> Path:
    """The application as a module in a folder of its own."""
    source = folder / "source"
    source.mkdir()
    module = source / "shop.py"
    module.write_text(_APPLICATION)
    return module


def sign_up(url: str, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A new account and the cookies of its session."""
    body = {"email": f"{name}@example.com", "password": PASSWORD}
    answer = httpx2.post(
        f"{url}/auth/api/sign-up", json=body, headers={"Origin": url}, timeout=20
    ).raise_for_status()
    account: dict[str, Any] = answer.json()["account"]
    return account, dict(answer.cookies)


def test_a_handler_that_blocks_the_loop_leaves_the_follower_fresh(tmp_path: Path) -> None:
    """Three bounds long nobody is answered; an ending meanwhile is in force, and afterwards nobody is told 503."""
    with running(application_in(tmp_path), tmp_path) as url:
        (locked, locked_cookies), (_, cookies) = sign_up(url, "ada"), sign_up(url, "bob")
        assert httpx2.get(f"{url}/me", cookies=locked_cookies, timeout=20).status_code == 200
        blocker = threading.Thread(target=httpx2.get, args=(f"{url}/block",), kwargs={"timeout": 120})
        blocker.start()
        wait_for(tmp_path / "uvicorn.log", "blocking")
        beside = open_authority(tmp_path / "data", SystemClock(), lambda error: None)
        receipt = beside.accounts.lock(locked["id"], "cli").receipt
        beside.stop()
        assert blocker.is_alive()
        # The follower answered for a process whose loop stood still.
        assert receipt is not None
        assert receipt.state.value == "in_force"
        (tmp_path / "let-go").touch()
        answers = [httpx2.get(f"{url}/me", cookies=one, timeout=20) for one in (cookies, locked_cookies)]
        assert [answer.status_code for answer in answers] == [200, 401]
        blocker.join()


@contextmanager
def reloading(module: Path, folder: Path) -> Iterator[str]:
    """Serve a module's `app` as its author does while writing it; the address it answers at."""
    command = [sys.executable, "-m", "uvicorn", "shop:app", "--app-dir", str(module.parent), "--port", "0"]
    log = folder / "uvicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--reload", "--reload-dir", str(module.parent)],
            cwd=folder,
            env={**environment_of(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(log, "startup complete")
        found = _RUNNING.search(log.read_text())
        assert found is not None
        yield f"http://localhost:{found[1]}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    assert "Traceback" not in log.read_text()


def wait_for(log: Path, text: str, times: int = 1) -> None:
    """Come back when a text stands in a log so many times."""
    deadline = time.monotonic() + 120
    while log.read_text().count(text) < times:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_a_reloaded_application_knows_who_is_signed_in(tmp_path: Path) -> None:
    """The file is saved, the process is another: the session goes on, and its ending is in force there."""
    module = application_in(tmp_path)
    with reloading(module, tmp_path) as url:
        account, cookies = sign_up(url, "ada")
        module.write_text(_APPLICATION.replace('"first"', '"second edition"'))
        wait_for(tmp_path / "uvicorn.log", "startup complete", times=2)
        assert httpx2.get(f"{url}/edition", timeout=20).json() == "second edition"
        assert httpx2.get(f"{url}/me", cookies=cookies, timeout=20).json() == account["id"]
        ended = httpx2.post(f"{url}/auth/api/sign-out", cookies=cookies, headers={"Origin": url}, timeout=20)
        assert json.loads(ended.headers["gatepost-receipt"])["state"] == "in_force"
        assert httpx2.get(f"{url}/me", cookies=cookies, timeout=20).status_code == 401
