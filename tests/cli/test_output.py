"""How the command line writes: cells, tables, JSON, receipts in words."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.cli.output import cell, in_force, printable, write_listing
from gatepost.core.verifiers import Policy
from gatepost.services.commits import Receipt, ReceiptState
from gatepost.services.hearings import VerifierHearing

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def receipt(state: ReceiptState, after: timedelta) -> Receipt:
    """A receipt of noon."""
    return Receipt("log.1.tag", NOON, state, NOON + after, NOON + timedelta(seconds=1))


@pytest.mark.parametrize("character", ["\x1b", "\x9b", "\n", "\r", "\u202e", "\u2028"])
def test_a_control_character_never_reaches_the_terminal(character: str) -> None:
    """What a browser calls itself cannot move the operator's cursor or turn the text around."""
    assert printable(f"a{character}b") == "a?b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), ("", "-"), ([], "-"), (["a", "b"], "a, b"), (True, "yes"), (False, "no"), (0, "0")],
)
def test_a_cell_shows_each_kind_of_value(value: object, shown: str) -> None:
    """Nothing is a dash, a list has commas."""
    assert cell(value) == shown


@pytest.mark.parametrize("pages", [[[]], [[], [{"a": "x"}]], [[{"a": "x"}], []]])
def test_a_table_has_one_heading_whatever_the_pages(
    pages: Sequence[Sequence[dict[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Empty pages leave no trace."""
    write_listing(pages, ["a", "b"], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a  b"] + ["x  -"] * sum(map(len, pages))


def test_a_table_grows_with_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns line up within a page and never shrink."""
    write_listing([[{"a": "long", "b": "1"}], [{"a": "s", "b": "2"}]], ["a", "b"], as_json=False)
    assert capsys.readouterr().out == "a     b\nlong  1\ns     2\n"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_json_listing_is_one_document(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """However many items come in however many pages, it parses."""
    write_listing(([{"n": number}] for number in range(count)), ["n"], as_json=True)
    assert json.loads(capsys.readouterr().out) == {"items": [{"n": number} for number in range(count)]}


def test_a_receipt_in_force_says_how_long_it_took() -> None:
    """Milliseconds from the commit to the last confirmation."""
    words = in_force(receipt(ReceiptState.IN_FORCE, timedelta(milliseconds=4)))
    assert words == "in force everywhere after 4 ms"


def test_a_bounded_receipt_says_what_the_silent_server_does() -> None:
    """Bounded is a promise too, and says from when."""
    words = in_force(receipt(ReceiptState.BOUNDED, timedelta(seconds=1)))
    assert words.startswith("bounded: ")
    assert words.endswith("2026-05-01 12:00:01 UTC on")
    assert "a server process stayed silent" in words


def hearing(name: str, policy: Policy, *, ended: bool = False, confirmed: bool = False) -> VerifierHearing:
    """An instance of a verifier."""
    return VerifierHearing("id", name, "1", policy, confirmed=confirmed, ends=None, ended=ended)


def test_a_pending_receipt_names_who_may_accept_it_and_until_when() -> None:
    """Whoever goes on without a lease accepts it for longer. Names are shown without control characters."""
    verifiers = (
        hearing("Orders\n", Policy.REFUSE),
        hearing("Carts", Policy.ALLOW),
        hearing("Mail", Policy.REFUSE, confirmed=True),
    )
    pending = replace(receipt(ReceiptState.PENDING, timedelta(milliseconds=4)), verifiers=verifiers)
    assert in_force(pending) == (
        "in force at every server process after 4 ms; not confirmed: "
        "Orders?/1 may accept it until 2026-05-01 12:00:01 UTC; Carts/1 may accept it until it expires"
    )


def test_a_verifier_that_lost_its_lease_is_not_taken_for_a_server() -> None:
    """Unless a server was silent too."""
    verifiers = (hearing("Orders", Policy.REFUSE, ended=True),)
    bounded = replace(receipt(ReceiptState.BOUNDED, timedelta(seconds=1)), verifiers=verifiers)
    assert "a verifier stayed silent" in in_force(bounded)
    assert "a server process stayed silent" in in_force(replace(bounded, silent=True))
