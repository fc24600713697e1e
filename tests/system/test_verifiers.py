"""Verifiers in processes of their own, beside a real server of two workers: what receipts say of them, and when.

Each verifier asks on a new connection every time, so that now one worker answers it and now the other. The server's own
bound is long here, so that no slow moment of the machine is taken for a silent worker; theirs are short.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.processes import stopped, wait_until, workers_of
from tests.servers import STEADY, RunningServer

PASSWORD = "plenty of quiet words"
BOUND = 1.5
POLLER = Path(__file__).with_name("poller.py")


class Scene:
    """A server, its administrator, and somebody whose sessions are ended."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        done = server.command(
            "account", "create", "boss@example.com", "--role", "admin", "--json", stdin=f"{PASSWORD}\n"
        )
        assert done.code == 0, done.error
        credentials = {"email": "ada@example.com", "password": PASSWORD}
        made = httpx2.post(f"{server.url}/api/sign-up", json=credentials, timeout=20).raise_for_status()
        self.account_id = made.json()["account"]["id"]
        done = server.command("client", "create", "Orders", "--verifier", "--json")
        assert done.code == 0, done.error
        answer = json.loads(done.out)
        self.client = (answer["client"]["id"], answer["secret"])
        self.sign_in()

    def sign_in(self) -> None:
        """The administrator has a token."""
        body = {"email": "boss@example.com", "password": PASSWORD, "carrier": "token"}
        answer = httpx2.post(f"{self.server.url}/api/sign-in", json=body, timeout=20).raise_for_status()
        self.bearer = {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}

    def end(self, wait: float) -> tuple[dict[str, Any], float]:
        """End what Ada has; the receipt, and how many seconds it took."""
        began = time.monotonic()
        path = f"/api/admin/accounts/{self.account_id}/sessions?wait={wait}"
        answer = httpx2.delete(f"{self.server.url}{path}", headers=self.bearer, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["receipt"], time.monotonic() - began

    def listed(self) -> list[dict[str, Any]]:
        """The list of verifiers."""
        answer = httpx2.get(
            f"{self.server.url}/api/admin/verifiers", headers=self.bearer, params={"limit": 200}, timeout=20
        )
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    def of(self, instance: str) -> dict[str, Any]:
        """What the list says of one."""
        return next(one for one in self.listed() if one["instance"] == instance)

    @contextmanager
    def following(self, instance: str, policy: str = "refuse") -> Iterator[int]:
        """An instance that follows, until the block ends; its process."""
        query = f"as={instance}&policy={policy}&bound={BOUND}"
        process = subprocess.Popen(
            [sys.executable, str(POLLER), self.server.url, *self.client, query],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            wait_until(lambda: self.of(instance)["behind"] == 0, "it has not caught up")
            yield process.pid
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One server of two workers for all tests here."""
    with RunningServer(tmp_path_factory.mktemp("verifiers"), "--workers", "2", environment=STEADY) as running:
        yield Scene(running)


def said(receipt: dict[str, Any], instance: str) -> tuple[bool, bool]:
    """Whether an instance has confirmed, and whether its lease has ended."""
    one = next(each for each in receipt["verifiers"] if each["instance"] == instance)
    return one["confirmed"], one["ended_by_lease"]


def test_an_ending_is_answered_as_soon_as_the_verifier_has_confirmed(scene: Scene) -> None:
    """Ten times, at whichever worker it asks; long before the wait is over. A command waits too."""
    with scene.following("prompt"):
        for _ in range(10):
            receipt, took = scene.end(wait=20)
            assert (receipt["state"], said(receipt, "prompt")) == ("in_force", (True, False))
            assert took < 10
        without_waiting, _ = scene.end(wait=0)
        assert without_waiting["state"] in {"in_force", "pending"}
        revoke = ("session", "revoke", "--account", "ada@example.com", "--wait", "20")
        receipt = json.loads(scene.server.command(*revoke, "--json").out)["receipt"]
        assert (receipt["state"], said(receipt, "prompt")) == ("in_force", (True, False))
        assert ": in force everywhere after" in scene.server.command(*revoke).out


def test_a_stopped_verifier_is_ended_by_its_lease(scene: Scene) -> None:
    """Not before its bound is over; then bounded. When it goes on it confirms, and counts again."""
    with scene.following("stopped") as pid:
        with stopped({pid}):
            receipt, took = scene.end(wait=20)
            assert (receipt["state"], said(receipt, "stopped")) == ("bounded", (False, True))
            assert BOUND <= took < 15
            pending, _ = scene.end(wait=0)
            assert (pending["state"], said(pending, "stopped")) == ("pending", (False, False))
        receipt, _ = scene.end(wait=20)
        assert said(receipt, "stopped") == (True, False)


def test_a_killed_verifier_is_ended_by_its_lease(scene: Scene) -> None:
    """Nobody says goodbye with SIGKILL."""
    with scene.following("killed") as pid:
        os.kill(pid, signal.SIGKILL)
        receipt, took = scene.end(wait=20)
        assert (receipt["state"], said(receipt, "killed")) == ("bounded", (False, True))
        assert took >= BOUND


def test_the_list_outlives_the_server_and_a_worker(scene: Scene) -> None:
    """A server that starts again waits for whoever it answered before; a killed worker takes nobody along."""
    with scene.following("lasting") as pid:
        os.kill(min(workers_of(scene.server)), signal.SIGKILL)
        receipt, _ = scene.end(wait=30)
        assert said(receipt, "lasting") == (True, False)
        wait_until(lambda: len(workers_of(scene.server)) == 2, "no other worker came")
        with stopped({pid}):
            assert scene.server.end(signal.SIGKILL)
            scene.server.start()
            found = scene.of("lasting")
            assert (found["name"], found["bound"], found["behind"]) == ("Orders", BOUND, 0)
            if found["counts"]:
                receipt, _ = scene.end(wait=20)
                assert said(receipt, "lasting") == (False, True)
        wait_until(lambda: scene.of("lasting")["behind"] == 0, "it has not caught up")


def test_sixty_four_instances_are_kept_with_few_writes(scene: Scene) -> None:
    """Each asks three times a second; the list is written when they begin, and seldom after that."""
    client, over, failures = scene.client, threading.Event(), list[str]()

    def follow(number: int) -> None:
        place: dict[str, str] = {}
        query = {"as": f"crowd-{number}", "bound": str(BOUND), "wait": "0.3"}
        with httpx2.Client(base_url=scene.server.url, auth=client, timeout=30) as http:
            while not over.is_set():
                answer = http.get("/feed", params={**query, **place})
                if answer.status_code != 200:
                    failures.append(answer.text)
                    return
                place = {"after": answer.json()["pos"]}

    def crowd() -> list[dict[str, Any]]:
        return [one for one in scene.listed() if one["instance"].startswith("crowd-") and one["behind"] == 0]

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(crowd()) == 64, "they are not all on the list")
        with closing(sqlite3.connect(scene.server.data / "gatepost.db")) as database:
            before, changes, until = 0, 0, time.monotonic() + 2
            while time.monotonic() < until:
                [(version,)] = database.execute("PRAGMA data_version").fetchall()
                changes += version != before
                before = version
                time.sleep(0.001)
        receipt, _ = scene.end(wait=30)
        crowd_said = [one for one in receipt["verifiers"] if one["instance"].startswith("crowd-")]
        assert (len(crowd_said), {one["confirmed"] for one in crowd_said}) == (64, {True})
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures
    # Some four hundred questions. Without a list there would be a handful of commits by the housekeeping.
    assert changes < 60


def test_a_verifier_that_goes_on_without_a_lease_is_never_in_force(scene: Scene) -> None:
    """Silent, it may accept what was ended until that expires: the receipt says pending, whatever the wait."""
    with scene.following("lenient", policy="allow") as pid:
        receipt, _ = scene.end(wait=20)
        assert said(receipt, "lenient") == (True, False)
        with stopped({pid}):
            receipt, took = scene.end(wait=2.5)
            assert (receipt["state"], said(receipt, "lenient")) == ("pending", (False, False))
            assert took >= 2.5
