"""`GET /feed?as=`: an instance that names itself is on the list of verifiers before it is answered."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from gatepost.checking.feed import FeedAnswer, read_feed
from gatepost.core.revocation import SessionEnded
from gatepost.core.verifiers import AHEAD, NOTHING, Policy, VerifierRow
from gatepost.errors import Busy
from gatepost.stores.sqlite import connect
from gatepost.web import feed
from tests.checking.posts import Wire
from tests.web.house import Build, House, is_problem
from tests.web.readers import Reader, reader, say, waiting

PATIENT = {"revocation": {"bound": "30s"}}
ONE_FILE = {"database": {"url": None}}


def asked(one: Reader, instance: str = "one", **more: Any) -> FeedAnswer:
    """The answer to an instance that goes on from where it is."""
    place = {} if one.pos is None else {"after": one.pos}
    answer = one.get(**{"as": instance}, **place, **more)
    assert answer.status_code == 200, answer.text
    read = read_feed(answer.content)
    one.pos = read.pos
    return read


def listed(house: House) -> dict[str, VerifierRow]:
    """The list, by the names of instances."""
    return {row.instance: row for row in house.authority.verifiers.listed()}


def test_who_gives_no_name_is_on_no_list(house: House) -> None:
    """It may follow all the same."""
    reader(house).poll()
    assert listed(house) == {}


def test_an_instance_is_listed_with_what_it_says(house: House) -> None:
    """First it begins anew; then it has heard up to where it asks from."""
    one = reader(house)
    say(house, SessionEnded("one"))
    asked(one, "orders-1:a_b.c", policy="ask", bound="2.5")
    [row] = house.authority.verifiers.listed()
    until = house.clock.boot() + 2.5 + AHEAD
    assert row == VerifierRow(
        one.credential.id,
        "orders-1:a_b.c",
        NOTHING,
        until,
        Policy.ASK,
        2.5,
        house.clock.now(),
        "testclient",
    )
    asked(one, "orders-1:a_b.c", policy="ask", bound="2.5")
    assert [row.seq for row in house.authority.verifiers.listed()] == [1]


def test_an_instance_that_says_no_more_refuses_and_has_our_bound(building: Build) -> None:
    """As `Verifier` does by default."""
    house = building(PATIENT)
    asked(reader(house))
    row = listed(house)["one"]
    assert (row.policy, row.bound) == (Policy.REFUSE, 30.0)


def test_what_a_position_stands_for_is_not_taken_from_its_text(house: House) -> None:
    """A number that is not on the page, or has another tag, is nothing that anybody has heard."""
    one = reader(house)
    say(house, SessionEnded("one"))
    log, _, tag, ring = asked(one).pos.split(".")
    for place in (f"{log}.1.AAAA.{ring}", f"{log}.9.{tag}.{ring}", f"AAAA.1.{tag}.{ring}", "strange"):
        one.pos = place
        assert asked(one).reset
        assert listed(house)["one"].seq == NOTHING
    asked(one)
    assert listed(house)["one"].seq == 1


def test_questions_without_news_write_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred of them in a hundred seconds are a handful of writes."""
    one, batches = reader(house), list[int]()
    announce = house.authority._listed.announce

    def counted(rows: Any, dropped: Any, boot: float) -> None:
        batches.append(len(rows))
        announce(rows, dropped, boot)

    monkeypatch.setattr(house.authority._listed, "announce", counted)
    for _ in range(300):
        asked(one)
        house.clock.turn(timedelta(seconds=1 / 3))
        house.authority.follower.step()
    assert 9 <= len(batches) <= 12


