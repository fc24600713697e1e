"""The forms that OAuth's endpoints take, and their answers: every name in them is a standard's.

Says nothing of what is refused. Called by the table of routes, by `bodies.py` for the tokens of a sign-in, and by the
OpenAPI document.
"""

from typing import Any

from pydantic import BaseModel, Field


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


class OAuthProblem(BaseModel):
    """An error of an OAuth endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str


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
