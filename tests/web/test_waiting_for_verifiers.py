"""Receipts name the instances of verifiers, and `?wait=` waits until they have confirmed or lost their lease."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gatepost.core.verifiers import AHEAD
from gatepost.errors import Busy
from gatepost.web import awaiting
from tests.web.house import ADA, Build, House, is_problem, sign_in
from tests.web.readers import Reader, reader
from tests.web.test_feed_instances import asked

BOSS = "boss@example.com"
HOUR = timedelta(hours=1)


@pytest.fixture
def boss(house: House) -> TestClient:
    """An administrator."""
    return house.signed_in(BOSS, "admin")


def follower_of(house: House, instance: str = "one", **more: Any) -> Reader:
    """An instance that has heard everything there is."""
    one = reader(house)
    asked(one, instance, **more)
    asked(one, instance, **more)
    return one


def ended(boss: TestClient, house: House, email: str = ADA, **query: Any) -> dict[str, Any]:
    """The receipt of an administrator who ends all of an account."""
    account = house.authority.accounts.find(email)
    answer = boss.delete(f"/api/admin/accounts/{account.id}/sessions", params=query)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()["receipt"]
    return receipt


def told(confirmed: bool, policy: str = "refuse", ended_by_lease: bool = False) -> dict[str, Any]:
    """What a receipt says of the instance `one`."""
    return {
        "name": "Asker",
        "instance": "one",
        "confirmed": confirmed,
        "policy": policy,
        "ended_by_lease": ended_by_lease,
    }


class Ending:
    """A call that ends something, in a thread, as it waits."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.took = 0.0
        self.found: Any = None
        self.over = threading.Event()

        def run() -> None:
            began = time.monotonic()
            self.found = call()
            self.took = time.monotonic() - began
            self.over.set()

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def come(self) -> Any:
        """What it answered."""
        self.thread.join(30)
        assert self.over.is_set()
        return self.found


@contextmanager
def waits(house: House, call: Callable[[], Any]) -> Iterator[Ending]:
    """Begin a call; the block begins once it waits for verifiers."""
    bell, ending = house.authority.verifiers.bell, Ending(call)
    until = time.monotonic() + 20
    while not bell._waiting and time.monotonic() < until:
        time.sleep(0.001)
    yield ending
    ending.come()


def test_without_verifiers_a_receipt_is_as_it_was(house: House, boss: TestClient) -> None:
    """In force, and nobody is named."""
    house.account()
    receipt = ended(boss, house, wait=5)
    assert (receipt["state"], receipt["verifiers"]) == ("in_force", [])


def test_an_instance_that_has_not_confirmed_makes_it_pending(house: House, boss: TestClient) -> None:
    """Server processes have heard; it may accept until its lease has ended, and no longer."""
    house.account()
    follower_of(house, bound=7)
    receipt = ended(boss, house)
    assert receipt["state"] == "pending"
    assert receipt["verifiers"] == [told(confirmed=False)]
    committed = datetime.fromisoformat(receipt["committed_at"])
    assert datetime.fromisoformat(receipt["latest_at"]) == committed + timedelta(seconds=7)


def test_an_instance_that_heard_before_is_confirmed(house: House, boss: TestClient) -> None:
    """It is on the list with that position, or a later one, when the receipt is made."""
    house.account()
    one = follower_of(house)
    receipt = ended(boss, house)
    house.authority.follower.step()
    asked(one)
    asked(one)
    assert house.authority.hearings.of(int(receipt["pos"].split(".")[1]))[0].confirmed


def test_a_wait_ends_as_soon_as_everybody_has_confirmed(house: House, boss: TestClient) -> None:
    """Long before its time is over; in force, from that moment on."""
    house.account()
    one = follower_of(house)
    with waits(house, lambda: ended(boss, house, wait=30)) as ending:
        asked(one)
        asked(one)
        receipt = ending.come()
    assert ending.took < 15
    assert receipt["state"] == "in_force"
    assert receipt["verifiers"] == [told(confirmed=True)]
    assert receipt["in_force_at"] >= receipt["committed_at"]


