"""How to run it: the settings of the page about nginx start a server, and the sizes are those that were measured."""

import re
import tomllib
from pathlib import Path

import pytest

from gatepost.settings import load_settings
from tests.docs.walkthrough import blocks_of
from tests.servers import run_gatepost

DOCS = Path(__file__).resolve().parents[2] / "docs"
NGINX = re.sub(r"^   ", "", (DOCS / "behind-nginx.md").read_text(), flags=re.MULTILINE)
RUNNING = (DOCS / "running.md").read_text()
MEASURED = (DOCS / "performance.md").read_text()
SETTINGS = [block.text for block in blocks_of(NGINX) if block.language == "toml"]


@pytest.mark.parametrize("text", SETTINGS, ids=["server", "application"])
def test_settings_of_the_page_go_together(tmp_path: Path, text: str) -> None:
    """As a server reads them, and as an application that embeds Gatepost does."""
    (tmp_path / "gatepost.toml").write_text(text)
    settings = load_settings({}, environ={}, directory=tmp_path, embedded=True)
    assert settings.secure
    assert str(settings.url) == tomllib.loads(text)["url"]


def test_check_says_what_the_page_says(tmp_path: Path) -> None:
    """Step 2, word for word."""
    (tmp_path / "gatepost.toml").write_text(SETTINGS[0])
    done = run_gatepost("settings", "check", folder=tmp_path)
    (said,) = [block.text for block in blocks_of(NGINX) if block.language == "text"]
    assert (done.code, done.out) == (0, said)


# What the page says, rounded; what was measured and of whom; and the unit of the page in that of the table.
SIZES = {
    r"\| (\d+) MB of memory, at": ("Memory of a server", "Gatepost server", 1),
    r"very first start (\d+) MB": ("Memory of a server", "Gatepost server, first start", 1),
    r"\| (\d+) % of a core": ("A server that nobody asks", "Gatepost server", 1),
    r"\| (\d+) ms of a core": ("Sign-in, inside the service", "SignIn.sign_in, cookie", 1),
    r"\| (\d+) μs where": ("Known access token", "Guard.check, ES256", 1),
    r"\| (\d+) μs of a core \|": ("Processor time of one request", "GET /api/session, cookie", 1),
    r"\| (\d+) μs, of which": ("Refresh, inside the service", "Tokens.refresh", 1),
    r"\| (\d+) a second in all": ("Refresh storm", "8 clients, 1 worker", 1),
    r"\| ([\d.]+) KB of memory in each process that": ("Memory", "1,000,000 known sessions", 1000),
    r"\| ([\d.]+) KB of memory in each process \|": ("Memory", "1,000,000 live facts", 1000),
}


def measured() -> dict[tuple[str, str], float]:
    """The medians of the table of the page about performance, by what was measured and of whom."""
    found: dict[tuple[str, str], float] = {}
    what = ""
    for line in MEASURED.splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if len(cells) > 2 and re.fullmatch(r"-?[\d,.]+", cells[2]):
            what = cells[0].partition(" (")[0] or what
            found[what, cells[1]] = float(cells[2].replace(",", ""))
    return found


@pytest.mark.parametrize("said", SIZES)
def test_sizes_are_those_that_were_measured(said: str) -> None:
    """Within a factor of two: the page rounds, and machines differ by more."""
    what, who, unit = SIZES[said]
    (on_the_page,) = re.findall(said, RUNNING)
    assert 0.5 < float(on_the_page) * unit / measured()[what, who] < 2
