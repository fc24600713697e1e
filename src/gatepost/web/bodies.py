"""The JSON bodies of a person's own calls, and what every answer shares: validated and described by FastAPI.

Bodies of other readers stand beside it: `oauth_bodies.py`, `admin_bodies.py`, `receipt_bodies.py`. Called by the
endpoints, by the table of routes and by the OpenAPI document, which finds every answer in these four files.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from gatepost.core.sessions import Carrier
from gatepost.web.oauth_bodies import TokensOut

_Email = Annotated[str, Field(max_length=1024, examples=["ada@example.com"])]
_Password = Annotated[
    str, Field(examples=["three or four words do"], json_schema_extra={"format": "password"})
]


class Body(BaseModel):
    """A request body: unknown fields are refused, types are taken literally."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


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


class PatchBody(BaseModel):
    """A merge patch of the application's data (RFC 7396): any JSON object."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")


class Problem(BaseModel):
    """Problem details (RFC 9457) with a stable `code`; `errors` has a sentence for each field at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str | None = None
    errors: dict[str, str] | None = None


class StatusOut(BaseModel):
    """What a probe asks for."""

    status: str


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
