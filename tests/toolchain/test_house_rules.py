"""Sizes and names that keep the code readable, for every Python file of the project."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "benchmarks", "examples")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
SOURCES = [path for path in FILES if path.is_relative_to(ROOT / "src")]
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
ASKING = {
    "get",
    "head",
    "options",
    "post",
    "put",
    "patch",
    "delete",
    "request",
    "stream",
    "Client",
    "AsyncClient",
}
EMPTY_WORDS = {"utils", "helpers", "common", "manager", "data", "info", "misc", "base"}


def name_of(path: Path) -> str:
    """A file's name in a test report."""
    return str(path.relative_to(ROOT))


def long_functions(source: str) -> list[str]:
    """Functions longer than the limit, decorators and docstring left out of the count."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            lines = (node.end_lineno or first.lineno) - first.lineno + 2
            if lines > MAX_FUNCTION_LINES:
                found.append(f"{node.name}: {lines} lines")
    return found


def impatient_calls(source: str) -> list[str]:
    """Calls of the HTTP client over a real network that leave its five seconds as they are."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("httpx2."):
            word, given = ast.unparse(node.func).partition(".")[2], {one.arg for one in node.keywords}
            if word in ASKING and not given & {"timeout", "transport", None}:
                found.append(f"line {node.lineno}: {word}")
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_keep_their_sizes(path: Path) -> None:
    """A file has at most 400 lines, a function at most 40."""
    source = path.read_text()
    assert len(source.splitlines()) <= MAX_FILE_LINES
    assert not long_functions(source)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_classes_are_named_for_their_subject(path: Path) -> None:
    """No file or class is called by a word that says nothing."""
    classes = {
        node.name.lower() for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    }
    assert not {path.stem.lower(), path.parent.name.lower(), *classes} & EMPTY_WORDS


def test_whoever_asks_a_real_server_says_how_long_it_waits() -> None:
    """On a busy machine a sign-in takes longer than the client's own five seconds, and that is no fault of ours."""
    tests = [path for path in FILES if path.is_relative_to(ROOT / "tests")]
    assert [name_of(path) for path in tests if impatient_calls(path.read_text())] == []


@pytest.mark.parametrize(
    ("call", "impatient"),
    [
        ("httpx2.get(url)", True),
        ("httpx2.get(url, timeout=20)", False),
        ("httpx2.Client(transport=wire)", False),
        ("httpx2.Response(200)", False),
    ],
)
def test_the_rule_of_patience_knows_who_asks(call: str, impatient: bool) -> None:
    """A request, and what makes them; not an answer that a test writes."""
    assert bool(impatient_calls(call)) is impatient


@pytest.mark.parametrize(("body_lines", "too_long"), [(39, False), (40, True)])
def test_the_size_rule_holds_at_its_boundary(body_lines: int, too_long: bool) -> None:
    """Forty lines with the `def` pass, one more does not."""
    source = "def sized():\n" + "    x = 1\n" * body_lines
    assert bool(long_functions(source)) is too_long
