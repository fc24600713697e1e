"""The revocation log in SQL, as followers read it.

Owns the question whether anything happened, the answer from one snapshot, and the rows that say how far each server
process has heard. Appends nothing (sql_facts.py does). Called by the follower's thread and by whoever waits for it.
"""

import os
import sqlite3
import threading
from sqlite3 import Connection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gatepost.core.ports import FollowerRow, LogAnswer
from gatepost.core.revocation import Logged, Position
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros, moment
from gatepost.stores.sql_facts import fact_of
from gatepost.stores.sql_records import text_of
from gatepost.stores.sqlite import Line, SqliteFile

# A follower that cannot confirm in time goes on reading; it must not stand still while writers queue.
_WAIT: Final = 0.5

_VERSION: Final = "PRAGMA data_version"
_head: Final = tables.log_head.c
_log: Final = tables.log.c
_READ_HEAD: Final = text_of(sa.select(_head.log_id, _head.seq, _head.tag, _head.floor, _head.ring))
_READ_TAG: Final = text_of(sa.select(_log.tag).where(_log.seq == sa.bindparam("seq")))
_READ_FACTS: Final = text_of(
    sa.select(_log.seq, _log.kind, _log.subject, _log.keep, _log.at, _log.tag)
    .where(_log.seq > sa.bindparam("after"))
    .order_by(_log.seq)
)
_asked: Final[sa.BindParameter[int]] = sa.bindparam("floor")
# Never past the head: everything would count as forgotten until that many facts had happened.
_reached: Final = sa.case((_head.seq < _asked, _head.seq), else_=_asked)
_RAISE_FLOOR: Final = text_of(sa.update(tables.log_head).where(_head.floor < _reached).values(floor=_reached))

_follower: Final = tables.follower
_upsert: Final = insert(_follower)
_CONFIRM: Final = text_of(
    _upsert.on_conflict_do_update(
        index_elements=[_follower.c.instance],
        set_={name: _upsert.excluded[name] for name in ("pid", "seq", "at")},
    )
)
_FOLLOWERS: Final = text_of(sa.select(_follower).order_by(_follower.c.instance))
_LEAVE: Final = text_of(sa.delete(_follower).where(_follower.c.instance == sa.bindparam("instance")))


class SqlLog:
    """The log of one file, for one follower: `changed` and `read` have a connection of their own.

    It is that connection's `data_version` which moves when anybody else commits. Confirming goes through the process's
    writer, so that it queues with the other threads and not against them.
    """

    # Whoever can read the file reads the one that is written: there is no second primary to be mistaken for it.
    pulses = False

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._guard = threading.Lock()
        self._line: Line | None = None
        self._seen: int | None = None

    def beat(self) -> None:
        """Nothing: a file has no pulse."""

    def changed(self) -> bool:
        """Whether anybody has committed anything since this was last asked; true the first time."""
        line = self._own()
        try:
            with line.lock:
                [(version,)] = line.connection.execute(_VERSION).fetchall()
        except sqlite3.Error:
            # The file says what an error means, and is asked only then: its way costs a third of this question, which
            # is put many times a second.
            with self._file.using(line) as connection:
                [(version,)] = connection.execute(_VERSION).fetchall()
        before, self._seen = self._seen, version
        return bool(version != before)

    def read(self, after: Position | None) -> LogAnswer:
        """The facts after a position, or a reset with all that are live, from one snapshot.

        A reset answers who has no position, who stands before the floor, and who stands at a row that this copy of
        the log does not have: it was restored, or somebody else's changes were lost.
        """
        with self._file.using(self._own()) as connection:
            connection.execute("BEGIN")
            try:
                return _answer(connection, after)
            finally:
                connection.execute("ROLLBACK")

    def raise_floor(self, seq: int) -> None:
        """Publish that followers may forget facts up to `seq`. It never falls and never passes the newest fact."""
        self._write(_RAISE_FLOOR, {"floor": seq})

    def confirm(self, row: FollowerRow) -> None:
        """Write where a follower is. Raises Busy after half a second."""
        self._write(
            _CONFIRM, {"instance": row.instance, "pid": row.pid, "seq": row.seq, "at": micros(row.at)}
        )

    def followers(self) -> list[FollowerRow]:
        """Every follower that has not left."""
        return [FollowerRow(name, pid, seq, moment(at)) for name, pid, seq, at in self._file.rows(_FOLLOWERS)]

    def leave(self, instance: str) -> None:
        """Remove a follower's row."""
        self._write(_LEAVE, {"instance": instance})

    def _write(self, statement: str, params: dict[str, Any]) -> None:
        with self._file.writing(durable=False, wait=_WAIT) as connection:
            connection.execute(statement, params)

    def _own(self) -> Line:
        with self._guard:
            if self._line is None or self._line.pid != os.getpid():
                self._line = self._file.line()
                self._seen = None
            return self._line


def _answer(connection: Connection, after: Position | None) -> LogAnswer:
    [(log_id, seq, tag, floor, ring)] = connection.execute(_READ_HEAD).fetchall()
    known = after is not None and after.log == log_id and after.seq >= floor and _has(connection, after)
    start = after.seq if known and after is not None else floor
    rows = connection.execute(_READ_FACTS, {"after": start}).fetchall() if start < seq else []
    facts = tuple(
        Logged(number, fact_of(kind, subject, keep), moment(at), its_tag)
        for number, kind, subject, keep, at, its_tag in rows
    )
    return LogAnswer(facts, Position(log_id, seq, tag), floor, reset=not known, ring=ring)


def _has(connection: Connection, after: Position) -> bool:
    return after.seq == 0 or [(after.tag,)] == connection.execute(_READ_TAG, {"seq": after.seq}).fetchall()
