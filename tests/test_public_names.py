"""The names that `import gatepost` promises, and what it does not import to give them."""

import importlib
import subprocess
import sys

import pytest

import gatepost

HEAVY = ("fastapi", "starlette", "sqlalchemy", "alembic", "uvicorn", "pydantic", "jinja2")
CHECKING = [name for name in gatepost.__all__ if name != "Gatepost"]


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs `program`, with the paths of this one."""
    paths = [path for path in sys.path if path]
    prelude = f"import sys; sys.path[:0] = {paths!r}\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + program], capture_output=True, text=True, timeout=200, check=False
    )


def test_names_are_sorted_and_stand_once() -> None:
    """One list, in order."""
    assert sorted(set(gatepost.__all__)) == gatepost.__all__


@pytest.mark.parametrize("name", gatepost.__all__)
def test_name_can_be_imported(name: str) -> None:
    """It is there, it is called so, and `dir` shows it."""
    found = getattr(importlib.import_module("gatepost"), name)
    assert found.__name__ == name
    assert found.__doc__
    assert name in dir(gatepost)


def test_name_that_is_not_promised_is_not_there() -> None:
    """An AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="Nothing"):
        _ = gatepost.Nothing


def test_errors_share_the_root() -> None:
    """`except gatepost.Refused` takes every refusal, `except gatepost.GatepostError` everything."""
    for name in ("Expired", "Malformed", "NotForUs", "Outdated", "Revoked", "Stale"):
        assert issubclass(getattr(gatepost, name), gatepost.Refused)
    assert issubclass(gatepost.Refused, gatepost.GatepostError)


@pytest.mark.parametrize("name", CHECKING)
def test_checking_needs_no_framework_and_no_database(name: str) -> None:
    """With FastAPI, SQLAlchemy and what comes with them blocked, the name is given all the same."""
    program = f"""
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
import gatepost
gatepost.{name}
"""
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_import_alone_loads_nothing_heavy() -> None:
    """`import gatepost` by itself costs no framework."""
    done = run(f"import gatepost; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
