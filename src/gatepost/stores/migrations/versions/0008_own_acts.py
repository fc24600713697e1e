"""Indexes for what an administrator looks at: what a session was used for last, and the newest accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("account_created", "account", ["created_at", "id"])
    op.create_index(
        "audit_own_act",
        "audit",
        ["session_id", "number"],
        sqlite_where=sa.text("actor = account_id"),
    )
