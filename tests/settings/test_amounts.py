"""How durations and sizes are written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.settings.amounts import duration_text, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10m", 600),
        ("7d", 604_800),
        ("1h30m", 5400),
        ("2w", 1_209_600),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        (" 10s ", 10),
        ("90", 90),
        ("0.25", 0.25),
        (0, 0),
        (45, 45),
        (0.5, 0.5),
        (timedelta(hours=1), 3600),
    ],
)
def test_a_duration_is_read_in_every_documented_form(written: object, seconds: float) -> None:
    """Units, sums of units, bare seconds and ready values give the same kind of value."""
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "", "m", "10 m", "10x", "10m5", "-5", "-5m", "1e400", "nan", "inf", "9" * 40 + "d", "9" * 5000, "\u0661m",
        True, None, [], -1, -0.5, float("nan"), float("inf"), 10**400, timedelta(seconds=-1),
    ],
)  # fmt: skip
def test_what_is_not_a_duration_is_refused_in_words_that_show_one(written: object) -> None:
    """Negative, endless, overflowing, non-ASCII and foreign values are refused with an example."""
    with pytest.raises(ValueError, match="such as"):
        parse_duration(written)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=4000)))
def test_a_printed_duration_reads_back_as_itself(value: timedelta) -> None:
    """What `settings show` prints can be pasted into the file."""
    assert parse_duration(duration_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(minutes=10), "10m"),
        (timedelta(days=7), "7d"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(milliseconds=200), "200ms"),
        (timedelta(seconds=1, milliseconds=500), "1.5s"),
    ],
)
def test_durations_print_in_their_shortest_form(value: timedelta, text: str) -> None:
    """Whole units are used as far as they go."""
    assert duration_text(value) == text


@pytest.mark.parametrize(
    ("written", "size"),
    [("16KiB", 16_384), ("1 MiB", 1_048_576), ("512B", 512), ("512", 512), (7, 7)],
)
def test_a_size_is_read_in_bytes_or_binary_units(written: object, size: int) -> None:
    """A bare number is bytes."""
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "16KB", "-1", "1.5MiB", "9" * 5000, True, 1.5, None])
def test_what_is_not_a_size_is_refused(written: object) -> None:
    """Decimal units are not guessed at, and truth values are not numbers."""
    with pytest.raises(ValueError, match="bytes"):
        parse_size(written)
