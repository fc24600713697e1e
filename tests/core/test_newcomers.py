"""What the fields of an account that comes over may hold, as text and as JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost.core.newcomers import COLUMNS, Newcomer, parse_newcomer
from gatepost.errors import InvalidFields

NOW = datetime(2026, 5, 17, 9, 30, tzinfo=UTC)
ID = "bTkQR7B26KHsiTe_Gm9Stw"


def read(**fields: object) -> Newcomer:
    """The account that these fields tell."""
    return parse_newcomer({"email": "ada@example.com", **fields}, NOW)


def faults(**fields: object) -> dict[str, str]:
    """What is wrong with these fields."""
    with pytest.raises(InvalidFields) as refused:
        read(**fields)
    return refused.value.errors


def test_an_email_is_enough() -> None:
    """A member without a password, not verified, not locked, new today; cells left empty say no more than that."""
    alone = read()
    assert (alone.id, alone.email.key, alone.roles, alone.email_verified) == (
        None,
        "ada@example.com",
        ("member",),
        False,
    )
    assert (alone.created_at, alone.locked, alone.locked_at, alone.password_hash) == (None, False, None, None)
    assert parse_newcomer({**dict.fromkeys(COLUMNS, ""), "email": "ada@example.com"}, NOW) == alone
    assert parse_newcomer({**dict.fromkeys(COLUMNS), "email": "ada@example.com"}, NOW) == alone


@pytest.mark.parametrize(
    "email", [None, "", "ada", "ada@", "ada@example.com, bob@example.com", 7, ["ada@example.com"]]
)
def test_a_line_without_one_email_is_refused(email: object) -> None:
    """Missing, malformed, several, or no text: always the column `email`."""
    assert set(faults(email=email)) == {"email"}


@pytest.mark.parametrize("value", ["true", "True", "t", "yes", "1", " 1 ", True, 1])
def test_what_counts_as_true(value: object) -> None:
    """As databases and spreadsheets write it."""
    assert read(email_verified=value).email_verified is True


@pytest.mark.parametrize("value", ["false", "FALSE", "f", "no", "0", False, 0])
def test_what_counts_as_false(value: object) -> None:
    """The same for the other."""
    assert read(email_verified=value).email_verified is False


@pytest.mark.parametrize("value", ["maybe", "2", 2, 1.0, [], {}, "2024-01-01"])
def test_what_is_neither_is_refused(value: object) -> None:
    """Nobody is guessed to be verified, or locked."""
    assert set(faults(email_verified=value)) == {"email_verified"}
    assert set(faults(locked=value)) == {"locked"}


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        ("admin", ("admin",)),
        ("admin member", ("admin", "member")),
        ("admin, member,admin", ("admin", "member")),
        (" admin ", ("admin",)),
        (["admin", "member"], ("admin", "member")),
        ([], ("member",)),
        (" , ", ("member",)),
    ],
)
def test_roles_are_names_with_blanks_or_commas_between(value: object, roles: tuple[str, ...]) -> None:
    """Each counts once, in their order; none at all is what a sign-up gives."""
    assert read(roles=value).roles == roles


@pytest.mark.parametrize(
    "value", [7, {"admin": True}, ["admin", 7], [["admin"]], " ".join(map(str, range(65)))]
)
def test_roles_that_are_no_names_are_refused(value: object) -> None:
    """Another shape, or more than anybody has."""
    assert set(faults(roles=value)) == {"roles"}


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-17T09:30:00Z",
        "2024-05-17T11:30:00+02:00",
        "2024-05-17 09:30:00+00",
        "2024-05-17 09:30:00.000000",
        " 2024-05-17T09:30 ",
    ],
)
def test_moments_are_read_as_databases_write_them(value: str) -> None:
    """With an offset, or without one: then it is UTC."""
    assert read(created_at=value).created_at == datetime(2024, 5, 17, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", ["yesterday", "17.05.2024", "1715938200", 1715938200, "9999-99-99", True])
def test_what_is_no_moment_is_refused(value: object) -> None:
    """A number could be seconds or milliseconds; nobody guesses."""
    assert set(faults(created_at=value)) == {"created_at"}


def test_moments_lie_between_1970_and_a_day_from_now() -> None:
    """The boundaries, both sides; the day is for the clock of the other machine."""
    ahead = NOW + timedelta(days=1)
    assert read(created_at=ahead.isoformat()).created_at == ahead
    assert set(faults(created_at=(ahead + timedelta(microseconds=1)).isoformat())) == {"created_at"}
    assert read(created_at="1970-01-01T00:00:00Z").created_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert set(faults(created_at="1969-12-31T23:59:59Z")) == {"created_at"}
    for edge in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert set(faults(created_at=edge)) == {"created_at"}


def test_since_when_says_that_it_is_locked() -> None:
    """`locked`, `locked_at` or both; they may not contradict each other."""
    since = datetime(2024, 5, 17, tzinfo=UTC)
    assert (read(locked="t").locked, read(locked="t").locked_at) == (True, None)
    assert (read(locked_at="2024-05-17").locked, read(locked_at="2024-05-17").locked_at) == (True, since)
    assert read(locked="true", locked_at="2024-05-17").locked_at == since
    assert set(faults(locked="false", locked_at="2024-05-17")) == {"locked"}


@pytest.mark.parametrize("value", ["1", 1, "x" * 22, ID + "A", ID[:-1], ID[:-1] + "é", "=" + ID[1:]])
def test_an_id_that_we_did_not_make_is_refused(value: object) -> None:
    """Only ours are as random as everything relies on."""
    assert set(faults(id=value)) == {"id"}
    assert read(id=ID).id == ID


@pytest.mark.parametrize("value", ["!", "!Xa91jT", None, ""])
def test_no_password_is_no_password(value: object) -> None:
    """As Django writes it, or nothing."""
    assert read(password_hash=value).password_hash is None


def test_a_hash_has_at_most_512_characters() -> None:
    """No form that is read has more; what is longer never reaches a pattern."""
    assert read(password_hash="x" * 512).password_hash == "x" * 512
    assert set(faults(password_hash="x" * 513)) == {"password_hash"}
    assert set(faults(password_hash=7)) == {"password_hash"}


def test_every_fault_of_a_line_is_told_and_nothing_of_what_stood_there() -> None:
    """One sentence a column, so that a line is mended once; hashes and e-mails are not repeated."""
    fields: dict[str, Any] = dict.fromkeys(COLUMNS, "S3cret@@")
    found = faults(**fields)
    assert set(found) == {"id", "email", "email_verified", "created_at", "locked", "locked_at"}
    assert not any("S3cret" in sentence for sentence in found.values())


def test_a_newcomer_does_not_show_its_hash() -> None:
    """Not in a log, not in a traceback."""
    assert "S3cret" not in repr(read(password_hash="S3cret"))
