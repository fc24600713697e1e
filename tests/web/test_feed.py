"""`GET /feed`: what readers of the log are told, from where they are."""

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gatepost import Gatepost
from gatepost.authority import Machine
from gatepost.checking.feed import Told, read_feed
from gatepost.core.changes import Change
from gatepost.core.clients import Power
from gatepost.core.revocation import SessionEnded, TokenEnded
from gatepost.machine import SystemRandomness
from gatepost.services.clients import ClientWish
from gatepost.testing.clock import TurnableClock
from gatepost.web import feed
from tests.checking.posts import Wire
from tests.web.asking_clients import basic
from tests.web.house import CHEAP, Build, House, is_problem, settings_in
from tests.web.readers import reader, say

# Long enough that whoever waits it out is told apart from who was woken, on a slow machine too.
PATIENT = {"revocation": {"bound": "30s"}}
ONE_FILE = {"database": {"url": None}}


def test_without_a_position_everything_live_is_told(house: House) -> None:
    """`reset`, the facts in commit order, the floor, the public keys; and after its position nothing."""
    say(house, SessionEnded("one"), TokenEnded("two"))
    follower = reader(house)
    first = follower.poll()
    assert (first.reset, first.floor) == (True, 0)
    assert first.facts == (Told(1, SessionEnded("one")), Told(2, TokenEnded("two")))
    published = house.program().get("/.well-known/jwks.json").json()
    assert first.keys == tuple(published["keys"])
    again = follower.poll()
    assert (again.facts, again.keys, again.reset, again.pos) == ((), None, False, first.pos)


def test_only_what_came_after_the_position_is_told(house: House) -> None:
    """Each fact once, to each reader from where it is."""
    slow, quick = reader(house), reader(house)
    for one in (slow, quick):
        one.poll()
    say(house, SessionEnded("one"))
    assert quick.facts() == [SessionEnded("one")]
    say(house, SessionEnded("two"))
    assert quick.facts() == [SessionEnded("two")]
    assert slow.facts() == [SessionEnded("one"), SessionEnded("two")]
    assert quick.facts() == slow.facts() == []


def test_who_asks_after_an_ending_was_answered_is_told_of_it(house: House) -> None:
    """Without waiting, by the server that ended it, however slowly it reads; the others have read it before that."""
    follower, wire = reader(house), Wire(house.authority.log)
    follower.poll()
    wire.before_arrival = lambda: time.sleep(0.05)
    house.authority.follower._log = wire
    change = Change(at=house.authority.clock.now(), facts=(SessionEnded("one"),))
    house.authority.commits.end(change)
    assert follower.facts() == [SessionEnded("one")]


def test_the_position_of_a_receipt_is_a_place_to_follow_from(house: House) -> None:
    """Its reader has no keys yet, so they come along."""
    receipt = say(house, SessionEnded("one"))
    say(house, SessionEnded("two"))
    follower = reader(house)
    follower.pos = receipt
    answer = follower.poll()
    assert [told.fact for told in answer.facts] == [SessionEnded("two")]
    assert (answer.reset, answer.keys is None) == (False, False)


@pytest.mark.parametrize("change", ["tag", "log", "later", "strange"])
def test_a_position_that_is_not_found_starts_anew(house: House, change: str) -> None:
    """Another row at that place, another log, a place that is not reached, a text of some other version."""
    say(house, SessionEnded("one"))
    follower = reader(house)
    log, seq, tag, ring = follower.poll().pos.split(".")
    follower.pos = {
        "tag": f"{log}.{seq}.AAAA.{ring}",
        "log": f"AAAA.{seq}.{tag}.{ring}",
        "later": f"{log}.{int(seq) + 1}.{tag}.{ring}",
        "strange": "v2-0123456789",
    }[change]
    answer = follower.poll()
    assert (answer.reset, answer.keys is None) == (True, False)
    assert [told.fact for told in answer.facts] == [SessionEnded("one")]


