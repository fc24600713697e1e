"""The wheel: everything a `pip install gatepost` needs to run, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.toolchain.checkout import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built without network."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=200)
    (built,) = target.glob("*.whl")
    return zipfile.ZipFile(built)


def test_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Templates, static files, migrations and `py.typed` are delivered beside the modules."""
    package = ROOT / "src/gatepost"
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {str(Path("gatepost") / path.relative_to(package)) for path in files}
    delivered = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert "gatepost/py.typed" in expected
    assert delivered == expected


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    """`gatepost` is on the PATH after an installation."""
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "gatepost = gatepost.cli:main" in wheel.read(entry_points).decode()
