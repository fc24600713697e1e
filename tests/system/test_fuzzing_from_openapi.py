"""Every call is fuzzed from its own description: no error of ours, and each answer is as the document says."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.real_parts import find_schemathesis
from tests.servers import ROOT, UNHURRIED, RunningServer

PASSWORD = "three or four words do"
ASKERS = {"nobody": "", "a member": "member@example.com", "an administrator": "admin@example.com"}
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "codes_are_declared",
    ]
)
# Requests of each kind to each call, without and with `--long`.
SHORT, LONG = 12, 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server with a member and an administrator, on data that is thrown away."""
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "gatepost.toml").write_text(UNHURRIED)
    with RunningServer(folder) as running:
        for role in ("member", "admin"):
            made = running.command(
                "account", "create", f"{role}@example.com", "--role", role, stdin=f"{PASSWORD}\n"
            )
            assert made.code == 0, made.error
        yield running


def fuzzed(server: RunningServer, asker: str, examples: int) -> subprocess.CompletedProcess[str]:
    """The fuzzer's verdict over every call, asked as this one."""
    program = find_schemathesis()
    assert program is not None
    listed = json.loads(server.command("account", "list", "--json").out)
    variables = {
        "SCHEMATHESIS_HOOKS": "tests.system.fuzzing_hooks",
        "FUZZ_URL": server.url,
        "FUZZ_EMAIL": ASKERS[asker],
        "FUZZ_PASSWORD": PASSWORD,
        "FUZZ_ACCOUNTS": json.dumps([account["id"] for account in listed["items"]]),
        "PYTHONPATH": str(ROOT),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GATEPOST"))}
    return subprocess.run(
        [program, "run", f"{server.url}/openapi.json", "--checks", CHECKS, "--seed", "1", "--no-shrink",
         "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--workers", "1",
         "--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "20", "--no-color"],
        cwd=server.folder, env={**kept, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.needs("schemathesis")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("asker", ASKERS)
def test_every_answer_is_as_the_description_says(
    server: RunningServer, asker: str, pytestconfig: pytest.Config
) -> None:
    """Status, code, kind, headers and body of every answer to whatever may be asked; and it still serves."""
    done = fuzzed(server, asker, LONG if pytestconfig.getoption("--long") else SHORT)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "Traceback" not in server.journal
    assert httpx2.get(f"{server.url}/readyz", timeout=20).status_code == 200
