"""What an administrator looks at, out of the SQL store.

Owns the orders in which people look for something, each along an index and page by page from where the page before
ended. Writes nothing and decides nothing. Called by the services through the store.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gatepost.core.accounts import Account, AccountFilter
from gatepost.core.changes import AuditRow
from gatepost.core.folding import fold
from gatepost.core.sessions import SessionLimits, SessionView
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import json_text, micros
from gatepost.stores.sql_records import Params, account_at, at_most, audit_at, text_of, view_at
from gatepost.stores.sql_sweep import DEAD, ends_of
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

_asked: Final = sa.func.json_each(sa.bindparam("asked")).table_valued("value")
_other: Final = _audit.alias("other").c
# One step into the index for each session: strangers' tries and administrators' acts are not in it.
_newest: Final = (
    sa.select(sa.func.max(_other.number))
    .where(_other.session_id == _asked.c.value, _other.actor == _other.account_id)
    .scalar_subquery()
)
LAST_ACTS: Final = text_of(sa.select(_audit).select_from(_asked.join(_audit, _audit.c.number == _newest)))
LIVE_COUNTS: Final = text_of(
    sa.select(_session.c.account_id, sa.func.count())
    .select_from(_asked.join(_session, _session.c.account_id == _asked.c.value))
    .where(sa.not_(DEAD))
    .group_by(_session.c.account_id)
)

_roles: Final = sa.func.json_each(_account.c.roles).table_valued("value")
IS_CALLED: Final = sa.or_(
    sa.func.instr(_account.c.email_key, sa.bindparam("part")) > sa.text("0"),
    _account.c.id == sa.bindparam("name"),
)
"""Whether an account has the text that `called` was given in its e-mail, or for its id."""
_has_role: Final = sa.exists().select_from(_roles).where(_roles.c.value == sa.bindparam("role"))
BY_AGE: Final = text_of(
    at_most(
        sa.select(_account)
        .where(
            _place(_account.c.created_at, _account.c.id) < _place(sa.bindparam("made"), _key),
            IS_CALLED,
            sa.or_(sa.bindparam("role") == sa.text("''"), _has_role),
            sa.or_(sa.bindparam("open").is_(None), _account.c.locked_at.is_(None) == sa.bindparam("open")),
        )
        .order_by(_account.c.created_at.desc(), _account.c.id.desc()),
        "limit",
    )
)
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

    def last_acts(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of what its own account did with it."""
        rows = map(audit_at, self._file.rows(LAST_ACTS, {"asked": json_text(session_ids)}))
        return {row.session_id: row for row in rows if row.session_id is not None}

    def live_counts(self, account_ids: Sequence[str], limits: SessionLimits, now: datetime) -> dict[str, int]:
        """For each of these accounts that has any: how many of its sessions are alive at `now`."""
        params = {"asked": json_text(sorted({*account_ids})), **ends_of(limits, now)}
        return dict(self._file.rows(LIVE_COUNTS, params))

    def accounts_by_age(
        self, wanted: AccountFilter, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[Account]:
        """Accounts that fit, newest first, those made before a moment and an id."""
        made, key = (micros(before[0]), before[1]) if before else (_LAST, "")
        is_open = None if wanted.locked is None else not wanted.locked
        params = {"made": made, "key": key, "role": wanted.role, "open": is_open, "limit": limit}
        return [account_at(row) for row in self._file.rows(BY_AGE, params | called(wanted.text))]

    def other_holder(self, role: str, besides: str) -> Account | None:
        """An account that has the role, a password and no lock, other than the one with this id."""
        rows = self._file.rows(_HOLDER, {"role": role, "besides": besides, "limit": 1})
        return account_at(rows[0]) if rows else None


def called(text: str) -> Params:
    """The parameters of `IS_CALLED` that look for a text, however it was typed."""
    return {"part": fold(text), "name": text}
