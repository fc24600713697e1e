"""What can be checked of the pages without running them: links, names of tests, the width of lines."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_LINE = 120
_LINK = re.compile(r"\]\(([^)]+)\)")
_TEST = re.compile(r"`(test_\w+)`")
_PATH = re.compile(r"`((?:src|tests|docs|examples|benchmarks)/[\w/.-]*)`")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors_of(page: Path) -> set[str]:
    """The anchors that headings of a page make."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pages
def test_links_lead_to_something(page: Path) -> None:
    """Every link inside the repository names a file and, after a hash, a heading in it."""
    for target in _LINK.findall(page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


@pages
def test_named_tests_exist(page: Path) -> None:
    """A statement that names its proof names a test that is there."""
    written = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    written += "\n".join(path.read_text() for path in (ROOT / "src/gatepost").rglob("*_suite.py"))
    for name in _TEST.findall(page.read_text()):
        assert f"def {name}(" in written, name


@pages
def test_named_paths_exist(page: Path) -> None:
    """A file or folder that a page names is in the repository."""
    for name in _PATH.findall(page.read_text()):
        assert (ROOT / name).exists(), name


def test_files_in_the_map_exist() -> None:
    """The map of the floors names files that are there."""
    (floors,) = re.findall(r"```text\n(errors\.py.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    there = {path.name for path in (ROOT / "src/gatepost").rglob("*.py")}
    named = set(re.findall(r"\b\w+\.py\b", floors))
    assert named
    assert named <= there, named - there


@pages
def test_lines_can_be_read_in_a_terminal(page: Path) -> None:
    """No line is wider than the code's widest, tables left out."""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        assert len(line) <= LONGEST_LINE or line.startswith("|"), f"line {number}"
