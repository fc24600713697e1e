"""From nothing to a sign-in: what is counted is what is typed, and what is typed stands where its reader expects it."""

from pathlib import Path

import pytest

from benchmarks.five_minutes import BEGIN, END, Tried, as_table, write
from benchmarks.recipes import RECIPES, Recipe, Written
from tests.servers import ROOT

README = (ROOT / "README.md").read_text()


def test_lines_go_before_the_line_that_is_named(tmp_path: Path) -> None:
    """The file that a command made keeps everything else; an unknown place is an error, never the end of the file."""
    page = tmp_path / "urls.py"
    page.write_text("from a import b\n\nurlpatterns = [\n    path('admin/', 1),\n]\n")
    write(Written("urls.py", "    path('more/', 2),\n", before="    path('admin/'"), tmp_path)
    assert page.read_text() == (
        "from a import b\n\nurlpatterns = [\n    path('more/', 2),\n    path('admin/', 1),\n]\n"
    )
    with pytest.raises(ValueError, match="substring"):
        write(Written("urls.py", "x\n", before="nowhere"), tmp_path)
    write(Written("new.py", "first\n\nsecond\n"), tmp_path)
    assert (tmp_path / "new.py").read_text() == "first\n\nsecond\n"


def test_empty_lines_are_not_counted() -> None:
    """Neither for us nor for a rival."""
    recipe = Recipe("one", "", ("make it", Written("a", "x\n\n  \ny\n"), "serve it"), (), "/", "")
    assert (recipe.commands, recipe.lines) == (2, 2)
    assert as_table([Tried(recipe, 12.4)]).splitlines()[2] == "| one | 2 | 2 | 12 |  |"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_readme_shows_what_was_counted(recipe: Recipe) -> None:
    """Commands and lines of each contender, as its recipe has them now."""
    table = README.split(BEGIN)[1].split(END)[0]
    assert f"| {recipe.name} | {recipe.commands} | {recipe.lines} |" in table


def test_what_is_typed_for_us_stands_in_the_readme() -> None:
    """The program of the recipe is that of the README, as far as it goes."""
    (recipe,) = [one for one in RECIPES if one.name == "Gatepost, in an application"]
    (program,) = [step for step in recipe.steps if isinstance(step, Written)]
    for line in program.text.splitlines()[:6]:
        assert line in README
