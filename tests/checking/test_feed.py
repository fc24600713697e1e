"""An answer of the feed: what is written is what is read, and what cannot be understood is believed by nobody."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.checking.feed import (
    FeedAnswer,
    FeedPosition,
    Told,
    Unreadable,
    encode_facts,
    encode_feed,
    parse_feed_position,
    read_feed,
)
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    EveryoneEnded,
    Fact,
    Position,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)
from tests.facts import facts

NAMES = st.text(max_size=20)
SEQS = st.integers(0, 2**63 - 1)
FACTS = facts(NAMES)
JWKS = st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3), max_size=3)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("session_ended")
)
MEMBERS = st.sampled_from(["facts", "pos", "floor", "age_ms", "reset", "keys", "seq", "kind", "sid", "keep"])


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists, and objects with members of an answer."""
    return st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=6)


PLAIN: dict[str, Any] = {"facts": [], "pos": "log.1.tag.0", "floor": 0, "age_ms": 0}


def answer_of(**changed: Any) -> bytes:
    """The bytes of a plain answer with something else in it."""
    return json.dumps({**PLAIN, **changed}).encode()


@given(
    facts=st.lists(st.builds(Told, SEQS, FACTS), max_size=8),
    floor=SEQS,
    age_ms=st.integers(0, 10**9),
    reset=st.booleans(),
    keys=st.none() | JWKS,
)
def test_an_answer_is_read_as_it_was_written(
    facts: list[Told], floor: int, age_ms: int, reset: bool, keys: list[dict[str, str]] | None
) -> None:
    """Every kind of fact, whatever its names, with keys and without."""
    whole = FeedAnswer(
        facts=tuple(facts),
        pos=str(FeedPosition(Position("log", 7, "tag"), 3)),
        floor=floor,
        age_ms=age_ms,
        reset=reset,
        keys=None if keys is None else tuple(keys),
    )
    encoded = encode_facts((told.seq, told.fact) for told in facts)
    written = encode_feed(whole, encoded, None if keys is None else json.dumps(keys).encode())
    assert read_feed(written) == whole


@given(
    log=st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True),
    seq=st.integers(0, 2**63 - 1),
    tag=st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True),
    ring=st.none() | st.integers(0, 10**12),
)
def test_a_position_is_the_place_its_text_says(log: str, seq: int, tag: str, ring: int | None) -> None:
    """With the number of a ring, or as a receipt has it without."""
    place = FeedPosition(Position(log, seq, tag), ring)
    assert parse_feed_position(str(place)) == place


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.1", "a.b.c", "a.-1.c", "a.1.c.", "a.1.c.x", "a.1.c.٣", "a.1.c.1.2", "a.1.c.-1"],
)
def test_a_text_that_names_no_place_is_none(text: str) -> None:
    """It has the form of no position, so no log has it."""
    assert parse_feed_position(text) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"facts": []}',
        b'{"facts": [], "pos": "a.1.b", "floor": 0, "age_ms": "\xff"}',
        answer_of(floor=-1),
        answer_of(floor=2**63),
        answer_of(age_ms=-1),
        answer_of(age_ms=0.5),
        answer_of(age_ms=True),
        answer_of(pos=""),
        answer_of(pos="a b"),
        answer_of(pos="a.1.b\r\n"),
        answer_of(pos="a" * 161),
        answer_of(reset="yes"),
        answer_of(keys={"keys": []}),
        answer_of(keys=["key"]),
        answer_of(facts={}),
        answer_of(facts=[{"kind": "everyone_ended"}]),
        answer_of(facts=[{"seq": -1, "kind": "everyone_ended"}]),
        answer_of(facts=[{"seq": 2**63, "kind": "everyone_ended"}]),
        answer_of(facts=[{"seq": 1, "kind": "device_ended", "sid": "s"}]),
        answer_of(facts=[{"seq": 1, "kind": "session_ended"}]),
        answer_of(facts=[{"seq": 1, "kind": "session_ended", "sid": None}]),
        answer_of(facts=[{"seq": 1, "kind": "session_ended", "jti": "s"}]),
        answer_of(facts=[{"seq": 1, "kind": "session_ended", "sid": "s", "sub": "a"}]),
        answer_of(facts=[{"seq": 1, "kind": "session_ended", "sid": "s", "keep": "t"}]),
        answer_of(facts=[{"seq": 1, "kind": "everyone_ended", "sid": "s"}]),
        answer_of(facts=[{"seq": 1, "kind": "everyone_ended", "keep": "s"}]),
        answer_of(facts=[{"seq": 1, "kind": "account_ended", "keep": "s"}]),
    ],
)
def test_an_answer_that_is_not_understood_is_not_believed(body: bytes) -> None:
    """Other forms, numbers out of range, a fact that names nothing, a kind that is not known: all of it is refused."""
    with pytest.raises(Unreadable):
        read_feed(body)


@given(
    body=st.binary(max_size=60) | st.recursive(SCALARS, nested, max_leaves=12).map(json.dumps).map(str.encode)
)
def test_whatever_arrives_is_an_answer_or_unreadable(body: bytes) -> None:
    """Nothing else escapes from reading it."""
    with suppress(Unreadable):
        read_feed(body)


def test_members_that_are_not_known_are_ignored() -> None:
    """A later version may say more beside what this one says; in a fact too."""
    fact = {"seq": 4, "kind": "session_ended", "sid": "s", "at": "2026-11-21T12:00:00Z"}
    read = read_feed(answer_of(facts=[fact], verifiers=[]))
    assert read.facts == (Told(4, SessionEnded("s")),)
    known = read.alone()
    assert known.covers(Subject(9, "s", None, "c", None, None)) is Standing.ENDED
    assert known.covers(Subject(9, "t", None, "c", None, None)) is Standing.LIVE


def test_facts_are_written_in_the_words_of_tokens() -> None:
    """Each names the claim that it hits, and nothing else."""
    told: list[tuple[int, Fact]] = [
        (1, TokenEnded("j")),
        (2, AccountEnded("a", keep="s")),
        (3, AccountOutdated("a")),
        (4, EveryoneEnded()),
    ]
    assert json.loads(encode_facts(told)) == [
        {"seq": 1, "kind": "token_ended", "jti": "j"},
        {"seq": 2, "kind": "account_ended", "sub": "a", "keep": "s"},
        {"seq": 3, "kind": "account_outdated", "sub": "a"},
        {"seq": 4, "kind": "everyone_ended"},
    ]
