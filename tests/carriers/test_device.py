"""The mark of a browser that has signed in before: read back only where it was made for, and as it was made."""

from datetime import timedelta

import pytest

from gatepost.carriers.device import (
    MARK_LIFE,
    MOST_MARKS,
    NONCE_BYTES,
    DeviceMark,
    joined,
    marks_in,
    read_mark,
    write_mark,
)
from tests.builders import NOW

KEY, OTHER_KEY = bytes(32), bytes([1]) * 32
ADA, BOB = "ada@example.com", "bob@example.com"
SECOND = timedelta(seconds=1)
MARK = DeviceMark(bytes(range(NONCE_BYTES)), 2**41, NOW)
TEXT = write_mark(KEY, ADA, MARK)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_a_mark_comes_back_as_it_was_made() -> None:
    """Name, position and time."""
    assert read_mark(KEY, ADA, TEXT, NOW) == MARK


def test_a_mark_is_nothing_for_another_account_or_under_another_key() -> None:
    """It says whose tries are counted apart, so it must not be lent."""
    assert read_mark(KEY, BOB, TEXT, NOW) is None
    assert read_mark(OTHER_KEY, ADA, TEXT, NOW) is None


def test_a_mark_lasts_four_hundred_days() -> None:
    """To the second, on both sides; a clock that was set back does not make it stranger."""
    assert read_mark(KEY, ADA, TEXT, NOW + MARK_LIFE - SECOND) == MARK
    assert read_mark(KEY, ADA, TEXT, NOW + MARK_LIFE) is None
    assert read_mark(KEY, ADA, TEXT, NOW - MARK_LIFE) == MARK


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_every_letter_of_a_mark_counts(place: int) -> None:
    """Changed in any one place it is none, nor has it a second spelling."""
    letter = LETTERS[(LETTERS.index(TEXT[place]) + 1) % len(LETTERS)]
    assert read_mark(KEY, ADA, f"{TEXT[:place]}{letter}{TEXT[place + 1 :]}", NOW) is None


@pytest.mark.parametrize(
    "text", ["", "A", TEXT[:-1], f"{TEXT}A", f"{TEXT}=", "!" * len(TEXT), "é" * len(TEXT), "\0" * len(TEXT)]
)
def test_what_is_no_mark_is_none(text: str) -> None:
    """Of any length and any letters."""
    assert read_mark(KEY, ADA, text, NOW) is None
    assert marks_in(text) == []


def test_a_cookie_holds_the_marks_of_four_accounts_newest_first() -> None:
    """A fifth pushes the oldest out; what cannot be a mark is left out."""
    texts = [write_mark(KEY, f"{number}@example.com", MARK) for number in range(MOST_MARKS + 1)]
    value = joined(texts[0], texts[1:])
    assert marks_in(value) == texts[:MOST_MARKS]
    assert len(value) < 256
    assert marks_in(f"{texts[0]}.; Path=/.{texts[1]}.x") == [texts[0], texts[1]]


def test_a_value_without_end_is_read_no_further_than_four() -> None:
    """However long somebody makes it."""
    assert len(marks_in(".".join([TEXT] * 10_000))) == MOST_MARKS


def test_a_mark_holds_no_name() -> None:
    """Two of one moment and place differ in nothing that tells the account."""
    assert "ada" not in TEXT.lower()
    assert write_mark(KEY, BOB, MARK)[:33] == TEXT[:33]
