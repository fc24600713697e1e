"""Records as rows: the statements that write each kind, and the mapping in both directions.

Owns what a put does to the columns that other hands move too: `pos`, `ended_pos` and `last_seen_at` only ever rise,
whatever the record says that was read before. Statements are built with SQLAlchemy once and kept as text, because
building one takes longer than SQLite needs to run it. Called by the SQL store and its neighbours.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect

from gatepost.core.accounts import Account, Invitation
from gatepost.core.changes import AuditRow, Event, Record
from gatepost.core.clients import Client, Power
from gatepost.core.emails import Email
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.rotation import Predecessor, RefreshFamily, RefreshView
from gatepost.core.sessions import Carrier, Session, SessionView
from gatepost.errors import StoreUnusable
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import json_bytes, json_text, mapping, micros, moment, names

_DIALECT: Final = dialect(paramstyle="named")
ONE: Final[sa.ColumnElement[int]] = sa.literal_column("1")
ZERO: Final[sa.ColumnElement[int]] = sa.literal_column("0")

_SESSION_WIDTH: Final = len(tables.session.c)
_FAMILY_WIDTH: Final = len(tables.refresh_family.c)

Params = dict[str, Any]


def text_of(statement: sa.ClauseElement) -> str:
    """A statement as the text that SQLite takes, its parameters by name. Constants in it must be literal columns."""
    compiled = statement.compile(dialect=_DIALECT)
    stray = [name for name, value in compiled.params.items() if value is not None]
    if stray:
        raise ValueError(f"a constant became a parameter: {stray}")
    return str(compiled)


def at_most(found: sa.Select[Any], name: str) -> sa.Select[Any]:
    """The first rows of a selection, as many as the parameter says."""
    # The dialect would spell out a missing offset as a parameter.
    return found.limit(sa.bindparam(name)).offset(ZERO)


def greatest(column: sa.Column[Any], name: str) -> sa.Case[Any]:
    """The larger of a column and a parameter, in SQL that every engine speaks."""
    given: sa.BindParameter[Any] = sa.bindparam(name)
    return sa.case((column > given, column), else_=given)


def _account_row(account: Account) -> Params:
    return {
        "id": account.id,
        "email_typed": account.email.typed,
        "email_key": account.email.key,
        "password_hash": account.password_hash,
        "roles": json_text(account.roles),
        "email_verified": int(account.email_verified),
        "created_at": micros(account.created_at),
        "locked_at": None if account.locked_at is None else micros(account.locked_at),
        "ended_pos": account.ended_pos,
    }


def account_at(row: Sequence[Any], at: int = 0) -> Account:
    """The account whose columns, in the table's order, begin at `at`."""
    key, typed, email_key, hashed, roles, verified, created, locked, ended, version = row[at : at + 10]
    return Account(
        key,
        Email(typed, email_key),
        hashed,
        names(roles),
        moment(created),
        bool(verified),
        None if locked is None else moment(locked),
        ended,
        version,
    )


def _session_row(session: Session) -> Params:
    return {
        "id": session.id,
        "handle": session.handle,
        "account_id": session.account_id,
        "carrier": session.carrier.value,
        "client_id": session.client_id,
        "started_at": micros(session.started_at),
        "last_seen_at": micros(session.last_seen_at),
        "expires_at": micros(session.expires_at),
        "device": session.device,
        "address": session.address,
        "pos": session.pos,
        "data": json_bytes(session.data),
    }


def session_at(row: Sequence[Any], at: int = 0) -> Session:
    """The session whose columns, in the table's order, begin at `at`."""
    (
        key,
        handle,
        account_id,
        carrier,
        client,
        started,
        seen,
        expires,
        device,
        address,
        pos,
        content,
        version,
    ) = row[at : at + 13]
    return Session(
        key,
        Carrier(carrier),
        account_id,
        handle,
        moment(started),
        moment(seen),
        moment(expires),
        device,
        address,
        pos,
        client,
        mapping(content),
        version,
    )


