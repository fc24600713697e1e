"""Accounts by the command line: what each command does, says and leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.web.admin_bodies import AdminAccountOut, AdminSessionOut
from gatepost.web.receipt_bodies import ReceiptOut
from tests.cli.conftest import PASSWORD, Run

Made = Callable[..., dict[str, Any]]


def test_a_new_account_is_a_member(made: Made) -> None:
    """Without --role an account has the roles that a sign-up gives."""
    assert made("ada@example.com")["roles"] == ["member"]


def test_roles_are_the_ones_named(made: Made) -> None:
    """With --role it has exactly those, in their order."""
    assert made("ada@example.com", "support", "admin")["roles"] == ["support", "admin"]


def test_an_account_is_listed_with_the_fields_of_the_http_interface(run: Run, made: Made) -> None:
    """`account list --json` has the same names as `GET /api/admin/accounts`."""
    account = made("ada@example.com")
    listed = json.loads(run("account", "list", "--json").out)
    assert listed == {"items": [account]}
    assert set(account) == set(AdminAccountOut.model_fields)


def test_the_table_has_a_line_for_each_account(run: Run, made: Made) -> None:
    """The listing for people: a heading, then one line an account; --search picks."""
    made("ada@example.com")
    made("bob@example.com")
    assert len(run("account", "list").out.splitlines()) == 3
    assert [line.split()[1] for line in run("account", "list", "--search", "bob").out.splitlines()] == [
        "email",
        "bob@example.com",
    ]


def test_more_accounts_than_a_page_are_listed_whole(
    run: Run, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing goes on from page to page."""
    monkeypatch.setattr("gatepost.cli.accounts._PAGE", 2)
    emails = {made(f"a{number}@example.com")["email"] for number in range(5)}
    assert {item["email"] for item in json.loads(run("account", "list", "--json").out)["items"]} == emails
    assert len(run("account", "list").out.splitlines()) == 6


@pytest.mark.parametrize("by", ["id", "email"])
def test_an_account_is_named_by_id_or_email(run: Run, made: Made, by: str) -> None:
    """Both names show the same account."""
    account = made("ada@example.com")
    shown = json.loads(run("account", "show", account[by], "--json").out)
    assert shown == {"account": account, "sessions": []}


def test_an_unknown_account_is_one_line_and_exit_one(run: Run, made: Made) -> None:
    """Not found is exit 1 with a sentence, for people and for scripts."""
    made("ada@example.com")
    for command in (["show"], ["lock"], ["unlock"], ["password"], ["roles"]):
        roles = ["member"] if command == ["roles"] else []
        done = run("account", *command, "bob@example.com", *roles, stdin=PASSWORD)
        assert (done.code, done.out, done.error) == (1, "", "gatepost: There is no such account.\n")


def test_lock_and_unlock_say_what_is_in_force(run: Run, made: Made) -> None:
    """A lock comes with its receipt, in words and as the object of the HTTP interface; an unlock ends nothing."""
    account = made("ada@example.com")
    said = run("account", "lock", account["id"]).out
    assert said.startswith("ada@example.com is locked: in force everywhere after ")
    assert said.count("\n") == 1
    locked = json.loads(run("account", "lock", account["id"], "--json").out)
    assert set(locked["receipt"]) == set(ReceiptOut.model_fields)
    assert locked["account"]["locked_at"] is not None
    assert set(json.loads(run("account", "unlock", account["id"], "--json").out)) == {"account"}


def test_roles_are_replaced(run: Run, made: Made) -> None:
    """`account roles` sets exactly the roles named; an unknown one is refused and nothing changes."""
    account = made("ada@example.com")
    assert run("account", "roles", account["id"], "support").code == 0
    refused = run("account", "roles", account["id"], "captain")
    assert refused.code == 1
    assert refused.error.startswith("gatepost: roles: ")
    assert json.loads(run("account", "show", account["id"], "--json").out)["account"]["roles"] == ["support"]


