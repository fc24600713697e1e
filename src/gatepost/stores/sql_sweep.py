"""The sweep: dead records leave the database in small steps.

Owns which rows are dead by the durable truth, in the same words as `decide_session`. Candidates are looked for on a
reader, which holds nobody up; each is deleted by a statement that asks the question again, so a touch in between wins.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import Carrier, SessionLimits
from gatepost.stores import sql_tables as tables
from gatepost.stores.columns import micros, span
from gatepost.stores.sql_facts import HEAD
from gatepost.stores.sql_records import WITH_SESSION, Params, at_most, text_of
from gatepost.stores.sqlite import SqliteFile

# One transaction deletes so many: about a millisecond, in which nobody else can write.
_STEP: Final = 100
# What is dead for a rarer reason than rest has no index to be found by. It is found by walking, so many rows a call.
_WALK: Final = 5_000

Found = list[Any]

_session: Final = tables.session.c
_account: Final = tables.account.c
_family: Final = tables.refresh_family.c
_invitation: Final = tables.invitation.c


def _p(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name)


_signed_in: Final = _session.account_id.is_not(None)
_visit: Final = _session.account_id.is_(None)
_empty: Final = _session.data == sa.text(tables.NO_DATA)
_everyone: Final = sa.select(tables.log_head.c.everyone_ended).scalar_subquery()
# Each kind of session may rest for a time of its own, and has an index of its own for it.
_RESTED: Final = (
    sa.and_(_signed_in, _session.last_seen_at <= _p("idle")),
    sa.and_(_visit, sa.not_(_empty), _session.last_seen_at <= _p("visitor_idle")),
    sa.and_(_visit, _empty, _session.last_seen_at <= _p("visitor_empty")),
)
_standing_owner: Final = sa.exists().where(
    _account.id == _session.account_id, _account.locked_at.is_(None), _account.ended_pos <= _session.pos
)
_client_ended: Final = sa.exists().where(
    tables.client.c.id == _session.client_id, tables.client.c.ended_pos > _session.pos
)
DEAD: Final = sa.or_(
    *_RESTED,
    _session.expires_at <= _p("now"),
    _session.pos < _everyone,
    _client_ended,
    sa.and_(_signed_in, sa.not_(_standing_owner)),
)
"""Whether a session is over, at the moments that `ends_of` gives."""
_orphan: Final = sa.not_(sa.exists().where(_session.id == _family.session_id))
_in_cookies: Final = sa.exists().where(
    _session.id == _family.session_id,
    _session.carrier == sa.literal_column(f"'{Carrier.TOKEN_COOKIE.value}'"),
)
# Answers to tokens in cookies are kept for longer, because they are lost more easily.
_used_up: Final = sa.and_(
    _family.previous_sealed.is_not(None),
    _family.previous_rotated_at <= _p("grace"),
    sa.or_(_family.previous_rotated_at <= _p("cookie_grace"), sa.not_(_in_cookies)),
)
_outlived: Final = sa.and_(
    _family.previous_sealed.is_not(None),
    _family.earlier_sealed.is_not(None),
    _family.previous_rotated_at <= _p("after_rotation"),
)
_expired: Final = _invitation.expires_at <= _p("now")


@dataclass(frozen=True, slots=True)
class _Search:
    """How to find the ids of one sort of dead row, and what to do with each (`key`) if it still is one."""

    find: str
    act: str
    then: tuple[str, ...] = ()


def _search(found: sa.Select[Any], act: sa.Delete | sa.Update, then: tuple[str, ...] = ()) -> _Search:
    return _Search(text_of(at_most(found, "most")), text_of(act), then)


_end_session: Final = sa.delete(tables.session).where(_session.id == _p("key"), DEAD)
_end_family: Final = sa.delete(tables.refresh_family).where(_family.id == _p("key"), _orphan)
_clear_answers: Final = (
    sa.update(tables.refresh_family)
    .where(_family.id == _p("key"), _used_up)
    .values(previous_sealed=sa.null(), earlier_sealed=sa.null())
)
_clear_earlier: Final = (
    sa.update(tables.refresh_family)
    .where(_family.id == _p("key"), _outlived)
    .values(earlier_sealed=sa.null())
)
_end_link: Final = sa.delete(tables.invitation).where(_invitation.id == _p("key"), _expired)
_IDLE: Final = tuple(
    _search(sa.select(_session.id).where(one), _end_session, WITH_SESSION) for one in _RESTED
)
_REST: Final = (
    _search(sa.select(_family.id).where(_used_up), _clear_answers),
    _search(sa.select(_family.id).where(_outlived), _clear_earlier),
    _search(sa.select(_invitation.id).where(_expired), _end_link),
)
# Accounts that were ended since the last sweep, by the index of endings.
_ENDED: Final = _search(
    sa.select(_session.id)
    .join_from(tables.account, tables.session, _account.id == _session.account_id)
    .where(
        _account.ended_pos > sa.text("0"), _account.ended_pos > _p("mark"), _session.pos < _account.ended_pos
    ),
    _end_session,
    WITH_SESSION,
)


@dataclass(slots=True)
class _Walk:
    """A search that visits a table piece by piece, in the order of ids, and remembers where it was."""

    piece: str
    search: _Search
    after: str = ""


def _walk(table: sa.Table, dead: sa.ColumnElement[bool], act: sa.Delete, then: tuple[str, ...] = ()) -> _Walk:
    ahead = sa.select(table.c.id).where(table.c.id > _p("after")).order_by(table.c.id)
    piece = at_most(ahead, "walk").subquery()
    found = sa.select(table.c.id).where(table.c.id > _p("after"), table.c.id <= _p("end"), dead)
    return _Walk(text_of(sa.select(sa.func.max(piece.c.id), sa.func.count())), _search(found, act, then))


class Sweep:
    """The sweep of one file. It remembers how far it has come; any number may run at once."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._mark = 0
        self._walks = (
            _walk(tables.session, DEAD, _end_session, WITH_SESSION),
            _walk(tables.refresh_family, _orphan, _end_family),
        )

    def run(self, limits: SessionLimits, grace: GraceRules, now: datetime, most: int) -> int:
        """Delete or clear up to `most` dead rows; how many. Families that go with their session are not counted."""
        times = _times(limits, grace, now)
        done = 0
        for search in _IDLE:
            done += self._act(search, self._find(search, times, most - done), times)
        done += self._act(_ENDED, self._ended(most - done), times)
        for walk in self._walks:
            done += self._act(walk.search, self._next(walk, times, most - done), times)
        for search in _REST:
            done += self._act(search, self._find(search, times, most - done), times)
        return done

    def _find(self, search: _Search, params: Params, most: int) -> Found:
        return self._file.rows(search.find, params | {"most": most}) if most > 0 else []

    def _ended(self, most: int) -> Found:
        [(_, newest, _)] = self._file.rows(HEAD)
        found = self._find(_ENDED, {"mark": self._mark}, most)
        if len(found) < most:
            # Whatever is written later with an older position is dead on arrival, and left to the walk.
            self._mark = newest
        return found

    def _next(self, walk: _Walk, times: Params, most: int) -> Found:
        [(end, visited)] = self._file.rows(walk.piece, {"after": walk.after, "walk": _WALK})
        found = self._find(walk.search, times | {"after": walk.after, "end": end}, most)
        if len(found) < most:
            walk.after = end if visited == _WALK else ""
        return found

    def _act(self, search: _Search, found: Found, times: Params) -> int:
        steps = (found[first : first + _STEP] for first in range(0, len(found), _STEP))
        return sum(self._step(search, step, times) for step in steps)

    def _step(self, search: _Search, found: Found, times: Params) -> int:
        done = 0
        # What is lost at a power loss is dead again at the next sweep.
        with self._file.writing(durable=False) as connection:
            for (key,) in found:
                gone = connection.execute(search.act, times | {"key": key}).rowcount
                done += gone
                for statement in search.then * gone:
                    connection.execute(statement, {"key": key})
        return done


def ends_of(limits: SessionLimits, now: datetime) -> Params:
    """The moments at or before which each kind of session is over."""
    end = micros(now)
    return {
        "now": end,
        "idle": end - span(limits.idle),
        "visitor_idle": end - span(limits.visitor_idle),
        "visitor_empty": end - span(limits.visitor_empty),
    }


def _times(limits: SessionLimits, grace: GraceRules, now: datetime) -> Params:
    end = micros(now)
    return {
        **ends_of(limits, now),
        "grace": end - span(grace.of(Carrier.TOKEN).longest),
        "cookie_grace": end - span(grace.of(Carrier.TOKEN_COOKIE).longest),
        "after_rotation": end - span(grace.after_rotation),
    }
