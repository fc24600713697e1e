"""The locks: hashed, without addresses, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {"serve": ROOT / "requirements/serve.lock", "dev": ROOT / "requirements/dev.lock"}


def locked(name: str) -> dict[str, tuple[Requirement, set[str]]]:
    """Every requirement of a lock with its hashes, by canonical name."""
    found: dict[str, tuple[Requirement, set[str]]] = {}
    for entry in LOCKS[name].read_text().replace("\\\n", " ").splitlines():
        text, *hashes = re.split(r"\s+--hash=", entry.strip())
        requirement = Requirement(text)
        found[canonicalize_name(requirement.name)] = (requirement, set(hashes))
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_one_version_with_sha256_hashes(name: str) -> None:
    """No line of a lock can be answered by a file that nobody has seen before."""
    for requirement, hashes in locked(name).values():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_address_and_no_path(name: str) -> None:
    """A lock works with whatever package index the machine is set up for."""
    text = LOCKS[name].read_text()
    assert not re.search(
        r"https?:|file:|--index-url|--extra-index-url|--find-links|--trusted-host|@ |/", text
    )


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("serve", PROJECT["project"]["dependencies"]),
        ("dev", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]),
    ],
)
def test_locks_satisfy_what_the_project_declares(name: str, declared: list[str]) -> None:
    """A dependency added to pyproject.toml without making the locks again is noticed here."""
    lock = locked(name)
    for wanted in map(Requirement, declared):
        pinned, _ = lock[canonicalize_name(wanted.name)]
        (version,) = [one.version for one in pinned.specifier]
        assert wanted.specifier.contains(version), f"{wanted} is locked at {version}: run requirements/remake"


def test_what_is_tested_is_what_is_served() -> None:
    """The dev lock holds the very files of the serve lock, and more."""
    dev = locked("dev")
    for name, (requirement, hashes) in locked("serve").items():
        assert (str(dev[name][0].specifier), dev[name][1]) == (str(requirement.specifier), hashes)