def test_a_secret_for_signing_is_never_published(building: Build) -> None:
    """With HS256 there are no keys to give."""
    assert reader(building({"tokens": {"algorithm": "HS256"}})).poll().keys == ()


def test_a_place_one_server_names_is_found_by_its_neighbour(building: Build) -> None:
    """Though it read the same facts in other steps: a load balancer may send a reader anywhere."""
    here, there = building(ONE_FILE), building(ONE_FILE)
    one = reader(here)
    other = reader(there)
    other.credential = one.credential
    one.poll()
    there.authority.follower.stop()
    for name in ("one", "two", "three"):
        other.pos = one.pos
        say(here, SessionEnded(name))
        one.poll()
    there.authority.follower.start()
    answer = other.poll()
    assert (answer.reset, [told.fact for told in answer.facts]) == (False, [SessionEnded("three")])


def test_a_floor_that_was_raised_reaches_the_readers(house: House) -> None:
    """What lies below it is told no more; a reader drops it by this word and not by a clock."""
    say(house, SessionEnded("one"), SessionEnded("two"))
    one, late = reader(house), reader(house)
    one.poll()
    house.authority.log.raise_floor(1)
    house.authority.follower.step()
    assert one.poll().floor == 1
    first = late.poll()
    assert (first.floor, [told.fact for told in first.facts]) == (1, [SessionEnded("two")])


def test_many_facts_are_told_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded in a thread, once for all who ask for the same."""
    monkeypatch.setattr(feed, "_INLINE", 10)
    one, other = reader(house), reader(house)
    one.poll()
    many = [SessionEnded(str(number)) for number in range(50)]
    say(house, *many)
    assert one.facts() == other.facts() == many


def test_the_answers_for_many_places_are_not_all_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few at most, however many places are asked about, and each is told right."""
    monkeypatch.setattr(feed, "MOST_PLACES", 3)
    asked = served(house)
    places = [say(house, SessionEnded(str(number))) for number in range(8)]
    one = reader(house)
    for number, place in enumerate([*places, places[0]]):
        one.pos = place
        assert one.facts() == [SessionEnded(str(later)) for later in range(number % 8 + 1, 8)]
        assert 1 <= len(asked._encoded) <= 3


def served(house: House) -> feed.Feed:
    """What answers a house's readers."""
    layer: Any = house.app
    while not isinstance(layer, feed.Feed):
        layer = layer._app
    return layer


def embedded(folder: Path) -> Gatepost:
    """One inside an application."""
    machine = Machine(TurnableClock(), SystemRandomness(), profile=CHEAP)
    return Gatepost(settings_in(folder), machine=machine)


def as_verifier(auth: Gatepost) -> dict[str, str]:
    """The header of a new verifier."""
    made = auth.authority.clients.create(ClientWish("Orders", (Power.VERIFIER,)), (), "test")
    return {"authorization": basic(made.client.id, made.secret.reveal())}


def test_under_a_prefix_it_is_found_there_and_nowhere_else(tmp_path: Path) -> None:
    """And an application's own `/feed` is its own."""
    auth, app = embedded(tmp_path), FastAPI()
    auth.init_app(app, prefix="/auth")

    @app.get("/feed")
    def own() -> str:
        return "own"

    with TestClient(app) as client:
        header = as_verifier(auth)
        assert read_feed(client.get("/auth/feed", headers=header).content).reset
        assert client.get("/feed", headers=header).json() == "own"
        assert is_problem(client.get("/auth/x/feed", headers=header), 404, "not_found")


def test_at_the_root_of_an_application_it_is_ours(tmp_path: Path) -> None:
    """Everything else there stays the application's own."""
    auth, app = embedded(tmp_path), FastAPI()
    auth.init_app(app, prefix="")
    with TestClient(app) as client:
        assert read_feed(client.get("/feed", headers=as_verifier(auth)).content).reset
