"""The life of a session after its start: its data, the list its owner sees, and every way to end it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from gatepost.core.accounts import Account
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import AccountEnded, EveryoneEnded, SessionEnded
from gatepost.core.secrets import Secret
from gatepost.core.sessions import REFRESHING, Carrier, Origin, Session, SessionView
from gatepost.core.whence import NOWHERE, Whence
from gatepost.errors import NotFound, Revoked, TooLarge
from gatepost.services.commits import Receipt
from gatepost.services.means import Means
from gatepost.services.sealed import SealedIssued, SealedSessions
from gatepost.services.session_data import require_data_fits
from gatepost.services.standing import own_session, require_standing, stands

_MOST_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Standing:
    """A live session with its account and the moment it ends if it is not used."""

    session: Session
    account: Account | None
    idle_expires_at: datetime


@dataclass(frozen=True, slots=True)
class SealedMerge:
    """Data after a merge that is durable, and the sealed cookie that holds it."""

    data: Mapping[str, Any]
    cookie: SealedIssued


class Sessions:
    """What can be done with sessions that exist."""

    def __init__(self, means: Means, sealed: SealedSessions, data_limit: int) -> None:
        self._means = means
        self._sealed = sealed
        self._data_limit = data_limit

    def current(self, who: Principal | Visitor) -> Standing:
        """The session of whoever asks, read from the store. Raises `Revoked`."""
        return self._standing(require_standing(self._means, who))

    def of_account(self, account_id: str) -> list[Standing]:
        """The live sessions of an account, newest first."""
        views = self._means.store.sessions_of(account_id)
        return [self._standing(view) for view in views if self._stands(view)]

    def repeats_elsewhere(self, sessions: Sequence[Standing]) -> dict[str, AuditRow]:
        """For each of these sessions: the last time its refresh token was repeated from elsewhere.

        A lost answer is asked for again from where it was lost. From another address or program it may be a thief, who
        got the same as the owner: the owner is told, and decides.
        """
        held = [one.session.id for one in sessions if one.session.carrier in REFRESHING]
        return self._means.store.repeats_elsewhere(held) if held else {}

    def everyone(self, *, after: str | None, limit: int) -> tuple[list[Standing], str | None]:
        """Live sessions of all accounts, one page, and the id to go on after."""
        views = self._means.store.sessions(after=after, limit=limit)
        standing = [self._standing(view) for view in views if self._stands(view)]
        return standing, views[-1].session.id if len(views) == limit else None

    def find(self, session_id: str) -> Standing:
        """A live session by its id. Raises `NotFound`."""
        view = self._means.store.session(session_id)
        if view is None or not self._stands(view):
            raise NotFound
        return self._standing(view)

    def merge_data(self, who: Principal | Visitor, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Merge a patch into the session's data (RFC 7396); the data after it.

        Two who write at once both keep their change: the second merges into what the first has written. Raises
        `TooLarge` with the size and the largest keys, and changes nothing.
        """

        def step() -> Mapping[str, Any]:
            merged = self._merged(require_standing(self._means, who), patch)
            if merged.session.carrier is Carrier.SEALED:
                self._sealed.require_writable(merged)
            self._write(merged)
            return merged.session.data

        return self._means.commits.decided(step)

    def merge_sealed_data(self, cookie: str, patch: Mapping[str, Any]) -> SealedMerge:
        """The same for whoever shows a sealed cookie, and the cookie that holds the data after it.

        One read and one commit: what is written is the record whose secret was shown. Raises `Malformed` and `Revoked`
        too.
        """

        def step() -> SealedMerge:
            contents, view = self._sealed.owned(cookie)
            if not self._stands(view):
                raise Revoked(detail="the session ended after it was checked")
            merged = self._merged(view, patch)
            issued = self._sealed.rewritten(merged, Secret(contents.secret))
            self._write(merged)
            return SealedMerge(merged.session.data, issued)

        return self._means.commits.decided(step)

    def sign_out(self, who: Principal | Visitor, origin: Origin) -> Receipt | None:
        """End the session of whoever asks. None if it was over already."""

        def step() -> Receipt | None:
            view = self._means.store.session(who.session_id)
            if view is None:
                return None
            return self._end(view.session, self._row(Event.SIGNED_OUT, view.session, _actor(who), origin))

        return self._means.commits.decided(step)

    def end_own(self, who: Principal, session_id: str, origin: Origin) -> Receipt:
        """End one session of the same account. Raises `NotFound`, for other people's too, and `Revoked`."""

        def step() -> Receipt:
            asking = own_session(self._means, who)
            session = self.find(session_id).session
            if session.account_id != who.account_id:
                raise NotFound
            row = self._row(Event.SESSION_ENDED, session, who.account_id, origin)
            return self._end(session, row, expects=() if asking.id == session.id else (asking,))

        return self._means.commits.decided(step)

    def end_others(self, who: Principal, origin: Origin) -> Receipt:
        """End every session of the account but the one that asks. Raises `Revoked` if that one has ended."""
        fact = AccountEnded(who.account_id, keep=who.session_id)

        def step() -> Receipt:
            session = own_session(self._means, who)
            row = self._row(Event.OTHER_SESSIONS_ENDED, session, who.account_id, origin)
            return self._means.commits.end(Change(at=row.at, expects=(session,), facts=(fact,), audit=(row,)))

        return self._means.commits.decided(step)

    def end_any(self, session_id: str, actor: str, whence: Whence = NOWHERE) -> Receipt:
        """End a session on an administrator's word. Raises `NotFound`."""

        def step() -> Receipt:
            session = self.find(session_id).session
            row = self._row(Event.SESSION_ENDED, session, actor, whence.origin)
            return self._means.commits.end(whence.marked(_ending(session, row)))

        return self._means.commits.decided(step)

    def end_all(self, actor: str, whence: Whence = NOWHERE) -> Receipt:
        """End every session there is."""
        now = self._means.clock.now()
        row = AuditRow(Event.EVERYONE_ENDED, now, actor=actor)
        change = Change(at=now, facts=(EveryoneEnded(),), audit=(row,))
        return self._means.commits.end(whence.marked(change))

    def _merged(self, view: SessionView, patch: Mapping[str, Any]) -> SessionView:
        data = merge_patch(view.session.data, patch)
        require_data_fits(data, self._data_limit)
        return replace(view, session=replace(view.session, data=data))

    def _write(self, merged: SessionView) -> None:
        session, account = merged.session, merged.account
        # Its roles share the cookie: data and roles that fit each alone must not be written at once.
        expects = (account,) if account and session.carrier is Carrier.SEALED else ()
        self._means.commits.commit(Change(at=self._means.clock.now(), put=(session,), expects=expects))

    def _end(self, session: Session, row: AuditRow, expects: tuple[Session, ...] = ()) -> Receipt:
        return self._means.commits.end(_ending(session, row, expects))

    def _row(self, event: Event, session: Session, actor: str | None, origin: Origin) -> AuditRow:
        return AuditRow(
            event,
            self._means.clock.now(),
            account_id=session.account_id,
            actor=actor,
            session_id=session.id,
            address=origin.address,
            device=origin.device,
        )

    def _stands(self, view: SessionView) -> bool:
        return stands(self._means, view)

    def _standing(self, view: SessionView) -> Standing:
        return Standing(view.session, view.account, self._means.limits.idle_expiry(view.session))


def _ending(session: Session, row: AuditRow, expects: tuple[Session, ...] = ()) -> Change:
    fact = SessionEnded(session.id)
    return Change(at=row.at, take=(session,), expects=expects, facts=(fact,), audit=(row,))


def _actor(who: Principal | Visitor) -> str | None:
    return who.account_id if isinstance(who, Principal) else None


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The target after a JSON merge patch (RFC 7396 section 2). Raises `TooLarge` past 32 levels."""
    if depth > _MOST_DEPTH:
        raise TooLarge("The data is nested too deeply.")
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, Mapping) else {}, value, depth + 1)
        else:
            merged[name] = value
    return merged
