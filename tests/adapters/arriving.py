"""Arriving at an application on trial: what tests of its hooks share."""

from collections.abc import Callable

from httpx2 import Response

from gatepost import testing
from gatepost.testing.clients import PASSWORD

ADA = "ada@example.com"
Start = Callable[[], testing.Trial]


def sign_in(client: testing.TrialClient, **more: str) -> Response:
    """Try to sign in as Ada over HTTP."""
    return client.post("/auth/api/sign-in", json={"email": ADA, "password": PASSWORD, **more})
