"""What a follower has read, as those see it who follow it in turn; and the bell that wakes them."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatepost.checking import chronicle
from gatepost.checking.chronicle import Doorbell, Page
from gatepost.core.revocation import (
    AccountEnded,
    EveryoneEnded,
    Fact,
    Position,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
)
from tests.builders import make_signing_key
from tests.checking.posts import CountingStore, Post
from tests.facts import facts

FEW = st.sampled_from("abc")
FACTS = facts(FEW)
SUBJECTS = st.builds(Subject, st.integers(0, 14), FEW, st.none() | FEW, FEW, st.none() | FEW, st.none() | FEW)


def page_of(post: Post) -> Page:
    """The newest page."""
    page = post.follower.chronicle.page
    assert page is not None
    return page


def told(page: Page, after: Position) -> list[Fact] | None:
    """The facts after a place, None where it is not found."""
    found = page.since(after)
    return None if found is None else [one.fact for one in found]


def test_every_place_read_is_found_and_what_came_after_it_told(post: Post) -> None:
    """From the empty log on: at each row as at the places where a read happened to end."""
    places = [page_of(post).position]
    facts: list[Fact] = [SessionEnded("1"), SessionEnded("2"), SessionEnded("3")]
    places += [Position(places[0].log, one.seq, one.tag) for one in post.append(*facts)]
    post.follower.step()
    facts.append(EveryoneEnded())
    post.hear(facts[-1])
    page = page_of(post)
    for number, place in enumerate([*places, page.position]):
        assert told(page, place) == facts[number:]


def test_a_place_of_another_row_or_log_is_not_found(post: Post) -> None:
    """Another tag, another log, before the first row and after the last."""
    post.hear(SessionEnded("1"), SessionEnded("2"))
    post.hear(SessionEnded("3"))
    log, seq, tag = page_of(post).position.log, page_of(post).position.seq, page_of(post).position.tag
    second = page_of(post).rows[2].tag
    assert told(page_of(post), Position(log, 2, second)) == [SessionEnded("3")]
    for place in (
        Position(log, 2, tag),
        Position("other", 2, second),
        Position("other", seq, tag),
        Position(log, seq, second),
        Position(log, seq + 1, tag),
        Position(log, 0, "1"),
    ):
        assert told(page_of(post), place) is None


def test_a_page_stays_as_it_was_when_the_next_is_written(post: Post) -> None:
    """Whoever looks at it is told nothing that came later."""
    before = page_of(post)
    post.hear(SessionEnded("1"))
    assert told(before, before.position) == []
    first = page_of(post)
    post.hear(SessionEnded("2"))
    assert told(first, before.position) == [SessionEnded("1")]
    assert told(page_of(post), before.position) == [SessionEnded("1"), SessionEnded("2")]


def test_an_answer_that_comes_twice_or_late_is_taken_once(post: Post) -> None:
    """Two asked at once: neither tells a reader a fact twice, nor sends anybody back."""
    place = page_of(post).position
    post.append(SessionEnded("1"))
    early = post.store.read(place)
    post.append(SessionEnded("2"))
    late = post.store.read(place)
    for answer in (late, early, late):
        post.follower.chronicle.take(answer)
        assert page_of(post).position == late.position
        assert told(page_of(post), place) == [SessionEnded("1"), SessionEnded("2")]


def test_only_the_newest_rows_are_kept(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is further behind is not found. Never fewer than `MOST` are kept, nor more than twice as many."""
    monkeypatch.setattr(chronicle, "MOST", 3)
    places, first = [page_of(post).position], page_of(post)
    for number in range(20):
        post.hear(SessionEnded(str(number)))
        places.append(page_of(post).position)
        page = page_of(post)
        found = [told(page, place) for place in places]
        kept = sum(facts is not None for facts in found)
        assert min(3, len(places)) <= kept <= 7
        assert [facts for facts in found if facts is not None] == [
            [SessionEnded(str(one)) for one in range(number + 1 - lag, number + 1)]
            for lag in reversed(range(kept))
        ]
    assert told(page_of(post), places[0]) is None
    # And who still reads the first page reads what it was.
    assert told(first, places[0]) == []
    assert [row.seq for row in first.rows[: first.count]] == [0]


