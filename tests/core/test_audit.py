"""The chain over the audit trail: what a seal speaks for, and the name of every way to break it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.audit import (
    LOWEST,
    Broken,
    Chain,
    Entry,
    Fault,
    RowChanged,
    RowInserted,
    RowRemoved,
    Seal,
    SealChanged,
    Sealed,
    SealMisplaced,
    SealRemoved,
    TailCut,
    TrailReplaced,
    Unsealed,
    Verdict,
    Whole,
    canonical,
    covered,
    is_genuine,
    parse_seal,
    seal_fields,
    seal_rows,
    seal_text,
)

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

fields = st.lists(st.none() | st.binary(max_size=6), max_size=5)


def entry(number: int, content: bytes = b"signed in") -> Entry:
    """A row of the trail."""
    return Entry(number, canonical((content, b"%d" % number)))


@dataclass
class Trail:
    """Rows and the seals over them, as a store would hold both."""

    rows: dict[int, Entry] = field(default_factory=dict)
    seals: list[Sealed] = field(default_factory=list)

    def write(self, *numbers: int) -> "Trail":
        """Rows with these numbers."""
        self.rows |= {number: entry(number) for number in numbers}
        return self

    def seal(self, key: bytes = KEY, at: datetime = NOON) -> "Trail":
        """A seal over all rows that wait."""
        newest = self.seals[-1].seal if self.seals else None
        waiting = self.between(newest.last if newest else 0, 10**6)
        self.seals.append(seal_rows(key, newest, waiting, at))
        return self

    def between(self, after: int, upto: int) -> list[Entry]:
        """Rows after a number up to another."""
        return [row for number, row in sorted(self.rows.items()) if after < number <= upto]

    def verdict(self, exported: Seal | None = None, key: bytes = KEY) -> Verdict:
        """What the chain says."""
        chain = Chain(key, exported)
        for sealed in self.seals:
            if chain.link(sealed):
                chain.judge(sealed, self.between(*covered(sealed.seal)))
        return chain.verdict(len(self.between(chain.last, 10**6)))

    def faults(self, exported: Seal | None = None) -> Sequence[Fault]:
        """The faults of a broken trail."""
        verdict = self.verdict(exported)
        assert isinstance(verdict, Broken)
        return verdict.faults


@pytest.fixture
def trail() -> Trail:
    """Nine rows under three seals."""
    made = Trail()
    for first in (1, 4, 7):
        made.write(first, first + 1, first + 2).seal()
    return made


@given(fields, fields)
def test_no_two_lists_of_fields_share_a_form(one: list[bytes | None], other: list[bytes | None]) -> None:
    """What is missing, what is empty, and where one field ends, all count."""
    assert (canonical(one) == canonical(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [([b"ab", b"c"], [b"a", b"bc"]), ([None], [b""]), ([b"1:a"], [b"a"]), ([], [b""]), ([b"-:"], [None])],
)
def test_fields_that_look_alike_differ(one: list[bytes | None], other: list[bytes | None]) -> None:
    """The awkward pairs by name."""
    assert canonical(one) != canonical(other)


def test_untouched_trail_is_whole(trail: Trail) -> None:
    """Nine rows, three seals, nothing waiting; the newest seal is the last one made."""
    verdict = trail.verdict()
    assert isinstance(verdict, Whole)
    extent = verdict.extent
    assert (extent.rows, extent.seals, extent.waiting, extent.newest) == (9, 3, 0, trail.seals[-1].seal)


def test_rows_after_the_last_seal_are_named_as_waiting(trail: Trail) -> None:
    """They are neither whole nor broken."""
    verdict = trail.write(10, 11).verdict()
    assert isinstance(verdict, Unsealed)
    assert verdict.extent.waiting == 2


def test_nothing_is_whole_too() -> None:
    """An installation that has not begun has an empty trail; with rows and no seal they wait."""
    assert isinstance(Trail().verdict(), Whole)
    assert isinstance(Trail().write(1).verdict(), Unsealed)


def test_seal_speaks_for_rows_count_and_the_seal_before(trail: Trail) -> None:
    """Each begins where the one before ended."""
    first, second, third = (sealed.seal for sealed in trail.seals)
    assert [(one.number, one.after, one.last, one.count) for one in (first, second, third)] == [
        (1, 0, 3, 3),
        (2, 3, 6, 3),
        (3, 6, 9, 3),
    ]
    assert (second.previous, third.previous) == (first.mac, second.mac)
    assert covered(first) == (LOWEST, 3)
    assert covered(second) == (3, 6)


@pytest.mark.parametrize("number", range(1, 10))
def test_removed_row_is_named(trail: Trail, number: int) -> None:
    """The first, the last and any other."""
    del trail.rows[number]
    assert trail.faults() == (RowRemoved(number),)


@pytest.mark.parametrize("number", range(1, 10))
def test_changed_row_is_named(trail: Trail, number: int) -> None:
    """One bit is enough."""
    trail.rows[number] = entry(number, b"signed iN")
    assert trail.faults() == (RowChanged(number),)


@pytest.mark.parametrize("number", [LOWEST + 1, -1, 0])
def test_row_before_the_first_is_named(trail: Trail, number: int) -> None:
    """Nothing may stand before row 1."""
    assert trail.write(number).faults() == (RowInserted(number),)


def test_row_in_a_gap_is_named() -> None:
    """Numbers need not be without gaps, but what was not there when the neighbours were sealed is an intruder."""
    assert Trail().write(1, 3).seal().write(2).faults() == (RowInserted(2),)


def test_rows_that_changed_places_are_both_named(trail: Trail) -> None:
    """A row's mark belongs to its number, so a genuine row elsewhere is a changed one, inside a batch too."""
    for one, other in ((2, 8), (4, 5)):
        moved = {one: replace(trail.rows[other], number=one), other: replace(trail.rows[one], number=other)}
        trail.rows |= moved
    assert trail.faults() == (RowChanged(2), RowChanged(4), RowChanged(5), RowChanged(8))


