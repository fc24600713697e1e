"""`GET /feed`: how long a reader waits, what wakes it, and what its waiting costs."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import anyio
import jwt
import pytest
from starlette.types import Message, Scope

from gatepost.checking.chronicle import Page
from gatepost.checking.feed import read_feed
from gatepost.checking.follower import Follower, Knowledge
from gatepost.checking.lease import Lease
from gatepost.core.revocation import RevocationSet, SessionEnded
from gatepost.errors import Busy
from gatepost.stores.memory import MemoryStore
from gatepost.web import feed
from tests.checking.posts import Wire
from tests.web.house import ADA, Build, House, is_problem
from tests.web.readers import reader, say, until_waiting, waiting
from tests.web.scraping import scrape

# Long enough that whoever waits it out is told apart from who was woken, on a slow machine too.
PATIENT = {"revocation": {"bound": "30s"}}
ONE_FILE = {"database": {"url": None}}


def test_who_waits_is_told_as_soon_as_something_is_committed(building: Build) -> None:
    """Long before its time is over, and with the fact."""
    house = building(PATIENT)
    follower = reader(house)
    follower.poll()
    with waiting(lambda: follower.get(after=follower.pos, wait=10), house) as found:
        say(house, SessionEnded("one"))
        answer = found.come()
    assert [told.fact for told in read_feed(answer.content).facts] == [SessionEnded("one")]
    assert found.took < 8


def test_where_nothing_happens_the_wait_is_a_third_of_the_bound_at_most(building: Build) -> None:
    """However long somebody is ready to wait: an answer later than that would be too old for a lease."""
    house = building({"revocation": {"bound": "300ms"}})
    follower = reader(house)
    before = follower.poll()
    with waiting(lambda: follower.get(after=follower.pos, wait=60), house) as found:
        answer = read_feed(found.come().content)
    assert (answer.facts, answer.reset, answer.pos) == ((), False, before.pos)
    assert 0.09 < found.took < 5


def test_a_commit_that_ends_nothing_wakes_nobody(building: Build) -> None:
    """People sign in all the time, and a reader need not hear of it."""
    house = building({"revocation": {"bound": "3s"}})
    house.account()
    follower = reader(house)
    follower.poll()
    with waiting(lambda: follower.get(after=follower.pos, wait=1), house) as found:
        house.holder_of(ADA)
        assert read_feed(found.come().content).facts == ()
    assert found.took > 0.9


def test_who_waits_is_told_of_another_key(building: Build) -> None:
    """Keys turn without a fact. The answer is a JWK Set by itself, as other libraries read it, without a secret."""
    house = building(PATIENT)
    follower = reader(house)
    before = follower.poll()
    with waiting(lambda: follower.get(after=follower.pos, wait=10), house) as found:
        house.authority.keys.rotate("test")
        answer = found.come()
    told = read_feed(answer.content)
    assert found.took < 8
    assert told.keys is not None
    assert (told.facts, told.reset) == ((), False)
    assert told.pos != before.pos
    kids = {key.key_id for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
    assert house.authority.ring.signing.verifying.kid in kids
    private = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
    assert not any(private & set(key) for key in told.keys)
    follower.pos = told.pos
    assert follower.poll().keys is None


def test_a_client_that_is_ended_while_it_waits_is_told_nothing(building: Build) -> None:
    """The fact that wakes it is its own ending."""
    house = building(PATIENT)
    one = reader(house)
    one.poll()
    with waiting(lambda: one.get(after=one.pos, wait=10), house) as found:
        house.authority.clients.revoke(one.credential.id, "test")
        answer = found.come()
    assert is_problem(answer, 401, "invalid_client")


def test_a_server_that_hears_nothing_says_so(building: Build) -> None:
    """503 with Retry-After, also to who was told a moment ago; its page is not passed off as news."""
    deaf, neighbour = building(ONE_FILE), building(ONE_FILE)
    one = reader(deaf)
    one.poll()
    deaf.authority.follower.stop()
    say(neighbour, SessionEnded("one"))
    for query in ({}, {"after": one.pos}, {"after": one.pos, "wait": "0.05"}):
        answer = one.get(**query)
        assert is_problem(answer, 503, "not_fresh")
        assert answer.headers["retry-after"] == "1"


def test_the_first_reader_of_a_forked_process_starts_what_it_needs(house: House) -> None:
    """Such a process follows nothing until somebody asks."""
    follower = house.authority.follower
    follower.stop()
    follower.when_first_asked(follower.start)
    assert reader(house).poll().reset


def test_who_waits_at_a_server_that_hears_again_is_told_then(building: Build) -> None:
    """Though nothing was ended meanwhile: the lease that begins is what it waited for."""
    house = building(PATIENT)
    one, wire = reader(house), Wire(house.authority.log)
    one.poll()
    wire.trouble = Busy()
    house.authority.follower._log = wire
    house.clock.turn(timedelta(seconds=31))
    with waiting(lambda: one.get(wait=10), house) as found:
        assert not found.done.is_set()
        wire.trouble = None
        assert read_feed(found.come().content).reset
    assert found.took < 8


def test_age_says_how_old_the_knowledge_is(house: House) -> None:
    """A reader subtracts it, so it is rounded up; it grows while the log is out of reach, and past the bound is 503."""
    one = reader(house)
    follower = house.authority.follower
    follower.stop()
    follower.knowledge = Knowledge(follower.revocations, Lease(house.clock.boot() + 1.0))
    assert one.poll().age_ms == 0
    house.clock.turn(timedelta(milliseconds=250, microseconds=1))
    assert one.poll().age_ms == 251
    house.clock.turn(timedelta(milliseconds=749))
    assert one.poll().age_ms == 1000
    house.clock.turn(timedelta(milliseconds=1))
    assert is_problem(one.get(), 503, "not_fresh")


class Usurped:
    """A chronicle that an older copy of the log takes over between the look at the lease and the look at the page."""

    def __init__(self, follower: Follower, stranger: Page) -> None:
        self._follower = follower
        self._own, self._stranger = follower.chronicle.page, stranger
        self._looks = 0
        self.bell = follower.chronicle.bell

    @property
    def page(self) -> Page | None:
        self._looks += 1
        if self._looks == 1:
            return self._own
        self._follower.knowledge = Knowledge(RevocationSet(), Lease())
        return self._stranger


def test_a_lease_over_one_log_never_vouches_for_another(building: Build) -> None:
    """Whoever looks while the one takes the other's place gets neither's word."""
    house, other = building(), building()
    say(other, SessionEnded("stranger"))
    follower, stranger = house.authority.follower, other.authority.follower.chronicle.page
    follower.stop()
    follower.knowledge = Knowledge(follower.revocations, Lease(house.clock.boot() + 1.0))
    assert stranger is not None
    one = reader(house)
    follower.chronicle = Usurped(follower, stranger)  # type: ignore[assignment]
    assert is_problem(one.get(), 503, "not_fresh")


READS = ("read", "client", "followers", "position", "account", "session", "ring_keys")


@contextmanager
def counted_reads() -> Iterator[Counter[str]]:
    """How often the store and the log are asked while the block runs, but by the follower's own thread."""
    counts: Counter[str] = Counter()
    whole = {name: getattr(MemoryStore, name) for name in READS}

    def counting(name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread().name not in {"gatepost-follower", "gatepost-housekeeper"}:
                counts[name] += 1
            return whole[name](*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in READS:
            patch.setattr(MemoryStore, name, counting(name))
        yield counts


def asked(house: House, query: str, authorization: str) -> Any:
    """One request as the server hands it over."""
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/feed", "raw_path": b"/feed", "root_path": "", "query_string": query.encode(), "state": {},
        "headers": [(b"host", b"testserver"), (b"authorization", authorization.encode())],
        "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run() -> bytes:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await house.app(dict(scope), receive, send)
        assert sent[0]["status"] == 200
        return b"".join(message.get("body", b"") for message in sent[1:])

    return run


def test_a_thousand_who_wait_ask_the_store_nothing_and_hold_no_thread(building: Build) -> None:
    """One read of the client for all of them; then all are told of one fact."""
    house = building(PATIENT)
    one = reader(house)
    place = one.poll().pos
    house.clock.turn(timedelta(seconds=31))
    house.authority.follower.step()
    ask = asked(house, f"after={place}&wait=10", one.credential.basic["authorization"])
    answers: list[bytes] = []

    async def follow() -> None:
        answers.append(await ask())

    async def everybody() -> int:
        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(follow)
            await anyio.to_thread.run_sync(until_waiting, house, 1000)
            threads = anyio.to_thread.current_default_thread_limiter().borrowed_tokens
            await anyio.to_thread.run_sync(say, house, SessionEnded("one"))
            return threads

    with counted_reads() as counts:
        threads = anyio.run(everybody)
    assert len(answers) == 1000
    assert {told.fact for answer in answers for told in read_feed(answer).facts} == {SessionEnded("one")}
    assert threads == 0
    assert counts == Counter(client=1)


def test_waits_are_measured_apart_from_calls(house: House) -> None:
    """Else the time of a call would be that of whoever waits for the log."""
    one = reader(house)
    one.poll()
    one.poll(wait=0.1)
    found = scrape(house)
    assert found("request_seconds_count", kind="feed") == 2
    assert found("request_seconds_count", kind="api") == 0


def test_more_who_wait_than_a_server_holds_are_sent_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 `busy` with Retry-After, and nobody who waits is troubled."""
    monkeypatch.setattr(feed, "MOST_WAITING", 1)
    one = reader(house)
    one.poll()
    with waiting(lambda: one.get(after=one.pos, wait=0.3), house) as found:
        answer = one.get(after=one.pos)
        assert is_problem(answer, 503, "busy")
        assert answer.headers["retry-after"] == "1"
        assert found.come().status_code == 200
    assert one.get(after=one.pos).status_code == 200
