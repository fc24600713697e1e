"""Tokens of an OAuth client other than our own, put straight into the store: no client can sign anybody in yet.

Owns how such a session is made. Whose it is, and what becomes of it, is each test's own business.
"""

from dataclasses import dataclass
from datetime import timedelta

from gatepost.authority import Authority
from gatepost.core.accounts import Account
from gatepost.core.changes import Change
from gatepost.core.sessions import Carrier, Session


@dataclass(frozen=True)
class Issued:
    """A session of one client, and the two tokens of it."""

    session_id: str
    access: str
    refresh: str


def issue_to(at: Authority, account: Account, client_id: str) -> Issued:
    """A session of this account at this client, with its first pair of tokens."""
    now = at.clock.now()
    session = Session(
        id=at.identifiers.name(),
        carrier=Carrier.TOKEN,
        account_id=account.id,
        handle=None,
        started_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(days=1),
        device="",
        address="",
        pos=at.store.position(),
        client_id=client_id,
    )
    family, pair = at.tokens.first_pair(account, session, at.tokens.audiences(()), now)
    at.commits.commit(Change(at=now, put=(session, family)))
    return Issued(session.id, pair.access.reveal(), pair.refresh.reveal())