@pytest.mark.parametrize(
    "bend",
    [
        lambda seal: replace(seal, after=seal.after - 1),
        lambda seal: replace(seal, last=seal.last + 1),
        lambda seal: replace(seal, count=seal.count - 1),
        lambda seal: replace(seal, at=seal.at + SECOND),
        lambda seal: replace(seal, rows=bytes(32)),
        lambda seal: replace(seal, previous=bytes(32)),
        lambda seal: replace(seal, mac=bytes(32)),
        lambda seal: replace(seal, mac=b""),
    ],
)
def test_changed_seal_is_named_whatever_was_changed(trail: Trail, bend: Callable[[Seal], Seal]) -> None:
    """Nothing is said about its rows, which nothing vouches for any more; those of the others are judged."""
    trail.seals[1] = replace(trail.seals[1], seal=bend(trail.seals[1].seal))
    trail.rows[9] = entry(9, b"forged")
    faults = trail.faults()
    assert faults[0] == SealChanged(2)
    assert RowChanged(9) in faults
    assert not {RowChanged(5), RowRemoved(5)} & set(faults)


def test_row_and_its_mark_removed_together_show_as_a_changed_seal(trail: Trail) -> None:
    """The marks are under the seal themselves."""
    del trail.rows[6]
    trail.seals[1] = replace(trail.seals[1], marks=trail.seals[1].marks[:-24])
    assert trail.faults() == (SealChanged(2),)


def test_seal_made_with_another_key_is_named(trail: Trail) -> None:
    """Whoever has the database and not the master key cannot go on with the chain."""
    trail.write(10).seal(key=OTHER_KEY)
    assert trail.faults() == (SealChanged(4),)


@pytest.mark.parametrize("at", [0, 1])
def test_seal_removed_inside_the_chain_is_named(trail: Trail, at: int) -> None:
    """The first too: a chain begins with number 1."""
    del trail.seals[at]
    assert SealRemoved(at + 1) in trail.faults()


