"""What a commit answers."""

from gatepost.core.changes import Committed
from gatepost.core.revocation import Position


def test_a_commit_names_its_position_as_a_number_too() -> None:
    """The sequence of the whole position, for what carries only that."""
    assert Committed(Position("log", 7, "tag"), ()).pos == 7
