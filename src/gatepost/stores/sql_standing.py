"""What the log in SQL says of one carrier, for a process whose own copy of the facts has become too old.

Owns one statement; what the facts mean is asked of core. Called by the SQL store.
"""

from typing import Final

import sqlalchemy as sa

from gatepost.core.revocation import RevocationSet, Standing, Subject
from gatepost.stores import sql_tables as tables
from gatepost.stores.sql_facts import fact_of
from gatepost.stores.sql_records import text_of
from gatepost.stores.sqlite import SqliteFile

_head: Final = tables.log_head.c
_log: Final = tables.log.c
_NAMES: Final = ("session", "account", "client", "token", "key")
# A fact about everyone names nobody.
_speaks_of_it: Final = sa.or_(
    _log.subject == sa.text("''"), *(_log.subject == sa.bindparam(name) for name in _NAMES)
)
# Searched by position: what a carrier could be hit by is as young as the carrier, and an index over names would be paid
# for by each ending.
_ABOUT: Final = text_of(
    sa.select(_head.floor, _log.seq, _log.kind, _log.subject, _log.keep).select_from(
        tables.log_head.outerjoin(tables.log, sa.and_(_log.seq > sa.bindparam("after"), _speaks_of_it))
    )
)


def standing_of(file: SqliteFile, subject: Subject) -> Standing:
    """What the facts after a subject's position say of it, and whether it is older than the floor."""
    named = (subject.session_id, subject.account_id, subject.client_id, subject.jti, subject.kid)
    rows = file.rows(_ABOUT, dict(zip(_NAMES, named, strict=True)) | {"after": subject.pos})
    facts = RevocationSet(rows[0][0])
    for _, seq, kind, name, keep in rows:
        if seq is not None:
            facts.fold(seq, fact_of(kind, name, keep))
    return facts.covers(subject)
