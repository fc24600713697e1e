"""The audit trail in SQL as people read it: page by page, and what it says last of some sessions.

Owns the two reads. The trail as bytes, and the seals over it, are in `sql_seals`. Called by the SQL store.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from gatepost.core.changes import AuditRow
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import json_text
from gatepost.stores.sql_records import at_most, audit_at, text_of
from gatepost.stores.sqlite import SqliteFile

_audit: Final = tables.audit
_trail: Final = sa.select(_audit).where(_audit.c.number > sa.bindparam("after")).order_by(_audit.c.number)
_AUDIT: Final = text_of(at_most(_trail, "limit"))
_AUDIT_OF: Final = text_of(at_most(_trail.where(_audit.c.account_id == sa.bindparam("account")), "limit"))

_asked: Final = sa.func.json_each(sa.bindparam("sessions")).table_valued("value")
_other: Final = _audit.alias("other").c
# One step into the index for each session, whatever else there is in the trail: anybody makes it longer, by failing to
# sign in.
_newest: Final = (
    sa.select(sa.func.max(_other.number))
    .where(_other.session_id == _asked.c.value, _other.event == sa.text(tables.REPEATED_ELSEWHERE))
    .scalar_subquery()
)
REPEATS_ELSEWHERE: Final = text_of(
    sa.select(_audit).select_from(_asked.join(_audit, _audit.c.number == _newest))
)


def audit_rows(
    file: SqliteFile, account_id: str | None, after: int, limit: int
) -> list[tuple[int, AuditRow]]:
    """Rows with their numbers, in order, those after a number; of one account or of all."""
    statement = _AUDIT if account_id is None else _AUDIT_OF
    rows = file.rows(statement, {"account": account_id, "after": after, "limit": limit})
    return [(row[0], audit_at(row)) for row in rows]


def repeats_elsewhere(file: SqliteFile, session_ids: Sequence[str]) -> dict[str, AuditRow]:
    """For each of these sessions that has one: the newest row of a refresh that was repeated from elsewhere."""
    rows = map(audit_at, file.rows(REPEATS_ELSEWHERE, {"sessions": json_text(session_ids)}))
    return {row.session_id: row for row in rows if row.session_id is not None}
