"""What an administrator looks at, out of the SQL store.

Owns the orders in which people look for something, each along an index and page by page from where the page before
ended. Writes nothing and decides nothing. Called by the services through the store.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow
from gatepost.core.sessions import SessionView
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import json_text, micros
from gatepost.stores.sql_records import account_at, at_most, audit_at, text_of, view_at
from gatepost.stores.sql_views import VIEW
from gatepost.stores.sqlite import SqliteFile

_LAST: Final = 2**63 - 1
# Above every character that an address can have.
_BEYOND: Final = "\U0010ffff"

_account: Final = tables.account
_session: Final = tables.session
_audit: Final = tables.audit
_key: Final[sa.BindParameter[str]] = sa.bindparam("key")
_of_accounts: Final = VIEW.where(_session.c.account_id.is_not(None))


def _place(*parts: Any) -> Any:
    return sa.tuple_(*parts)


_BY_USE: Final = text_of(
    at_most(
        _of_accounts.where(
            _place(_session.c.last_seen_at, _session.c.id) < _place(sa.bindparam("seen"), _key)
        ).order_by(_session.c.last_seen_at.desc(), _session.c.id.desc()),
        "limit",
    )
)
_FROM: Final = text_of(
    at_most(
        _of_accounts.where(
            _place(_session.c.address, _session.c.id) > _place(sa.bindparam("address"), _key),
            _session.c.address < sa.bindparam("beyond"),
        ).order_by(_session.c.address, _session.c.id),
        "limit",
    )
)
_back: Final = (
    sa.select(_audit).where(_audit.c.number < sa.bindparam("before")).order_by(_audit.c.number.desc())
)
_BACK: Final = text_of(at_most(_back, "limit"))
_BACK_OF: Final = text_of(at_most(_back.where(_audit.c.account_id == sa.bindparam("account")), "limit"))

_asked: Final = sa.func.json_each(sa.bindparam("accounts")).table_valued("value")
_other: Final = _audit.alias("other").c
# One step into the index for each account, however long its trail is.
_newest: Final = (
    sa.select(sa.func.max(_other.number)).where(_other.account_id == _asked.c.value).scalar_subquery()
)
_NEWEST: Final = text_of(sa.select(_audit).select_from(_asked.join(_audit, _audit.c.number == _newest)))

_roles: Final = sa.func.json_each(_account.c.roles).table_valued("value")
_HOLDER: Final = text_of(
    at_most(
        sa.select(_account)
        .select_from(_account.join(_roles, sa.true()))
        .where(
            _roles.c.value == sa.bindparam("role"),
            _account.c.locked_at.is_(None),
            _account.c.password_hash.is_not(None),
            _account.c.id != sa.bindparam("besides"),
        ),
        "limit",
    )
)


class SqlOverview:
    """`Overview` of one file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def sessions_by_use(self, *, before: tuple[datetime, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts, last used first, those before a moment and an id; dead ones among them."""
        seen, key = (micros(before[0]), before[1]) if before else (_LAST, "")
        rows = self._file.rows(_BY_USE, {"seen": seen, "key": key, "limit": limit})
        return [view_at(row) for row in rows]

    def sessions_from(self, address: str, *, after: tuple[str, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts whose address begins like this, in the order of addresses and ids."""
        begins, key = after or (address, "")
        params = {"address": begins, "key": key, "beyond": address + _BEYOND, "limit": limit}
        return [view_at(row) for row in self._file.rows(_FROM, params)]

    def audit_back(
        self, *, account_id: str | None, before: int | None, limit: int
    ) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, newest first, those before a number; of one account if it is given."""
        params = {"before": _LAST if before is None else before, "account": account_id, "limit": limit}
        rows = self._file.rows(_BACK if account_id is None else _BACK_OF, params)
        return [(row[0], audit_at(row)) for row in rows]

    def newest_audit(self, account_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these accounts that has one: the newest row about it."""
        rows = map(audit_at, self._file.rows(_NEWEST, {"accounts": json_text(account_ids)}))
        return {row.account_id: row for row in rows if row.account_id is not None}

    def other_holder(self, role: str, besides: str) -> Account | None:
        """An account that has the role, a password and no lock, other than the one with this id."""
        rows = self._file.rows(_HOLDER, {"role": role, "besides": besides, "limit": 1})
        return account_at(rows[0]) if rows else None
