"""Facts in SQL: how they become rows of the log, and what each writes where the truth is read.

Owns the order of facts, which is the order of the head row's updates, and the two forms of a fact. Reads nothing back
for followers (sql_log.py does). Called by the SQL store inside its own transactions.
"""

from collections.abc import Sequence
from datetime import datetime
from sqlite3 import Connection
from typing import Any, Final

import sqlalchemy as sa

from gatepost.core.ports import Randomness
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    Logged,
    Position,
    SessionEnded,
    TokenEnded,
)
from gatepost.core.secrets import encode
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros
from gatepost.stores.sql_records import text_of

# Nothing has happened yet at sequence 0, so its tag tells nothing apart.
ORIGIN_TAG: Final = "0"
_TAG_BYTES: Final = 9
_LOG_ID_BYTES: Final = 12

_head: Final = tables.log_head.c
_KINDS: Final[dict[type[Fact], str]] = {
    TokenEnded: "token_ended",
    SessionEnded: "session_ended",
    AccountEnded: "account_ended",
    AccountOutdated: "account_outdated",
    ClientEnded: "client_ended",
    KeyEnded: "key_ended",
    EveryoneEnded: "everyone_ended",
    EveryoneOutdated: "everyone_outdated",
}
_NAMED: Final[dict[str, Any]] = {
    _KINDS[kind]: kind for kind in (TokenEnded, SessionEnded, AccountOutdated, ClientEnded, KeyEnded)
}

HEAD: Final = text_of(sa.select(_head.log_id, _head.seq, _head.tag))
_ADVANCE: Final = text_of(
    sa.update(tables.log_head)
    .values(seq=_head.seq + sa.bindparam("count"), tag=sa.bindparam("tag"))
    .returning(_head.log_id, _head.seq)
)
_APPEND: Final = text_of(sa.insert(tables.log))
_EVERYONE_ENDED: Final = text_of(sa.update(tables.log_head).values(everyone_ended=sa.bindparam("seq")))
_EVERYONE_OUTDATED: Final = text_of(sa.update(tables.log_head).values(everyone_outdated=sa.bindparam("seq")))
_ACCOUNT_ENDED: Final = text_of(
    sa.update(tables.account)
    .where(tables.account.c.id == sa.bindparam("account"))
    # The version moves too: a sign-in that had read the account before decides again, instead of ending in a session
    # that is dead on arrival.
    .values(ended_pos=sa.bindparam("seq"), version=tables.account.c.version + sa.literal_column("1"))
)


_CLIENT_ENDED: Final = text_of(
    sa.update(tables.client)
    .where(tables.client.c.id == sa.bindparam("client"))
    .values(ended_pos=sa.bindparam("seq"), version=tables.client.c.version + sa.literal_column("1"))
)


def _standing(pos: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether what has `pos` outlived the endings of the account and of everyone so far."""
    ended = sa.select(tables.account.c.ended_pos).where(tables.account.c.id == sa.bindparam("account"))
    return sa.and_(pos >= ended.scalar_subquery(), pos >= sa.select(_head.everyone_ended).scalar_subquery())


_KEEP_SESSION: Final = text_of(
    sa.update(tables.session)
    .where(
        tables.session.c.id == sa.bindparam("keep"),
        tables.session.c.account_id == sa.bindparam("account"),
        _standing(tables.session.c.pos),
    )
    .values(pos=sa.bindparam("seq"))
)
_KEEP_FAMILY: Final = text_of(
    sa.update(tables.refresh_family)
    .where(tables.refresh_family.c.session_id == sa.bindparam("keep"), _standing(tables.refresh_family.c.pos))
    .values(pos=sa.bindparam("seq"))
)


def start_log(connection: Connection, randomness: Randomness) -> None:
    """Give a new database its log: an id, and position 0."""
    head = {"id": 1, "log_id": new_log_id(randomness), "seq": 0, "tag": ORIGIN_TAG}
    empty = {"floor": 0, "everyone_ended": 0, "everyone_outdated": 0, "ring": 0}
    connection.execute(text_of(sa.insert(tables.log_head).prefix_with("OR IGNORE")), head | empty)


def new_log_id(randomness: Randomness) -> str:
    """A name that no log had before."""
    return encode(randomness.bytes(_LOG_ID_BYTES))


def append(
    connection: Connection, facts: Sequence[Fact], at: datetime, randomness: Randomness
) -> tuple[Position, tuple[Logged, ...]]:
    """Append facts in the order given, and write each where the truth is read. The last step of a commit."""
    if not facts:
        [(log_id, seq, tag)] = connection.execute(HEAD).fetchall()
        return Position(log_id, seq, tag), ()
    tags = [encode(randomness.bytes(_TAG_BYTES)) for _ in facts]
    [(log_id, last)] = connection.execute(_ADVANCE, {"count": len(facts), "tag": tags[-1]}).fetchall()
    numbered = enumerate(zip(facts, tags, strict=True), last - len(facts) + 1)
    logged = tuple(Logged(seq, fact, at, tag) for seq, (fact, tag) in numbered)
    for one in logged:
        connection.execute(_APPEND, {"seq": one.seq, "tag": one.tag, "at": micros(at)} | _columns(one.fact))
        _write_through(connection, one)
    return Position(log_id, last, tags[-1]), logged


def _write_through(connection: Connection, logged: Logged) -> None:
    match logged.fact:
        case AccountEnded(account_id, keep):
            given = {"seq": logged.seq, "account": account_id, "keep": keep}
            # Before the account is marked: only what outlived every earlier ending may be kept now.
            if keep is not None and connection.execute(_KEEP_SESSION, given).rowcount:
                connection.execute(_KEEP_FAMILY, given)
            connection.execute(_ACCOUNT_ENDED, given)
        case ClientEnded(client_id):
            connection.execute(_CLIENT_ENDED, {"seq": logged.seq, "client": client_id})
        case EveryoneEnded():
            connection.execute(_EVERYONE_ENDED, {"seq": logged.seq})
        case EveryoneOutdated():
            connection.execute(_EVERYONE_OUTDATED, {"seq": logged.seq})
        case _:
            # The others hit by name, and whoever committed them took or changed the record itself.
            pass


def _columns(fact: Fact) -> dict[str, Any]:
    kind = _KINDS[type(fact)]
    match fact:
        case AccountEnded(account_id, keep):
            return {"kind": kind, "subject": account_id, "keep": keep}
        case EveryoneEnded() | EveryoneOutdated():
            return {"kind": kind, "subject": "", "keep": None}
        case (
            TokenEnded(subject)
            | SessionEnded(subject)
            | AccountOutdated(subject)
            | ClientEnded(subject)
            | KeyEnded(subject)
        ):
            return {"kind": kind, "subject": subject, "keep": None}


def fact_of(kind: str, subject: str, keep: str | None) -> Fact:
    """The fact that a row of the log holds."""
    if kind == _KINDS[AccountEnded]:
        return AccountEnded(subject, keep)
    if kind == _KINDS[EveryoneEnded]:
        return EveryoneEnded()
    if kind == _KINDS[EveryoneOutdated]:
        return EveryoneOutdated()
    named: Fact = _NAMED[kind](subject)
    return named
