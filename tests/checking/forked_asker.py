"""A program that asks an issuer, forks, and asks from parent and child at once. It prints who was told what.

A process of its own, because a fork takes along whatever threads and locks the test runner has. Run by
`test_issuer_after_a_fork.py` with the issuer's URL as its argument.
"""

import json
import os
import sys
from multiprocessing import Pipe

from gatepost.checking.issuer import AskRules, Issuer
from gatepost.checking.trusted_servers import Credential
from gatepost.core.secrets import Secret
from gatepost.errors import GatepostError
from gatepost.machine import SystemClock
from tests.builders import make_subject

ROUNDS = 20


def told(issuer: Issuer, name: str) -> list[str]:
    """What it is told about a token of this name, round by round; the name of the error where it is told nothing."""
    seen = []
    for _ in range(ROUNDS):
        try:
            seen.append(issuer.standing(name, make_subject(jti=name, client_id="shop")).value)
        except GatepostError as error:
            seen.append(type(error).__name__)
    return seen


def main(url: str) -> None:
    """Print, as JSON, what each of the two was told."""
    issuer = Issuer(url, Credential("asker", Secret("s" * 43)), SystemClock(), AskRules(patience=10))
    before = told(issuer, "parent")[:1]
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        theirs.send(told(issuer, "child"))
        os._exit(0)
    found = {"before": before, "parent": told(issuer, "parent"), "child": ours.recv()}
    os.waitpid(pid, 0)
    issuer.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
