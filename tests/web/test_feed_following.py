"""A reader that does what docs/feed.md says knows what the server knows, whatever happens on the way."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.checking import chronicle
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    Fact,
    KeyEnded,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)
from tests.web.house import House, build
from tests.web.readers import Reader, reader, say

FEW = st.sampled_from("abc")
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(SessionEnded, FEW),
    st.builds(TokenEnded, FEW),
    st.builds(AccountEnded, FEW, st.none() | FEW),
    st.builds(AccountOutdated, FEW),
    st.builds(ClientEnded, FEW),
    st.builds(KeyEnded, FEW),
    st.just(EveryoneEnded()),
)
HAPPENINGS = st.one_of(
    st.tuples(st.just("say"), st.lists(FACTS, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["poll", "lose", "restart"]), st.integers(0, 1)),
    st.tuples(st.just("floor"), st.integers(0, 3)),
)


def subjects(base: int) -> list[Subject]:
    """What facts may hit, older and newer than those that are told here, which come after `base`."""
    places = range(base - 2, base + 24, 2)
    return [Subject(pos, one, other, one, other, one) for pos in places for one in "abcx" for other in "abcx"]


class Follows:
    """A verifier's half: what it knows, swapped whole at a reset, dropped below a floor."""

    def __init__(self, asking: Reader) -> None:
        self.asking = asking
        self.known = RevocationSet()

    def poll(self) -> None:
        """Take the next answer in."""
        answer = self.asking.poll()
        if answer.reset:
            self.known = answer.alone()
            return
        for told in answer.facts:
            self.known.fold(told.seq, told.fact)
        self.known.forget(answer.floor)

    def lose(self) -> None:
        """The next answer does not arrive."""
        before = self.asking.pos
        self.asking.poll()
        self.asking.pos = before

    def restart(self) -> None:
        """Begin with nothing."""
        self.asking.pos, self.known = None, RevocationSet()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server that keeps hardly anything for those who lag, so that many start anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chronicle, "MOST", 3)
        made = build(tmp_path_factory.mktemp("following"))
        yield made
        made.close()


@pytest.fixture(scope="module")
def asking(house: House) -> list[Reader]:
    """Two verifiers of it."""
    return [reader(house) for _ in range(2)]


def happen(house: House, readers: list[Follows], what: str, how: object) -> None:
    """One of the things that happen on the way."""
    match what, how:
        case "say", list(facts):
            say(house, *facts)
        case "floor", int(behind):
            house.authority.log.raise_floor(house.authority.store.position() - behind)
            house.authority.follower.step()
        case _, int(which):
            getattr(readers[which], what)()


@given(happenings=st.lists(HAPPENINGS, max_size=14))
def test_readers_that_follow_say_what_the_server_says(
    house: House, asking: list[Reader], happenings: list[tuple[str, object]]
) -> None:
    """Facts, lost answers, restarts, floors, lags beyond what is kept: the same verdict on everything at the end.

    Below the floor neither calls anything live.
    """
    readers, base = [Follows(one) for one in asking], house.authority.store.position()
    for one in readers:
        one.restart()
    for what, how in happenings:
        happen(house, readers, what, how)
    served = house.authority.follower.revocations
    for one in readers:
        one.poll()
        assert one.known.floor == served.floor
        for subject in subjects(base):
            said = served.covers(subject), one.known.covers(subject)
            assert said[0] is said[1] or (subject.pos < served.floor and Standing.LIVE not in said)
