"""The audit trail as its sealer reads it, and the table of seals.

Rows come as bytes, whatever they hold. Owns neither the chain nor its key (core/audit.py, services/audit.py). Called by
the SQL store.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gatepost.core.audit import Entry, Seal, Sealed, canonical
from gatepost.errors import Conflict
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros, moment
from gatepost.stores.entries import FIELDS
from gatepost.stores.sql_records import at_most, text_of
from gatepost.stores.sqlite import SqliteFile

_audit: Final = tables.audit.c
_seal: Final = tables.seal
_NAMES: Final = ("number", "after", "last", "count", "at", "rows", "previous", "mac")
_WIDTH: Final = len(_NAMES)

# As bytes: a row that was changed by hand may hold what no text or number can be made of.
_raw: Final = (sa.cast(_audit[name], sa.LargeBinary) for name in FIELDS)
_ENTRIES: Final = text_of(
    at_most(
        sa.select(_audit.number, *_raw)
        .where(_audit.number > sa.bindparam("after"), _audit.number <= sa.bindparam("upto"))
        .order_by(_audit.number),
        "limit",
    )
)
_SEALS: Final = text_of(
    at_most(sa.select(_seal).where(_seal.c.number > sa.bindparam("after")).order_by(_seal.c.number), "limit")
)
_NEWEST: Final = text_of(
    sa.select(*list(_seal.c)[:_WIDTH]).where(
        _seal.c.number == sa.select(sa.func.max(_seal.c.number)).scalar_subquery()
    )
)
_APPEND: Final = text_of(insert(_seal).on_conflict_do_nothing(index_elements=[_seal.c.number]))


def entries(file: SqliteFile, after: int, upto: int, limit: int) -> list[Entry]:
    """Rows in the order of their numbers, those after `after` up to `upto`."""
    rows = file.rows(_ENTRIES, {"after": after, "upto": upto, "limit": limit})
    return [Entry(row[0], canonical(row[1:])) for row in rows]


def seals(file: SqliteFile, after: int, limit: int) -> list[Sealed]:
    """Seals in the order of their numbers, those after `after`."""
    rows = file.rows(_SEALS, {"after": after, "limit": limit})
    return [Sealed(_seal_of(row[:_WIDTH]), row[_WIDTH]) for row in rows]


def newest(file: SqliteFile) -> Seal | None:
    """The seal with the highest number."""
    rows = file.rows(_NEWEST)
    return _seal_of(rows[0]) if rows else None


def append(file: SqliteFile, sealed: Sealed) -> None:
    """Write a seal, or raise Conflict where there is one with its number."""
    seal = sealed.seal
    row: dict[str, Any] = {name: getattr(seal, name) for name in _NAMES}
    with file.writing() as connection:
        if not connection.execute(_APPEND, row | {"at": micros(seal.at), "marks": sealed.marks}).rowcount:
            raise Conflict("seal", str(seal.number))


def _seal_of(row: Sequence[Any]) -> Seal:
    number, after, last, count, at, rows, previous, mac = row
    try:
        sealed_at = moment(at)
    except OverflowError:
        # Changed by hand to what no calendar has; the seal does not verify with any moment but its own.
        sealed_at = moment(0)
    return Seal(number, after, last, count, sealed_at, rows, previous, mac)