def view_at(row: Sequence[Any], at: int = 0) -> SessionView:
    """A session, its account, its client's ending, everyone's ending and the position, from one row."""
    account_from = at + _SESSION_WIDTH
    client_ended, ended, seq = row[-3:]
    account = None if row[account_from] is None else account_at(row, account_from)
    return SessionView(session_at(row, at), account, ended, seq, client_ended)


def _predecessor_row(which: str, one: Predecessor | None) -> Params:
    return {
        f"{which}_rotor": one and one.rotor,
        f"{which}_rotated_at": one and micros(one.rotated_at),
        f"{which}_sealed": one and one.sealed,
        f"{which}_address": one and one.address,
        f"{which}_device": one and one.device,
    }


def _predecessor_at(row: Sequence[Any], at: int) -> Predecessor | None:
    rotor, rotated, sealed, address, device = row[at : at + 5]
    return None if rotor is None else Predecessor(rotor, moment(rotated), sealed, address, device)


def _family_row(family: RefreshFamily) -> Params:
    return {
        "id": family.id,
        "session_id": family.session_id,
        "family": family.family,
        "rotor": family.rotor,
        "generation": family.generation,
        "audiences": json_text(family.audiences),
        "expires_at": micros(family.expires_at),
        "pos": family.pos,
        "client_id": family.client_id,
        **_predecessor_row("previous", family.previous),
        **_predecessor_row("earlier", family.earlier),
    }


def family_at(row: Sequence[Any], at: int = 0) -> RefreshFamily:
    """The refresh family whose columns, in the table's order, begin at `at`. How often it repeated is left out."""
    key, session_id, family, rotor, generation, audiences, expires, pos, client = row[at : at + 9]
    return RefreshFamily(
        key,
        session_id,
        family,
        rotor,
        generation,
        names(audiences),
        moment(expires),
        pos,
        _predecessor_at(row, at + 9),
        _predecessor_at(row, at + 14),
        client,
        row[at + 20],
    )


def refresh_view_of(row: Sequence[Any]) -> RefreshView:
    """A refresh family with its session and account, from one row."""
    return RefreshView(family_at(row), None if row[_FAMILY_WIDTH] is None else view_at(row, _FAMILY_WIDTH))


def _key_row(key: RingKey) -> Params:
    return {
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state.value,
        "public": key.public,
        "sealed": key.sealed,
        "created_at": micros(key.created_at),
        "since": micros(key.since),
    }


def ring_key_of(row: Sequence[Any]) -> RingKey:
    """The key of the ring in a row of its table."""
    key, algorithm, state, public, sealed, created, since, version = row
    return RingKey(key, algorithm, KeyState(state), public, sealed, moment(created), moment(since), version)


def _client_row(client: Client) -> Params:
    return {
        "id": client.id,
        "name": client.name,
        "secret": client.secret,
        "powers": json_text(client.powers),
        "audiences": json_text(client.audiences),
        "created_at": micros(client.created_at),
        "ended_at": None if client.ended_at is None else micros(client.ended_at),
        "ended_pos": client.ended_pos,
    }


def client_of(row: Sequence[Any]) -> Client:
    """The OAuth client in a row of its table."""
    key, name, secret, powers, audiences, created, ended_at, ended, version = row
    return Client(
        key,
        name,
        secret,
        tuple(map(Power, names(powers))),
        names(audiences),
        moment(created),
        None if ended_at is None else moment(ended_at),
        ended,
        version,
    )


def _invitation_row(invitation: Invitation) -> Params:
    return {
        "id": invitation.id,
        "digest": invitation.digest,
        "role": invitation.role,
        "created_at": micros(invitation.created_at),
        "expires_at": micros(invitation.expires_at),
    }


