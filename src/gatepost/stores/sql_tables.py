"""The tables of the durable truth as SQLAlchemy Core sees them.

Owns names, types and indexes; the migrations make the same in a database, and a test compares the two. Times are
integers (microseconds since 1970 UTC), digests are bytes. There are no foreign keys: session records may one day lie
in another store than their accounts, and the sweep removes what has lost its owner.
"""

from typing import Any, Final

import sqlalchemy as sa

from gatepost.core.changes import Event

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO_DATA: Final = "x'7b7d'"
REPEATED_ELSEWHERE: Final = f"'{Event.REFRESH_REPEATED_ELSEWHERE}'"
"""As it must stand in a statement that is to use the index of these events: a parameter would not do."""

metadata: Final = sa.MetaData()


def _required(name: str, kind: sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _key() -> sa.Column[str]:
    return sa.Column("id", sa.Text, primary_key=True)


account: Final = sa.Table(
    "account",
    metadata,
    _key(),
    _required("email_typed", sa.Text),
    sa.Column("email_key", sa.Text, nullable=False, unique=True),
    sa.Column("password_hash", sa.Text),
    _required("roles", sa.Text),
    _required("email_verified", sa.Integer),
    _required("created_at", BIG),
    sa.Column("locked_at", BIG),
    _required("ended_pos", BIG),
    _required("version", sa.Integer),
    sqlite_strict=True,
)
sa.Index("account_ended", account.c.ended_pos, sqlite_where=account.c.ended_pos > sa.text("0"))
# Whoever looks over accounts looks at the newest first.
sa.Index("account_created", account.c.created_at, account.c.id)

session: Final = sa.Table(
    "session",
    metadata,
    _key(),
    sa.Column("handle", sa.LargeBinary, unique=True),
    sa.Column("account_id", sa.Text),
    _required("carrier", sa.Text),
    _required("client_id", sa.Text),
    _required("started_at", BIG),
    _required("last_seen_at", BIG),
    _required("expires_at", BIG),
    _required("device", sa.Text),
    _required("address", sa.Text),
    _required("pos", BIG),
    _required("data", sa.LargeBinary),
    _required("version", sa.Integer),
    sqlite_strict=True,
)
_visitor: Final = session.c.account_id.is_(None)
_empty: Final = session.c.data == sa.text(NO_DATA)
# Visits are left out, so that the sweep looks for them in their own indexes below.
sa.Index(
    "session_account",
    session.c.account_id,
    session.c.pos,
    sqlite_where=session.c.account_id.is_not(None),
)
# One entry a session in all three together: each kind of session may rest for a different time.
sa.Index("session_rest", session.c.last_seen_at, sqlite_where=session.c.account_id.is_not(None))
sa.Index("session_rest_visit", session.c.last_seen_at, sqlite_where=sa.and_(_visitor, sa.not_(_empty)))
sa.Index("session_rest_empty", session.c.last_seen_at, sqlite_where=sa.and_(_visitor, _empty))

# Whoever looks for an address types where it begins.
sa.Index("session_address", session.c.address, session.c.id, sqlite_where=session.c.account_id.is_not(None))

refresh_family: Final = sa.Table(
    "refresh_family",
    metadata,
    _key(),
    _required("session_id", sa.Text),
    _required("family", sa.LargeBinary),
    _required("rotor", sa.LargeBinary),
    _required("generation", sa.Integer),
    _required("audiences", sa.Text),
    _required("expires_at", BIG),
    _required("pos", BIG),
    _required("client_id", sa.Text),
    sa.Column("previous_rotor", sa.LargeBinary),
    sa.Column("previous_rotated_at", BIG),
    sa.Column("previous_sealed", sa.LargeBinary),
    sa.Column("previous_address", sa.Text),
    sa.Column("previous_device", sa.Text),
    sa.Column("earlier_rotor", sa.LargeBinary),
    sa.Column("earlier_rotated_at", BIG),
    sa.Column("earlier_sealed", sa.LargeBinary),
    sa.Column("earlier_address", sa.Text),
    sa.Column("earlier_device", sa.Text),
    _required("repeats", sa.Integer),
    _required("version", sa.Integer),
    sqlite_strict=True,
)
sa.Index("refresh_family_session", refresh_family.c.session_id)
sa.Index(
    "refresh_family_sealed",
    refresh_family.c.previous_rotated_at,
    sqlite_where=refresh_family.c.previous_sealed.is_not(None),
)

ring_key: Final = sa.Table(
    "ring_key",
    metadata,
    _key(),
    _required("algorithm", sa.Text),
    _required("state", sa.Text),
    _required("public", sa.Text),
    _required("sealed", sa.LargeBinary),
    _required("created_at", BIG),
    _required("since", BIG),
    _required("version", sa.Integer),
    sqlite_strict=True,
)

client: Final = sa.Table(
    "client",
    metadata,
    _key(),
    _required("name", sa.Text),
    _required("secret", sa.LargeBinary),
    _required("powers", sa.Text),
    _required("audiences", sa.Text),
    _required("created_at", BIG),
    sa.Column("ended_at", BIG),
    _required("ended_pos", BIG),
    _required("version", sa.Integer),
    sqlite_strict=True,
)

invitation: Final = sa.Table(
    "invitation",
    metadata,
    _key(),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    _required("role", sa.Text),
    _required("created_at", BIG),
    _required("expires_at", BIG),
    _required("version", sa.Integer),
    sqlite_strict=True,
)

log: Final = sa.Table(
    "log",
    metadata,
    sa.Column("seq", BIG, primary_key=True, autoincrement=False),
    _required("tag", sa.Text),
    _required("kind", sa.Text),
    _required("subject", sa.Text),
    sa.Column("keep", sa.Text),
    _required("at", BIG),
    sqlite_strict=True,
)

log_head: Final = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="log_head_is_one_row"), primary_key=True),
    _required("log_id", sa.Text),
    _required("seq", BIG),
    _required("tag", sa.Text),
    _required("floor", BIG),
    _required("everyone_ended", BIG),
    _required("everyone_outdated", BIG),
    _required("ring", BIG),
    sqlite_strict=True,
)

