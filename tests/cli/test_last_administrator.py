"""The command line keeps the last administrator too, and says so in one line."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("command", [("lock",), ("roles",)])
def test_the_last_administrator_stays_one(
    run: Run, made: Callable[..., dict[str, Any]], command: tuple[str, ...]
) -> None:
    """Exit 1, nothing changed; with another administrator it is done."""
    made("boss@example.com", "admin")
    more = ("member",) if command == ("roles",) else ()
    refused = run("account", *command, "boss@example.com", *more)
    assert (refused.code, refused.out) == (1, "")
    assert refused.error.count("\n") == 1
    assert "last administrator" in refused.error
    assert "admin" in run("account", "show", "boss@example.com").out
    made("other@example.com", "admin")
    assert run("account", *command, "boss@example.com", *more).code == 0
