"""The sweep in memory: which records are dead, and how each leaves.

Owns what a sweep looks for, in the order in which it should act. Called by the memory store under its lock.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from gatepost.core.rotation import Grace, GraceRules, RefreshFamily
from gatepost.core.sessions import Alive, SessionLimits, SessionView, decide_session
from gatepost.stores.memory_shelf import Shelves, Undo


def dead_records(
    shelves: Shelves, views: Iterable[SessionView], limits: SessionLimits, grace: GraceRules, now: datetime
) -> list[Callable[[Undo], None]]:
    """How to end each dead record, in the order in which a sweep should."""
    over = [view.session for view in views if not isinstance(decide_session(view, limits, now), Alive)]
    gone = {session.id for session in over}
    families = [one for one in shelves.families.records.values() if one.session_id not in gone]
    orphans = [one for one in families if one.session_id not in shelves.sessions.records]
    owned = [one for one in families if one.session_id in shelves.sessions.records]
    links = [one for one in shelves.invitations.records.values() if one.expires_at <= now]
    return [
        *(partial(shelves.end_session, session) for session in over),
        *(partial(shelves.families.remove, family.id) for family in orphans),
        *(
            partial(shelves.families.set, cleared)
            for family in owned
            if (
                cleared := _cleared(
                    family, grace.of(shelves.sessions.records[family.session_id].carrier), now
                )
            )
        ),
        *(partial(shelves.invitations.remove, link.id) for link in links),
    ]


def _cleared(family: RefreshFamily, grace: Grace, now: datetime) -> RefreshFamily | None:
    """The family without the answers that nobody may ask for any more, if it has one."""
    previous, earlier = family.previous, family.earlier
    if previous is None or previous.sealed is None:
        return None
    if previous.rotated_at <= now - grace.longest:
        gone = earlier and replace(earlier, sealed=None)
        return replace(family, previous=replace(previous, sealed=None), earlier=gone)
    if earlier is None or earlier.sealed is None or previous.rotated_at > now - grace.after_rotation:
        return None
    return replace(family, earlier=replace(earlier, sealed=None))
