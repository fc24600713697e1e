"""What an administrator looks at, out of the store in memory.

Owns the orders in which it is shown. Whose records these are, and the lock they lie under, are the store's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from gatepost.core.accounts import Account, AccountFilter
from gatepost.core.changes import AuditRow
from gatepost.core.folding import fold
from gatepost.core.sessions import Alive, Session, SessionLimits, SessionView, decide_session
from gatepost.stores.memory_shelf import Shelves, own_audit


class MemoryOverview:
    """`Overview` of one store in memory."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[None]],
        shelves: Shelves,
        views: Callable[[Iterable[Session]], list[SessionView]],
        trail: Sequence[AuditRow],
    ) -> None:
        self._open = opened
        self._shelves = shelves
        self._views = views
        self._trail = trail

    def sessions_by_use(self, *, before: tuple[datetime, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts, last used first, those before a moment and an id; dead ones among them."""
        with self._open():
            found = [((one.last_seen_at, one.id), one) for one in self._of_accounts()]
            found.sort(key=lambda entry: entry[0], reverse=True)
            return self._views([one for place, one in found if before is None or place < before][:limit])

    def sessions_from(self, address: str, *, after: tuple[str, str] | None, limit: int) -> list[SessionView]:
        """Session records of accounts whose address begins like this, in the order of addresses and ids."""
        with self._open():
            found = [(one.address, one.id, one) for one in self._of_accounts()]
            found = sorted(entry for entry in found if entry[0].startswith(address))
            return self._views([entry[2] for entry in found if after is None or entry[:2] > after][:limit])

    def audit_back(
        self, *, account_id: str | None, before: int | None, limit: int
    ) -> list[tuple[int, AuditRow]]:
        """Audit rows with their numbers, newest first, those before a number; of one account if it is given."""
        with self._open():
            numbered = list(enumerate(self._trail, 1))[: None if before is None else max(0, before - 1)]
        found = (
            pair for pair in reversed(numbered) if account_id is None or pair[1].account_id == account_id
        )
        return [(number, own_audit(row)) for number, row in found][:limit]

    def last_acts(self, session_ids: Sequence[str]) -> dict[str, AuditRow]:
        """For each of these sessions that has one: the newest row of what its own account did with it."""
        asked = set(session_ids)
        with self._open():
            rows = list(self._trail)
        own = (row for row in rows if row.actor is not None and row.actor == row.account_id)
        return {row.session_id: own_audit(row) for row in own if row.session_id in asked}

    def live_counts(self, account_ids: Sequence[str], limits: SessionLimits, now: datetime) -> dict[str, int]:
        """For each of these accounts that has any: how many of its sessions are alive at `now`."""
        asked = set(account_ids)
        with self._open():
            views = self._views([one for one in self._of_accounts() if one.account_id in asked])
        alive = (view for view in views if isinstance(decide_session(view, limits, now), Alive))
        return dict(Counter(view.session.account_id or "" for view in alive))

    def accounts_by_age(
        self, wanted: AccountFilter, *, before: tuple[datetime, str] | None, limit: int
    ) -> list[Account]:
        """Accounts that fit, newest first, those made before a moment and an id."""
        with self._open():
            found = [((one.created_at, one.id), one) for one in self._shelves.accounts.records.values()]
        found.sort(key=lambda entry: entry[0], reverse=True)
        ahead = (one for place, one in found if before is None or place < before)
        return [one for one in ahead if _fits(one, wanted)][:limit]

    def other_holder(self, role: str, besides: str) -> Account | None:
        """An account that has the role, a password and no lock, other than the one with this id."""
        with self._open():
            everyone = list(self._shelves.accounts.records.values())
        open_to_them = (one for one in everyone if one.locked_at is None and one.password_hash is not None)
        found = (one for one in open_to_them if one.id != besides and role in one.roles)
        return next(found, None)

    def _of_accounts(self) -> list[Session]:
        return [one for one in self._shelves.sessions.records.values() if one.account_id is not None]


def is_called(account: Account, text: str) -> bool:
    """Whether the text is a part of an account's e-mail, however it was typed, or its whole id."""
    return fold(text) in account.email.key or text == account.id


def _fits(account: Account, wanted: AccountFilter) -> bool:
    return (
        is_called(account, wanted.text)
        and wanted.role in (*account.roles, "")
        and wanted.locked in (account.locked_at is not None, None)
    )
