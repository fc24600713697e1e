"""docs/security.md states the limits on guessing: every setting there is, with the default that runs."""

import re
from pathlib import Path

from gatepost.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()


def test_documented_limits_are_those_that_run(tmp_path: Path) -> None:
    """Row by row, none left out (ASVS 6.1.1)."""
    section = PAGE.partition("## Guessing passwords")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `([a-z_.]+)` \| (\S+) \|", section, re.MULTILINE))
    settings = load_settings({}, environ={}, directory=tmp_path)
    running = {row.key: row.value for row in settings.describe()}
    kept = {name for name in running if name.startswith("guesses.") or name.endswith("_per_minute")}
    assert documented == {name: running[name] for name in kept}


def test_every_test_that_the_section_names_exists() -> None:
    """A promise points to what shows it."""
    section = PAGE.partition("## Guessing passwords")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(test_\w+)`", section))
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_guess*.py"))
    assert len(named) > 12
    assert {name for name in named if f"def {name}(" not in sources} == set()
