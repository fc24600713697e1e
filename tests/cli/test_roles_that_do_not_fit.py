"""`gatepost account roles` and `account create` with roles that no token could hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import PASSWORD, Run

MANY = [f"r{number:02}{'r' * 29}" for number in range(60)]


def test_the_commands_refuse_with_the_sizes_and_write_nothing(
    run: Run, made: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Exit 1 with one sentence on stderr; afterwards the account is as it was and there is no other."""
    roles = "".join(f'{role} = ["p{role[1:3]}:read"]\n' for role in MANY)
    (tmp_path / "gatepost.toml").write_text(f"[tokens]\npermissions = true\n[roles]\n{roles}")
    made("ada@example.com", "member")
    done = run("account", "roles", "ada@example.com", *MANY)
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith("gatepost: Nothing was changed: with these roles it would not fit. ")
    assert "roles (2101 bytes)" in done.error
    assert done.error.count("\n") == 1
    named = [part for role in MANY for part in ("--role", role)]
    assert run("account", "create", "eve@example.com", *named, stdin=PASSWORD + "\n").code == 1
    listed = run("account", "list")
    assert "member" in listed.out
    assert "eve@" not in listed.out
    assert MANY[0] not in listed.out
