"""The audit trail in a real database, sealed as a server does it, and tampered with by hand.

Every change here is made with `sqlite3` behind the server's back, by somebody who has the file but not the master key.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.audit import (
    Broken,
    Fault,
    RowChanged,
    RowInserted,
    RowRemoved,
    SealChanged,
    SealMisplaced,
    SealRemoved,
    TailCut,
    TrailReplaced,
    Unsealed,
    Whole,
    seal_text,
)
from gatepost.core.changes import AuditRow, Change, Event
from gatepost.errors import InvalidFields, StoreUnusable
from gatepost.services.audit import BATCH
from gatepost.testing.clock import TurnableClock
from tests.services.installation import Installation

SECOND = timedelta(seconds=1)
Tamper = Callable[..., None]


def write(at: Authority, count: int = 1) -> None:
    """Audit rows, each in a change of its own."""
    for number in range(count):
        now = at.clock.now()
        row = AuditRow(
            Event.SIGNED_IN, now, "ada", "ada", f"s{number}", "192.0.2.7", "Firefox", {"carrier": "cookie"}
        )
        at.commits.commit(Change(at=now, audit=(row,)))


@pytest.fixture
def quiet(installation: Installation) -> Authority:
    """A server that seals only when it is told to. Its trail has row 1, about the first signing key."""
    authority = installation.open()
    authority.housekeeper.stop()
    return authority


@pytest.fixture
def sealed(quiet: Authority, clock: TurnableClock) -> Authority:
    """Ten rows under three seals: 1 to 3, 4 to 6 and 7 to 10."""
    # What stopping the housekeeper has sealed goes, so that the seals are these three whatever it did.
    with closing(sqlite3.connect(quiet.settings.data / "gatepost.db")) as connection:
        connection.execute("DELETE FROM seal")
        connection.commit()
    for count in (2, 3, 4):
        write(quiet, count)
        clock.turn(SECOND)
        quiet.audit.seal()
    assert [one.seal.last for one in quiet.store.seals(after=0, limit=9)] == [3, 6, 10]
    return quiet


@pytest.fixture
def tamper(quiet: Authority) -> Iterator[Tamper]:
    """`tamper("DELETE ...")`: statements of somebody who can write to the file."""
    with closing(sqlite3.connect(quiet.settings.data / "gatepost.db", isolation_level=None)) as connection:

        def execute(*statements: str) -> None:
            for statement in statements:
                assert connection.execute(statement).rowcount != 0, statement

        yield execute


def faults(at: Authority) -> tuple[Fault, ...]:
    """What `audit verify` finds wrong."""
    verdict = at.audit.verify()
    assert isinstance(verdict, Broken)
    return verdict.faults


def test_untouched_trail_is_whole(sealed: Authority) -> None:
    """Every row is sealed, in the order of the commits."""
    verdict = sealed.audit.verify()
    assert isinstance(verdict, Whole)
    assert (verdict.extent.rows, verdict.extent.seals) == (10, 3)


@pytest.mark.parametrize("number", [1, 3, 5, 10])
def test_removed_row_is_named(sealed: Authority, tamper: Tamper, number: int) -> None:
    """The very first, the last of a batch, one inside, and the last of all while its seal stands."""
    tamper(f"DELETE FROM audit WHERE number = {number}")
    assert faults(sealed) == (RowRemoved(number),)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event", "'signed_out'"),
        ("event", "'no such event'"),
        ("event", "CAST(x'ff' AS TEXT)"),
        ("at", "at + 1"),
        ("at", "9223372036854775807"),
        ("account_id", "'eve'"),
        ("account_id", "NULL"),
        ("account_id", "''"),
        ("actor", "'cli'"),
        ("actor", "NULL"),
        ("session_id", "NULL"),
        ("address", "'198.51.100.1'"),
        ("device", "''"),
        ("device", "device || char(0)"),
        ("more", "'{}'"),
        ("more", '\'{"carrier": "cookie"}\''),
        ("more", "'not json'"),
    ],
)
def test_changed_row_is_named_whatever_was_changed(
    sealed: Authority, tamper: Tamper, column: str, value: str
) -> None:
    """Every column counts, and what can no longer be read as a row can still be named."""
    tamper(f"UPDATE audit SET {column} = {value} WHERE number = 5")
    assert faults(sealed) == (RowChanged(5),)


def test_rows_that_changed_places_are_named(sealed: Authority, tamper: Tamper) -> None:
    """Nobody can put events into another order."""
    tamper(
        "UPDATE audit SET number = 99 WHERE number = 2",
        "UPDATE audit SET number = 2 WHERE number = 9",
        "UPDATE audit SET number = 9 WHERE number = 99",
    )
    assert faults(sealed) == (RowChanged(2), RowChanged(9))


COPY = (
    "INSERT INTO audit SELECT {}, event, at, account_id, actor, session_id, address, device, more "
    "FROM audit WHERE number = 5"
)


@pytest.mark.parametrize("number", [-7, 0])
def test_inserted_row_is_named(sealed: Authority, tamper: Tamper, number: int) -> None:
    """Where no row can have been; a copy of a genuine row is none."""
    tamper(COPY.format(number))
    assert faults(sealed) == (RowInserted(number),)


def test_row_put_in_the_place_of_a_removed_one_is_named(sealed: Authority, tamper: Tamper) -> None:
    """The number of a sealed row is taken for ever."""
    tamper("DELETE FROM audit WHERE number = 4", COPY.format(4))
    assert faults(sealed) == (RowChanged(4),)


def test_rows_written_under_numbers_that_were_used_before_are_named(
    sealed: Authority, tamper: Tamper
) -> None:
    """Whoever turns the counter of the table back makes later rows intruders, and they are not sealed quietly."""
    tamper("DELETE FROM audit WHERE number > 8", "UPDATE sqlite_sequence SET seq = 8 WHERE name = 'audit'")
    write(sealed, 2)
    sealed.audit.seal()
    assert faults(sealed) == (RowChanged(9), RowChanged(10))


CUT = ("DELETE FROM audit WHERE number > 6", "DELETE FROM seal WHERE number = 3")


def test_cut_end_is_named_with_an_exported_seal_only(sealed: Authority, tamper: Tamper) -> None:
    """Rows and seal gone together leave no gap; the seal that was kept elsewhere names what there was."""
    text = seal_text(sealed.store.seals(after=2, limit=1)[0].seal)
    tamper(*CUT)
    assert isinstance(sealed.audit.verify(), Whole)
    verdict = sealed.audit.verify(sealed.audit.read_seal(text))
    assert isinstance(verdict, Broken)
    assert verdict.faults == (TailCut(3, 10),)


def test_end_that_was_cut_and_has_grown_again_is_named_with_an_exported_seal(
    sealed: Authority, tamper: Tamper, clock: TurnableClock
) -> None:
    """The server goes on sealing what it finds, under a number that was another seal's."""
    text = seal_text(sealed.store.seals(after=2, limit=1)[0].seal)
    tamper(*CUT, "UPDATE sqlite_sequence SET seq = 6 WHERE name = 'audit'")
    write(sealed, 4)
    clock.turn(SECOND)
    sealed.audit.seal()
    assert isinstance(sealed.audit.verify(), Whole)
    verdict = sealed.audit.verify(sealed.audit.read_seal(text))
    assert isinstance(verdict, Broken)
    assert verdict.faults == (TrailReplaced(3),)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("after", "2"),
        ("last", "5"),
        ("last", "9223372036854775807"),
        ("count", "2"),
        ("at", "at + 1"),
        ("at", "9223372036854775807"),
        ("rows", "x'00'"),
        ("previous", "zeroblob(32)"),
        ("mac", "zeroblob(32)"),
        ("marks", "zeroblob(72)"),
        ("marks", "x''"),
    ],
)
def test_changed_seal_is_named_whatever_was_changed(
    sealed: Authority, tamper: Tamper, column: str, value: str
) -> None:
    """Every column of it counts."""
    tamper(f"UPDATE seal SET {column} = {value} WHERE number = 2")
    assert faults(sealed)[0] == SealChanged(2)


