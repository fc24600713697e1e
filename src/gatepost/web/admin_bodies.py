"""The JSON bodies of the administrator's calls: what they take, and what they answer.

Accounts and sessions are `bodies.py`'s with more said of them. Called by `admin.py` and by the table of routes.
"""

from pydantic import BaseModel, Field

from gatepost.web.bodies import AccountOut, Body, SessionOut
from gatepost.web.receipt_bodies import ReceiptOut


class RolesBody(Body):
    """Replace an account's roles."""

    roles: list[str] = Field(max_length=64)


class RotateBody(Body):
    """Turn the keys, or end the one that others know."""

    compromised: str | None = Field(default=None, max_length=64)
    algorithm: str | None = Field(default=None, max_length=16)


class AdminAccountOut(AccountOut):
    """An account as an administrator sees it."""

    created_at: str
    locked_at: str | None


class AdminAccountsOut(BaseModel):
    """A page of accounts."""

    items: list[AdminAccountOut]
    next: str | None = None


class LastEventOut(BaseModel):
    """The newest entry in the audit trail of what an account did itself with this session."""

    event: str
    at: str


class AdminSessionOut(SessionOut):
    """A session as an administrator sees it."""

    account_id: str | None
    email: str | None
    last_event: LastEventOut | None = None


class AdminSessionsOut(BaseModel):
    """A page of sessions."""

    items: list[AdminSessionOut]
    next: str | None = None


class AuditRowOut(BaseModel):
    """One security event. `account_id` is whom it is about, `actor` who did it."""

    number: int
    at: str
    event: str
    account_id: str | None
    actor: str | None
    session_id: str | None
    address: str
    device: str
    more: dict[str, str]


class AuditOut(BaseModel):
    """A page of the audit trail."""

    items: list[AuditRowOut]
    next: str | None = None


class EndedOut(BaseModel):
    """The answer to an administrator who ends something."""

    receipt: ReceiptOut


class KeyOut(BaseModel):
    """A key of the ring, without what is secret of it."""

    kid: str
    algorithm: str
    state: str
    since: str
    created_at: str


class KeysOut(BaseModel):
    """Every key that is not gone, oldest first."""

    items: list[KeyOut]


class WorkerOut(BaseModel):
    """A server process: how many facts of the log it has not confirmed, and when it last said something."""

    instance: str
    pid: int
    behind: int
    heard_at: str
    quiet: bool
    own: bool


class WorkersOut(BaseModel):
    """Every server process that has not left."""

    items: list[WorkerOut]


class VerifierOut(BaseModel):
    """An instance of a verifier: the newest fact it has confirmed (null: none since it began anew), and how far behind
    that is, in facts and in milliseconds (null: not known)."""

    client_id: str
    name: str
    instance: str
    policy: str
    bound: float
    confirmed: int | None
    behind: int | None
    behind_ms: int | None
    heard_at: str
    lease_ends_at: str
    live: bool
    counts: bool
    address: str


class VerifiersOut(BaseModel):
    """A page of instances of verifiers."""

    items: list[VerifierOut]
    next: str | None = None


class ComingAndGoing(BaseModel):
    """What a change gives and takes."""

    gained: list[str]
    lost: list[str]


class RefusalOut(BaseModel):
    """Why a change would not be made."""

    code: str
    detail: str


class RolesForeseenOut(BaseModel):
    """What new roles would do. `sessions` counts the live ones by carrier; none of them ends."""

    account: AdminAccountOut
    roles: list[str]
    change: ComingAndGoing
    permissions: ComingAndGoing
    sessions: dict[str, int]
    tokens_outdated: int
    refusal: RefusalOut | None


class RotatedOut(BaseModel):
    """The keys after a rotation; with the receipt if it ended one."""

    keys: list[KeyOut]
    known_at: str | None = None
    receipt: ReceiptOut | None = None


class ChangedOut(BaseModel):
    """The answer to an administrator who changes an account."""

    account: AdminAccountOut
    receipt: ReceiptOut | None = None