def test_of_many_live_facts_only_the_newest_are_kept_at_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are in the set, and who asks for them is told everything."""
    monkeypatch.setattr(chronicle, "MOST", 3)
    post = Post(read=False)
    post.hear(*(SessionEnded(str(number)) for number in range(10)))
    assert page_of(post).count == 3
    assert len(post.follower.revocations) == 10


def test_a_reset_begins_another_page(post: Post) -> None:
    """An older copy of the log took its place: nothing of the one before is found, nor told."""
    post.hear(SessionEnded("1"))
    before = page_of(post).position
    other = CountingStore()
    # Made of the same randomness, so it would have the same name.
    other._log_id = "another"
    post.wire._log = other
    post.follower.step()
    assert told(page_of(post), before) is None
    assert told(page_of(post), page_of(post).position) == []


def test_what_is_no_news_to_a_reader_makes_no_page(post: Post) -> None:
    """A touch, a sign-in: something was committed, and nobody is woken. A key that was made is news."""
    before = page_of(post)
    post.store.raise_floor(0)
    post.follower.step()
    assert page_of(post) is before
    post.put(make_signing_key())
    post.follower.step()
    assert page_of(post).position == before.position
    assert page_of(post).ring == before.ring + 1


def test_whoever_listens_is_woken_from_another_thread() -> None:
    """On each loop that somebody waits on, once; who does not listen any more is not counted."""
    bell = Doorbell()
    bell.ring()

    async def hear(ready: threading.Barrier) -> bool:
        with bell.listening() as one, bell.listening() as other:
            await asyncio.to_thread(ready.wait, 60)
            await asyncio.wait((one, other), timeout=60)
            return one.done() and other.done()

    heard: list[bool] = []
    ready = threading.Barrier(3)
    threads = [threading.Thread(target=lambda: heard.append(asyncio.run(hear(ready)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(60)
    bell.ring()
    for thread in threads:
        thread.join()
    assert heard == [True, True]
    assert bell._waiting == {}


def test_a_loop_that_was_closed_stops_nobody_from_ringing() -> None:
    """It wakes nobody, and the follower's thread goes on."""
    bell, loop = Doorbell(), asyncio.new_event_loop()

    async def listen() -> object:
        listening = bell.listening()
        listening.__enter__()
        return listening

    kept = loop.run_until_complete(listen())
    loop.close()
    bell.ring()
    del kept


@example(
    facts=[AccountEnded("a", "b"), AccountEnded("a", "c")],
    floor=0,
    subjects=[Subject(0, "c", "a", "x", None, None)],
)
@given(facts=st.lists(FACTS, max_size=12), floor=st.integers(0, 12), subjects=st.lists(SUBJECTS, max_size=20))
def test_what_a_set_tells_makes_another_that_says_the_same(
    facts: Sequence[Fact], floor: int, subjects: list[Subject]
) -> None:
    """Of everything that is not older than the floor; and below it neither calls anything live."""
    one, other = RevocationSet(), RevocationSet(floor)
    for seq, fact in enumerate(facts, 1):
        one.fold(seq, fact)
    one.forget(floor)
    written = one.told()
    assert [seq for seq, _ in written] == sorted(seq for seq, _ in written)
    for seq, fact in written:
        other.fold(seq, fact)
    later = AccountEnded("a", keep="b")
    for _ in range(2):
        for subject in subjects:
            if subject.pos >= floor:
                assert one.covers(subject) is other.covers(subject)
            else:
                assert Standing.LIVE not in {one.covers(subject), other.covers(subject)}
        # And so it stays with what comes later.
        one.fold(14, later)
        other.fold(14, later)
