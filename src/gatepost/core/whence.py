"""From where somebody acts who changes what belongs to others, and how the trail comes to say it.

Owns the value and the marking of a change with it. Judges nothing: who may act is decided before. Made by the web floor
from the request that asks; commands act from nowhere.
"""

from dataclasses import dataclass, replace
from typing import Final

from gatepost.core.changes import AuditRow, Change
from gatepost.core.sessions import Origin


@dataclass(frozen=True, slots=True)
class Whence:
    """The address and device of a request, and the session of whoever sent it."""

    origin: Origin
    session_id: str | None = None

    def marked(self, change: Change) -> Change:
        """The change with this in every row that it leaves in the trail."""
        return replace(change, audit=tuple(self._row(row) for row in change.audit))

    def _row(self, row: AuditRow) -> AuditRow:
        # Not in `session_id`: that is the session an act is about, which somebody else may hold.
        more = row.more if self.session_id is None else {**row.more, "by_session": self.session_id}
        return replace(row, address=self.origin.address, device=self.origin.device, more=more)


NOWHERE: Final = Whence(Origin("", ""))
"""Commands act from the machine itself: their rows have `cli` as the actor, no address and no session."""
