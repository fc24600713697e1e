"""Rows of the audit trail as lines: nothing that a browser sent acts on whoever reads them."""

import csv
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost.cli.trail import COLUMNS, csv_heading, csv_line, json_line, line, visible

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
    " =1",
    "\u00a0=1",
    "\u207a1",
]
NASTY = [
    "\x1b[2J",
    "\x9b31m",
    "a\nb",
    "a\rb",
    "\u2028",
    "\u202ereversed",
    "\x00",
    "\x7f",
    "\x07",
    "\u200b",
    "\ud800",
]

texts = st.text(st.characters(), max_size=20) | st.sampled_from(
    [*FORMULAS, *NASTY, "a;=1", "'=1", '"', "\\n"]
)
items = st.builds(
    lambda device, address, account, more: an_item(
        device=device, address=address, account_id=account, more=more
    ),
    texts,
    texts,
    st.none() | texts,
    st.dictionaries(texts, texts, max_size=2),
)


def an_item(**different: Any) -> dict[str, Any]:
    """A row as listings have it."""
    row: dict[str, Any] = {
        "number": 7,
        "at": "2026-11-21T12:00:00.000Z",
        "event": "signed_in",
        "account_id": "ada",
        "actor": "ada",
        "session_id": "s1",
        "address": "192.0.2.7",
        "device": "Firefox on Linux",
        "more": {"carrier": "cookie"},
    }
    return {**row, **different}


def is_one_plain_line(text: str) -> bool:
    """No character moves a cursor, ends a line, hides, or turns the direction of the text."""
    return not any(unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for one in text)


def spreadsheet(text: str, separator: str = ",") -> list[str]:
    """The cells that a program with this separator reads from a line."""
    [row] = csv.reader(io.StringIO(text), delimiter=separator)
    return row


@given(items)
def test_one_event_is_one_plain_line_in_every_form(item: dict[str, Any]) -> None:
    """Whatever browsers send as their name."""
    for written in (line(item), csv_line(item), json_line(item)):
        assert is_one_plain_line(written)
    assert json_line(item).isascii()


@given(items)
def test_json_line_says_all_there_is(item: dict[str, Any]) -> None:
    """Escapes are JSON's own, so that a reader gets every character back."""
    assert json.loads(json_line(item)) == item


@given(items)
@example(an_item(device='x";=1;"', more={"a": ";=1"}))
def test_no_cell_is_taken_for_a_formula(item: dict[str, Any]) -> None:
    """Neither where the comma separates nor where the semicolon does."""
    written = csv_line(item)
    cells = spreadsheet(written)
    assert len(cells) == len(COLUMNS)
    for cell in [*cells, *written.split(";")[1:]]:
        assert unicodedata.normalize("NFKC", cell).lstrip()[:1] not in {"=", "+", "-", "@", "\t", "\r"}


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_is_shown_as_text(text: str) -> None:
    """By an apostrophe before it, or by the escape it begins with."""
    cell = spreadsheet(csv_line(an_item(device=text)))[COLUMNS.index("device")]
    assert cell[0] in {"'", "\\"}
    assert "1" in cell or "a" in cell


def test_plain_row_is_written_as_it_is() -> None:
    """The heading names the columns; what is missing is an empty cell, the facts are JSON."""
    assert csv_heading() == "number,at,event,account_id,actor,session_id,address,device,more"
    item = an_item(actor=None, more={"roles": "admin,member"})
    at = "2026-11-21T12:00:00.000Z"
    told = [
        "7",
        at,
        "signed_in",
        "ada",
        "",
        "s1",
        "192.0.2.7",
        "Firefox on Linux",
        '{"roles": "admin,member"}',
    ]
    assert spreadsheet(csv_line(item)) == told


def test_id_that_begins_with_a_dash_is_neutralised() -> None:
    """One id in 64 does, and a spreadsheet would compute it."""
    assert spreadsheet(csv_line(an_item(account_id="-abc")))[3] == "'-abc"


def test_line_for_people_leaves_out_what_is_not_known() -> None:
    """A failed sign-in of nobody names no account."""
    item = an_item(event="sign_in_failed", account_id=None, actor=None, session_id=None, more={})
    assert line(item) == (
        '7 2026-11-21T12:00:00.000Z sign_in_failed address=192.0.2.7 device="Firefox on Linux"'
    )


def test_value_cannot_pretend_to_be_the_next_one() -> None:
    """A device that names itself an actor stays inside its quotation marks."""
    shown = line(an_item(device='x" actor="cli', more={}))
    assert shown.endswith(r'device="x\" actor=\"cli"')


@given(texts, texts)
def test_escapes_keep_texts_apart(one: str, other: str) -> None:
    """What is written out can be read back: no two texts look the same."""
    assert (visible(one) == visible(other)) == (one == other)
