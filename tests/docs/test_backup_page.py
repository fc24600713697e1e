"""The page on backups, done as it says: its commands one after the other, beside a running server."""

from pathlib import Path

from tests.docs.walkthrough import blocks_of
from tests.servers import ROOT, RunningServer

PAGE = (ROOT / "docs/backup.md").read_text()


def test_every_command_of_the_page_does_what_stands_around_it(tmp_path: Path) -> None:
    """Each line of each shell block succeeds in the page's order, and leaves the file that it names."""
    blocks = [block.text for block in blocks_of(PAGE) if block.language == "sh"]
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    with RunningServer(tmp_path) as server:
        for line in lines:
            name, *arguments = line.split()
            assert name == "gatepost"
            done = server.command(*arguments)
            assert (done.code, done.error) == (0, "")
            assert (tmp_path / "monday.db").is_file()
