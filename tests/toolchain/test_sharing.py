"""Tests that share a server share a worker, or it would be started in each of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sharing import ROOT, sharers

_SOURCE = """
import os
import pytest

@pytest.fixture(scope="module")
def dear():
    pass

@pytest.mark.parametrize("number", range(6))
def test_shares(dear, number):
    with open("workers.txt", "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


@pytest.mark.parametrize(
    ("nodeid", "shared"),
    [
        ("tests/cli/test_serving.py::test_a[ES256]", "tests/cli/test_serving.py"),
        ("tests/core/test_emails.py::test_a[one]", "tests/core/test_emails.py::test_a[one]"),
        ("tests/attacks/test_forged_tokens.py::test_a[ES256]", "attacks of ES256"),
        ("tests/attacks/test_forged_tokens.py::test_a[none-EdDSA-late]", "attacks of EdDSA"),
        ("tests/attacks/test_forged_tokens.py::test_a", "tests/attacks/test_forged_tokens.py"),
        ("tests/attacks/test_stolen_key.py::test_a[ES256]", "tests/attacks/test_stolen_key.py"),
        ("tests/examples/test_tasks.py::test_a", "tests/examples/test_tasks.py"),
    ],
)
def test_what_is_made_once_keeps_its_tests_together(nodeid: str, shared: str) -> None:
    """A file's own fixtures, those of its folder, and the servers of one algorithm over all files."""
    assert sharers(nodeid) == shared


def test_every_run_hands_its_tests_out_so(pytestconfig: pytest.Config) -> None:
    """`./gate test` asks for it, and it is there to be asked."""
    assert "--dist loadgroup" in (ROOT / "gate").read_text()
    assert pytestconfig.pluginmanager.hasplugin("tests.sharing")


def test_workers_take_a_file_that_shares_as_one_piece(tmp_path: Path) -> None:
    """With two workers and one file, all of its tests run in one of them."""
    (tmp_path / "test_dear.py").write_text(_SOURCE)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.sharing"),
            *("-n", "2", "--dist", "loadgroup", "test_dear.py", f"--rootdir={tmp_path}"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(set((tmp_path / "workers.txt").read_text().split())) == 1
