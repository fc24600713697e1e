"""`python -m benchmarks.five_minutes`: from nothing to a working sign-in, counted and timed, for us and for rivals.

Owns an empty folder and an empty home for each contender, and the proof over HTTP that the sign-in works. What is
typed is in `recipes`. The table goes to the standard output, or between two marks of the README with `--write`.
"""

import argparse
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2

from benchmarks.recipes import RECIPES, Recipe, Request, Written

ROOT: Final = Path(__file__).resolve().parents[1]
BEGIN: Final = "<!-- five minutes: begin -->"
END: Final = "<!-- five minutes: end -->"
_LONGEST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What one contender took."""

    recipe: Recipe
    seconds: float


def follow(recipe: Recipe, folder: Path, pins: Path) -> Tried:
    """Type everything of a recipe in an empty folder, and sign in. Raises AssertionError if it does not work."""
    port = _free_port()
    places = {"port": str(port), "checkout": shlex.quote(str(ROOT)), "pins": shlex.quote(str(pins))}
    began = time.monotonic()
    *steps, last = recipe.steps
    for step in steps:
        if isinstance(step, Written):
            write(step, folder)
        else:
            subprocess.run(
                ["/bin/sh", "-ec", step.format(**places)], cwd=folder, env=_environment(folder), check=True,
                stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=_LONGEST,
            )  # fmt: skip
    assert isinstance(last, str)
    with _serving(last.format(**places), folder, port):
        sign_in(recipe, f"http://localhost:{port}")
        return Tried(recipe, time.monotonic() - began)


def write(step: Written, folder: Path) -> None:
    """Type lines into a file. Raises ValueError if the place for them is not there."""
    path = folder / step.path
    if step.before is None:
        path.write_text(step.text)
        return
    text = path.read_text()
    at = text.index("\n" + step.before) + 1
    path.write_text(text[:at] + step.text + text[at:])


def sign_in(recipe: Recipe, url: str) -> None:
    """Send the recipe's requests as a browser would, then look at what only somebody signed in sees."""
    with httpx2.Client(base_url=url, timeout=60, headers={"origin": url}, follow_redirects=True) as browser:
        stranger = browser.get(recipe.proof)
        assert recipe.shows not in stranger.text, f"{recipe.name}: anybody sees it"
        for request in recipe.requests:
            answer = _sent(browser, request)
            assert answer.is_success, (recipe.name, request.path, answer.status_code, answer.text[:500])
        assert recipe.shows in browser.get(recipe.proof).text, f"{recipe.name}: nobody is signed in"


def as_table(tried: Sequence[Tried]) -> str:
    """The README's table."""
    lines = [
        "| | commands | lines in files | seconds | as in |",
        "|---|---|---|---|---|",
        *(
            f"| {one.recipe.name} | {one.recipe.commands} | {one.recipe.lines} | {one.seconds:.0f} "
            f"| {one.recipe.follows} |"
            for one in tried
        ),
    ]
    day = datetime.now(UTC).date().isoformat()
    return "\n".join([*lines, "", f"Measured on {day} by `./gate bench five-minutes --write README.md`."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every contender, or those named."""
    parser = argparse.ArgumentParser(prog="./gate bench five-minutes", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="contenders whose name begins so"
    )
    parser.add_argument(
        "--write", metavar="PAGE", type=Path, help="put the table between its marks in this page"
    )
    asked = parser.parse_args(arguments)
    tried = []
    for recipe in RECIPES:
        if asked.only and not recipe.name.startswith(tuple(asked.only)):
            continue
        print(f"five minutes: {recipe.name}", file=sys.stderr, flush=True)
        with TemporaryDirectory() as folder:
            pins = Path(folder, "pins.txt")
            pins.write_text(_pins())
            (place := Path(folder, "empty")).mkdir()
            tried.append(follow(recipe, place, pins))
    table = as_table(tried)
    if asked.write is None:
        print(table)
    else:
        page = asked.write.read_text()
        before, rest = page.split(BEGIN, 1)
        asked.write.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}")
    return 0


def _sent(browser: httpx2.Client, request: Request) -> httpx2.Response:
    if not request.as_form:
        return browser.post(request.path, json=dict(request.fields))
    hidden: dict[str, str] = {}
    if request.page is not None:
        page = browser.get(request.page).text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return browser.post(request.path, data={**hidden, **request.fields})


def _pins() -> str:
    """The rivals' versions as the lock has them, without hashes: pip would ask for hashes of all or of none."""
    lock = (ROOT / "requirements/rivals.lock").read_text()
    return "\n".join(re.findall(r"^[a-z][^\s\\;]*==[^\s\\;]+", lock, re.MULTILINE)) + "\n"


def _environment(folder: Path) -> dict[str, str]:
    """An empty home, and nothing that says which Python or which settings to use."""
    dropped = ("GATEPOST_", "PYTHON", "DATABASE_URL", "VIRTUAL_ENV", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    (home := folder.parent / "home").mkdir(exist_ok=True)
    return {**kept, "HOME": str(home)}


@contextmanager
def _serving(command: str, folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], cwd=folder, env=_environment(folder), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + _LONGEST
        while not _listens(port):
            assert process.poll() is None, f"it ended: {command}"
            assert time.monotonic() < until, f"it did not begin to answer: {command}"
            time.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
