"""What the API reference says to try first, tried with curl as it stands there."""

import html
import re
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.servers import RunningServer


@pytest.mark.needs("curl")
def test_the_three_lines_of_the_reference_work(tmp_path: Path) -> None:
    """An account, who it is, and the sign-out; without the second cookie's word the last one is refused."""
    with RunningServer(tmp_path) as server:
        page = httpx2.get(f"{server.url}/docs", timeout=20).text
        shown = re.search(r'<pre class="code" lang="en"><code>(.*?)</code>', page, re.DOTALL)
        assert shown is not None
        lines = html.unescape(shown[1]).replace("curl ", "curl -s -w '\\n%{http_code}\\n' ")

        def ran(script: str) -> list[str]:
            command = ["sh", "-c", script]
            return subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
            ).stdout.split()

        said = ran(lines)
        assert [one for one in said if one.isdigit()] == ["201", "200", "204"]
        assert "you@example.com" in said[0]
        assert [one for one in ran(lines.splitlines()[1]) if one.isdigit()] == ["401"]
