"""The page about OWASP ASVS 5.0.0: the list of its requirements is whole, and the page counts its verdicts right."""

import re
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs/asvs.md").read_text()
# The levels of the requirements of each section, in order, as the standard has them.
LEVELS: Final = {
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3", "3.7": "22333",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333", "6.6": "2223",
    "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "9.1": "111", "9.2": "1222",
}  # fmt: skip
VERDICTS: Final = ("met", "partly", "not met", "yours", "none here")
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d\.\d", line)
]
# What is met although no single test could show it: a page that says something, or something that is not there.
SHOWN_WITHOUT_A_TEST: Final = {
    "3.1.1",
    "3.2.3",
    "6.1.1",
    "6.1.2",
    "6.1.3",
    "6.2.10",
    "6.3.6",
    "6.4.2",
    "7.1.1",
}


def test_the_page_holds_every_requirement_of_the_four_chapters() -> None:
    """Each number of V3, V6, V7 and V9 once, in order, with its level."""
    wanted = [
        (f"{section}.{number}", level)
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
    ]
    assert [(row[0], row[1]) for row in ROWS] == wanted


def test_every_row_has_one_of_five_verdicts_and_says_why() -> None:
    """No empty cell, and no verdict that the page does not explain."""
    for number, _, subject, verdict, why in ROWS:
        assert verdict in VERDICTS, number
        assert subject, number
        assert why, number


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_are_counted_right(verdict: str) -> None:
    """The table at the top says for each chapter how many rows have it."""
    (line,) = re.findall(rf"^\| {verdict} \|[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
    counted = [
        sum(row[3] == verdict and row[0].startswith(chapter) for row in ROWS)
        for chapter in ("3.", "6.", "7.", "9.")
    ]
    assert [int(cell) for cell in line.split("|")] == counted


def test_what_is_met_names_its_test() -> None:
    """In its own row or by pointing at the row that does, but for what no test can show."""
    unproved = {
        number
        for number, _, _, verdict, why in ROWS
        if verdict == "met" and "`test_" not in why and "the tests of " not in why
    }
    assert unproved <= SHOWN_WITHOUT_A_TEST


def test_all_of_level_one_is_met_but_for_what_the_page_names() -> None:
    """The sentence at the top."""
    short = [row[0] for row in ROWS if row[1] == "1" and row[3] != "met"]
    assert short == ["6.2.4", "6.2.8"]
    assert "but for 6.2.4 and 6.2.8" in PAGE
