"""A session with all that decides about it, as one selection: its account, its client's ending, everyone's ending.

Owns what is read together, so that every reader of a session reads it in one snapshot. Which sessions are read is
each reader's own. Called by the SQL store and by what an administrator looks at.
"""

from typing import Final

import sqlalchemy as sa

from gatepost.stores import sql_tables as tables
from gatepost.stores.sql_records import ZERO

_account: Final = tables.account
_session: Final = tables.session
_client: Final = tables.client
_head: Final = tables.log_head
# The first-party client has no row, and nobody ends it.
_client_ended: Final = sa.func.coalesce(
    sa.select(_client.c.ended_pos).where(_client.c.id == _session.c.client_id).scalar_subquery(), ZERO
)
OWNER: Final = _account.c.id == _session.c.account_id
"""Whose a session is."""
VIEW_COLUMNS: Final = (*_session.c, *_account.c, _client_ended, _head.c.everyone_ended, _head.c.seq)
"""What `sql_records.view_at` reads, in its order."""
VIEW: Final = sa.select(*VIEW_COLUMNS).select_from(_session.join(_head, sa.true()).outerjoin(_account, OWNER))
"""Sessions, each with its account where there is one."""