def test_what_is_confirmed_is_on_the_list_while_the_question_waits(building: Build) -> None:
    """A receipt need not wait for the answer to the next question."""
    house = building(PATIENT)
    one = reader(house)
    asked(one)
    say(house, SessionEnded("one"))
    asked(one)
    assert listed(house)["one"].seq == 0
    with waiting(lambda: one.get(**{"as": "one", "after": one.pos, "wait": 5}), house) as found:
        assert listed(house)["one"].seq == 1
        say(house, SessionEnded("two"))
        assert found.come().status_code == 200
    assert listed(house)["one"].seq == 1


def test_nobody_waits_longer_than_a_third_of_what_an_answer_is_good_for(building: Build) -> None:
    """Of its own bound, which may be shorter than ours: else its lease would end while it waits."""
    house = building(PATIENT)
    one = reader(house)
    asked(one, bound="0.3")
    with waiting(
        lambda: one.get(**{"as": "one", "after": one.pos, "bound": "0.3", "wait": 9}), house
    ) as found:
        found.come()
    assert 0.09 < found.took < 5


@pytest.mark.parametrize(
    "query",
    [
        "as=a&policy=deny", "as=a&policy=Refuse", "as=a&policy=", "as=a&policy=ask&policy=ask", "policy=ask", "bound=1",
        "as=a&bound=0.049", "as=a&bound=60.1", "as=a&bound=0", "as=a&bound=-1", "as=a&bound=1e1", "as=a&bound=inf",
        "as=a&bound=", "as=a&bound=nan", "as=a&bound=1&bound=2", "as=a&policy=refuseask",
    ],
)  # fmt: skip
def test_a_word_about_an_instance_that_can_be_misread_is_refused(house: House, query: str) -> None:
    """400 `malformed`, and it is on no list."""
    answer = house.program(**reader(house).credential.basic).get(f"/feed?{query}")
    assert is_problem(answer, 400, "malformed")
    assert listed(house) == {}


@pytest.mark.parametrize("query", ["bound=0.05", "bound=60", "bound=60.0&policy=allow"])
def test_a_word_about_an_instance_within_its_limits_is_taken(house: House, query: str) -> None:
    """At the limit itself too."""
    answer = house.program(**reader(house).credential.basic).get(f"/feed?as=a&{query}")
    assert answer.status_code == 200


