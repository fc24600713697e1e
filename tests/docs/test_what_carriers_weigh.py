"""The table "Carriers" of docs/concepts.md: the sizes it states, and that it names every carrier."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatepost.core.sessions import Carrier
from tests.docs.household import Household

PAGE = (Path(__file__).resolve().parents[2] / "docs/concepts.md").read_text()
TABLE = PAGE.partition("\n## Carriers\n")[2].partition("\n## ")[0]


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """An authority of its own for each test."""
    house = Household(tmp_path)
    yield house
    house.authority.stop()


def stated() -> dict[str, str]:
    """For each carrier what the table says of its size."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.splitlines()
        if line.startswith("|")
    ]
    (sizes,) = (row for row in rows if row[0].startswith("size"))
    return {name.strip("`"): size for name, size in zip(rows[0][1:], sizes[1:], strict=True)}


def test_the_table_names_every_carrier() -> None:
    """In the order of the code."""
    assert list(stated()) == [carrier.value for carrier in Carrier]


@pytest.mark.parametrize(
    ("this", "other"), [(Carrier.COOKIE, Carrier.SEALED), (Carrier.TOKEN, Carrier.TOKEN_COOKIE)]
)
def test_carriers_are_about_as_long_as_stated(household: Household, this: Carrier, other: Carrier) -> None:
    """Within a tenth: what each has to show, as long as it is. The issuer's own name counts, so it is only about."""
    household.people(this, other)
    for name, carrier in (("this", this), ("other", other)):
        held = household.held[name]
        shown = held.cookie if isinstance(held.credential, str) else held.access
        whole = len(shown) + (len(held.refresh) if carrier is Carrier.TOKEN_COOKIE else 0)
        (number,) = re.findall(r"(\d+)(?: characters|;)", stated()[carrier.value])
        assert int(number) * 0.9 < whole < int(number) * 1.1
