"""An issuer that was asked before a fork, as in a server that preloads its application."""

import json
import subprocess
import sys

from tests.checking.forked_asker import ROUNDS
from tests.checking.issuers import ScriptedIssuer, active
from tests.servers import ROOT, clean_environment


def answering(request: bytes) -> bytes:
    """An answer about the very token that was asked about."""
    name = request.partition(b"token=")[2].partition(b"&")[0].decode()
    return active(jti=name)


def test_a_forked_child_asks_over_a_connection_of_its_own() -> None:
    """Parent and child ask at once and each is told about its own token: two on one connection would be mixed up."""
    with ScriptedIssuer(answering) as issuer:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.checking.forked_asker", issuer.url],
            cwd=ROOT,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found == {"before": ["live"], "parent": ["live"] * ROUNDS, "child": ["live"] * ROUNDS}
        assert issuer.connections == 2
