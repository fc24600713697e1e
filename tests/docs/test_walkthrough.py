"""The reader of documentation pages itself: a wildcard must not let a wrong answer pass."""

import pytest

from tests.docs.walkthrough import json_fits, steps_of, text_fits


@pytest.mark.parametrize(
    ("promised", "printed", "fits"),
    [
        ("one\ntwo", "one\ntwo\n", True),
        ("one\ntwo", "one\n", False),
        ("one\ntwo", "one\ntwo\nthree\n", False),
        ("at …:8400", "at localhost:8400", True),
        ("at …:8400", "at localhost:8401", False),
        ("one …", "one\ntwo", False),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n…\nfour", "one\nfour", True),
        ("one\n…\nfour", "one\ntwo\nfour\nfive", False),
        ("a.b", "aXb", False),
    ],
)
def test_text_wildcards_stand_for_what_they_may(promised: str, printed: str, fits: bool) -> None:
    """Inside a line for characters, alone on a line for lines, and for nothing else."""
    assert text_fits(promised, printed) is fits


@pytest.mark.parametrize(
    ("promised", "answered", "fits"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, True),
        ({"a": 1, "…": "…"}, {"b": 2}, False),
        ({"a": "x…"}, {"a": "xyz"}, True),
        ({"a": "x…"}, {"a": "yz"}, False),
        ({"a": "…"}, {"a": None}, False),
        ({"a": True}, {"a": 1}, False),
        ([{"a": 1}], [{"a": 1}, {"a": 1}], False),
        ({"a": {"b": ["…", "c"]}}, {"a": {"b": ["x", "c"]}}, True),
    ],
)
def test_json_answers_have_every_member_that_is_named(promised: object, answered: object, fits: bool) -> None:
    """Only a page that says so leaves members out."""
    assert json_fits(promised, answered) is fits


def test_output_belongs_to_the_shell_block_before_it() -> None:
    """A block of another language in between ends the promise."""
    page = "```sh\none\n```\n\n```text\n1\n```\n\n```sh\ntwo\n```\n\n```python\nx\n```\n\n```json\n{}\n```\n"
    first, second = steps_of(page)
    assert first.output is not None
    assert (first.commands, first.output.text, second.output) == ("one\n", "1\n", None)
