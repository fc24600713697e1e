"""The reference pages are what the code says now."""

import pytest

from tests.docs.reference import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_reference_pages_are_written_by_the_code(name: str) -> None:
    """`python -m tests.docs.reference` would change nothing."""
    assert (DOCS / name).read_text() == PAGES[name]()


def test_every_setting_says_what_it_is_for() -> None:
    """No row of the settings has an empty column."""
    rows = [line for line in PAGES["settings.md"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    for row in rows:
        assert all(cell.strip() for cell in row.strip("|").split(" | ")), row


def test_every_command_says_what_it_does() -> None:
    """No command and no option is without its sentence."""
    page = PAGES["commands.md"]()
    for command in page.split("\n## ")[1:]:
        usage, _, says = command.partition("```\n\n")
        assert says.strip(), usage
        assert not says.startswith("|"), usage
    for row in (line for line in page.splitlines() if line.startswith("| `")):
        assert row.strip("| ").partition("` | ")[2], row
