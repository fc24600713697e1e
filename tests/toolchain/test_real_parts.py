"""A test that needs a real part of the machine never passes by being skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toolchain.checkout import ROOT

SUITE = """
import pytest

@pytest.mark.needs("chromium")
def test_in_a_browser():
    pass

@pytest.mark.needs("chromium", "certutil")
def test_in_a_browser_over_tls():
    pass

def test_anywhere():
    pass

def test_size(request):
    assert request.config.getoption("--long") in (True, False)
"""
INI = "[pytest]\nmarkers =\n    needs(*parts): real parts\n    long: with --long only\n"


def run_suite(folder: Path, *options: str, parts: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and output of pytest over the small suite, on a PATH that has only the given programs."""
    programs = folder / "bin"
    programs.mkdir()
    for name in parts:
        (programs / name).symlink_to("/bin/true")
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.real_parts", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={"PATH": str(programs), "PYTHONPATH": os.pathsep.join([str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_missing_part_is_a_failure(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Without `--here` no test that lacks a part passes, and each says which."""
    code, output = run_suite(tmp_path, *workers)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "this machine lacks chromium, certutil; ./gate test installs it" in output
    assert "2 passed, 2 errors" in output.splitlines()[-1]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_here_leaves_out_what_cannot_run_and_lists_it(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """With `--here` the rest runs, each test left out is named with what it lacks, and nothing counts as skipped."""
    code, output = run_suite(tmp_path, "--here", *workers, parts=("certutil",))
    assert code == pytest.ExitCode.OK
    assert "test_suite.py::test_in_a_browser: chromium" in output.splitlines()
    assert "test_suite.py::test_in_a_browser_over_tls: chromium" in output.splitlines()
    assert "2 passed" in output.splitlines()[-1]
    assert "skipped" not in output


def test_what_is_long_runs_with_long_only(tmp_path: Path) -> None:
    """It is neither a failure nor a skip without it, though its part be missing; with it, it is a test like any."""
    (tmp_path / "test_long.py").write_text(
        'import pytest\n\n@pytest.mark.long\n@pytest.mark.needs("chromium")\ndef test_it():\n    pass\n'
    )
    code, output = run_suite(tmp_path, "test_long.py", "test_suite.py::test_anywhere")
    assert (code, "1 passed, 1 deselected" in output) == (pytest.ExitCode.OK, True)
    (tmp_path / "bin").rename(tmp_path / "before")
    code, output = run_suite(tmp_path, "test_long.py", "--long")
    assert (code, "this machine lacks chromium" in output) == (pytest.ExitCode.TESTS_FAILED, True)


def test_whole_machine_runs_everything(tmp_path: Path) -> None:
    """With every part there, under any of its names, all tests run."""
    code, output = run_suite(tmp_path, "--long", parts=("google-chrome", "certutil"))
    assert code == pytest.ExitCode.OK
    assert "4 passed" in output.splitlines()[-1]


def test_unknown_part_is_an_error(tmp_path: Path) -> None:
    """A misspelt part would otherwise never be missing."""
    (tmp_path / "test_misspelt.py").write_text(
        'import pytest\n\n@pytest.mark.needs("chromum")\ndef test_it():\n    pass\n'
    )
    code, output = run_suite(tmp_path)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "needs unknown parts ['chromum']" in output
