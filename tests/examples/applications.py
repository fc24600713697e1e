"""A FastAPI application as its author would run it: uvicorn in a process of its own, in an empty folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RUNNING = re.compile(r"running on (http://[\d.]+:\d+)")


def environment_of(folder: Path) -> dict[str, str]:
    """Variables for a program that belongs to an application in this folder: nothing of the tester's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
        "LC_ALL": "C.UTF-8",
    }


@contextmanager
def running(module: Path, folder: Path, python: str = sys.executable) -> Iterator[str]:
    """Serve `app` of a module with `folder` as working directory; the address it answers at."""
    command = [
        python,
        "-m",
        "uvicorn",
        f"{module.stem}:app",
        "--app-dir",
        str(module.parent),
        "--port",
        "0",
    ]
    log = folder / "uvicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment_of(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(timeout=120)
    assert process.returncode in {0, -15}, log.read_text()
    assert "Traceback" not in log.read_text()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(1200):
        if found := _RUNNING.search(log.read_text()):
            return found[1].replace("127.0.0.1", "localhost")
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"uvicorn did not start:\n{log.read_text()}")
