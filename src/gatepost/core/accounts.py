"""The account: who somebody is, and what is true of them now."""

from dataclasses import dataclass, field
from datetime import datetime

from gatepost.core.emails import Email


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the store holds it.

    `ended_pos` is the log position of the newest fact that ended everything of it: what was issued before is dead
    however long readers remember. `version` is 0 until the store has written it.
    """

    id: str
    email: Email
    password_hash: str | None = field(repr=False)
    roles: tuple[str, ...]
    created_at: datetime
    email_verified: bool = False
    locked_at: datetime | None = None
    ended_pos: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts are looked for: those that fit everything that is given.

    `text` is a part of the e-mail or a whole id, `role` one that they have; "" is any. `locked` is None for either.
    """

    text: str = ""
    role: str = ""
    locked: bool | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A printed one-time link that makes an account with a role. Only the digest of its secret is kept."""

    id: str
    digest: bytes = field(repr=False)
    role: str
    created_at: datetime
    expires_at: datetime
    version: int = 0
