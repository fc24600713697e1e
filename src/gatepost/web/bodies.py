"""The JSON bodies of requests and answers: what FastAPI validates and describes in the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gatepost.core.sessions import Carrier

_Email = Annotated[str, Field(max_length=1024, examples=["ada@example.com"])]
_Password = Annotated[
    str, Field(examples=["three or four words do"], json_schema_extra={"format": "password"})
]


class Body(BaseModel):
    """A request body: unknown fields are refused, types are taken literally."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


CarrierName = Annotated[Carrier, Field(strict=False, examples=["cookie"])]


class VisitBody(Body):
    """Begin a visitor session."""

    carrier: CarrierName = Carrier.COOKIE


class CredentialsBody(Body):
    """Sign up or sign in."""

    email: _Email
    password: _Password
    carrier: CarrierName = Carrier.COOKIE
    resource: list[str] | str = Field(default_factory=list)

    @property
    def resources(self) -> list[str]:
        """The audiences asked for."""
        return [self.resource] if isinstance(self.resource, str) else self.resource


class PasswordBody(Body):
    """Change one's own password."""

    current: _Password
    new: _Password


class RolesBody(Body):
    """Replace an account's roles."""

    roles: list[str] = Field(max_length=64)


class RotateBody(Body):
    """Turn the keys, or end the one that others know."""

    compromised: str | None = Field(default=None, max_length=64)
    algorithm: str | None = Field(default=None, max_length=16)


class AccountOut(BaseModel):
    """An account as its owner sees it."""

    id: str
    email: str
    email_verified: bool
    roles: list[str]
    permissions: list[str]


class SessionOut(BaseModel):
    """A session. Times are RFC 3339 in UTC."""

    id: str
    carrier: str
    started_at: str
    last_seen_at: str
    idle_expires_at: str
    expires_at: str
    device: str
    address: str


class FullSessionOut(SessionOut):
    """A session with the application's data."""

    data: dict[str, Any]


class RepeatOut(BaseModel):
    """A refresh token of the session was repeated from another address or program."""

    at: str
    address: str
    device: str


class ListedSessionOut(SessionOut):
    """A session in its owner's list."""

    current: bool
    repeated_elsewhere: RepeatOut | None = None


class TokensOut(BaseModel):
    """An access and a refresh token (RFC 6749 section 5.1)."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class IntrospectionOut(BaseModel):
    """What a token is good for (RFC 7662 section 2.2); of an inactive one `active` alone."""

    active: bool
    token_type: str | None = None
    iss: str | None = None
    sub: str | None = None
    aud: list[str] | None = None
    client_id: str | None = None
    iat: int | None = None
    exp: int | None = None
    auth_time: int | None = None
    jti: str | None = None
    sid: str | None = None
    roles: list[str] | None = None


class SignedInOut(BaseModel):
    """A sign-in."""

    account: AccountOut | None
    session: FullSessionOut
    tokens: TokensOut | None = None


class WhoOut(BaseModel):
    """Who asks."""

    account: AccountOut | None
    session: FullSessionOut


class DataOut(BaseModel):
    """The application's data of a session."""

    data: dict[str, Any]


class SessionsOut(BaseModel):
    """A list of sessions."""

    items: list[ListedSessionOut]
    next: str | None = None


class AdminAccountOut(AccountOut):
    """An account as an administrator sees it."""

    created_at: str
    locked_at: str | None


class AdminAccountsOut(BaseModel):
    """A page of accounts."""

    items: list[AdminAccountOut]
    next: str | None = None


class AdminSessionOut(SessionOut):
    """A session as an administrator sees it."""

    account_id: str | None
    email: str | None


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


class ReceiptOut(BaseModel):
    """What was promised when something was ended."""

    pos: str
    committed_at: str
    state: str
    in_force_at: str
    latest_at: str
    verifiers: list[dict[str, Any]]


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


class RotatedOut(BaseModel):
    """The keys after a rotation; with the receipt if it ended one."""

    keys: list[KeyOut]
    known_at: str | None = None
    receipt: ReceiptOut | None = None


class ChangedOut(BaseModel):
    """The answer to an administrator who changes an account."""

    account: AdminAccountOut
    receipt: ReceiptOut | None = None
