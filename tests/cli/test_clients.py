"""OAuth clients by the command line: made, listed, ended, and their secrets shown once."""

import json
from typing import Any

import pytest

from gatepost.core.secrets import digest
from gatepost.web.receipt_bodies import ReceiptOut
from tests.cli.conftest import Run

FIELDS = {"id", "name", "powers", "audiences", "created_at", "ended_at"}


def made(run: Run, *options: str) -> dict[str, Any]:
    """A new client and its secret, as JSON."""
    done = run("client", "create", "Shop", *(options or ("--introspect",)), "--json")
    assert done.code == 0, done.error
    answer: dict[str, Any] = json.loads(done.out)
    return answer


def listed(run: Run) -> list[dict[str, Any]]:
    """Every client, as JSON."""
    items: list[dict[str, Any]] = json.loads(run("client", "list", "--json").out)["items"]
    return items


def test_secret_stands_alone_on_the_last_line(run: Run) -> None:
    """So that `| tail -1` hands it on; the line before names the client, and stderr says that it is shown once."""
    done = run("client", "create", "Our shop", "--introspect")
    said, secret = done.out.splitlines()
    (client,) = listed(run)
    assert said == f"Made the client Our shop with the id {client['id']}."
    assert len(secret) == 43
    assert done.error == "This is its secret. It is shown this once:\n"


def test_secret_is_shown_nowhere_else(run: Run) -> None:
    """Neither it nor its digest is in a listing, in the trail or in an export of it."""
    secret = made(run)["secret"]
    shown = [run("client", "list", "--json"), run("client", "list"), run("audit", "export", "--json")]
    for done in shown:
        assert done.code == 0
        assert secret not in done.out + done.error
        assert digest(secret).hex() not in done.out + done.error


def test_client_may_do_what_was_said(run: Run) -> None:
    """Each power by its option; several may be given, in any order and twice."""
    assert made(run, "--verifier")["client"]["powers"] == ["verifier"]
    assert made(run, "--service", "--introspect", "--service")["client"]["powers"] == [
        "service",
        "introspect",
    ]
    assert set(made(run)["client"]) == FIELDS


def test_audience_must_be_one_of_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours or one of `tokens.audiences`; anything else is refused with a list of them, and nothing is made."""
    monkeypatch.setenv("GATEPOST_TOKENS__AUDIENCES", '["orders"]')
    assert made(run, "--introspect", "--audience", "orders")["client"]["audiences"] == ["orders"]
    own = "http://localhost:8400"
    both = made(run, "--introspect", "--audience", own, "--audience", "orders")
    assert both["client"]["audiences"] == [own, "orders"]
    refused = run("client", "create", "Shop", "--introspect", "--audience", "Orders")
    assert (refused.code, refused.out) == (1, "")
    assert refused.error == f"gatepost: audience: An audience must be one of {own}, orders.\n"
    assert len(listed(run)) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["Shop"], 2),
        (["--introspect"], 2),
        (["Shop", "--admin"], 2),
        (["", "--introspect"], 1),
        (["two\nlines", "--introspect"], 1),
    ],
)
def test_client_without_a_name_or_a_power_is_refused(run: Run, arguments: list[str], code: int) -> None:
    """Wrong usage is 2, a name that cannot be shown 1; one line, and no secret."""
    done = run("client", "create", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.error.startswith("gatepost: ")


def test_listing_is_oldest_first_and_keeps_what_has_ended(run: Run) -> None:
    """With the moment of its end; the table has a line for each."""
    first, second = made(run)["client"], made(run)["client"]
    assert run("client", "revoke", first["id"]).code == 0
    items = listed(run)
    assert [item["id"] for item in items] == [first["id"], second["id"]]
    assert [item["ended_at"] is None for item in items] == [False, True]
    assert {**items[0], "ended_at": None} == first
    assert len(run("client", "list").out.splitlines()) == 3


def test_ending_comes_with_its_receipt(run: Run) -> None:
    """In words, and as the object of the HTTP interface."""
    first, second = made(run)["client"]["id"], made(run)["client"]["id"]
    said = run("client", "revoke", first)
    assert said.out.startswith(f"Client {first} has ended: in force everywhere after ")
    answer = json.loads(run("client", "revoke", second, "--json").out)
    assert set(answer["receipt"]) == set(ReceiptOut.model_fields)


def test_new_secret_is_another_one(run: Run) -> None:
    """Alone on the last line too, or as JSON; the client stays what it was."""
    before = made(run)
    said, secret = run("client", "secret", before["client"]["id"]).out.splitlines()
    again = json.loads(run("client", "secret", before["client"]["id"], "--json").out)
    assert said == "The client Shop has another secret."
    assert again["client"] == before["client"]
    assert len({before["secret"], secret, again["secret"]}) == 3


@pytest.mark.parametrize("command", ["revoke", "secret"])
def test_client_that_is_unknown_or_over_is_one_line_and_exit_one(run: Run, command: str) -> None:
    """An id that begins with a dash is no option."""
    over = made(run)["client"]["id"]
    assert run("client", "revoke", over).code == 0
    for client_id in (over, "nobody", "-" + "A" * 21):
        done = run("client", command, client_id)
        assert (done.code, done.out) == (1, "")
        assert done.error == "gatepost: There is no such client, or it has ended already.\n"
