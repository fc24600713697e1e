"""What `pip install gatepost` leaves on a machine: built, installed in a clean environment, and used from there."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.servers import ROOT

SIGN_UP = {"email": "ada@example.com", "password": "plenty of quiet words"}
PROGRAM = """
from fastapi import Depends, FastAPI
from gatepost import Gatepost, Principal

app = FastAPI()
auth = Gatepost()
auth.init_app(app, prefix="/auth")


@app.get("/me")
def me(who: Principal = Depends(auth.signed_in)) -> dict[str, str]:
    return {"id": who.account_id, "session": who.session_id}


def names(who: Principal) -> int:
    return who.account_id
"""

# Whatever the network and the disk of a busy machine take to install everything that the server needs.
pytestmark = [pytest.mark.needs("package index"), pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Installed:
    """An environment that knows nothing of the checkout, and an empty folder to be in."""

    python: Path
    folder: Path

    def run(self, *command: str | Path, seconds: float = 200) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment."""
        return subprocess.run(
            [*map(str, command)], cwd=self.folder, env=self.environment(), capture_output=True, text=True,
            timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """The machine's variables without any of ours or of Python's, and with an empty home."""
        dropped = ("GATEPOST_", "PYTHON", "DATABASE_URL", "REDIS_URL", "PORT", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        return {**kept, "HOME": str(self.folder)}

    @property
    def gatepost(self) -> Path:
        """The command that the wheel put on the PATH."""
        return self.python.parent / "gatepost"


def built(kind: str, source: Path, target: Path) -> Path:
    """A wheel or an archive of the sources, made without network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, timeout=200, stdout=subprocess.DEVNULL)
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel out of the source archive, as a distribution would make it, on the hashed lock."""
    archive = built("sdist", ROOT, tmp_path_factory.mktemp("archive"))
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as sources:
        # Not as an argument: Python 3.11 learned that one in its fourth release.
        sources.extraction_filter = getattr(tarfile, "data_filter", None)
        sources.extractall(unpacked)
    (source,) = unpacked.iterdir()
    wheel = built("wheel", source, tmp_path_factory.mktemp("wheel"))
    place = tmp_path_factory.mktemp("clean")
    venv.create(place / "environment")
    python = place / "environment/bin/python"
    # By the pip that is here, and nothing compiled before it is needed: half of the time that it would take otherwise.
    pip = [
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input"),
        *("--no-compile", "--no-deps", "--only-binary", ":all:"),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    lock = ["--require-hashes", "-r", str(ROOT / "requirements/serve.lock")]
    for what in (lock, [str(wheel)]):
        subprocess.run([*pip, *what], check=True, timeout=500, env=clean, stdin=subprocess.DEVNULL)
    (place / "empty").mkdir()
    return Installed(python, place / "empty")


@contextmanager
def serving(installed: Installed) -> Iterator[tuple[str, list[str]]]:
    """`gatepost serve` of that environment: its address and banner. Ended by SIGTERM, which must be a success."""
    process = subprocess.Popen(
        [str(installed.gatepost), "serve", "--port", "0"], cwd=installed.folder, env=installed.environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        banner: list[str] = []
        while not banner or "/invite/" not in banner[-1]:
            line = process.stdout.readline()
            assert line, banner
            banner.append(line.strip())
        (place,) = [line for line in banner if line.startswith("Sign in at ")]
        yield place.removeprefix("Sign in at ").removesuffix("/sign-in"), banner
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_wheel_serves_without_the_checkout(installed: Installed) -> None:
    """Pages with their style sheet, sign-up, sign-in and the administrator's link, in a folder that was empty."""
    with serving(installed) as (url, banner), httpx2.Client(timeout=20, base_url=url) as browser:
        browser.headers["origin"] = url
        page = browser.get("/sign-in")
        assert page.status_code == 200
        references = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        assert references
        for reference in references:
            assert browser.get(reference).status_code == 200, reference
        assert browser.post("/api/sign-up", json=SIGN_UP).status_code == 201
        assert browser.post("/api/sign-in", json=SIGN_UP).status_code == 200
        assert browser.get("/api/session").json()["account"]["email"] == SIGN_UP["email"]
        assert httpx2.get(banner[-1], timeout=20).status_code == 200
        listed = installed.run(installed.gatepost, "account", "list", "--json")
        assert SIGN_UP["email"] in listed.stdout
    assert (installed.folder / "data/gatepost.db").exists()


def test_every_module_of_the_wheel_can_be_imported(installed: Installed) -> None:
    """Nothing that a module imports was left out of the wheel or of the lock."""
    version = installed.run(installed.gatepost, "--version")
    assert version.returncode == 0, version.stderr
    program = (
        "import importlib, pkgutil, gatepost\n"
        "for one in pkgutil.walk_packages(gatepost.__path__, 'gatepost.'):\n"
        "    if not one.name.endswith('__main__') and '.migrations' not in one.name:\n"
        "        try:\n"
        "            importlib.import_module(one.name)\n"
        "        except (ModuleNotFoundError, RuntimeError) as missing:\n"
        "            # What is for tests is imported where pytest and Starlette's test client are installed.\n"
        "            wants = getattr(missing, 'name', None) or str(missing)\n"
        "            ours = not one.name.startswith('gatepost.testing.')\n"
        "            if ours or 'pytest' not in wants and 'httpx' not in wants:\n"
        "                raise\n"
    )
    imported = installed.run(installed.python, "-c", program)
    assert imported.returncode == 0, imported.stderr
    shown = installed.run(installed.gatepost, "--help")
    assert "serve" in shown.stdout


def test_the_wheel_is_typed_for_those_who_use_it(installed: Installed) -> None:
    """mypy, strict, finds the types of an application in the installed package, and the one fault planted there."""
    (installed.folder / "application.py").write_text(PROGRAM)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", "--python-executable",
         str(installed.python), "application.py"],
        cwd=installed.folder, env=installed.environment(), capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    errors = [line for line in checked.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, checked.stdout
    assert 'Incompatible return value type (got "str", expected "int")' in errors[0]
