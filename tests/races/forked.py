"""A program that opens an authority and forks; parent and child end each other's sessions. It prints what they saw.

A process of its own, because a fork takes along whatever threads and locks the test runner has. Run by
`test_forked_process.py` with the data folder as its argument.
"""

import json
import os
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from gatepost.authority import Authority
from gatepost.errors import GatepostError
from gatepost.machine import SystemClock
from tests.races.contenders import STEADY
from tests.services.installation import Device, add_account, open_authority


def seen(at: Authority, device: Device) -> str:
    """Whether an authority takes a device's carrier, or the name of its refusal."""
    try:
        device.who(at)
    except GatepostError as error:
        return type(error).__name__
    return "taken"


def child(at: Authority, first: Device, second: Device, line: Connection) -> None:
    """Check, wait for the parent's ending, check again; then end the other session and say what the receipt was."""
    line.send(seen(at, first))
    line.recv()
    line.send(seen(at, first))
    receipt = at.sessions.end_any(second.session.id, "cli")
    line.send(receipt.state.value)
    at.stop()


def main(folder: Path) -> None:
    """Print, as JSON, what each of the two saw."""
    at = open_authority(folder, SystemClock(), lambda error: None, **STEADY)
    at.start()
    account = add_account(at)
    first, second = Device(at, account), Device(at, account)
    told = {"parent before": [seen(at, first), seen(at, second)]}
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        child(at, first, second, theirs)
        os._exit(0)
    told["child before"] = [ours.recv()]
    told["followers"] = sorted("parent" if row.pid == os.getpid() else "child" for row in at.log.followers())
    told["parent ended"] = [at.sessions.end_any(first.session.id, "cli").state.value]
    ours.send("ended")
    told["child after"] = [ours.recv()]
    told["child ended"] = [ours.recv()]
    told["parent after"] = [seen(at, first), seen(at, second)]
    os.waitpid(pid, 0)
    told["followers at the end"] = [
        "parent" if row.pid == os.getpid() else "child" for row in at.log.followers()
    ]
    at.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
