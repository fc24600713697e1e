"""The key ring with its states, clients, and the predecessor before the predecessor of a refresh token."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text()
_BYTES = sa.LargeBinary()
_NUMBER = sa.Integer()


def upgrade() -> None:
    _ring()
    _clients()
    _head()
    _refresh_families()


def _required(name: str, kind: sa.types.TypeEngine[Any], **more: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **more)


def _table(name: str, *parts: sa.Column[Any]) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _ring() -> None:
    _table(
        "ring_key",
        sa.Column("id", _TEXT, primary_key=True),
        _required("algorithm", _TEXT),
        _required("state", _TEXT),
        _required("public", _TEXT),
        _required("sealed", _BYTES),
        _required("created_at", _BIG),
        _required("since", _BIG),
        _required("version", _NUMBER),
    )
    op.execute(
        "INSERT INTO ring_key (id, algorithm, state, public, sealed, created_at, since, version) "
        "SELECT id, algorithm, state, public, sealed, created_at, created_at, version FROM signing_key"
    )
    op.drop_table("signing_key")


def _clients() -> None:
    _table(
        "client",
        sa.Column("id", _TEXT, primary_key=True),
        _required("name", _TEXT),
        _required("secret", _BYTES),
        _required("powers", _TEXT),
        _required("audiences", _TEXT),
        _required("created_at", _BIG),
        sa.Column("ended_at", _BIG),
        _required("ended_pos", _BIG),
        _required("version", _NUMBER),
    )


def _head() -> None:
    # Made anew, because SQLite adds a required column only with a default that the table would keep for ever.
    op.rename_table("log_head", "old_log_head")
    _table(
        "log_head",
        sa.Column("id", _NUMBER, sa.CheckConstraint("id = 1", name="log_head_is_one_row"), primary_key=True),
        _required("log_id", _TEXT),
        _required("seq", _BIG),
        _required("tag", _TEXT),
        _required("floor", _BIG),
        _required("everyone_ended", _BIG),
        _required("everyone_outdated", _BIG),
        _required("ring", _BIG),
    )
    op.execute(
        "INSERT INTO log_head (id, log_id, seq, tag, floor, everyone_ended, everyone_outdated, ring) "
        "SELECT id, log_id, seq, tag, floor, everyone_ended, everyone_outdated, 0 FROM old_log_head"
    )
    op.drop_table("old_log_head")


_FAMILY = (
    "id, session_id, family, rotor, generation, audiences, expires_at, pos, client_id, previous_rotor, "
    "previous_rotated_at, previous_sealed, previous_address, previous_device, repeats, version"
)


def _refresh_families() -> None:
    op.drop_index("refresh_family_session")
    op.drop_index("refresh_family_sealed")
    op.rename_table("refresh_family", "old_refresh_family")
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
        sa.Column("earlier_rotor", _BYTES),
        sa.Column("earlier_rotated_at", _BIG),
        sa.Column("earlier_sealed", _BYTES),
        sa.Column("earlier_address", _TEXT),
        sa.Column("earlier_device", _TEXT),
        _required("repeats", _NUMBER),
        _required("version", _NUMBER),
    )
    op.execute(
        sa.text(f"INSERT INTO refresh_family ({_FAMILY}) SELECT {_FAMILY} FROM old_refresh_family")  # noqa: S608
    )
    op.drop_table("old_refresh_family")
    op.create_index("refresh_family_session", "refresh_family", ["session_id"])
    op.create_index(
        "refresh_family_sealed",
        "refresh_family",
        ["previous_rotated_at"],
        sqlite_where=sa.text("previous_sealed IS NOT NULL"),
    )
