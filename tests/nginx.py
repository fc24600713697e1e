"""A real nginx for tests: one process with a configuration of its own, from when it listens until the block ends.

Owns the process, its folder and what every configuration needs around a page's own block. Which servers stand behind
it is the tests' affair.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.real_parts import find_nginx


def whole_file(block: str, folder: Path) -> str:
    """A `server` block of a page, made into the whole configuration of an nginx that keeps to `folder`."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    # Started by root, its workers would be somebody who may not write to this folder.
    user = "user root;\n" if os.getuid() == 0 else ""
    return (
        f"{user}worker_processes 1;\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{block}}}\n"
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def nginx(folder: Path, text: str, port: int) -> Iterator[None]:
    """An nginx of its own, from when it listens."""
    folder.mkdir()
    (folder / "nginx.conf").write_text(text)
    program = find_nginx()
    assert program
    arguments = [
        program,
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        str(folder / "error.log"),
    ]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "nginx did not begin to listen"
            time.sleep(0.01)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        process.communicate(timeout=60)


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20):
        return True
    return False
