"""An example on trial: its own module, started by `gatepost.testing`, and reached by a browser over a real port.

So its clock can be turned while somebody looks at its pages. Asserts nothing.
"""

import importlib.util
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import uvicorn

from gatepost import testing
from tests.examples.applications import ROOT


@dataclass(frozen=True, slots=True)
class Staged:
    """An example that runs: its module, where it answers, and what may happen to its people."""

    module: ModuleType
    url: str
    trial: testing.Trial


def load(name: str, folder: Path) -> ModuleType:
    """The module of an example, as if nobody had imported it before; `folder` becomes the working directory."""
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        spec.loader.exec_module(module)
    return module


@contextmanager
def staged(name: str, folder: Path) -> Iterator[Staged]:
    """Start an example and serve it at a free port of this machine."""
    module = load(name, folder)
    with testing.trial(module.app, module.auth) as trial, _served(module) as url:
        yield Staged(module, url, trial)


@contextmanager
def _served(module: ModuleType) -> Iterator[str]:
    # The trial has begun the lifespan.
    server = uvicorn.Server(uvicorn.Config(module.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
