"""A real server for tests: `python -m gatepost serve` on a free port, with a data folder of its own.

Owns the process from its start to its end, however it ends. Knows the banner, and nothing of what is asked over HTTP.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
_OURS = ("GATEPOST_", "DATABASE_URL", "REDIS_URL", "PORT")
_START_SECONDS = 120.0
# Where the bound is not the subject: a machine that stands still for a second has lost no log.
STEADY = {"GATEPOST_REVOCATION__BOUND": "15s"}
# For a `gatepost.toml`: a guard against guessing would answer in place of what a fuzzer is to find.
UNHURRIED = """
docs = true
[limits]
visits_per_minute = 1000000
sign_ups_per_minute = 1000000
[guesses]
per_account = 1000
per_address = 1000000
overall = 100000000
"""


def clean_environment(**variables: str) -> dict[str, str]:
    """This machine's environment without any setting of ours, the checkout's sources, and then `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **variables}


def program() -> list[str]:
    """How to start the program, without its arguments."""
    return [sys.executable, "-m", "gatepost"]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    error: str


def run_gatepost(
    *arguments: str | Path,
    folder: Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    seconds: float = 120.0,
) -> Finished:
    """Run `gatepost ARGUMENTS` in `folder` with `stdin` as its input, as a process of its own."""
    done = subprocess.run(
        [*program(), *map(str, arguments)],
        cwd=folder,
        env=clean_environment(**(environment or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class RunningServer:
    """A server process, running from construction on. Leaving the block stops it.

    `folder` becomes its working directory, with the data in `folder/data`. `options` are added to `serve --port 0`.
    """

    def __init__(
        self, folder: Path, *options: str | Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.banner: list[str] = []
        self.url = ""
        self.invite_link: str | None = None
        self._options = [str(option) for option in options]
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def invite_secret(self) -> str:
        """The secret of the banner's one-time link; fails if there was none."""
        assert self.invite_link is not None, self.banner
        return self.invite_link.rpartition("/")[2]

    @property
    def journal(self) -> str:
        """Everything this server and those before it in the same folder wrote to stderr."""
        return self._journal_file.read_text()

    def start(self) -> None:
        """Start the process and come back when it answers. A restart takes the port it had before."""
        with self._journal_file.open("a") as journal:
            self._process = subprocess.Popen(
                [*program(), "serve", "--port", self._port, *self._options],
                cwd=self.folder,
                env=clean_environment(**self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=journal,
                text=True,
            )
        self._read_banner()

    def stop(self) -> int:
        """End it gracefully (SIGTERM); its exit code. A server that has ended already is left alone."""
        return self.end(signal.SIGTERM)

    def kill9(self) -> None:
        """End it as a power failure of the process would: nothing of it runs any more."""
        self.end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop it in its tracks (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop it, if it still runs, and start it on the same data and port."""
        self.stop()
        self.start()

    def command(self, *arguments: str, stdin: str = "") -> Finished:
        """Run another `gatepost` command beside the server, on its data."""
        where = ["--data", str(self.data)]
        return run_gatepost(
            *arguments, *where, folder=self.folder, stdin=stdin, environment=self._environment
        )

    @property
    def _journal_file(self) -> Path:
        return self.folder / "journal.txt"

    def _read_banner(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        stdout = self._process.stdout

        def forward() -> None:
            for line in stdout:
                lines.put(line.rstrip("\n"))
            lines.put("")

        self._reader = threading.Thread(target=forward, daemon=True)
        self._reader.start()
        self.banner = []
        while not self.banner or not _is_last(self.banner[-1]):
            try:
                line = lines.get(timeout=_START_SECONDS)
            except queue.Empty:
                line = ""
            if not line:
                self.kill9()
                raise AssertionError(f"the server did not start: {self.banner}\n{self.journal}")
            self.banner.append(line)
        place = next(line for line in self.banner if line.startswith("Sign in at "))
        self.url = place.removeprefix("Sign in at ").removesuffix("/sign-in")
        self.invite_link = self.banner[-1] if "/invite/" in self.banner[-1] else None
        self._port = self.url.partition("://")[2].partition("/")[0].rpartition(":")[2]

    def end(self, number: int) -> int:
        """End it with this signal and wait; its exit code."""
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
            # A paused process takes no other signal than SIGKILL.
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        code = process.wait(timeout=120)
        if process.stdout is not None:
            self._reader.join()
            process.stdout.close()
        return code


def _is_last(line: str) -> bool:
    return "/invite/" in line or line.startswith("Administration at ")
