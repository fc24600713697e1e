"""OAuth clients of a house, and how they ask about tokens and end them.

Owns the forms in which they speak; what they are told is each test's own business.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from httpx2 import Response

from gatepost.core.clients import Power
from gatepost.services.clients import ClientWish
from tests.web.house import House

INTROSPECT = "/oauth/introspect"
REVOKE = "/oauth/revoke"
OURS = {"client_id": "first-party"}
INACTIVE = b'{"active":false}'


@dataclass(frozen=True)
class Asker:
    """A client with its secret."""

    house: House
    id: str
    secret: str

    @property
    def basic(self) -> dict[str, str]:
        """Its Authorization header."""
        return {"authorization": basic(self.id, self.secret)}

    def about(self, token: str, **more: Any) -> Response:
        """Ask about a token."""
        return self.house.program(**self.basic).post(INTROSPECT, data={"token": token, **more})

    def revoke(self, token: str, **more: Any) -> Response:
        """End a token."""
        return self.house.program(**self.basic).post(REVOKE, data={"token": token, **more})

    def finds_active(self, token: str) -> bool:
        """Whether a token is active. One that is not gets the one short answer."""
        answer = self.about(token)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        active: bool = answer.json()["active"]
        assert active or answer.content == INACTIVE
        return active


def basic(client_id: str, secret: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()


def asker(house: House, *powers: Power, audiences: tuple[str, ...] = ()) -> Asker:
    """A new client; it may introspect unless powers are named."""
    wish = ClientWish("Asker", powers or (Power.INTROSPECT,), audiences)
    made = house.authority.clients.create(wish, audiences, "test")
    return Asker(house, made.client.id, made.secret.reveal())


def ends(house: House, token: str, **more: Any) -> Response:
    """Our own page or program ends a token of its own."""
    return house.program().post(REVOKE, data={"token": token, **OURS, **more})
