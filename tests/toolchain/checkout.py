"""A copy of ./gate beside stand-ins for the machine's programs, so that no test installs anything.

The stand-ins are programs of the system (apt-get, id, sudo, an interpreter without ensurepip); `gate` itself
and Python are real.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_COMMANDS = ("sh", "cat", "cksum", "dirname", "mkdir", "rm", "env", "getconf", "true", "cp")

# Behaves as the real interpreter, but makes a small environment in which `-m` only tells how it was called.
PYTHON = f"""#!/bin/sh
case "$1 ${{2-}}" in
    "-c import ensurepip, venv") [ ! -e "$MACHINE/no-ensurepip" ]; exit ;;
    "-m venv") echo made >>"$MACHINE/made"; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit ;;
    "-m pip") echo "$*" >>"$MACHINE/pip"; [ ! -e "$MACHINE/pip-fails" ]; exit ;;
    "-c import pathlib"*) exit ;;
    "-P -m") shift 2; echo "runs $*"; exit ;;
esac
exec {sys.executable} "$@"
"""


class Checkout:
    """A directory with `gate`, two small locks and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.machine = folder / "machine"
        self.programs = self.machine / "bin"
        (self.root / "requirements").mkdir(parents=True)
        self.programs.mkdir(parents=True)
        shutil.copy(ROOT / "gate", self.root / "gate")
        self.serve_lock = self.root / "requirements/serve.lock"
        self.serve_lock.write_text("one==1\n")
        (self.root / "requirements/dev.lock").write_text("one==1\n")
        for name in SYSTEM_COMMANDS:
            (self.programs / name).symlink_to(str(shutil.which(name)))
        self.program("id", "echo 1000")

    def program(self, name: str, body: str) -> None:
        """Puts a program on this machine's PATH."""
        path = self.programs / name
        path.write_text(body if body.startswith("#!") else f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def environment(self, **variables: str) -> dict[str, str]:
        """What `gate` sees: no more than this machine's PATH."""
        return {"PATH": str(self.programs), "MACHINE": str(self.machine), **variables}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Starts `./gate ARGUMENTS` and returns at once."""
        return subprocess.Popen(
            ["/bin/sh", str(self.root / "gate"), *arguments],
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `./gate ARGUMENTS`."""
        process = self.start(*arguments, **variables)
        out, error = process.communicate(timeout=200)
        return process.returncode, out, error

    def lines(self, name: str) -> list[str]:
        """What the stand-ins wrote down."""
        path = self.machine / name
        return path.read_text().splitlines() if path.exists() else []
