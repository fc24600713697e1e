"""What a restore carries from the live database into the copy of a backup, as statements.

Owns which rows of the log, the trail, the keys and of who follows go over, and what every ending since the backup does
to the records in it. Runs nothing (sql_restore.py does, between the first page and the second).
"""

from typing import Final

import sqlalchemy as sa

from gatepost.stores import sql_tables as tables
from gatepost.stores.sql_records import text_of

_live: Final = sa.MetaData()
IN_LIVE: Final = {
    table.name: table.to_metadata(_live, schema="live") for table in tables.metadata.sorted_tables
}
_began: Final[sa.BindParameter[int]] = sa.bindparam("began")
_log: Final = tables.log.c
_live_log: Final = IN_LIVE["log"].c


def _carry(table: sa.Table, *newer: sa.ColumnElement[bool], prefix: str = "") -> str:
    source = IN_LIVE[table.name]
    names = [column.name for column in table.c]
    found = sa.select(*(source.c[name] for name in names)).where(*newer)
    return text_of(sa.insert(table).prefix_with(prefix).from_select(names, found))


def _beyond(table: sa.Table) -> sa.ColumnElement[bool]:
    newest = sa.select(sa.func.coalesce(sa.func.max(table.c.number), sa.text("0"))).scalar_subquery()
    return IN_LIVE[table.name].c.number > newest


HEARERS: Final = (_carry(tables.follower), _carry(tables.verifier))
KEYS: Final = (text_of(sa.delete(tables.ring_key)), _carry(tables.ring_key))
GROWN: Final = (_carry(tables.audit, _beyond(tables.audit)), _carry(tables.seal, _beyond(tables.seal)))
LOG: Final = _carry(tables.log, _live_log.seq > _began)


def _ended_since(kind: str) -> sa.ColumnElement[bool]:
    return sa.and_(_log.seq > _began, _log.kind == sa.literal_column(f"'{kind}'"))


_session: Final = tables.session.c
_family: Final = tables.refresh_family.c
_gone: Final = sa.select(_log.subject).where(_ended_since("session_ended")).scalar_subquery()


def _newest_ending(kind: str) -> sa.Subquery:
    newest = sa.select(_log.subject, sa.func.max(_log.seq).label("seq"), sa.func.max(_log.at).label("at"))
    return newest.where(_ended_since(kind)).group_by(_log.subject).subquery()


_ended: Final = _newest_ending("account_ended").c
_client_ended: Final = _newest_ending("client_ended").c
_client: Final = tables.client.c
_kept: Final = IN_LIVE["session"].alias("kept").c
_rotated: Final = IN_LIVE["refresh_family"]
_its_family: Final = sa.exists().where(tables.refresh_family.c.id == _rotated.c.id)
# A client that was ended stays out itself: nobody brings one back but by making another.
CLIENT_ENDINGS: Final = text_of(
    sa.update(tables.client)
    .where(_client.id == _client_ended.subject)
    .values(ended_pos=_client_ended.seq, ended_at=sa.func.coalesce(_client.ended_at, _client_ended.at))
)
# What a commit writes where the truth is read, done again for every fact since the backup.
ENDINGS: Final = (
    text_of(sa.delete(tables.refresh_family).where(_family.session_id.in_(_gone))),
    text_of(sa.delete(tables.session).where(_session.id.in_(_gone))),
    text_of(
        sa.update(tables.account)
        .where(tables.account.c.id == _ended.subject, tables.account.c.ended_pos < _ended.seq)
        .values(ended_pos=_ended.seq)
    ),
    # Only an ending that keeps a session moves its position.
    text_of(
        sa.update(tables.session)
        .where(_session.id == _kept.id, _session.pos < _kept.pos)
        .values(pos=_kept.pos)
    ),
    # A refresh token that was used since the backup must not be good once more, and its successor is known only here.
    _carry(tables.refresh_family, _its_family, prefix="OR REPLACE"),
)
