"""The pages for application authors: every Python block is put into the file it names, and the tests among them run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.walkthrough import blocks_of
from tests.examples.applications import ROOT, environment_of

PAGES = ["embedding.md", "hooks.md", "moving-your-code.md", "testing-your-application.md"]


@pytest.mark.parametrize("page", PAGES)
def test_snippets_of_the_page_run(page: str, tmp_path: Path) -> None:
    """In an empty folder, as a reader would save them; as many tests pass as the page shows."""
    files: dict[str, str] = {}
    for block in blocks_of((ROOT / "docs" / page).read_text()):
        assert block.language == "python"
        first, _, rest = block.text.partition("\n")
        name = first.removeprefix("# ")
        files[name] = f"{files.get(name, '')}{rest}\n\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    tests = sum(text.count("def test_") for text in files.values())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir=."]
    done = subprocess.run(
        [*command, "."],
        cwd=tmp_path,
        env={**environment_of(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = int(done.stdout.rpartition(" passed")[0].rpartition("\n")[2])
    assert passed >= tests >= 3
