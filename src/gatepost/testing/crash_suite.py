"""What a store that outlives its process must do when the process is killed: a suite to subclass.

A writer in another process says what was acknowledged to it, and is killed at moments nobody chose.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

import random
from itertools import count
from multiprocessing.connection import Connection
from typing import ClassVar

from gatepost.core.changes import Change
from gatepost.core.ports import Log, Store
from gatepost.core.revocation import SessionEnded
from gatepost.testing.crowd import processes
from gatepost.testing.opening import Opened, Opener
from gatepost.testing.records import a_family, a_session, an_audit_row, change

_PATIENCE = 60.0
_PLENTY = 100_000


def whole(number: int) -> Change:
    """A change with a record of each sort in it, all named by one number."""
    key = f"{number:06}"
    return change(
        put=(a_session(key), a_family(key, key)),
        facts=(SessionEnded(key),),
        audit=(an_audit_row(session_id=key),),
    )


def write_until_killed(opener: Opener, first: int, said: Connection) -> None:
    """Commit one change after the other, and say each number once it is acknowledged."""
    store, _ = opener()
    for number in count(first):
        store.commit(whole(number))
        said.send(number)


class CrashSuite(Opened):
    """kill -9: what was acknowledged is there whole, what was not is there whole or not at all."""

    rounds: ClassVar[int] = 20

    def test_killed_writer_loses_nothing_that_was_acknowledged(
        self, opener: Opener, store: Store, log: Log
    ) -> None:
        """Twenty writers in a row, each killed in the middle of its commits."""
        moments = random.Random(20)  # noqa: S311 - when to kill, nothing to guard
        known = 0
        for _ in range(self.rounds):
            acknowledged = self._kill_one(opener, known, moments)
            found = self._found(store, log)
            assert found >= {f"{number:06}" for number in range(acknowledged)}
            # At most one commit was under way: durable, and its acknowledgement never said.
            assert len(found) in {acknowledged, acknowledged + 1}
            known = len(found)
        again, its_log = opener()
        assert len(self._found(again, its_log)) == known
        again.close()

    def _kill_one(self, opener: Opener, first: int, moments: random.Random) -> int:
        """Let a writer begin at a number and kill it; the number after the last it was told of."""
        context = processes()
        hears, says = context.Pipe(duplex=False)
        writer = context.Process(target=write_until_killed, args=(opener, first, says))
        writer.start()
        says.close()
        known = first
        enough = first + moments.randrange(1, 30)
        while known < enough and hears.poll(_PATIENCE):
            known = hears.recv() + 1
        # Nobody asks what is said meanwhile; it only lets the writer get to an arbitrary point.
        writer.join(moments.uniform(0, 0.002))
        writer.kill()
        writer.join()
        try:
            while True:
                known = hears.recv() + 1
        except (EOFError, OSError):
            hears.close()
        return known

    def _found(self, store: Store, log: Log) -> set[str]:
        """The numbers of which everything is there. Fails if of any only a part is."""
        sessions = {view.session.id for view in store.sessions(after=None, limit=_PLENTY)}
        families = {key for key in sessions if store.refresh(key) is not None}
        facts = {one.fact.session_id for one in log.read(None).facts if isinstance(one.fact, SessionEnded)}
        audit = {row.session_id for _, row in store.audit_rows(account_id=None, after=0, limit=_PLENTY)}
        assert sessions == families == facts == audit
        return sessions
