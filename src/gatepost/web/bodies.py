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


class ReauthenticateBody(Body):
    """Show the password again. `resource` as at the sign-in, where the session holds tokens."""

    password: _Password
    resource: list[str] | str = Field(default_factory=list)

    @property
    def resources(self) -> list[str]:
        """The audiences asked for."""
        return [self.resource] if isinstance(self.resource, str) else self.resource


class RolesBody(Body):
    """Replace an account's roles."""

    roles: list[str] = Field(max_length=64)


class RotateBody(Body):
    """Turn the keys, or end the one that others know."""

    compromised: str | None = Field(default=None, max_length=64)
    algorithm: str | None = Field(default=None, max_length=16)


class PatchBody(BaseModel):
    """A merge patch of the application's data (RFC 7396): any JSON object."""

    model_config = ConfigDict(extra="allow")


class TokenForm(BaseModel):
    """The form of a refresh (RFC 6749 section 6); what it does not know it leaves alone."""

    grant_type: str = Field(examples=["refresh_token"])
    refresh_token: str
    client_id: str = Field(default="", examples=["first-party"])
    resource: list[str] = Field(default_factory=list)


class TokenQuestionForm(BaseModel):
    """The form of a revocation or an introspection (RFC 7009 section 2.1, RFC 7662 section 2.1)."""

    token: str
    token_type_hint: str = ""
    client_id: str = Field(default="", examples=["first-party"])
    client_secret: str = ""


class Problem(BaseModel):
    """Problem details (RFC 9457) with a stable `code`; `errors` has a sentence for each field at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    errors: dict[str, str] | None = None


class OAuthProblem(BaseModel):
    """An error of an OAuth endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str


class StatusOut(BaseModel):
    """What a probe asks for."""

    status: str


class KeySetOut(BaseModel):
    """The public keys (RFC 7517 section 5)."""

    keys: list[dict[str, Any]]


class MetadataOut(BaseModel):
    """What an authorization server offers (RFC 8414 section 2)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    revocation_endpoint: str
    revocation_endpoint_auth_methods_supported: list[str]
    introspection_endpoint: str
    introspection_endpoint_auth_methods_supported: list[str]


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
    """What a token is good for (RFC 7662 section 2.2); of an inactive one `active`, and at most its `standing`."""

    active: bool
    standing: str | None = None
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


class LastEventOut(BaseModel):
    """The newest entry of an account in the audit trail."""

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


class HearingOut(BaseModel):
    """Whether one server process has confirmed an ending, and after how many milliseconds."""

    instance: str
    pid: int
    confirmed: bool
    milliseconds: float | None


class ReceiptOut(BaseModel):
    """What was promised when something was ended."""

    pos: str
    committed_at: str
    state: str
    in_force_at: str
    latest_at: str
    verifiers: list[dict[str, Any]]
    workers: list[HearingOut]


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
