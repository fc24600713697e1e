"""What was measured with: versions of everything that could change a figure."""

import os
import platform
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

import msgspec
from cryptography.hazmat.backends.openssl import backend

from benchmarks.processes import rival

_PACKAGES: Final = (
    "gatepost",
    "cryptography",
    "argon2-cffi",
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "msgspec",
    "sqlalchemy",
    "itsdangerous",
    "pyjwt",
    "joserfc",
    "authlib",
)


def rival_versions(python: str) -> Mapping[str, str]:
    """What the rivals' environment has of them."""
    return msgspec.json.decode(rival(python, "rivals_serving", "versions"), type=dict[str, str])


def versions() -> dict[str, str]:
    """The machine, the interpreter, the libraries."""
    import gatepost  # noqa: PLC0415

    found = {name: version(name) for name in _PACKAGES if name != "gatepost"}
    return {
        "Gatepost": gatepost.__version__,
        "CPython": platform.python_version(),
        platform.system(): f"{platform.machine()}, {os.cpu_count()} cores",
        "OpenSSL": backend.openssl_version_text().split()[1],
        "SQLite": sqlite3.sqlite_version,
        **found,
    }
