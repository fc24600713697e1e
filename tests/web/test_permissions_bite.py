"""What an account may do changes with its next request: every carrier, every door, roles and what roles hold."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from gatepost import Gatepost, Principal
from gatepost.authority import Machine
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from tests.web.house import ADA, CHEAP, House, is_problem, settings_in, sign_in

CARRIERS = ["cookie", "sealed", "token", "token-cookie"]
DOORS = {
    "require(role)": "/desk",
    "require(permission)": "/refunds",
    "gateway role": "/gateway/check?role=support",
    "gateway permission": "/gateway/check?permission=orders:refund",
    "administration": "/api/admin/accounts",
}
BY_PERMISSION = ["require(permission)", "gateway permission"]
MIGHTY = ("member", "support", "admin")
Opening = Callable[..., House]


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Opening]:
    """`opening(support=["orders:refund"])`: an application with our doors and its own, over one database."""
    clock, opened = TurnableClock(), list[House]()

    def open_with(support: list[str]) -> House:
        settings = settings_in(tmp_path, {"database": {"url": None}, "roles": {"support": support}})
        auth = Gatepost(settings, machine=Machine(clock, SystemRandomness(), profile=CHEAP))
        app = FastAPI()

        @app.get("/desk")
        def desk(who: Annotated[Principal, Depends(auth.require(role="support"))]) -> str:
            return who.account_id

        @app.get("/refunds")
        def refunds(who: Annotated[Principal, Depends(auth.require(permission="orders:refund"))]) -> str:
            return who.account_id

        auth.init_app(app)
        opened.append(House(auth.authority, app, clock))
        return opened[-1]

    yield open_with
    for house in opened:
        house.close()


class Holder:
    """A client that holds a session in one carrier, and renews a bearer token as standard clients do: on 401."""

    def __init__(self, house: House, carrier: str) -> None:
        self.client = house.browser()
        answer = sign_in(self.client, ADA, carrier=carrier)
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json().get("tokens")
        self._bear()

    def at(self, client: TestClient) -> None:
        """Go on at a server that was started anew, with what is in the jar."""
        client.cookies = self.client.cookies
        self.client = client
        self._bear()

    def tries(self, door: str) -> int:
        """The status of one try. A token that is out of date is refused first, never let through.

        Through a gateway a browser renews what it holds at the next page of ours.
        """
        answer = self.client.get(DOORS[door])
        if answer.status_code != 401:
            return answer.status_code
        assert is_problem(answer, 401, "invalid_token")
        if self.tokens is None:
            assert door.startswith("gateway")
            assert self.client.get("/api/session").status_code == 200
            return self.client.get(DOORS[door]).status_code
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        self.tokens = self.client.post("/oauth/token", data=form).json()
        self._bear()
        return self.client.get(DOORS[door]).status_code

    def _bear(self) -> None:
        if self.tokens:
            self.client.headers["authorization"] = f"Bearer {self.tokens['access_token']}"


def is_open(status: int) -> bool:
    """Whether a door let somebody in; otherwise it must have said 403."""
    assert status in {200, 204, 403}
    return status != 403


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_role_bites_on_the_next_request(opening: Opening, carrier: str) -> None:
    """Taken away every door is shut at the next try, given back every door is open, and nobody signs in again."""
    house = opening(["orders:refund"])
    house.account("boss@example.com", "admin")
    account = house.account(ADA, *MIGHTY)
    holder = Holder(house, carrier)
    session = holder.client.get("/api/session").json()["session"]["id"]
    assert all(is_open(holder.tries(door)) for door in DOORS)
    for door in DOORS:
        house.authority.accounts.set_roles(account.id, ["member"], "test")
        assert not is_open(holder.tries(door)), door
        house.authority.accounts.set_roles(account.id, MIGHTY, "test")
        assert is_open(holder.tries(door)), door
    assert holder.client.get("/api/session").json()["session"]["id"] == session


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_a_role_holds_bites_with_the_next_start(opening: Opening, carrier: str) -> None:
    """The same session after a restart with other settings: a permission gone, and there again after another."""
    first = opening(["orders:refund"])
    first.account(ADA, "member", "support")
    holder = Holder(first, carrier)
    assert all(is_open(holder.tries(door)) for door in BY_PERMISSION)
    first.authority.stop()
    without = opening([])
    holder.at(without.browser())
    assert not any(is_open(holder.tries(door)) for door in BY_PERMISSION)
    assert is_open(holder.tries("require(role)"))
    without.authority.stop()
    holder.at(opening(["orders:refund"]).browser())
    assert all(is_open(holder.tries(door)) for door in BY_PERMISSION)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_permissions_are_told_as_they_are_now(opening: Opening, carrier: str) -> None:
    """`GET /api/session` says what the roles of this moment permit."""
    house = opening(["orders:refund"])
    account = house.account(ADA, "member")
    holder = Holder(house, carrier)
    assert holder.client.get("/api/session").json()["account"]["permissions"] == []
    house.authority.accounts.set_roles(account.id, ["member", "support"], "test")
    holder.tries("require(role)")
    told = holder.client.get("/api/session").json()["account"]
    assert (told["roles"], told["permissions"]) == (["member", "support"], ["orders:refund"])
