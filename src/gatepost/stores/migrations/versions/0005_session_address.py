"""An index for finding sessions by the address they come from."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index(
        "session_address",
        "session",
        ["address", "id"],
        sqlite_where=sa.text("account_id IS NOT NULL"),
    )
