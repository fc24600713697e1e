"""Secrets typed at a real terminal: asked for, typed unseen, and twice when one is set."""

import os
import pty
import subprocess
import termios
from contextlib import suppress
from pathlib import Path

from tests.servers import clean_environment, program

PASSWORD = "plenty of quiet words"


def at_a_terminal(folder: Path, arguments: list[str], answers: dict[str, str]) -> tuple[int, str]:
    """Run a command with a terminal as its stdin; each prompt gets its answer. Exit code and what was shown.

    The terminal is not the controlling one, so the prompts come on stderr and the typing goes through stdin.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*program(), *arguments],
        cwd=folder,
        env=clean_environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = b""
    for prompt, answer in answers.items():
        while prompt.encode() not in shown:
            chunk = os.read(process.stdout.fileno(), 4096)
            assert chunk, shown
            shown += chunk
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        os.write(ours, answer.encode() + b"\n")
    shown += process.stdout.read()
    process.stdout.close()
    code = process.wait(timeout=200)
    os.close(theirs)
    echoed = b""
    # The other end is closed: what is left is read until the terminal says so.
    with suppress(OSError):
        echoed = os.read(ours, 4096)
    os.close(ours)
    assert not any(answer.encode() in echoed for answer in answers.values())
    return code, shown.decode()


def test_a_new_password_is_typed_twice_and_never_shown(tmp_path: Path) -> None:
    """The account is made when both agree; the terminal does not echo either."""
    answers = {"Password: ": PASSWORD, "The same again: ": PASSWORD}
    code, shown = at_a_terminal(tmp_path, ["account", "create", "ada@example.com"], answers)
    assert code == 0
    assert "Made ada@example.com (member)" in shown
    assert PASSWORD not in shown


def test_a_token_is_typed_unseen(tmp_path: Path) -> None:
    """Once is enough: nothing is set."""
    code, shown = at_a_terminal(tmp_path, ["token", "inspect"], {"Token: ": "not-a-token"})
    assert code == 1
    assert "not-a-token" not in shown


def test_giving_up_at_a_prompt_is_quiet(tmp_path: Path) -> None:
    """Exit 130 and no traceback; nothing was made."""
    # The terminal is not the controlling one, so Ctrl+C would send no signal; Ctrl+D is the other way to give up.
    code, shown = at_a_terminal(tmp_path, ["account", "create", "ada@example.com"], {"Password: ": "\x04"})
    assert code == 130
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []
