"""The rivals as servers, each in a process of its own: `python -m benchmarks.rivals_serving ACT NAME FOLDER ...`.

Runs in the rivals' environment and knows nothing of Gatepost. ASGI applications run as ours do; WSGI applications run
on gunicorn, which the documentation of Django and of Flask names first, with one worker and threads that keep
connections open. Started by `processes.py` only.
"""

import importlib
import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

MODULES: Final[Mapping[str, str]] = {
    "users_jwt": "rivals_users",
    "users_database": "rivals_users",
    "django_database": "rivals_django",
    "django_signed": "rivals_django",
    "simplejwt": "rivals_django",
    "starlette": "rivals_sessions",
    "flask": "rivals_sessions",
    "flask_session": "rivals_sessions",
}
_PACKAGES: Final = (
    "fastapi-users",
    "django",
    "djangorestframework",
    "djangorestframework-simplejwt",
    "starlette",
    "flask",
    "flask-session",
    "cachelib",
    "sqlalchemy",
    "aiosqlite",
    "pwdlib",
    "gunicorn",
    "uvicorn",
)
_ASGI: Final = {"users_jwt", "users_database", "starlette"}
_THREADS: Final = 4


def module_of(name: str) -> Any:
    """The module that knows how to make this rival. Raises ImportError where its libraries are not."""
    return importlib.import_module(f"benchmarks.{MODULES[name]}")


def main(act: str, name: str = "", folder: str = "", *rest: str) -> None:
    """`versions`; `prepare` its database with one account (E-MAIL PASSWORD); `serve` it on a socket (DESCRIPTOR)."""
    if act == "versions":
        print(json.dumps(dict(_versions())))
        return
    if act == "prepare":
        email, password = rest
        module_of(name).prepare(name, Path(folder), email, password)
        return
    (descriptor,) = rest
    if name in _ASGI:
        _serve_asgi(name, Path(folder), int(descriptor))
    else:
        _serve_wsgi(name, Path(folder), int(descriptor))


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _serve_asgi(name: str, folder: Path, descriptor: int) -> None:
    import uvicorn

    config = uvicorn.Config(
        module_of(name).make(name, folder),
        log_level="warning",
        access_log=False,
        lifespan="off",
        loop="uvloop",
        http="httptools",
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _serve_wsgi(name: str, folder: Path, descriptor: int) -> None:
    from gunicorn.app.base import BaseApplication

    class OneWorker(BaseApplication):
        """Loads the application in the worker, as gunicorn does without `--preload`."""

        def load_config(self) -> None:
            chosen = {
                "bind": f"fd://{descriptor}",
                "workers": 1,
                "worker_class": "gthread",
                "threads": _THREADS,
                "keepalive": 75,
                "graceful_timeout": 5,
                "loglevel": "error",
                "control_socket_disable": True,
            }
            for key, value in chosen.items():
                self.cfg.set(key, value)

        def load(self) -> Any:
            return module_of(name).make(name, folder)

    OneWorker().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
