"""Counters in SQL, shared by every server process on the file and still there after a restart.

Owns one narrow table without any name in it: keys are digests. Not durable at a power loss, which costs a guesser's
count of the last moments and spares every sign-in a wait for the disk. Handed out by the SQL store.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gatepost.core.changes import AuditRow, Recounting
from gatepost.core.guesses import Tally
from gatepost.core.ports import Recount
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros, moment
from gatepost.stores.sql_records import at_most, text_of
from gatepost.stores.sqlite import SqliteFile

# A try asks for three counters of failures and four of what is in flight, in one statement; empty places cost nothing.
_PLACES: Final = 8
# One transaction removes so many: about a millisecond, in which nobody else can write.
_STEP: Final = 200

_counter: Final = tables.counter
_names: Final = [f"key{place}" for place in range(_PLACES)]
_FIND: Final = text_of(
    sa.select(_counter).where(sa.or_(*(_counter.c.key == sa.bindparam(name) for name in _names)))
)
_new: Final = insert(_counter)
_WRITE: Final = text_of(
    _new.on_conflict_do_update(
        index_elements=[_counter.c.key],
        set_={name: _new.excluded[name] for name in ("count", "at", "expires_at")},
    )
)
_REMOVE: Final = text_of(sa.delete(_counter).where(_counter.c.key == sa.bindparam("key")))
_OVER: Final = text_of(
    at_most(
        sa.select(_counter.c.key).where(_counter.c.expires_at <= sa.bindparam("now")),
        "most",
    )
)
_NEAREST: Final = text_of(
    at_most(sa.select(_counter.c.key).order_by(_counter.c.expires_at), "most"),
)
_COUNT: Final = text_of(sa.select(sa.func.count()).select_from(_counter))


class SqlCounters:
    """`Counters` on one SQLite file. Safe from any number of threads and processes."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def tallies(self, keys: Sequence[bytes]) -> dict[bytes, Tally]:
        """The counters with these keys that there are."""
        return _read(self._file.rows(_FIND, _asked(keys)))

    def recount(self, keys: Sequence[bytes], decide: Recount) -> None:
        """Write what `decide` makes of these counters; None removes one. Nobody comes in between. Raises Busy."""
        with self._file.writing(durable=False) as connection:
            _write(connection, decide(_found(connection, keys)))

    def sweep_counters(self, now: datetime, keep: int, most: int) -> int:
        """Remove up to `most` that are over, or, until `keep` are left, the nearest to it; how many went."""
        found = self._file.rows(_OVER, {"now": micros(now), "most": most})
        if len(found) < most:
            [(there,)] = self._file.rows(_COUNT)
            surplus = min(most, there - keep)
            if surplus > len(found):
                found = self._file.rows(_NEAREST, {"most": surplus})
        for first in range(0, len(found), _STEP):
            with self._file.writing(durable=False) as connection:
                connection.executemany(_REMOVE, [{"key": key} for (key,) in found[first : first + _STEP]])
        return len(found)


def recounted(connection: sqlite3.Connection, recounting: Recounting) -> tuple[AuditRow, ...]:
    """Move the counters of a change, inside its transaction; the rows of the trail that come of it."""
    made = recounting.decide(_found(connection, recounting.keys))
    _write(connection, made.tallies)
    return made.audit


def _found(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Tally]:
    return _read(connection.execute(_FIND, _asked(keys)).fetchall())


def _asked(keys: Sequence[bytes]) -> dict[str, bytes | None]:
    if len(keys) > _PLACES:
        raise ValueError(f"at most {_PLACES} counters at once")
    return dict.fromkeys(_names) | dict(zip(_names, keys, strict=False))


def _read(rows: Sequence[Any]) -> dict[bytes, Tally]:
    return {key: Tally(count, moment(at), moment(expires_at)) for key, count, at, expires_at in rows}


def _write(connection: sqlite3.Connection, tallies: Mapping[bytes, Tally | None]) -> None:
    for key, tally in tallies.items():
        if tally is None:
            connection.execute(_REMOVE, {"key": key})
        else:
            row = {"key": key, "count": tally.count, "at": micros(tally.at)}
            connection.execute(_WRITE, row | {"expires_at": micros(tally.expires_at)})
