"""A reader's two terminals: the server in one, the page's other commands in a single shell in the other.

The reader has a fresh copy of the checkout and an empty home. Making the environment again is left to continuous
integration, which starts from a bare clone: here `.gate/serve` is a new environment that borrows the packages of the
one that runs the tests, stamped as `gate` would stamp it. The server takes a free port, so that the test also passes
where 8400 is taken, and `localhost:8400` in the page becomes that address. Nothing else is changed.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITTEN_ADDRESS = "localhost:8400"
_SERVED = ("gate", "requirements", "src")
_MARK = "=== end of a block ==="


class Terminal:
    """A copy of the checkout in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.checkout = (folder / "gatepost").resolve()
        self.home = folder / "home"
        self.address = WRITTEN_ADDRESS
        self.home.mkdir()
        self.checkout.mkdir()
        for name in _SERVED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.checkout / name)
        self._borrow_environment()

    def environment(self) -> dict[str, str]:
        """The variables of a new user's shell, and a free port."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "GATEPOST_SERVER__PORT": "0",
        }

    def as_served(self, text: str) -> str:
        """A text of the page with the address that the server really has."""
        return text.replace(WRITTEN_ADDRESS, self.address)

    @contextmanager
    def serving(self, commands: str) -> Iterator[str]:
        """Run the block that serves, in the background; what it has printed up to the line with the link."""
        log = self.checkout.parent / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-euc", commands],
                cwd=self.checkout,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                # Ctrl+C in a terminal reaches everything that runs in it, not the shell alone.
                start_new_session=True,
            )
        try:
            printed = _banner(process, log)
            self.address = printed.splitlines()[-1].split("/")[2]
            yield printed
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=120)
        assert "Traceback" not in log.read_text()

    def run(self, blocks: list[str]) -> list[str]:
        """Run blocks one after the other in one shell; what each printed. A failing command fails the test."""
        script = "".join(f"{self.as_served(block)}printf '\\n%s\\n' '{_MARK}'\n" for block in blocks)
        done = subprocess.run(
            ["sh", "-eu"],
            input=script,
            cwd=self.checkout,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        printed = done.stdout.split(_MARK)[:-1]
        assert done.returncode == 0, f"{done.stderr}\nafter block {len(printed)} of\n{script}"
        return [text.strip("\n") for text in printed]

    def _borrow_environment(self) -> None:
        made = self.checkout / ".gate/serve"
        venv.create(made, symlinks=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(made), "platbase": str(made)})
        borrowed = [str(self.checkout / "src"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        Path(packages, "gatepost-checkout.pth").write_text("\n".join(borrowed) + "\n")
        lock = (self.checkout / "requirements/serve.lock").read_bytes()
        checksum = (
            subprocess.run(["cksum"], input=lock, capture_output=True, check=True).stdout.decode().strip()
        )
        version = ".".join(map(str, sys.version_info[:3]))
        (made / "gate-stamp").write_text(f"{version} {checksum} {self.checkout}\n")


def _banner(process: subprocess.Popen[str], log: Path) -> str:
    """Standard output up to the link that ends the banner."""
    assert process.stdout is not None
    printed = ""
    while "/invite/" not in printed:
        line = process.stdout.readline()
        assert line, f"no link in the banner:\n{printed}\n{log.read_text()}"
        printed += line
    return printed