@pytest.mark.parametrize("number", [1, 2])
def test_removed_seal_is_named(sealed: Authority, tamper: Tamper, number: int) -> None:
    """The first, and one inside."""
    tamper(f"DELETE FROM seal WHERE number = {number}")
    assert SealRemoved(number) in faults(sealed)


def test_seal_of_another_copy_is_named(sealed: Authority, tamper: Tamper, clock: TurnableClock) -> None:
    """A genuine seal that was made twice: the later ones follow the first of them only."""
    old = sealed.store.seals(after=0, limit=9)
    tamper("DELETE FROM seal WHERE number > 1")
    clock.turn(SECOND)
    sealed.audit.seal()
    assert isinstance(sealed.audit.verify(), Whole)
    sealed.store.append_seal(old[2])
    assert SealMisplaced(3) in faults(sealed)


def test_rows_without_a_seal_are_counted(sealed: Authority) -> None:
    """They are the ones that nothing vouches for yet; the next round of the sealer changes that."""
    write(sealed, 2)
    verdict = sealed.audit.verify()
    assert isinstance(verdict, Unsealed)
    assert verdict.extent.waiting == 2
    assert sealed.audit.seal() == 2
    assert isinstance(sealed.audit.verify(), Whole)


def test_sealer_with_nothing_to_do_writes_nothing(sealed: Authority) -> None:
    """An idle installation gets no seal each second."""
    before = sealed.audit.newest()
    assert sealed.audit.seal() == 0
    assert sealed.audit.newest() == before


