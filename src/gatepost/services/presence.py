"""Who is signed in now: last used first, or found by an e-mail address, an account's id or where they come from.

Owns what a search means and how a page of live sessions is filled. Pages join by opaque texts; what lies behind a page
costs nothing. Called by the administration's pages and calls.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.core.changes import AuditRow
from gatepost.core.sessions import SessionView
from gatepost.services.means import Means
from gatepost.services.places import Place, no_place, parse_place, place_text
from gatepost.services.sessions import Standing
from gatepost.services.standing import stands

_ADDRESS: Final = re.compile(r"\d{1,3}\.[\d.]*|[0-9a-f]*:[0-9a-f:.%]*", re.ASCII | re.IGNORECASE)
_SPOT: Final = re.compile(r"(.{0,64})~(.{1,64})", re.ASCII)
# Between an account and a place among its sessions. No id has it.
_AND: Final = "~"
# After everyone was ended the dead lie in front until the sweep has been by. A page looks past so many and no more.
_CHUNK: Final = 200
_CHUNKS: Final = 5


@dataclass(frozen=True, slots=True)
class Present:
    """A live session, and the newest entry in the audit trail of what its own account did with it."""

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
        place = parse_place(after)
        for size in (limit, *(_CHUNK,) * _CHUNKS):
            chunk = overview.sessions_by_use(before=place, limit=size)
            for view in chunk:
                place = (view.session.last_seen_at, view.session.id)
                if stands(self._means, view):
                    found.append(view)
                if len(found) == limit:
                    return self._page(found, place_text(place))
            if len(chunk) < size:
                return self._page(found, None)
        return self._page(found, place_text(place) if place else None)

    def search(self, wanted: str, *, after: str | None = None, limit: int) -> PresencePage:
        """Live sessions whose address begins like this, or whose account's e-mail contains it or whose id it is."""
        if is_address(wanted):
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

    def _of(self, name: str, after: str | None, limit: int) -> PresencePage:
        # Account by account. A page may end among the sessions of one, of which there can be a hundred.
        last, _, inside = after.partition(_AND) if after else (None, "", "")
        found = self._standing_of(last, parse_place(inside)) if last and inside else []
        for _ in range(_CHUNKS):
            if len(found) > limit:
                return self._cut(found, limit)
            accounts = self._means.store.accounts(after=last, limit=limit, search=name)
            for account in accounts:
                last = account.id
                found += self._standing_of(last, None)
                if len(found) > limit:
                    return self._cut(found, limit)
                if len(found) == limit:
                    return self._page(found, last)
            if len(accounts) < limit:
                return self._page(found, None)
        return self._page(found, last)

    def _standing_of(self, account_id: str, before: Place | None) -> list[SessionView]:
        views = [view for view in self._means.store.sessions_of(account_id) if stands(self._means, view)]
        views.sort(key=_start, reverse=True)
        return [view for view in views if before is None or _start(view) < before]

    def _cut(self, found: Sequence[SessionView], limit: int) -> PresencePage:
        end = found[limit - 1]
        return self._page(found[:limit], f"{end.session.account_id}{_AND}{place_text(_start(end))}")

    def _page(self, found: Sequence[SessionView], go_on: str | None) -> PresencePage:
        last = self._means.store.overview().last_acts([view.session.id for view in found]) if found else {}
        present = [
            Present(
                Standing(view.session, view.account, self._means.limits.idle_expiry(view.session)),
                last.get(view.session.id),
            )
            for view in found
        ]
        return PresencePage(present, go_on)


def _parse_spot(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    parts = _SPOT.fullmatch(text)
    if parts is None:
        raise no_place()
    return parts[1], parts[2]


def _start(view: SessionView) -> Place:
    return view.session.started_at, view.session.id


def is_address(wanted: str) -> bool:
    """Whether a search is for where somebody comes from, and not for who they are."""
    return _ADDRESS.fullmatch(wanted) is not None
