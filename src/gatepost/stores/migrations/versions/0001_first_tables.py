"""The first tables: accounts, sessions, refresh families, keys, links, the log, the audit trail, followers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text()
_BYTES = sa.LargeBinary()
_NUMBER = sa.Integer()


def upgrade() -> None:
    _accounts()
    _sessions()
    _refresh_families()
    _keys_and_links()
    _log()
    _audit()
    _followers()


def _required(name: str, kind: sa.types.TypeEngine[Any], **more: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **more)


def _table(name: str, *parts: sa.Column[Any], **more: Any) -> None:
    op.create_table(name, *parts, sqlite_strict=True, **more)


def _index(name: str, table: str, columns: list[str], where: str = "") -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where) if where else None)


def _accounts() -> None:
    _table(
        "account",
        sa.Column("id", _TEXT, primary_key=True),
        _required("email_typed", _TEXT),
        _required("email_key", _TEXT, unique=True),
        sa.Column("password_hash", _TEXT),
        _required("roles", _TEXT),
        _required("email_verified", _NUMBER),
        _required("created_at", _BIG),
        sa.Column("locked_at", _BIG),
        _required("ended_pos", _BIG),
        _required("version", _NUMBER),
    )
    _index("account_ended", "account", ["ended_pos"], "ended_pos > 0")


def _sessions() -> None:
    _table(
        "session",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("handle", _BYTES, unique=True),
        sa.Column("account_id", _TEXT),
        _required("carrier", _TEXT),
        _required("client_id", _TEXT),
        _required("started_at", _BIG),
        _required("last_seen_at", _BIG),
        _required("expires_at", _BIG),
        _required("device", _TEXT),
        _required("address", _TEXT),
        _required("pos", _BIG),
        _required("data", _BYTES),
        _required("version", _NUMBER),
    )
    _index("session_account", "session", ["account_id", "pos"], "account_id IS NOT NULL")
    _index("session_rest", "session", ["last_seen_at"], "account_id IS NOT NULL")
    _index("session_rest_visit", "session", ["last_seen_at"], "account_id IS NULL AND data != x'7b7d'")
    _index("session_rest_empty", "session", ["last_seen_at"], "account_id IS NULL AND data = x'7b7d'")


def _refresh_families() -> None:
    _table(
        "refresh_family",
        sa.Column("id", _TEXT, primary_key=True),
        _required("session_id", _TEXT),
        _required("family", _BYTES),
        _required("rotor", _BYTES),
        _required("generation", _NUMBER),
        _required("audiences", _TEXT),
        _required("expires_at", _BIG),
        _required("pos", _BIG),
        _required("client_id", _TEXT),
        sa.Column("previous_rotor", _BYTES),
        sa.Column("previous_rotated_at", _BIG),
        sa.Column("previous_sealed", _BYTES),
        sa.Column("previous_address", _TEXT),
        sa.Column("previous_device", _TEXT),
        _required("repeats", _NUMBER),
        _required("version", _NUMBER),
    )
    _index("refresh_family_session", "refresh_family", ["session_id"])
    _index("refresh_family_sealed", "refresh_family", ["previous_rotated_at"], "previous_sealed IS NOT NULL")


def _keys_and_links() -> None:
    _table(
        "signing_key",
        sa.Column("id", _TEXT, primary_key=True),
        _required("algorithm", _TEXT),
        _required("state", _TEXT),
        _required("public", _TEXT),
        _required("sealed", _BYTES),
        _required("created_at", _BIG),
        _required("version", _NUMBER),
    )
    _table(
        "invitation",
        sa.Column("id", _TEXT, primary_key=True),
        _required("digest", _BYTES, unique=True),
        _required("role", _TEXT),
        _required("created_at", _BIG),
        _required("expires_at", _BIG),
        _required("version", _NUMBER),
    )


def _log() -> None:
    _table(
        "log",
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        _required("tag", _TEXT),
        _required("kind", _TEXT),
        _required("subject", _TEXT),
        sa.Column("keep", _TEXT),
        _required("at", _BIG),
    )
    _table(
        "log_head",
        sa.Column("id", _NUMBER, sa.CheckConstraint("id = 1", name="log_head_is_one_row"), primary_key=True),
        _required("log_id", _TEXT),
        _required("seq", _BIG),
        _required("tag", _TEXT),
        _required("floor", _BIG),
        _required("everyone_ended", _BIG),
        _required("everyone_outdated", _BIG),
    )


def _audit() -> None:
    _table(
        "audit",
        sa.Column("number", _BIG, primary_key=True),
        _required("event", _TEXT),
        _required("at", _BIG),
        sa.Column("account_id", _TEXT),
        sa.Column("actor", _TEXT),
        sa.Column("session_id", _TEXT),
        _required("address", _TEXT),
        _required("device", _TEXT),
        _required("more", _TEXT),
        sqlite_autoincrement=True,
    )
    _index("audit_account", "audit", ["account_id", "number"])


def _followers() -> None:
    _table(
        "follower",
        sa.Column("instance", _TEXT, primary_key=True),
        _required("pid", _NUMBER),
        _required("seq", _BIG),
        _required("at", _BIG),
    )