@pytest.mark.parametrize(("count", "seals"), [(BATCH, 1), (BATCH + 1, 2)])
def test_many_rows_are_sealed_in_batches(quiet: Authority, count: int, seals: int) -> None:
    """Each as large as the limit at most, all in one call."""
    quiet.audit.seal()
    before = len(quiet.store.seals(after=0, limit=9))
    now = quiet.clock.now()
    rows = tuple(AuditRow(Event.SIGNED_IN, now, device=f"{number}") for number in range(count))
    quiet.commits.commit(Change(at=now, audit=rows))
    assert quiet.audit.seal() == count
    assert len(quiet.store.seals(after=0, limit=9)) == before + seals
    assert isinstance(quiet.audit.verify(), Whole)


def test_one_call_does_no_more_than_its_share(quiet: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog of hours is worked off round by round, between which the housekeeper does the rest of its work."""
    quiet.audit.seal()
    write(quiet, 25)
    monkeypatch.setattr("gatepost.services.audit.BATCH", 1)
    assert [quiet.audit.seal() for _ in range(3)] == [20, 5, 0]


def test_housekeeper_seals_in_its_rounds(quiet: Authority) -> None:
    """One round is enough, and so is the end of a server that stops in good order."""
    write(quiet)
    quiet.housekeeper.tick()
    assert isinstance(quiet.audit.verify(), Whole)
    quiet.housekeeper.start()
    write(quiet)
    quiet.housekeeper.stop()
    assert isinstance(quiet.audit.verify(), Whole)


def test_two_servers_seal_one_chain(quiet: Authority, installation: Installation) -> None:
    """Both may try; what one has sealed the other goes on from."""
    neighbour = installation.open()
    for turn in range(4):
        write(quiet)
        (quiet, neighbour)[turn % 2].audit.seal()
    for at in (quiet, neighbour):
        assert isinstance(at.audit.verify(), Whole)


def test_chain_does_not_go_on_from_a_forged_seal(
    sealed: Authority, tamper: Tamper, installation: Installation
) -> None:
    """One that claims all rows to come would end the sealing unseen. It is told once to the operator's log."""
    tamper("UPDATE seal SET last = 9223372036854775807 WHERE number = 3")
    write(sealed)
    with pytest.raises(StoreUnusable, match="audit verify"):
        sealed.audit.seal()
    assert sealed.audit.seal() == 0
    assert SealChanged(3) in faults(sealed)
    tamper("UPDATE seal SET last = 10 WHERE number = 3")
    assert sealed.audit.seal() == 1
    assert isinstance(sealed.audit.verify(), Whole)


def test_seal_of_another_installation_is_refused(sealed: Authority) -> None:
    """And so is a file that holds none: neither can show anything about this trail."""
    newest = sealed.audit.newest()
    assert newest is not None
    text = seal_text(newest)
    assert sealed.audit.read_seal(f"a line before\n{text}\n") == newest
    for wrong in (text.replace('"count": 4', '"count": 5'), "", "nothing", f"{text}\n{{}}"):
        with pytest.raises(InvalidFields):
            sealed.audit.read_seal(wrong)


def test_row_that_cannot_be_read_is_named_and_not_a_fault_of_ours(sealed: Authority, tamper: Tamper) -> None:
    """Whoever lists the trail is told which row, and what to do."""
    tamper("UPDATE audit SET event = 'no such event' WHERE number = 5")
    with pytest.raises(StoreUnusable, match=r"Row 5 .* audit verify"):
        sealed.audit.page(limit=5)
    assert len(sealed.audit.page(limit=4)) == 4
