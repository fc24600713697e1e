"""Restoring where a key of the ring was damaged: what was withdrawn stays withdrawn, and the backup can be used."""

import sqlite3
from contextlib import closing

from gatepost.core.keys import KeyState
from tests.cli.conftest import Run
from tests.services.installation import Installation


def test_a_damaged_key_brings_nothing_back_that_was_withdrawn(run: Run, installation: Installation) -> None:
    """The key ring of now stays as long as its root opens, and a backup that holds a damaged key can be used."""
    first = installation.open()
    stolen = first.ring.signing.verifying.kid
    assert run("backup", "clean.db").code == 0
    first.keys.withdraw(stolen, "test")
    spare = next(key.id for key in first.keys.listed() if key.state is KeyState.NEXT)
    installation.close()
    with closing(sqlite3.connect(installation.folder / "gatepost.db")) as database, database:
        database.execute("UPDATE ring_key SET sealed = x'00' WHERE id = ?", (spare,))
    assert run("backup", "damaged.db").code == 0
    for backup in ("damaged.db", "clean.db"):
        done = run("restore", backup, "--keep-sessions")
        assert done.code == 0, done.error
        states = {key.id: key.state for key in installation.open().keys.listed()}
        installation.close()
        assert states[stolen] is KeyState.WITHDRAWN
