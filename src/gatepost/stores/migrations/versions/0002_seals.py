"""The seals over the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "seal",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("after", _BIG, nullable=False),
        sa.Column("last", _BIG, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sqlite_strict=True,
    )