def test_a_password_comes_from_stdin_without_its_newline(run: Run, made: Made, tmp_path: Path) -> None:
    """One line of stdin or of a file; what follows the first line is not part of it."""
    made("ada@example.com")
    assert run("account", "password", "ada@example.com", stdin="another set of words\r\nnot this\n").code == 0
    file = tmp_path / "secret"
    file.write_text("a third set of words\n")
    assert run("account", "password", "ada@example.com", "--password-file", str(file)).code == 0


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("", "gatepost: password: No password was given.\n"),
        ("\n", "gatepost: password: No password was given.\n"),
        ("too short\n", "gatepost: Please use at least 15 characters: three or four words do.\n"),
    ],
)
def test_a_password_that_does_not_do_is_refused(run: Run, stdin: str, sentence: str) -> None:
    """No password and a weak one: exit 1, one line, no account."""
    done = run("account", "create", "ada@example.com", stdin=stdin)
    assert (done.code, done.error) == (1, sentence)


def test_a_password_file_that_is_not_text_is_refused_without_its_bytes(run: Run, tmp_path: Path) -> None:
    """Neither a missing nor a binary file is a traceback, and no byte of it is shown."""
    (tmp_path / "secret").write_bytes(b"\xff\xfe" + b"hunter" * 4)
    done = run("account", "create", "ada@example.com", "--password-file", "secret")
    assert (done.code, done.error) == (1, "gatepost: password: This is not text in UTF-8.\n")
    missing = run("account", "create", "ada@example.com", "--password-file", "missing")
    assert (missing.code, missing.error.count("\n")) == (1, 1)


def test_there_is_no_argument_for_a_password(run: Run) -> None:
    """A secret on the command line would be in the process list: no option takes one."""
    assert run("account", "create", "ada@example.com", "--password", PASSWORD).code == 2


def test_an_invitation_is_a_link_alone_on_stdout(run: Run) -> None:
    """A script gets the link and nothing else; it leads to the form of the web interface."""
    done = run("account", "invite", "--role", "admin")
    assert done.code == 0
    assert done.out.startswith("http://localhost:8400/invite/")
    assert done.out.count("\n") == 1
    link = json.loads(run("account", "invite", "--role", "admin", "--json").out)
    assert set(link) == {"link", "role", "expires_at"}


def test_a_mistyped_folder_is_refused_and_not_made(run: Run, tmp_path: Path) -> None:
    """A command that works on what exists makes neither folder nor database."""
    for command in (["account", "list"], ["session", "list"], ["session", "revoke", "--all"]):
        done = run(*command, "--data", "elsewhere")
        assert done.code == 1
        assert done.error.startswith("gatepost: There is no database at ")
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_begins_with_a_dash_is_no_option(run: Run, made: Made) -> None:
    """One id in 64 does: it is looked up like any other."""
    made("ada@example.com")
    dashed = "-hAAAAAAAAAAAAAAAAAAAA"
    assert run("account", "show", dashed).error == "gatepost: There is no such account.\n"
    assert run("account", "roles", dashed, "member").error == "gatepost: There is no such account.\n"
    assert "no such session" in run("session", "revoke", dashed).error
    assert run("session", "list", "--account", dashed).error == "gatepost: There is no such account.\n"


def test_sessions_are_revoked_one_way_at_a_time(run: Run, made: Made) -> None:
    """Nothing named, or two things: wrong usage. Everything of an account, everything at all: a receipt."""
    account = made("ada@example.com")
    assert run("session", "revoke").code == 2
    assert run("session", "revoke", "--all", "--account", account["id"]).code == 2
    assert run("session", "revoke", "--all").out.startswith("Every session has ended: in force everywhere")
    answer = json.loads(run("session", "revoke", "--account", account["id"], "--json").out)
    assert set(answer["receipt"]) == set(ReceiptOut.model_fields)


def test_session_fields_are_those_of_the_http_interface() -> None:
    """What `session list --json` writes has the names of `GET /api/admin/sessions`."""
    from gatepost.cli.sessions import _COLUMNS

    assert set(_COLUMNS) <= set(AdminSessionOut.model_fields)
