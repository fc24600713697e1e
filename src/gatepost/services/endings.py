"""Ending what is not a session: one access token, and everything issued to one OAuth client.

Owns the facts and their audit rows. Does not judge who may ask for it, and verifies no token: whoever calls has done
both. Sessions and accounts are ended in `sessions.py` and `accounts.py`.
"""

from datetime import datetime

from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.revocation import ClientEnded, Fact, TokenEnded
from gatepost.services.commits import Receipt
from gatepost.services.means import Means


class Endings:
    """What can be ended by its name alone."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def end_token(self, jti: str, until: datetime, actor: str) -> Receipt:
        """End one access token, named by its `jti`, that would have been good until then. Its session goes on."""
        more = {"jti": jti, "until": until.isoformat()}
        return self._end(TokenEnded(jti), Event.TOKEN_ENDED, actor, more)

    def end_client(self, client_id: str, actor: str) -> Receipt:
        """End everything that was issued to one client so far. What it is issued later stands."""
        return self._end(ClientEnded(client_id), Event.CLIENT_ENDED, actor, {"client_id": client_id})

    def _end(self, fact: Fact, event: Event, actor: str, more: dict[str, str]) -> Receipt:
        now = self._means.clock.now()
        row = AuditRow(event, now, actor=actor, more=more)
        return self._means.commits.end(Change(at=now, facts=(fact,), audit=(row,)))
