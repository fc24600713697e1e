"""Servers as child processes: started, waited for, looked at from outside, stopped.

What a child costs is read from the kernel's own books, which a busy machine does not falsify. Where there are none
(not Linux) the figure is left out.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_PATIENCE: Final = 30.0
_LONGEST: Final = 120.0
_BOOKS: Final = Path("/proc/self/schedstat")


@dataclass(frozen=True, slots=True)
class Child:
    """A running server. `ready_after` is how long it took from its start to its first answer, in seconds."""

    pid: int
    port: int
    ready_after: float

    def cpu_seconds(self) -> float | None:
        """How long its threads have been on a core since they began, None where the kernel does not say."""
        if not _BOOKS.exists():
            return None
        spent = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def megabytes(self) -> float | None:
        """Its resident memory, None where the kernel does not say."""
        return resident(self.pid)


def resident(pid: int) -> float | None:
    """The resident memory of a process in megabytes (10^6 bytes)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:"))


@contextmanager
def server(
    name: str, path: str, core: int | None = None, kept: Path | None = None, beside: Child | None = None
) -> Iterator[Child]:
    """One of `servers.py`, once it answers 200 at `path`; stopped at the end. Its folder is new, or `kept`.

    `beside` another on the same folder it is one more process of the same issuer, with a socket of its own.
    """
    with TemporaryDirectory(prefix="gatepost-bench-") as fresh, _listening() as listening:
        port = listening.getsockname()[1]
        known_as = beside.port if beside else port
        command = ["benchmarks.servers", name, str(kept or fresh), str(known_as), str(listening.fileno())]
        paths = os.pathsep.join(filter(None, sys.path))
        began = time.perf_counter()
        with _running([sys.executable, "-m", *command], listening, paths, core) as process:
            _wait_for(process, port, f"localhost:{known_as}", path)
            yield Child(process.pid, port, time.perf_counter() - began)


@contextmanager
def rival_server(python: str, name: str, folder: Path, core: int | None = None) -> Iterator[Child]:
    """One of `rivals_serving.py` on a folder that was prepared, by the interpreter of the rivals' environment."""
    with _listening() as listening:
        port = listening.getsockname()[1]
        command = ["benchmarks.rivals_serving", "serve", name, str(folder), str(listening.fileno())]
        began = time.perf_counter()
        with _running([python, "-m", *command], listening, "", core) as process:
            _wait_for(process, port, f"localhost:{port}", "/ready")
            ready_after = time.perf_counter() - began
            yield Child(_worker_of(process.pid), port, ready_after)


def rival(python: str, module: str, *arguments: str, given: str = "") -> str:
    """What a module prints that runs in the rivals' environment. Raises OSError, subprocess.SubprocessError."""
    return subprocess.run(
        [python, "-m", f"benchmarks.{module}", *arguments],
        cwd=_ROOT,
        env=_environment(""),
        check=True,
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_LONGEST,
    ).stdout


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        # Inherited by every connection: gunicorn sends head and body apart, and the second would wait for an ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield listening


@contextmanager
def _running(
    command: Sequence[str], listening: socket.socket, paths: str, core: int | None
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, cwd=_ROOT, env=_environment(paths), pass_fds=(listening.fileno(),))
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _environment(paths: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": paths} if paths else kept


def _worker_of(pid: int) -> int:
    """The one child that a process has, as gunicorn has its worker; itself if it has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return pid
    return int(children[0]) if len(children) == 1 else pid


def _wait_for(process: "subprocess.Popen[bytes]", port: int, host: str, path: str) -> None:
    # The socket listens already, so the first request waits in its queue until somebody accepts it.
    connection = http.client.HTTPConnection("localhost", port, timeout=_PATIENCE)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the server answered {answer.status} at {path}")
    if process.poll() is not None:
        raise RuntimeError(f"the server ended with {process.returncode}")


@contextmanager
def two_cores() -> Iterator[tuple[int | None, int | None]]:
    """A core for the servers and another for whoever asks them; (None, None) where that cannot be chosen."""
    if not hasattr(os, "sched_setaffinity") or len(mine := os.sched_getaffinity(0)) < 2:
        yield None, None
        return
    theirs, ours = sorted(mine)[:2]
    os.sched_setaffinity(0, {ours})
    try:
        yield theirs, ours
    finally:
        os.sched_setaffinity(0, mine)
