"""What a type checker of an application sees of our classes: no attribute whose type it would have to guess."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.toolchain.test_house_rules import SOURCES, name_of


def guessed(source: str) -> list[str]:
    """Public attributes that a public class makes without saying their type.

    A parameter's own type is said already, and so are the attributes of a class that is not ours.
    """
    tree = ast.parse(source)
    foreign = set(imported_from_others(tree))
    said = {
        one.target.attr for one in ast.walk(tree) if isinstance(one, ast.AnnAssign) and is_own(one.target)
    }  # type: ignore[attr-defined]
    classes = [
        one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and not one.name.startswith("_")
    ]
    return [
        f"{one.name}.{name}"
        for one in classes
        if not foreign & {base.id for base in one.bases if isinstance(base, ast.Name)}
        for name in made_by(one)
        if not name.startswith("_") and name not in said
    ]


def imported_from_others(tree: ast.Module) -> Iterator[str]:
    """Names that come from no module of ours."""
    for one in ast.walk(tree):
        if isinstance(one, ast.ImportFrom) and not (one.module or "").startswith("gatepost"):
            yield from (alias.asname or alias.name for alias in one.names)


def is_own(target: ast.AST) -> bool:
    """Whether it is an attribute of `self`."""
    return (
        isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    )


def made_by(one: ast.ClassDef) -> Iterator[str]:
    """Attributes to which `__init__` assigns anything but a bare name."""
    for method in one.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            lines = [line for line in ast.walk(method) if isinstance(line, ast.Assign)]
            made = [line.targets[0] for line in lines if not isinstance(line.value, ast.Name)]
            yield from (
                target.attr for target in made if isinstance(target, ast.Attribute) and is_own(target)
            )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_public_attributes_say_their_type(path: Path) -> None:
    """Checkers infer differently; a declared type is the same to all of them."""
    assert guessed(path.read_text()) == []


def test_the_rule_holds_at_its_boundary() -> None:
    """A call is a guess; a parameter, a private name, a private class and a foreign one are none."""
    body = "    def __init__(self, size: int) -> None:\n        self.{} = {}\n"
    assert guessed("class Box:\n" + body.format("size", "int(size)")) == ["Box.size"]
    assert guessed("class Box:\n" + body.format("size: int", "int(size)")) == []
    for kind, name, value in (
        ("Box", "size", "size"),
        ("Box", "_size", "int(size)"),
        ("_Box", "size", "int(size)"),
    ):
        assert guessed(f"class {kind}:\n" + body.format(name, value)) == []
    assert guessed("from a import Crate\nclass Box(Crate):\n" + body.format("size", "int(size)")) == []
