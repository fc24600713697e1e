"""./gate: its commands, the environments it makes, and what it says on a machine that lacks something."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.toolchain.checkout import PYTHON, ROOT, Checkout


def test_help_names_every_command(checkout: Checkout) -> None:
    """Who asks for help sees the whole door."""
    code, out, _ = checkout.run("help")
    assert code == 0
    for command in ("serve", "cli", "test", "check", "bench", "help"):
        assert re.search(rf"^  {command}\b", out, re.MULTILINE)


def test_unknown_command_is_wrong_usage(checkout: Checkout) -> None:
    """A misspelt command ends with 2 and says what there is."""
    code, out, error = checkout.run("srve")
    assert (code, out) == (2, "")
    assert "usage: ./gate" in error


def test_serve_passes_its_options_on_word_for_word(checkout: Checkout) -> None:
    """Blanks and stars in an option reach `gatepost serve` unchanged, and nothing else is on stdout."""
    code, out, _ = checkout.run("serve", "--data", "my data", "*")
    assert (code, out) == (0, "runs gatepost serve --data my data *\n")


def test_cli_reaches_every_other_command(checkout: Checkout) -> None:
    """The command line is usable from a checkout without an installation."""
    code, out, _ = checkout.run("cli", "session", "list")
    assert (code, out) == (0, "runs gatepost session list\n")


def test_packages_are_installed_by_hash_from_wheels_only(checkout: Checkout) -> None:
    """Nothing that the lock does not name by its hash is downloaded or run."""
    checkout.run("serve")
    (call,) = checkout.lines("pip")
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:", f"-r {checkout.serve_lock}"):
        assert option in call


def test_environment_is_made_once(checkout: Checkout) -> None:
    """The second start makes nothing."""
    checkout.run("serve")
    checkout.run("serve")
    assert checkout.lines("made") == ["made"]


def test_changed_lock_makes_the_environment_again(checkout: Checkout) -> None:
    """An update of the lock reaches a checkout that was used before."""
    checkout.run("serve")
    checkout.serve_lock.write_text("one==2\n")
    checkout.run("serve")
    assert checkout.lines("made") == ["made", "made"]


def test_moved_checkout_makes_the_environment_again(checkout: Checkout) -> None:
    """An environment names its own path, so one that was moved is not trusted."""
    checkout.run("serve")
    moved = checkout.root.with_name("moved")
    checkout.root.rename(moved)
    checkout.root = moved
    checkout.run("serve")
    assert checkout.lines("made") == ["made", "made"]


def test_failed_install_is_done_again(checkout: Checkout) -> None:
    """An install that stopped half-way fails the command and is never taken for a whole one."""
    (checkout.machine / "pip-fails").touch()
    code, out, _ = checkout.run("serve")
    assert (code != 0, out) == (True, "")
    (checkout.machine / "pip-fails").unlink()
    code, out, _ = checkout.run("serve")
    assert (code, out) == (0, "runs gatepost serve\n")
    assert checkout.lines("made") == ["made", "made"]


def test_two_starts_at_once_make_one_environment(checkout: Checkout) -> None:
    """The second waits for the first and then uses what it made."""
    starts = [checkout.start("serve") for _ in range(4)]
    answers = [process.communicate(timeout=200)[0] for process in starts]
    assert answers == ["runs gatepost serve\n"] * 4
    assert checkout.lines("made") == ["made"]


def test_no_python_is_one_sentence(checkout: Checkout) -> None:
    """A machine without Python is told so, without a trace."""
    (checkout.programs / "python3").unlink()
    code, out, error = checkout.run("serve")
    assert (code, out) == (1, "")
    assert (
        error
        == "gate: Gatepost needs Python 3.11 or newer and found none; install it or set PYTHON to its path.\n"
    )


def test_old_python_is_passed_over(checkout: Checkout) -> None:
    """Python 3.10 is as good as none; a newer one beside it is found."""
    shutil.move(checkout.programs / "python3", checkout.programs / "python3.12")
    checkout.program("python3", "echo 3.10.0; exit 1")
    code, out, _ = checkout.run("serve")
    assert (code, out) == (0, "runs gatepost serve\n")


def test_chosen_python_that_is_unfit_is_not_replaced_by_another(checkout: Checkout) -> None:
    """Who names an interpreter gets that one or an error."""
    code, out, error = checkout.run("serve", PYTHON="/bin/false")
    assert (code, out) == (1, "")
    assert error == "gate: PYTHON=/bin/false is not a Python 3.11 or newer.\n"


def test_missing_ensurepip_without_root_prints_the_one_command(checkout: Checkout) -> None:
    """Debian keeps ensurepip in a package; who may not install it is told how."""
    (checkout.machine / "no-ensurepip").touch()
    checkout.program("apt-get", 'echo "$*" >>"$MACHINE/apt"')
    checkout.program("sudo", "exit 1")
    code, out, error = checkout.run("serve")
    assert (code, out) == (1, "")
    assert error == "sudo apt-get install -y python3-venv\n"
    assert checkout.lines("apt") == []


@pytest.mark.parametrize("right", ["root", "sudo"])
@pytest.mark.parametrize(
    ("python", "package"), [("python3", "python3-venv"), ("python3.13", "python3.13-venv")]
)
def test_missing_ensurepip_is_installed(checkout: Checkout, right: str, python: str, package: str) -> None:
    """As root, or with sudo that asks no password, the start goes on by itself; the package fits the interpreter."""
    (checkout.machine / "no-ensurepip").touch()
    checkout.program(
        "apt-get", 'echo "$*" >>"$MACHINE/apt"; case $1 in install) rm -f "$MACHINE/no-ensurepip" ;; esac'
    )
    if right == "root":
        checkout.program("id", "echo 0")
    else:
        checkout.program("sudo", '[ "$1" = -n ] || exit 1; shift; echo asked >>"$MACHINE/sudo"; exec "$@"')
    (checkout.programs / "python3").rename(checkout.programs / python)
    code, out, _ = checkout.run("serve")
    assert (code, out) == (0, "runs gatepost serve\n")
    assert checkout.lines("apt")[-1].split()[-1] == package
    assert bool(checkout.lines("sudo")) is (right == "sudo")


def test_missing_browser_without_root_fails_and_says_what_to_install(checkout: Checkout) -> None:
    """`./gate test` never calls itself green on a machine that cannot run all tests."""
    checkout.program("apt-get", "exit 1")
    code, out, error = checkout.run("test")
    assert (code, out) == (1, "")
    assert error == "sudo apt-get install -y chromium libnss3-tools curl faketime nginx\n"


def test_only_what_is_missing_is_asked_for(checkout: Checkout) -> None:
    """A browser that is there under another name is not installed again."""
    checkout.program("apt-get", "exit 1")
    checkout.program("google-chrome", "exit 0")
    code, _, error = checkout.run("test")
    assert (code, error) == (1, "sudo apt-get install -y libnss3-tools curl faketime nginx\n")


@pytest.mark.parametrize("option", ["", "--here"])
def test_the_fuzzer_has_an_environment_of_its_own(checkout: Checkout, option: str) -> None:
    """`./gate test` makes it from its lock; with `--here` what is not there is left out."""
    for name in ("chromium", "certutil", "curl", "faketime", "nginx"):
        checkout.program(name, "exit 0")
    (checkout.root / "requirements/fuzz.lock").write_text("one==1\n")
    checkout.run("test", *([option] if option else []))
    assert any("/fuzz.lock" in line for line in checkout.lines("pip")) is (option == "")


@pytest.mark.parametrize("options", [(), ("--long",), ("--long", "--here")])
def test_rivals_are_there_for_long_tests_only(checkout: Checkout, options: tuple[str, ...]) -> None:
    """`./gate test --long` makes their environment from its lock, and no other run of the tests does."""
    for name in ("chromium", "certutil", "curl", "faketime", "nginx"):
        checkout.program(name, "exit 0")
    for name in ("fuzz", "rivals"):
        (checkout.root / f"requirements/{name}.lock").write_text("one==1\n")
    checkout.run("test", *options)
    assert any("/rivals.lock" in line for line in checkout.lines("pip")) is (options == ("--long",))


def test_settings_of_other_projects_do_not_reach_python(checkout: Checkout) -> None:
    """A PYTHONPATH of the shell cannot put another module before ours."""
    checkout.program(
        "python3", PYTHON.replace("\n", '\n[ -z "${PYTHONPATH-}${PYTHONHOME-}" ] || exit 1\n', 1)
    )
    code, out, _ = checkout.run("serve", PYTHONPATH="/tmp", PYTHONHOME="/tmp")
    assert (code, out) == (0, "runs gatepost serve\n")


@pytest.mark.parametrize("name", ["gate", ".ci/run", "requirements/remake"])
def test_scripts_can_be_started_and_parse(name: str) -> None:
    """Each script carries its mode in the repository and its shell can read it."""
    path: Path = ROOT / name
    assert path.stat().st_mode & 0o111
    shell = "bash" if "bash" in path.read_text().splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(path)], check=True, timeout=10)


def test_ci_runs_exactly_the_tests_of_a_checkout() -> None:
    """What continuous integration proves is what anybody can run."""
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec ./gate test"
