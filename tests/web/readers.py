"""Readers of a house's feed: what a verifier in another service asks, and what it is told.

Owns the asking; which answer is right is each test's own business.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from httpx2 import Response

from gatepost.checking.feed import FeedAnswer, read_feed
from gatepost.core.changes import Change
from gatepost.core.clients import Power
from gatepost.core.revocation import Fact
from tests.web.asking_clients import Asker, asker
from tests.web.house import House


@dataclass
class Reader:
    """A verifier with its credential, and the place it has read up to."""

    house: House
    credential: Asker
    pos: str | None = None

    def get(self, **query: Any) -> Response:
        """Ask with these parameters and no others."""
        client = self.house.program(**self.credential.basic)
        return client.get("/feed", params=query)

    def poll(self, wait: float = 0.0) -> FeedAnswer:
        """Ask for what came after the last answer."""
        place = {} if self.pos is None else {"after": self.pos}
        answer = self.get(**place, wait=wait)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        read = read_feed(answer.content)
        self.pos = read.pos
        return read

    def facts(self, wait: float = 0.0) -> list[Fact]:
        """The facts of the next answer."""
        return [told.fact for told in self.poll(wait).facts]


@dataclass
class Waiting:
    """An answer that is not there yet."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: Response | None = None
    took: float = 0.0

    def come(self) -> Response:
        """The answer, once it is there."""
        assert self.done.wait(20)
        assert self.answer is not None
        return self.answer


@contextmanager
def waiting(ask: Callable[[], Response], house: House) -> Iterator[Waiting]:
    """Ask in another thread; the block begins once the question waits."""
    found = Waiting()

    def run() -> None:
        began = time.monotonic()
        found.answer = ask()
        found.took = time.monotonic() - began
        found.done.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until_waiting(house, 1, found.done)
        yield found
    finally:
        thread.join()


def until_waiting(house: House, count: int, over: threading.Event | None = None) -> None:
    """Come back when so many questions wait, or one that was put has its answer already."""
    bell, until = house.authority.follower.chronicle.bell, time.monotonic() + 20
    while sum(map(len, list(bell._waiting.values()))) < count and not (over and over.is_set()):
        assert time.monotonic() < until
        time.sleep(0.001)


def reader(house: House, power: Power = Power.VERIFIER) -> Reader:
    """A new client that may follow the log, or something else."""
    return Reader(house, asker(house, power))


def say(house: House, *facts: Fact) -> str:
    """Commit facts as a service does, and come back when this process has read them; their position."""
    authority = house.authority
    committed = authority.commits.commit(Change(at=authority.clock.now(), facts=facts))
    until = time.monotonic() + 20
    while (page := authority.follower.chronicle.page) is None or page.position.seq < committed.pos:
        assert time.monotonic() < until
        time.sleep(0.001)
    return str(committed.position)