def test_a_confirmation_that_comes_in_here_wakes_whoever_waits(
    house: House, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another look at the list, which is for those that come in elsewhere."""
    monkeypatch.setattr(awaiting, "LOOK_AGAIN", 30.0)
    house.account()
    one = follower_of(house)
    with waits(house, lambda: ended(boss, house, wait=30)) as ending:
        asked(one)
        asked(one)
        assert ending.come()["state"] == "in_force"
    assert ending.took < 20


def test_a_silent_instance_is_ended_by_its_lease(house: House, boss: TestClient) -> None:
    """When its bound is over by the boot clock it is waited for no more: bounded, and not confirmed."""
    house.account()
    follower_of(house, bound=7)
    with waits(house, lambda: ended(boss, house, wait=30)) as ending:
        house.clock.turn(seconds=6.999)
        assert not ending.over.wait(0.3)
        house.clock.turn(seconds=0.001)
        receipt = ending.come()
    assert receipt["state"] == "bounded"
    assert receipt["verifiers"] == [told(confirmed=False, ended_by_lease=True)]
    assert receipt["in_force_at"] == receipt["latest_at"]


def test_a_wall_clock_that_is_set_ends_no_lease(house: House, boss: TestClient) -> None:
    """Only the boot clock does."""
    house.account()
    follower_of(house)
    with waits(house, lambda: ended(boss, house, wait=1)) as ending:
        house.clock.jump(HOUR)
        receipt = ending.come()
    assert (receipt["state"], receipt["verifiers"]) == ("pending", [told(confirmed=False)])


def test_an_instance_that_goes_on_without_a_lease_is_never_in_force(house: House, boss: TestClient) -> None:
    """Silent, it stays pending: during the wait, after its lease, and until what it knew has expired."""
    house.account()
    one = follower_of(house, policy="allow")
    with waits(house, lambda: ended(boss, house, wait=1)) as ending:
        house.clock.turn(seconds=1 + AHEAD)
        receipt = ending.come()
    assert (receipt["state"], receipt["verifiers"]) == ("pending", [told(confirmed=False, policy="allow")])
    revocation = house.authority.settings.revocation
    remembered = revocation.horizon + 2 * revocation.leeway + revocation.request_deadline
    house.clock.turn(remembered - timedelta(milliseconds=1))
    boss = again(house)
    assert ended(boss, house)["state"] == "pending"
    asked(one, policy="allow")
    asked(one, policy="allow")
    with waits(house, lambda: ended(boss, house, wait=30)) as ending:
        asked(one, policy="allow")
        asked(one, policy="allow")
        assert ending.come()["state"] == "in_force"


def again(house: House) -> TestClient:
    """The administrator, signed in anew."""
    client = house.browser()
    assert sign_in(client, BOSS).status_code == 200
    house.authority.follower.step()
    return client


def test_an_instance_whose_lease_ended_before_is_not_named(house: House, boss: TestClient) -> None:
    """It accepts nothing until it has heard everything."""
    house.account()
    follower_of(house)
    house.clock.turn(seconds=1 + AHEAD)
    house.authority.follower.step()
    receipt = ended(boss, house)
    assert (receipt["state"], receipt["verifiers"]) == ("in_force", [])


def test_a_wait_that_is_over_says_how_far_it_has_come(house: House, boss: TestClient) -> None:
    """Of two, one has confirmed; whoever has not comes first."""
    house.account()
    one, _ = follower_of(house), follower_of(house, "two", policy="ask")
    with waits(house, lambda: ended(boss, house, wait=0.5)) as ending:
        asked(one)
        asked(one)
        receipt = ending.come()
    assert ending.took >= 0.5
    assert receipt["state"] == "pending"
    found = [(each["instance"], each["confirmed"], each["policy"]) for each in receipt["verifiers"]]
    assert found == [("two", False, "ask"), ("one", True, "refuse")]


def own_endings(client: TestClient) -> list[Callable[..., Response]]:
    """What a person may end of their own, the session that asks last."""
    one, *_ = [each["id"] for each in client.get("/api/sessions").json()["items"] if not each["current"]]
    password = {"current": "three or four words do it", "new": "some other quiet words here"}
    return [
        lambda **query: client.delete(f"/api/sessions/{one}", params=query),
        lambda **query: client.delete("/api/sessions", params=query),
        lambda **query: client.post("/api/password", json=password, params=query),
        lambda **query: client.post("/api/sign-out", params=query),
    ]


def test_own_endings_wait_too_and_keep_their_cookies(house: House) -> None:
    """204, with the receipt in its header, and every cookie that goes or comes with the answer."""
    client = house.signed_in(ADA)
    assert sign_in(house.browser(), ADA).status_code == 200
    one = follower_of(house)
    for call in own_endings(client):
        with waits(house, lambda call=call: call(wait=30)) as ending:
            asked(one)
            asked(one)
            answer = ending.come()
        assert answer.status_code == 204
        receipt = json.loads(answer.headers["gatepost-receipt"])
        assert (receipt["state"], receipt["verifiers"]) == ("in_force", [told(confirmed=True)])
    assert [name for name in answer.headers.get_list("set-cookie") if "Max-Age=0" in name]


@pytest.mark.parametrize("wait", ["", "x", "-1", "31", "30.1", "1e1", "inf", "nan", "0x1", "1,5", "1&wait=1"])
def test_a_wait_that_can_be_misread_ends_nothing(house: House, boss: TestClient, wait: str) -> None:
    """400 `malformed`, before anything is ended."""
    account = house.account()
    before = house.authority.store.position()
    answer = boss.delete(f"/api/admin/accounts/{account.id}/sessions?wait={wait}")
    assert is_problem(answer, 400, "malformed")
    assert house.authority.store.position() == before


def test_whoever_waits_holds_no_thread(house: House, boss: TestClient) -> None:
    """More calls than there are threads for writing wait, and a sign-in is answered meanwhile."""
    house.account()
    follower_of(house)
    endings = [Ending(lambda: ended(boss, house, wait=3)) for _ in range(45)]
    bell, until = house.authority.verifiers.bell, time.monotonic() + 20
    while sum(map(len, list(bell._waiting.values()))) < 45 and time.monotonic() < until:
        time.sleep(0.001)
    assert sign_in(house.browser(), ADA).status_code == 200
    assert not all(each.over.is_set() for each in endings)
    house.clock.turn(seconds=1)
    for each in endings:
        assert each.come()["state"] == "bounded"


def test_more_who_wait_than_a_server_holds_are_answered_at_once(
    house: House, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a receipt that says that it is pending."""
    monkeypatch.setattr(awaiting, "MOST_WAITING", 0)
    house.account()
    follower_of(house)
    began = time.monotonic()
    assert ended(boss, house, wait=30)["state"] == "pending"
    assert time.monotonic() - began < 15


def test_a_list_that_cannot_be_read_while_one_waits_fails_nothing(
    house: House, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended. The receipt says what was known."""
    house.account()
    follower_of(house)

    def fail() -> None:
        raise Busy

    monkeypatch.setattr(house.authority.verifiers, "glance", fail)
    assert ended(boss, house, wait=0.2)["state"] == "pending"


def test_a_header_is_kept_small_and_in_ascii(house: House) -> None:
    """A proxy keeps few kilobytes for headers, and a client may be called by any letters."""
    client = house.signed_in(ADA)
    one = reader(house)
    house.authority.hearings._names[one.credential.id] = "Bücher 書"
    for number in range(20):
        asked(one, f"{number:02}")
    header = client.post("/api/sign-out").headers["gatepost-receipt"]
    receipt = json.loads(header)
    assert header.isascii()
    assert (len(receipt["verifiers"]), receipt["verifiers_left_out"]) == (16, 4)
    assert receipt["verifiers"][0]["name"] == "Bücher 書"


def test_verifiers_are_listed_for_administrators(house: House, boss: TestClient) -> None:
    """How far each has heard, in facts and in milliseconds; whether it may be answering; page by page."""
    house.account()
    one = follower_of(house, policy="ask", bound=2)
    asked(reader(house), "new")
    ended(boss, house)
    house.authority.follower.step()
    house.clock.turn(seconds=1.5)
    ended(boss, house)
    house.authority.follower.step()
    items = boss.get("/api/admin/verifiers").json()["items"]
    found = {each["instance"]: each for each in items}
    now = house.clock.now()
    assert found["one"] == {
        "client_id": one.credential.id,
        "name": "Asker",
        "instance": "one",
        "policy": "ask",
        "bound": 2.0,
        "confirmed": 0,
        "behind": 2,
        "behind_ms": 1500,
        "heard_at": (now - timedelta(seconds=1.5)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "lease_ends_at": (now + timedelta(seconds=0.5 + AHEAD)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "live": True,
        "counts": True,
        "address": "testclient",
    }
    new = found["new"]
    assert (new["confirmed"], new["behind"], new["behind_ms"]) == (None, None, None)
    first = boss.get("/api/admin/verifiers?limit=1").json()
    rest = boss.get("/api/admin/verifiers", params={"limit": 1, "after": first["next"]}).json()
    assert [first["items"][0], rest["items"][0]] == items
    assert "next" not in rest
    house.clock.turn(seconds=0.5 + AHEAD)
    house.authority.follower.step()
    assert {each["live"] for each in boss.get("/api/admin/verifiers").json()["items"]} == {False}


def test_only_administrators_see_verifiers(building: Build) -> None:
    """As everything of administration."""
    house = building()
    assert is_problem(house.signed_in(ADA).get("/api/admin/verifiers"), 403, "forbidden")
