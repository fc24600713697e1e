"""Who is asking: the answer of every check."""

from dataclasses import dataclass
from datetime import datetime

from gatepost.core.sessions import Carrier


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in account, as the credential and the log say it is now.

    `email` is None where a token alone was checked: tokens hold no private data.
    """

    account_id: str
    session_id: str
    roles: tuple[str, ...]
    permissions: frozenset[str]
    carrier: Carrier
    authenticated_at: datetime
    email: str | None


@dataclass(frozen=True, slots=True)
class Visitor:
    """A session without an account: somebody who has not signed in yet."""

    session_id: str
    carrier: Carrier
    started_at: datetime
