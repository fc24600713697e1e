"""People who use a server while something under it is broken: what they hold, what they ask, and what they are told.

Owns no fault. Every answer is looked at as it comes: it is never 500, and whoever is told to come again is told when.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2

PASSWORD = "plenty of quiet words"
_numbers = count(1)


@dataclass
class Person:
    """An account with a browser and a program, and every credential that either was given."""

    url: str
    email: str = field(default_factory=lambda: f"person{next(_numbers)}@example.com")
    secrets: set[str] = field(default_factory=lambda: {PASSWORD})
    tokens: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        hooks = {"response": [self._noted]}
        self.browser = httpx2.Client(base_url=self.url, event_hooks=hooks, timeout=30)
        self.browser.headers["sec-fetch-site"] = "same-origin"
        self.program = httpx2.Client(base_url=self.url, event_hooks=hooks, timeout=30)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *error: object) -> None:
        self.browser.close()
        self.program.close()

    def settle_in(self) -> "Person":
        """Make the account and sign in with the browser, then with the program."""
        assert self.sign_up().status_code == 201
        answer = self.sign_in(self.program, carrier="token")
        assert answer.status_code == 200, answer.text
        self.hold(answer.json()["tokens"])
        return self

    def sign_up(self) -> httpx2.Response:
        """Ask for the account."""
        return self.browser.post("/api/sign-up", json={"email": self.email, "password": PASSWORD})

    def sign_in(self, client: httpx2.Client, password: str = PASSWORD, **more: str) -> httpx2.Response:
        """Ask for one more sign-in."""
        return client.post("/api/sign-in", json={"email": self.email, "password": password, **more})

    def hold(self, tokens: dict[str, Any]) -> None:
        """Use these tokens from now on."""
        self.tokens = tokens
        self.secrets |= {tokens["access_token"], tokens["refresh_token"]}
        self.program.headers["authorization"] = f"Bearer {tokens['access_token']}"

    def refresh(self) -> httpx2.Response:
        """Use the refresh token; what comes of it is held."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        answer = self.program.post("/oauth/token", data=form)
        if answer.status_code == 200:
            self.hold(answer.json())
        return answer

    def by_cookie(self) -> int:
        """What the browser is answered when it asks who it is."""
        return self.browser.get("/api/session").status_code

    def by_token(self) -> int:
        """What the program is answered."""
        return self.program.get("/api/session").status_code

    def sign_out(self) -> httpx2.Response:
        """Ask for the end of the browser's session."""
        return self.browser.post("/api/sign-out")

    def found_in(self, text: str) -> set[str]:
        """Which of the credentials stand in a text."""
        return {secret for secret in self.secrets if secret in text}

    def _noted(self, answer: httpx2.Response) -> None:
        assert answer.status_code != 500, answer.read()
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert "set-cookie" not in answer.headers
        self.secrets |= {value for name, value in answer.cookies.items() if len(value) > 8}


def is_busy(answer: httpx2.Response) -> bool:
    """Whether somebody was asked to come again, in the form of this endpoint."""
    body = answer.json()
    return answer.status_code == 503 and "busy" in {body.get("code"), body.get("error")}
