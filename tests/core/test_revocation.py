"""The revocation set: what each fact hits, in which order it may come, and what may be forgotten."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    Position,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
    parse_position,
)
from tests.builders import make_subject

LIVE, ENDED, OUTDATED = Standing.LIVE, Standing.ENDED, Standing.OUTDATED
Facts = Sequence[tuple[int, Fact]]


def folded(facts: Facts) -> RevocationSet:
    """A set that has taken these facts in, in this order."""
    revocations = RevocationSet()
    for seq, fact in facts:
        revocations.fold(seq, fact)
    return revocations


def reference(facts: Facts, subject: Subject) -> Standing:
    """The definition itself, over every fact there ever was."""
    if any(_ends(seq, fact, subject) for seq, fact in facts):
        return ENDED
    return OUTDATED if any(_outdates(seq, fact, subject) for seq, fact in facts) else LIVE


def _ends(seq: int, fact: Fact, subject: Subject) -> bool:
    match fact:
        case AccountEnded(account_id, keep):
            return account_id == subject.account_id and keep != subject.session_id and subject.pos < seq
        case ClientEnded(client_id):
            return client_id == subject.client_id and subject.pos < seq
        case EveryoneEnded():
            return subject.pos < seq
        case _:
            return _names(fact, subject)


def _names(fact: Fact, subject: Subject) -> bool:
    match fact:
        case TokenEnded(jti):
            return jti == subject.jti
        case SessionEnded(session_id):
            return session_id == subject.session_id
        case KeyEnded(kid):
            return kid == subject.kid
        case _:
            return False


def _outdates(seq: int, fact: Fact, subject: Subject) -> bool:
    match fact:
        case AccountOutdated(account_id):
            return account_id == subject.account_id and subject.pos < seq
        case EveryoneOutdated():
            return subject.pos < seq
        case _:
            return False


A_FACT: st.SearchStrategy[Fact] = st.one_of(
    st.builds(TokenEnded, st.sampled_from(["t1", "t2"])),
    st.builds(SessionEnded, st.sampled_from(["s1", "s2"])),
    st.builds(AccountEnded, st.sampled_from(["ada", "bob"]), st.sampled_from([None, "s1", "s2", "s3"])),
    st.builds(AccountOutdated, st.sampled_from(["ada", "bob"])),
    st.builds(ClientEnded, st.sampled_from(["c1", "c2"])),
    st.builds(KeyEnded, st.sampled_from(["k1", "k2"])),
    st.builds(EveryoneEnded),
    st.builds(EveryoneOutdated),
)
SOME_FACTS: st.SearchStrategy[Facts] = st.lists(A_FACT, max_size=12).map(lambda facts: [*enumerate(facts, 1)])
A_SUBJECT = st.builds(
    Subject,
    pos=st.integers(0, 13),
    session_id=st.sampled_from(["s1", "s2", "s3"]),
    account_id=st.sampled_from(["ada", "bob", None]),
    client_id=st.sampled_from(["c1", "c2", "c3"]),
    jti=st.sampled_from(["t1", "t2", "t3", None]),
    kid=st.sampled_from(["k1", "k2", "k3", None]),
)
SUBJECTS = st.lists(A_SUBJECT, min_size=1, max_size=20)


@pytest.mark.parametrize("fact", [TokenEnded("token-1"), SessionEnded("session-1"), KeyEnded("key-1")])
@pytest.mark.parametrize("pos", [0, 9, 10, 11])
def test_a_fact_that_names_hits_at_every_position(fact: Fact, pos: int) -> None:
    """A token, a session and a key are hit by name; positions play no part."""
    assert folded([(10, fact)]).covers(make_subject(pos=pos)) is ENDED


@pytest.mark.parametrize("fact", [TokenEnded("other"), SessionEnded("other"), KeyEnded("other")])
def test_a_fact_that_names_hits_nothing_else(fact: Fact) -> None:
    """Another name, and what has no token or key at all, stand."""
    assert folded([(99, fact)]).covers(make_subject()) is LIVE
    assert folded([(99, fact)]).covers(make_subject(jti=None, kid=None)) is LIVE


@pytest.mark.parametrize(
    ("fact", "standing"),
    [
        (AccountEnded("ada"), ENDED),
        (AccountEnded("ada", keep="another"), ENDED),
        (AccountOutdated("ada"), OUTDATED),
        (ClientEnded("first-party"), ENDED),
        (EveryoneEnded(), ENDED),
        (EveryoneOutdated(), OUTDATED),
    ],
    ids=repr,
)
def test_a_fact_with_a_position_hits_exactly_what_is_older(fact: Fact, standing: Standing) -> None:
    """One position before it is hit; at the position itself and after, nothing is."""
    revocations = folded([(10, fact)])
    assert revocations.covers(make_subject(pos=9)) is standing
    assert revocations.covers(make_subject(pos=10)) is LIVE
    assert revocations.covers(make_subject(pos=11)) is LIVE


@pytest.mark.parametrize("fact", [AccountEnded("bob"), AccountOutdated("bob"), ClientEnded("other")])
def test_a_fact_on_somebody_else_hits_nothing(fact: Fact) -> None:
    """Another account and another client stand, and so does a visit, which has no account."""
    assert folded([(99, fact)]).covers(make_subject()) is LIVE
    assert folded([(99, fact)]).covers(make_subject(account_id=None)) is LIVE


def test_an_ended_account_keeps_the_session_it_was_told_to() -> None:
    """A password change ends every session but the one it was made in."""
    revocations = folded([(10, AccountEnded("ada", keep="session-1"))])
    assert revocations.covers(make_subject(pos=0)) is LIVE
    assert revocations.covers(make_subject(pos=9, session_id="session-2")) is ENDED


def test_a_kept_session_is_ended_by_an_ending_that_keeps_another() -> None:
    """What one ending spared the next may hit, whichever comes first."""
    facts = [(10, AccountEnded("ada", keep="session-1")), (12, AccountEnded("ada", keep="session-2"))]
    for order in (facts, facts[::-1]):
        revocations = folded(order)
        assert revocations.covers(make_subject(pos=11, session_id="session-1")) is ENDED
        assert revocations.covers(make_subject(pos=12, session_id="session-1")) is LIVE
        assert revocations.covers(make_subject(pos=9, session_id="session-2")) is ENDED
        assert revocations.covers(make_subject(pos=10, session_id="session-2")) is LIVE


def test_a_session_that_every_ending_kept_stands() -> None:
    """Two password changes in the same session end all others, twice."""
    facts: Facts = [(10, AccountEnded("ada", keep="session-1")), (12, AccountEnded("ada", keep="session-1"))]
    assert folded(facts).covers(make_subject(pos=0)) is LIVE
    assert folded(facts).covers(make_subject(pos=11, session_id="session-2")) is ENDED


def test_what_is_ended_and_outdated_is_ended() -> None:
    """Renewing would not help, so the answer must not say that it does."""
    facts: Facts = [(20, AccountOutdated("ada")), (21, AccountEnded("ada"))]
    assert folded(facts).covers(make_subject()) is ENDED


@given(SOME_FACTS, SUBJECTS)
def test_the_set_agrees_with_the_definition(facts: Facts, subjects: list[Subject]) -> None:
    """Dictionaries answer what a list of all facts answers."""
    revocations = folded(facts)
    for subject in subjects:
        assert revocations.covers(subject) is reference(facts, subject)


@given(st.data())
def test_order_and_repetition_of_facts_do_not_matter(data: st.DataObject) -> None:
    """Facts told ahead of reading, read again, or in any order give the same answers."""
    facts = data.draw(SOME_FACTS)
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=8)) if facts else []
    shuffled = data.draw(st.permutations([*facts, *repeated]))
    revocations = folded(shuffled)
    for subject in data.draw(SUBJECTS):
        assert revocations.covers(subject) is reference(facts, subject)


@given(st.data())
def test_endings_of_one_account_that_keep_sessions_may_come_in_any_order(data: st.DataObject) -> None:
    """The hardest grain: each ending spares one session, and a later one may spare another, or none."""
    endings = st.lists(
        st.builds(AccountEnded, st.just("ada"), st.sampled_from([None, "s1", "s2"])), max_size=6
    )
    facts: Facts = [*enumerate(data.draw(endings), 1)]
    revocations = folded(data.draw(st.permutations(facts)))
    for pos in range(len(facts) + 1):
        for session_id in ("s1", "s2", "s3"):
            subject = make_subject(pos=pos, session_id=session_id)
            assert revocations.covers(subject) is reference(facts, subject)


@given(st.data())
def test_forgetting_never_revives(data: st.DataObject) -> None:
    """After forgetting, live is said only of what every fact there ever was leaves alive.

    Whatever a fact names existed before it, so the newest fact that names a subject is after its position.
    """
    facts = data.draw(SOME_FACTS)
    revocations = folded(data.draw(st.permutations(facts)))
    for floor in data.draw(st.lists(st.integers(0, 14), max_size=3)):
        revocations.forget(floor)
    subject = data.draw(A_SUBJECT)
    naming = [seq for seq, fact in facts if _names(fact, subject)]
    assume(not naming or subject.pos < max(naming))
    if revocations.covers(subject) is LIVE:
        assert reference(facts, subject) is LIVE


def test_a_late_fact_about_the_same_name_does_not_shorten_memory() -> None:
    """Two endings of one session, folded newest first, are remembered as long as the newest."""
    revocations = folded([(10, SessionEnded("session-1")), (5, SessionEnded("session-1"))])
    revocations.forget(7)
    assert revocations.covers(make_subject(pos=8)) is ENDED


@pytest.mark.parametrize(("pos", "standing"), [(9, OUTDATED), (10, LIVE), (11, LIVE)])
def test_what_is_older_than_the_floor_is_outdated(pos: int, standing: Standing) -> None:
    """Nobody remembers any more whether it was hit, so the durable truth is asked; at the floor all is known."""
    revocations = RevocationSet()
    revocations.forget(10)
    assert revocations.floor == 10
    assert revocations.covers(make_subject(pos=pos)) is standing
    assert RevocationSet(10).covers(make_subject(pos=pos)) is standing


def test_the_floor_never_falls() -> None:
    """A late answer with an older floor changes nothing."""
    revocations = RevocationSet(10)
    revocations.forget(9)
    revocations.forget(10)
    assert revocations.floor == 10


@pytest.mark.parametrize(
    "fact",
    [
        TokenEnded("token-1"),
        SessionEnded("session-1"),
        KeyEnded("key-1"),
        ClientEnded("first-party"),
        AccountEnded("ada"),
        AccountEnded("ada", keep="session-2"),
        AccountOutdated("ada"),
    ],
    ids=repr,
)
def test_a_fact_is_dropped_when_the_floor_reaches_it_and_not_before(fact: Fact) -> None:
    """One before its position it still hits; at its position the memory of it is gone."""
    revocations = folded([(10, fact)])
    revocations.forget(9)
    assert len(revocations) == 1
    assert revocations.covers(make_subject(pos=9)) is not LIVE
    revocations.forget(10)
    assert len(revocations) == 0
    assert revocations.covers(make_subject(pos=9)) is OUTDATED


@given(SOME_FACTS)
def test_forgetting_everything_leaves_at_most_the_two_marks_for_everyone(facts: Facts) -> None:
    """Memory is bounded by the facts above the floor."""
    revocations = folded(facts)
    revocations.forget(len(facts))
    kinds = {type(fact) for _, fact in facts}
    assert len(revocations) == len(kinds & {EveryoneEnded, EveryoneOutdated})


def test_the_length_counts_what_is_remembered() -> None:
    """Two facts about one account are one mark."""
    facts: list[Fact] = [
        TokenEnded("t"),
        SessionEnded("s"),
        AccountEnded("ada"),
        AccountEnded("ada"),
        EveryoneEnded(),
    ]
    assert len(folded([*enumerate(facts, 1)])) == 4


def test_a_position_round_trips_as_text() -> None:
    """What a reader hands back is what it was given."""
    position = Position("log-id", 42, "tag")
    assert parse_position(str(position)) == position
    assert parse_position(str(replace(position, seq=0))) == replace(position, seq=0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a.b", "a.1", "a.1.b.c", "a.-1.b", "a.+1.b", "a. 1.b", "a.1_0.b", "a.x.b", "a..b"),
        *("a.\u0661.b", "a.\u00b2.b", f"a.{'9' * 5000}.b", f"{'a' * 117}.1.b"),
    ],
)
def test_anything_else_is_no_position(text: str) -> None:
    """Signs, blanks, other alphabets' digits, and numbers too long to be one are refused."""
    assert parse_position(text) is None


def test_the_longest_position_is_120_characters() -> None:
    """The limit itself is accepted."""
    assert parse_position(f"{'a' * 116}.1.b") is not None


@given(st.text())
def test_no_text_makes_the_position_parser_fail(text: str) -> None:
    """Any text is a position or None."""
    parsed = parse_position(text)
    assert parsed is None or parsed.seq >= 0