def test_a_position_that_a_neighbour_told_is_waited_for(
    building: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not answered with a reset that lacks the fact: the reader would forget an ending that it has confirmed."""
    monkeypatch.setattr(feed, "CATCH_UP", 20.0)
    here, there = building(ONE_FILE), building(ONE_FILE)
    one = reader(here)
    other = Reader(there, one.credential)
    other.pos = asked(one).pos
    wire = Wire(there.authority.log)
    there.authority.follower._log = wire
    behind = threading.Event()
    wire.before_arrival = lambda: behind.wait(0.08)
    other.pos = say(here, SessionEnded("one"))
    answer = asked(other)
    assert (answer.reset, answer.facts) == (False, ())
    assert listed(here)["one"].seq == 1


def test_what_a_neighbour_told_is_confirmed_as_soon_as_it_is_read_here(
    building: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when the question that says so is answered."""
    monkeypatch.setattr(feed, "CATCH_UP", 20.0)
    overrides = {**ONE_FILE, **PATIENT}
    here, there = building(overrides), building(overrides)
    one = reader(here)
    other = Reader(there, one.credential)
    other.pos = asked(one).pos
    wire, heard = Wire(there.authority.log), threading.Event()
    there.authority.follower._log = wire
    wire.before_arrival = lambda: heard.wait(20)
    log, seq, tag = say(here, SessionEnded("one")).split(".")
    place = f"{log}.{seq}.{tag}.{other.pos.rpartition('.')[2]}"
    with waiting(lambda: other.get(**{"as": "one", "after": place, "wait": 8}), there) as found:
        heard.set()
        until = time.monotonic() + 20
        while listed(here)["one"].seq != 1 and time.monotonic() < until:
            assert not found.done.is_set()
            time.sleep(0.005)
        assert listed(here)["one"].seq == 1
        assert not found.done.is_set()
        say(here, SessionEnded("two"))
        found.come()


def test_who_waits_at_a_server_that_hears_again_is_listed_before_it_is_answered(building: Build) -> None:
    """It could not be judged before: nothing was known of its place."""
    house = building(PATIENT)
    one, wire = reader(house), Wire(house.authority.log)
    wire.trouble = Busy()
    house.authority.follower._log = wire
    house.clock.turn(timedelta(seconds=31))
    with waiting(lambda: one.get(**{"as": "one", "wait": 9}), house) as found:
        assert listed(house) == {}
        wire.trouble = None
        assert found.come().status_code == 200
    assert listed(house)["one"].seq == NOTHING


def test_an_answer_that_begins_anew_takes_back_what_was_confirmed(building: Build) -> None:
    """A server that does not find the place may lack what the instance has heard elsewhere: the list says so first."""
    here, deaf = building(ONE_FILE), building(ONE_FILE)
    one = reader(here)
    other = Reader(deaf, one.credential)
    asked(one)
    # Its follower hears nothing any more, and its lease goes on: the clock of this house stands still.
    deaf.authority.follower._thread, thread = None, deaf.authority.follower._thread
    deaf.authority.follower._stopping = True
    assert thread is not None
    deaf.authority.follower._asked.ring()
    thread.join()
    say(here, SessionEnded("one"))
    asked(one)
    asked(one)
    assert listed(here)["one"].seq == 1
    other.pos = one.pos
    answer = asked(other)
    assert (answer.reset, answer.facts) == (True, ())
    assert listed(here)["one"].seq == NOTHING
    deaf.authority.follower._stopping = False


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Another program holds the database."""
    file = house.authority.settings.database_file
    assert file is not None
    other = connect(file)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_where_the_list_cannot_be_written_a_new_instance_is_not_answered(building: Build) -> None:
    """503 `busy`; who was promised an answer already is answered, and so is who gives no name."""
    house = building(ONE_FILE)
    one = reader(house)
    asked(one)
    asked(one)
    with locked(house):
        assert is_problem(one.get(**{"as": "two"}), 503, "busy")
        asked(one)
        assert one.get().status_code == 200
    asked(one, "two")
    assert set(listed(house)) == {"one", "two"}


def test_a_client_that_has_ended_leaves_the_list(house: House) -> None:
    """Its instances count for as long as an answer may still be good, and nobody is asked twice."""
    one = reader(house)
    asked(one)
    house.authority.clients.revoke(one.credential.id, "test")
    assert is_problem(one.get(**{"as": "one"}), 401, "invalid_client")
    assert len(house.authority.verifiers.counting()) == 1
    house.clock.turn(seconds=1)
    assert house.authority.verifiers.counting() == []


def test_a_client_ends_though_the_list_cannot_be_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended already; its instances stay on the list for as long as they were promised."""
    one = reader(house)
    asked(one)

    def fail(client_id: str, until: float) -> None:
        raise Busy

    monkeypatch.setattr(house.authority._listed, "shorten", fail)
    house.authority.clients.revoke(one.credential.id, "test")
    assert is_problem(one.get(), 401, "invalid_client")
    assert len(house.authority.verifiers.counting()) == 1


def test_who_is_answered_after_an_ending_here_is_told_of_it_or_nothing(house: House) -> None:
    """A receipt may have been given without this instance: it must not begin a lease that lacks the ending."""
    one, wire = reader(house), Wire(house.authority.log)
    stuck = threading.Event()
    wire.before_arrival = lambda: stuck.wait(20)
    house.authority.follower._log = wire
    receipt = house.authority.sessions.end_all("test")
    assert receipt.verifiers == ()
    answer: Response = one.get(**{"as": "one"})
    assert is_problem(answer, 503, "not_fresh")
    stuck.set()
    wire.before_arrival = lambda: None
    assert len(asked(one).facts) == 1
