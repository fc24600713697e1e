"""Who follows the log from other services: how far each instance has heard, and until when it may answer by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "verifier",
        sa.Column("client_id", sa.Text(), primary_key=True),
        sa.Column("instance", sa.Text(), primary_key=True),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("until", _BIG, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("bound", sa.Integer(), nullable=False),
        sa.Column("at", _BIG, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
