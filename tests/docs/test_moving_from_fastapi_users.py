"""The how-to for who comes from FastAPI Users, followed with the real library: tables, clients and passwords."""

import csv
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.docs.test_moving_in_page import query_under, write_csv
from tests.docs.walkthrough import blocks_of
from tests.examples.applications import ROOT, environment_of, running
from tests.real_parts import find_fastapi_users
from tests.servers import run_gatepost

PASSWORD = "quiet river stone"
ADA, OLD, ROOT_USER, GONE = "ada@example.com", "old@example.com", "root@example.com", "gone@example.com"
# What an administrator of such an application does in its shell, and what an older version of the library left there.
PEOPLE = f"""
import asyncio, before
from fastapi_users import schemas
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher

async def made():
    async for manager in before.manager():
        for email, more in (("{ROOT_USER}", {{"is_superuser": True, "is_verified": True}}),
                            ("{GONE}", {{"is_active": False}}), ("{OLD}", {{}})):
            if email == "{OLD}":
                manager.password_helper = PasswordHelper(PasswordHash((BcryptHasher(),)))
            await manager.create(schemas.BaseUserCreate(email=email, password="{PASSWORD}", **more))

asyncio.run(made())
"""


@contextmanager
def visiting(module: Path, python: str | None = None) -> Iterator[httpx2.Client]:
    """A client of an application while it is served."""
    with (
        running(module, module.parent, *([python] if python else [])) as address,
        httpx2.Client(base_url=address, timeout=20) as client,
    ):
        yield client


def save_the_blocks(folder: Path) -> None:
    """The two applications of the page, each under its name."""
    for block in blocks_of((ROOT / "docs/moving-your-code.md").read_text()):
        first, _, rest = block.text.partition("\n")
        if first in {"# before.py", "# after.py"}:
            (folder / first.removeprefix("# ")).write_text(rest)


def shown(token: str) -> dict[str, str]:
    """A token as both kinds of clients show it."""
    return {"authorization": f"Bearer {token}"}


def live_before(folder: Path, python: str) -> str:
    """What clients did with FastAPI Users, as the page says it; the token of one that has signed out."""
    with visiting(folder / "before.py", python) as client:
        made = client.post("/auth/register", json={"email": ADA, "password": PASSWORD})
        assert made.status_code == 201
        subprocess.run(
            [python, "-c", PEOPLE], cwd=folder, env=environment_of(folder), check=True, timeout=120
        )
        wrong = client.post("/auth/jwt/login", data={"username": ADA, "password": "wrong"})
        assert (wrong.status_code, wrong.json()["detail"]) == (400, "LOGIN_BAD_CREDENTIALS")
        answer = client.post("/auth/jwt/login", data={"username": ADA, "password": PASSWORD})
        token = str(answer.json()["access_token"])
        assert client.get("/orders", headers=shown(token)).json() == {"of": ADA}
        assert client.get("/reports", headers=shown(token)).status_code == 403
        refused = client.get("/orders")
        assert (refused.status_code, refused.json()) == (401, {"detail": "Unauthorized"})
        assert client.post("/auth/jwt/logout", headers=shown(token)).status_code == 204
        assert client.get("/orders", headers=shown(token)).status_code == 200
        return token


def move(folder: Path) -> dict[str, str]:
    """Export, import, and what links the application's own tables: the account of each address."""
    write_csv(folder, query_under("From FastAPI Users"))
    assert "$2b$" in (folder / "users.csv").read_text()
    done = run_gatepost("account", "import", "users.csv", "--strict", folder=folder)
    assert (done.code, done.out) == (0, "4 accounts imported.\n")
    listed = run_gatepost("account", "export", folder=folder).out
    return {row["email"]: row["id"] for row in csv.DictReader(listed.splitlines())}


@pytest.mark.long
@pytest.mark.needs("fastapi-users")
def test_an_application_moves_from_fastapi_users(tmp_path: Path) -> None:
    """The same people sign in with the same passwords; what a client does differently is what the page says."""
    python = find_fastapi_users()
    assert python is not None
    save_the_blocks(tmp_path)
    old_token = live_before(tmp_path, python)
    accounts = move(tmp_path)
    with visiting(tmp_path / "after.py") as client:

        def signed_in(email: str, password: str = PASSWORD) -> httpx2.Response:
            wish = {"email": email, "password": password, "carrier": "token"}
            return client.post("/auth/api/sign-in", json=wish)

        for email in (ADA, OLD, ROOT_USER):
            token = signed_in(email).json()["tokens"]["access_token"]
            assert client.get("/orders", headers=shown(token)).json() == {"of": accounts[email]}
            allowed = client.get("/reports", headers=shown(token)).status_code
            assert allowed == (200 if email == ROOT_USER else 403)
        for refused in (signed_in(GONE), signed_in(ADA, "wrong")):
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
        assert client.get("/orders").json()["code"] == "signed_out"
        pair = signed_in(ADA).json()["tokens"]
        renewed = client.post(
            "/auth/oauth/token",
            data={"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]},
        ).json()
        for one in (renewed["access_token"], old_token):
            client.post("/auth/api/sign-out", headers=shown(one))
            refused = client.get("/orders", headers=shown(one))
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    hashes = run_gatepost("account", "export", "--with-hashes", "--format", "jsonl", folder=tmp_path).out
    assert "$2b$" not in hashes
