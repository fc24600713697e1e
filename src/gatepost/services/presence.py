"""Who is signed in now: last used first, or found by an e-mail address or by where they come from.

Owns what a search means and how a page of live sessions is filled. Pages join by opaque texts; what lies behind a page
costs nothing. Called by the administration's pages and calls.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gatepost.core.changes import AuditRow
from gatepost.core.sessions import SessionView
from gatepost.errors import InvalidFields
from gatepost.services.means import Means
from gatepost.services.sessions import Standing
from gatepost.services.standing import stands

_ADDRESS: Final = re.compile(r"\d{1,3}\.[\d.]*|[0-9a-f]*:[0-9a-f:.%]*", re.ASCII | re.IGNORECASE)
_PLACE: Final = re.compile(r"([0-9T:.+-]{1,40})~(.{1,64})", re.ASCII)
_SPOT: Final = re.compile(r"(.{0,64})~(.{1,64})", re.ASCII)
# After everyone was ended the dead lie in front until the sweep has been by. A page looks past so many and no more.
_CHUNK: Final = 200
_CHUNKS: Final = 5


@dataclass(frozen=True, slots=True)
class Present:
    """A live session, and the newest entry of its account in the audit trail."""

    standing: Standing
    last: AuditRow | None


@dataclass(frozen=True, slots=True)
class PresencePage:
    """One page, and what to ask for the next one with; None at the end."""

    present: Sequence[Present]
    go_on: str | None


class Presence:
    """Who is here."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def newest(self, *, after: str | None = None, limit: int) -> PresencePage:
        """Live sessions of all accounts, last used first. Raises `InvalidFields` for an `after` that is none."""
        overview, found = self._means.store.overview(), list[SessionView]()
        place = _parse_place(after)
        for size in (limit, *(_CHUNK,) * _CHUNKS):
            chunk = overview.sessions_by_use(before=place, limit=size)
            for view in chunk:
                place = (view.session.last_seen_at, view.session.id)
                if stands(self._means, view):
                    found.append(view)
                if len(found) == limit:
                    return self._page(found, _place_text(place))
            if len(chunk) < size:
                return self._page(found, None)
        return self._page(found, _place_text(place))

    def search(self, wanted: str, *, after: str | None = None, limit: int) -> PresencePage:
        """Live sessions whose address begins like this, or whose account's e-mail contains it."""
        if _ADDRESS.fullmatch(wanted):
            return self._from(wanted, after, limit)
        return self._of(wanted, after, limit)

    def _from(self, address: str, after: str | None, limit: int) -> PresencePage:
        found, spot = list[SessionView](), _parse_spot(after)
        for _ in range(_CHUNKS):
            chunk = self._means.store.overview().sessions_from(address, after=spot, limit=_CHUNK)
            for view in chunk:
                spot = (view.session.address, view.session.id)
                if stands(self._means, view):
                    found.append(view)
                if len(found) == limit:
                    return self._page(found, "~".join(spot))
            if len(chunk) < _CHUNK:
                return self._page(found, None)
        return self._page(found, "~".join(spot) if spot else None)

    def _of(self, email: str, after: str | None, limit: int) -> PresencePage:
        # Whole accounts: a page may be longer by what one account has.
        found, last = list[SessionView](), after
        for _ in range(_CHUNKS):
            accounts = self._means.store.accounts(after=last, limit=limit, search=email)
            for account in accounts:
                last = account.id
                found += [view for view in self._means.store.sessions_of(last) if stands(self._means, view)]
                if len(found) >= limit:
                    return self._page(found, last)
            if len(accounts) < limit:
                return self._page(found, None)
        return self._page(found, last)

    def _page(self, found: Sequence[SessionView], go_on: str | None) -> PresencePage:
        accounts = [view.account.id for view in found if view.account is not None]
        newest = self._means.store.overview().newest_audit(accounts) if accounts else {}
        present = [
            Present(
                Standing(view.session, view.account, self._means.limits.idle_expiry(view.session)),
                newest.get(view.session.account_id or ""),
            )
            for view in found
        ]
        return PresencePage(present, go_on)


def _place_text(place: tuple[datetime, str] | None) -> str | None:
    return f"{place[0].isoformat()}~{place[1]}" if place else None


def _parse_place(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    parts = _PLACE.fullmatch(text)
    try:
        moment = datetime.fromisoformat(parts[1]) if parts else None
    except ValueError:
        moment = None
    if parts is None or moment is None or moment.tzinfo is None:
        raise InvalidFields({"after": "This is not what an earlier page has answered."})
    return moment, parts[2]


def _parse_spot(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    parts = _SPOT.fullmatch(text)
    if parts is None:
        raise InvalidFields({"after": "This is not what an earlier page has answered."})
    return parts[1], parts[2]
