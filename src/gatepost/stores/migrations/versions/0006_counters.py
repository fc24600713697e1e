"""Counters of what did not work: wrong passwords for an account, from an address, of all together."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("key", sa.LargeBinary(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("counter_expires", "counter", ["expires_at"])