def invitation_of(row: Sequence[Any]) -> Invitation:
    """The one-time link in a row of its table."""
    key, digest, role, created, expires, version = row
    return Invitation(key, digest, role, moment(created), moment(expires), version)


def audit_row(row: AuditRow) -> Params:
    """An audit row's columns; its number is given by the database."""
    return {
        "event": row.event.value,
        "at": micros(row.at),
        "account_id": row.account_id,
        "actor": row.actor,
        "session_id": row.session_id,
        "address": row.address,
        "device": row.device,
        "more": json_text(row.more),
    }


def audit_at(row: Sequence[Any]) -> AuditRow:
    """The audit row in a row of its table. Raises StoreUnusable for one that we have not written."""
    number, event, at, account_id, actor, session_id, address, device, more = row
    try:
        known, written_at, facts = Event(event), moment(at), json.loads(more)
    except (ValueError, OverflowError) as error:
        raise StoreUnusable(
            f"Row {number} of the audit trail was changed and cannot be read. Run `gatepost audit verify`."
        ) from error
    return AuditRow(known, written_at, account_id, actor, session_id, address, device, facts)


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of record is written: its name in a Conflict, its row, and its four statements.

    All take the parameters `key` (the id) and `read` (the version it was read at) beside the row's own.
    """

    name: str
    row: Callable[[Any], Params]
    insert: str
    replace: str
    delete: str
    expect: str


def _kind(name: str, table: sa.Table, row: Callable[[Any], Params], **special: sa.ColumnElement[Any]) -> Kind:
    as_read = sa.and_(table.c.id == sa.bindparam("key"), table.c.version == sa.bindparam("read"))
    first: Params = {"version": ONE} | ({"repeats": ZERO} if "repeats" in table.c else {})
    given: Params = {column.name: sa.bindparam(column.name) for column in table.c if column.name not in first}
    changed = {column: value for column, value in given.items() if column != "id"}
    return Kind(
        name,
        row,
        insert=text_of(sa.insert(table).values(given | first)),
        replace=text_of(
            sa.update(table).where(as_read).values(changed | {"version": table.c.version + ONE} | special)
        ),
        delete=text_of(sa.delete(table).where(as_read)),
        expect=text_of(sa.select(ONE).select_from(table).where(as_read)),
    )


_family: Final = tables.refresh_family

KINDS: Final[dict[type[Record], Kind]] = {
    Account: _kind(
        "account", tables.account, _account_row, ended_pos=greatest(tables.account.c.ended_pos, "ended_pos")
    ),
    Session: _kind(
        "session",
        tables.session,
        _session_row,
        pos=greatest(tables.session.c.pos, "pos"),
        last_seen_at=greatest(tables.session.c.last_seen_at, "last_seen_at"),
    ),
    RefreshFamily: _kind(
        "refresh family",
        _family,
        _family_row,
        pos=greatest(_family.c.pos, "pos"),
        # Repeats belong to one generation; the next one starts at none.
        repeats=sa.case((_family.c.generation == sa.bindparam("generation"), _family.c.repeats), else_=ZERO),
    ),
    RingKey: _kind("ring key", tables.ring_key, _key_row),
    Client: _kind(
        "client", tables.client, _client_row, ended_pos=greatest(tables.client.c.ended_pos, "ended_pos")
    ),
    Invitation: _kind("invitation", tables.invitation, _invitation_row),
}

_owned: Final = sa.select(tables.session.c.id).where(tables.session.c.account_id == sa.bindparam("key"))
_delete_families: Final = partial(sa.delete, _family)

# What goes with a record that is taken, by its id as `key`. Families first: they are found through their sessions.
WITH_SESSION: Final = (text_of(_delete_families().where(_family.c.session_id == sa.bindparam("key"))),)
WITH_ACCOUNT: Final = (
    text_of(_delete_families().where(_family.c.session_id.in_(_owned))),
    text_of(sa.delete(tables.session).where(tables.session.c.account_id == sa.bindparam("key"))),
)