audit: Final = sa.Table(
    "audit",
    metadata,
    sa.Column("number", BIG, primary_key=True),
    _required("event", sa.Text),
    _required("at", BIG),
    sa.Column("account_id", sa.Text),
    sa.Column("actor", sa.Text),
    sa.Column("session_id", sa.Text),
    _required("address", sa.Text),
    _required("device", sa.Text),
    _required("more", sa.Text),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
sa.Index("audit_account", audit.c.account_id, audit.c.number)
sa.Index(
    "audit_repeated_elsewhere",
    audit.c.session_id,
    audit.c.number,
    sqlite_where=audit.c.event == sa.text(REPEATED_ELSEWHERE),
)
# What an account did itself: a stranger's tries, which can be many, take no place in it.
sa.Index(
    "audit_own_act",
    audit.c.session_id,
    audit.c.number,
    sqlite_where=audit.c.actor == audit.c.account_id,
)

seal: Final = sa.Table(
    "seal",
    metadata,
    sa.Column("number", BIG, primary_key=True, autoincrement=False),
    _required("after", BIG),
    _required("last", BIG),
    _required("count", sa.Integer),
    _required("at", BIG),
    _required("rows", sa.LargeBinary),
    _required("previous", sa.LargeBinary),
    _required("mac", sa.LargeBinary),
    _required("marks", sa.LargeBinary),
    sqlite_strict=True,
)

counter: Final = sa.Table(
    "counter",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    _required("count", sa.Integer),
    _required("at", BIG),
    _required("expires_at", BIG),
    sqlite_strict=True,
)
sa.Index("counter_expires", counter.c.expires_at)

follower: Final = sa.Table(
    "follower",
    metadata,
    sa.Column("instance", sa.Text, primary_key=True),
    _required("pid", sa.Integer),
    _required("seq", BIG),
    _required("at", BIG),
    sqlite_strict=True,
)

verifier: Final = sa.Table(
    "verifier",
    metadata,
    sa.Column("client_id", sa.Text, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    _required("seq", BIG),
    _required("until", BIG),
    _required("policy", sa.Text),
    _required("bound", sa.Integer),
    _required("at", BIG),
    _required("address", sa.Text),
    sqlite_strict=True,
)
