"""An index for the newest refresh of a session that was repeated from elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index(
        "audit_repeated_elsewhere",
        "audit",
        ["session_id", "number"],
        sqlite_where=sa.text("event = 'refresh_repeated_elsewhere'"),
    )