def test_genuine_seal_of_another_copy_is_named(trail: Trail) -> None:
    """A seal from before a restore does not fit into the chain that was made after it."""
    other = Trail(dict(trail.rows), trail.seals[:1]).seal(at=NOON + SECOND)
    assert [other.seals[1].seal.number, is_genuine(KEY, other.seals[1].seal)] == [2, True]
    trail.seals[1] = replace(other.seals[1])
    assert SealMisplaced(3) in trail.faults()


def test_cut_end_shows_only_with_an_exported_seal(trail: Trail) -> None:
    """Rows and seals gone together leave a whole trail; a seal kept elsewhere names what there was."""
    exported = trail.seals[-1].seal
    for number in (7, 8, 9):
        del trail.rows[number]
    trail.seals.pop()
    assert isinstance(trail.verdict(), Whole)
    assert trail.faults(exported) == (TailCut(3, 9),)


def test_emptied_trail_shows_with_an_exported_seal(trail: Trail) -> None:
    """Nothing left is a cut end like any other."""
    assert Trail().faults(trail.seals[0].seal) == (TailCut(1, 3),)


def test_trail_that_was_cut_and_sealed_anew_shows_with_an_exported_seal(trail: Trail) -> None:
    """The server seals what it finds; the number is taken by another seal then."""
    exported = trail.seals[-1].seal
    trail.seals.pop()
    trail.rows[8] = entry(8, b"forged")
    trail.seal(at=NOON + SECOND)
    assert isinstance(trail.verdict(), Whole)
    assert trail.faults(exported) == (TrailReplaced(3),)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_exported_seal_of_any_age_fits_the_trail_it_is_of(trail: Trail, at: int) -> None:
    """The trail has grown since."""
    assert isinstance(trail.verdict(trail.seals[at].seal), Whole)


@pytest.mark.parametrize(("count", "named", "more"), [(100, 100, 0), (101, 100, 1)])
def test_so_many_faults_are_named_and_the_rest_counted(count: int, named: int, more: int) -> None:
    """An emptied table of millions gives an answer that can be read."""
    trail = Trail().write(*range(1, count + 1)).seal()
    trail.rows.clear()
    verdict = trail.verdict()
    assert isinstance(verdict, Broken)
    assert (len(verdict.faults), verdict.more) == (named, more)


def test_seal_comes_back_from_its_line(trail: Trail) -> None:
    """As it was exported alone, and as the last line of an export; still genuine, to the microsecond."""
    seal = trail.write(10).seal(at=NOON + timedelta(microseconds=1)).seals[-1].seal
    for text in (seal_text(seal), json.dumps({"seal": seal_fields(seal)})):
        assert "\n" not in text
        assert parse_seal(text) == seal
        assert is_genuine(KEY, seal)


def test_moment_of_a_seal_does_not_depend_on_its_zone(trail: Trail) -> None:
    """The same moment told in another zone is the same seal."""
    seal = trail.seals[0].seal
    assert is_genuine(KEY, replace(seal, at=seal.at.astimezone(timezone(timedelta(hours=5)))))


@pytest.mark.parametrize(
    "text",
    [
        "", "seal", "{}", "[]", "1", "null", '{"seal": 1}', '{"gatepost_seal": 2}', '{"gatepost_seal": 1}',
        "[" * 100_000, '{"seal": {"gatepost_seal": 1, "number": "x"}}',
    ],
)  # fmt: skip
def test_what_is_no_seal_is_none(text: str) -> None:
    """Whatever a file holds."""
    assert parse_seal(text) is None


@given(
    st.sampled_from(["number", "after", "last", "count", "at", "rows", "previous", "mac"]),
    st.none() | st.text(),
)
def test_line_with_a_bent_field_is_none_or_not_genuine(name: str, value: str | None) -> None:
    """No field of an exported seal can be changed unseen."""
    seal = Trail().write(1).seal().seals[0].seal
    bent = parse_seal(json.dumps({**seal_fields(seal), name: value}))
    assert bent is None or bent == seal or not is_genuine(KEY, bent)
