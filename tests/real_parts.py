"""The real parts of a machine that tests work with, and what happens when one is missing.

Owns the marker `needs` and the options `--here` and `--long`. Installs nothing: `./gate test` does that.
A test whose part is missing is an error; with `--here` they are left out and named at the end. Loaded by conftest.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Container
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The path of the machine's Chromium, whatever its distribution calls it."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def find_certutil() -> str | None:
    """The path of NSS's certutil, which tells a browser profile which certificate to trust."""
    return shutil.which("certutil")


def find_curl() -> str | None:
    """The path of curl, which the README's commands use."""
    return shutil.which("curl")


def find_faketime() -> str | None:
    """The path of faketime, whose library gives a process a wall clock of its own."""
    return shutil.which("faketime")


def find_nginx() -> str | None:
    """The path of nginx, which may lie where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def find_schemathesis() -> str | None:
    """The fuzzer's command, in the environment that `./gate test` makes for it alone."""
    return shutil.which(Path(__file__).resolve().parents[1] / ".gate/fuzz/bin/schemathesis")


def find_fastapi_users() -> str | None:
    """The interpreter that has FastAPI Users: `./gate test --long` and `./gate bench` make its environment."""
    return shutil.which(Path(__file__).resolve().parents[1] / ".gate/rivals/bin/python")


@lru_cache
def find_package_index() -> str | None:
    """Where pip gets packages from, if it answers: a clean environment cannot be filled without it."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, "idna"]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return "pip" if done.returncode == 0 else None


PARTS: dict[str, Callable[[], str | None]] = {
    "chromium": find_chromium,
    "certutil": find_certutil,
    "curl": find_curl,
    "faketime": find_faketime,
    "nginx": find_nginx,
    "package index": find_package_index,
    "schemathesis": find_schemathesis,
    "fastapi-users": find_fastapi_users,
}

_left_out_key = pytest.StashKey[dict[str, list[str]]]()
_otherwise_key = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the two options that `./gate test` passes on."""
    group = parser.getgroup("gatepost")
    group.addoption(
        "--here", action="store_true", help="leave out tests whose real parts are missing, and list them"
    )
    group.addoption("--long", action="store_true", help="run the full sizes")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the lists of tests that are left out, and of those that are done in another way."""
    config.stash[_left_out_key] = {}
    config.stash[_otherwise_key] = {}


def done_otherwise(item: pytest.Item, how: str) -> None:
    """Notes for the summary that a test does its work in another way here, and why."""
    item.config.stash[_otherwise_key][item.nodeid] = how


def missing_parts(item: pytest.Item) -> list[str]:
    """The parts this test needs and the machine lacks; an unknown name is the test's own fault."""
    needed = [part for mark in item.iter_markers("needs") for part in mark.args]
    unknown = [part for part in needed if part not in PARTS]
    if unknown:
        raise pytest.UsageError(
            f"{item.nodeid} needs unknown parts {unknown}; tests/real_parts.py knows {list(PARTS)}"
        )
    return [part for part in needed if PARTS[part]() is None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves what is marked `long` to `--long`. With `--here`, deselects what cannot run and remembers it."""
    if not config.getoption("--long"):
        _deselect(config, items, {item.nodeid for item in items if item.get_closest_marker("long")})
    lacking = {item.nodeid: parts for item in items if (parts := missing_parts(item))}
    if not config.getoption("--here") or not lacking:
        return
    config.stash[_left_out_key].update(lacking)
    _deselect(config, items, lacking.keys())


def _deselect(config: pytest.Config, items: list[pytest.Item], gone: Container[str]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in gone])
    items[:] = [item for item in items if item.nodeid not in gone]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fails a test whose part is missing: a skip would let a machine without it call itself green."""
    if lacking := missing_parts(item):
        pytest.fail(f"this machine lacks {', '.join(lacking)}; ./gate test installs it", pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A parallel worker hands its list to the process that writes the summary."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash[_left_out_key]
        output["otherwise"] = session.config.stash[_otherwise_key]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes a worker's list; all workers collect the same tests, so their lists agree."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    output = getattr(node, "workeroutput", {})
    config.stash[_left_out_key].update(output.get("left_out", {}))
    config.stash[_otherwise_key].update(output.get("otherwise", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names what was done in another way, and what `--here` left out, before pytest's own last line."""
    if otherwise := config.stash[_otherwise_key]:
        terminalreporter.section("done in another way on this machine")
        for nodeid, how in sorted(otherwise.items()):
            terminalreporter.write_line(f"{nodeid}: {how}")
    if not config.getoption("--here"):
        return
    left_out = config.stash[_left_out_key]
    terminalreporter.section("left out, because this machine lacks what they need")
    for nodeid, parts in sorted(left_out.items()):
        terminalreporter.write_line(f"{nodeid}: {', '.join(parts)}")
    if not left_out:
        terminalreporter.write_line("nothing")
