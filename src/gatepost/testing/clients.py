"""Clients of an application on trial: Starlette's test client that knows whose session it holds.

Owns how a client signs in, which is as anybody does, over HTTP. Called by `trials.py`, which opens the application.
"""

from types import TracebackType
from typing import Any, Final, Self

from starlette.testclient import TestClient

from gatepost.core.sessions import Carrier

PASSWORD: Final = "violet kettle hums at noon while seven quiet lamps sway over the harbour"
"""Of every account on trial. Long enough for any rule on length that the settings can make."""


class TrialClient(TestClient):
    """A client of its own: nobody at first, then a visitor, or whoever it was signed in as.

    It makes requests as our own pages do, so the rules against forged requests let them pass. Opened in a `with`
    block or not, it lives until its trial ends.
    """

    __test__ = False

    def __init__(self, host: TestClient, prefix: str) -> None:
        super().__init__(host.app, str(host.base_url), headers={"sec-fetch-site": "same-origin"})
        # The application has been started by its host, in whose event loop every client of it asks.
        self.portal = host.portal
        self.app_state.update(host.app_state)
        self._prefix = prefix
        self._refresh_token = ""
        self.email: str = ""
        self.account_id: str = ""
        self.session_id: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def sign_in(self, email: str, carrier: str = "cookie") -> None:
        """Sign in to an account on trial, as what this client is already: a visitor's data moves over."""
        body = {"email": email, "password": PASSWORD, "carrier": Carrier(carrier).value}
        answered = self._asked("/api/sign-in", body)
        self.email, self.account_id = email, answered["account"]["id"]
        self.session_id = answered["session"]["id"]
        if "tokens" in answered:
            # Whoever brings tokens by itself is no browser.
            self.headers.pop("sec-fetch-site", None)
            self._bring(answered["tokens"])

    def begin_visit(self, carrier: str = "cookie") -> None:
        """Begin a visit: a session without an account."""
        self.session_id = self._asked("/api/visit", {"carrier": Carrier(carrier).value})["session"]["id"]

    def refresh(self) -> None:
        """Use the refresh token of carrier `token`, as a program does whose access token is over."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        answer = self.post(f"{self._prefix}/oauth/token", data=form)
        if answer.status_code != 200:
            raise AssertionError(f"the refresh token was refused: {answer.text}")
        self._bring(answer.json())

    def _bring(self, tokens: dict[str, Any]) -> None:
        self.headers["authorization"] = f"Bearer {tokens['access_token']}"
        self._refresh_token = tokens["refresh_token"]

    def _asked(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        answer = self.post(f"{self._prefix}{path}", json=body)
        if answer.status_code not in {200, 201}:
            raise AssertionError(f"{path} was answered with {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered
