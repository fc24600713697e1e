"""The README, done by a reader who types what it says (tests/docs/terminal.py says where this differs from life)."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from gatepost.core.sessions import Carrier
from gatepost.settings import load_settings
from tests.docs.terminal import ROOT, Terminal
from tests.docs.walkthrough import Block, Step, blocks_of, steps_of
from tests.examples.applications import environment_of, running

README = (ROOT / "README.md").read_text()
PASSWORD = "violet kettle hums at noon"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A fresh copy of the checkout."""
    return Terminal(tmp_path)


def as_served(terminal: Terminal, step: Step) -> Step:
    """A step with the address of this server in what it promises."""
    if step.output is None:
        return step
    output = Block(step.output.language, terminal.as_served(step.output.text))
    return Step(step.commands, output)


@pytest.mark.needs("curl")
def test_first_five_minutes_are_as_the_readme_tells_them(terminal: Terminal) -> None:
    """Every shell block runs word for word, in order, and prints what stands under it."""
    serve, *steps = steps_of(README)
    with terminal.serving(serve.commands) as banner:
        assert as_served(terminal, serve).fits(banner), banner
        link = banner.splitlines()[-1]
        become_administrator(link)
        assert httpx2.get(link.partition("/invite/")[0] + "/docs", timeout=20).status_code == 200
        for step, printed in zip(steps, terminal.run([step.commands for step in steps]), strict=True):
            assert as_served(terminal, step).fits(printed), f"{step.commands}printed\n{printed}"


def become_administrator(link: str) -> None:
    """Open the link, fill in the form, see who is signed in; the link is used up then."""
    origin, home = "/".join(link.split("/")[:3]), link.partition("/invite/")[0]
    form = {"email": "grace@example.com", "password": "seven quiet lamps in a row"}
    with httpx2.Client(timeout=20, headers={"Origin": origin}, follow_redirects=True) as browser:
        assert "first administrator" in browser.get(link).text
        page = browser.post(link, data=form)
        assert (page.status_code, str(page.url)) == (200, f"{home}/admin")
        assert "grace@example.com" in page.text
        assert browser.get(f"{home}/account").status_code == 200
    with httpx2.Client(timeout=20) as stranger:
        assert stranger.get(link).status_code == 404


def test_embedding_is_as_the_readme_shows_it(tmp_path: Path) -> None:
    """The Python block at the top, in a file of its own, signs people in and guards its endpoints."""
    (block,) = (block for block in blocks_of(README) if block.language == "python")
    module = tmp_path / "shop.py"
    module.write_text(block.text)
    with (
        running(module, tmp_path) as url,
        httpx2.Client(timeout=20, base_url=url, headers={"Origin": url}) as browser,
    ):
        assert browser.get("/me").status_code == 401
        body = {"email": "ada@example.com", "password": PASSWORD}
        account = browser.post("/auth/api/sign-up", json=body).json()["account"]
        assert browser.get("/me").json() == {"account": account["id"], "roles": ["member"]}
        assert browser.delete("/orders/7").status_code == 403
        assert browser.get("/auth/sign-in").status_code == 200
        browser.post("/auth/api/sign-out")
        assert browser.get("/me").status_code == 401
        become_administrator(invited(tmp_path).replace("http://localhost:8400", url))


def invited(folder: Path) -> str:
    """The link that the command in the text prints for an application in this folder."""
    assert "account invite --role\nadmin` prints a link" in README
    command = [sys.executable, "-m", "gatepost", "account", "invite", "--role", "admin"]
    environment = {**environment_of(folder), "GATEPOST_DATA": str(folder / "data")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_settings_are_spelled_as_the_readme_says(tmp_path: Path) -> None:
    """Environment, file and keyword argument name the same setting."""
    assert "`GATEPOST_SESSIONS__IDLE=1h`" in README
    assert '`Gatepost(sessions={"idle": "1h"})`' in README
    by_environment = load_settings({}, environ={"GATEPOST_SESSIONS__IDLE": "1h"}, directory=tmp_path)
    by_argument = load_settings({"sessions": {"idle": "1h"}}, environ={}, directory=tmp_path)
    (tmp_path / "gatepost.toml").write_text('[sessions]\nidle = "1h"\n')
    by_file = load_settings({}, environ={}, directory=tmp_path)
    for settings in (by_environment, by_argument, by_file):
        assert settings.sessions.idle == timedelta(hours=1)


def test_readme_links_every_page_and_names_every_carrier() -> None:
    """A page that nobody finds, or a carrier that nobody hears of, would not be there for a newcomer."""
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    table = README.partition("| page | says |")[2].partition("\n\n")[0]
    assert set(re.findall(r"\]\((docs/[\w-]+\.md)\)", table)) == pages
    carriers = README.partition("| carrier | the client holds | take it |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w-]+)`", carriers, re.MULTILINE) == [carrier.value for carrier in Carrier]


def test_readme_begins_with_what_it_is_and_leaves_room_for_measurements() -> None:
    """A heading, a paragraph, then code that runs; the measured numbers have their command beside them."""
    heading, paragraph, code = README.split("\n\n")[:3]
    assert heading == "# Gatepost"
    assert paragraph.startswith("Gatepost signs people in")
    assert code.startswith("```python")
    assert "`./gate bench`" in README
