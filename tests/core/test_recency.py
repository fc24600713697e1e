"""How young a sign-in must be, to the very second, and what a clock that was set back means for it."""

from datetime import timedelta

import pytest

from gatepost.core.recency import is_recent
from gatepost.core.sessions import AHEAD
from gatepost.testing.clock import NOON

LIMIT = timedelta(minutes=15)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("age", "recent"),
    [
        (timedelta(), True),
        (LIMIT - INSTANT, True),
        (LIMIT, False),
        (timedelta(days=30), False),
        (-AHEAD, True),
        (-AHEAD - INSTANT, False),
    ],
)
def test_a_sign_in_is_recent_until_the_very_second(age: timedelta, recent: bool) -> None:
    """At the limit it is too old; a little in the future it is skew, further on nobody knows its age."""
    assert is_recent(NOON, LIMIT, NOON + age) is recent
