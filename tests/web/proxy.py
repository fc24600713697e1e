"""What a proxy asks at `GET /gateway/check`, and what it is told.

Owns the reading of answers for tests; which answer is right is each test's own business.
"""

from typing import Any

import jwt
from httpx2 import Response
from starlette.testclient import TestClient

from tests.web.house import House

IDENTITY = (
    "x-auth-account", "x-auth-email", "x-auth-roles", "x-auth-session",
    "remote-user", "remote-email", "remote-groups", "authorization",
)  # fmt: skip


def check(client: TestClient, query: str = "", **headers: str) -> Response:
    """Ask as a proxy does."""
    return client.get(f"/gateway/check{query}", headers=headers)


def identity(answer: Response) -> dict[str, str]:
    """The identity headers of an answer, all of which must be there once."""
    assert all(len(answer.headers.get_list(name)) == 1 for name in IDENTITY), answer.headers
    return {name: answer.headers[name] for name in IDENTITY}


def short_jwt(answer: Response) -> str:
    """The short JWT of an answer that lets pass."""
    assert answer.status_code == 204, answer.text
    scheme, _, token = answer.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


def claims_of(house: House, answer: Response, audience: str | None = None) -> dict[str, Any]:
    """What a service behind reads, with another library and the published keys."""
    keys = jwt.PyJWKSet.from_dict(house.program().get("/.well-known/jwks.json").json())
    token = short_jwt(answer)
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    issuer = house.authority.settings.issuer
    # Its own times are compared with a clock that a test turns, so here they are only read.
    options: Any = {"verify_exp": False, "verify_iat": False}
    return dict(
        jwt.decode(
            token,
            keys[header["kid"]],
            algorithms=["ES256"],
            audience=audience or issuer,
            issuer=issuer,
            options=options,
        )
    )
