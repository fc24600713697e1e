"""The table "What revokes what" of docs/concepts.md, row by row, with each carrier in each place."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidCredentials, InvalidGrant
from tests.docs.household import ADA, HERE, NEW_PASSWORD, PASSWORD, Household

ROOT = Path(__file__).resolve().parents[2]
COOKIE, TOKEN = Carrier.COOKIE, Carrier.TOKEN
Action = Callable[[Household], None]


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """An authority of its own for each test."""
    house = Household(tmp_path)
    yield house
    house.authority.stop()


def sign_out(house: Household) -> None:
    """The one who holds "this" signs out."""
    house.authority.sessions.sign_out(house.principal("this"), HERE)


def sign_in_again(house: Household) -> None:
    """Somebody signs in with "this" still in the browser."""
    house.keep("newest", house.sign_in_again("this"))


def end_one(house: Household) -> None:
    """Ada ends "this" from her other device."""
    house.authority.sessions.end_own(house.principal("other"), house.held["this"].session_id, HERE)


def end_others(house: Household) -> None:
    """Ada ends all but "this"."""
    house.authority.sessions.end_others(house.principal("this"), HERE)


def change_password(house: Household) -> None:
    """Ada changes her password in "this"."""
    house.authority.accounts.change_password(house.principal("this"), PASSWORD, NEW_PASSWORD, HERE)


def set_password(house: Household) -> None:
    """The operator gives Ada a new password."""
    house.authority.accounts.set_password(ADA, NEW_PASSWORD, "cli")


def lock(house: Household) -> None:
    """An administrator locks Ada's account."""
    house.authority.accounts.lock(ADA, "cli")
    with pytest.raises(InvalidCredentials):
        house.sign_in_again()


def unlock(house: Household) -> None:
    """Locked and unlocked: what the lock ended stays ended, and Ada can come back."""
    house.authority.accounts.lock(ADA, "cli")
    house.authority.accounts.unlock(ADA, "cli")
    house.keep("newest", house.sign_in_again())


def change_roles(house: Household) -> None:
    """Ada becomes a supporter, and every session of hers knows it at its next use."""
    house.authority.accounts.set_roles(ADA, ["member", "support"], "cli")
    for name in ("this", "other"):
        assert house.roles(name) == ("member", "support")


def replay(house: Household) -> None:
    """The refresh token of "this" comes back, long after it was used."""
    used = house.held["this"].refresh
    house.renew("this")
    house.turn(timedelta(seconds=10))
    with pytest.raises(InvalidGrant):
        house.authority.tokens.refresh(used, HERE)


def one_too_many(house: Household) -> None:
    """Ada, who may have two sessions here and used "this" last, begins a third."""
    house.turn(timedelta(minutes=2))
    house.in_use("this")
    house.keep("newest", house.sign_in_again())


def end_everyone(house: Household) -> None:
    """The operator ends every session there is."""
    house.authority.sessions.end_all("cli")


def rest(house: Household) -> None:
    """A week passes in which "this" alone is not used."""
    house.turn(timedelta(days=6))
    house.in_use("other", "bob's")
    house.turn(timedelta(days=1))


ROWS: dict[str, tuple[Action, set[str]]] = {
    "sign out": (sign_out, {"this"}),
    "sign in again in the same browser": (sign_in_again, {"this"}),
    "end one session (its owner, an administrator, the command line)": (end_one, {"this"}),
    "end all others": (end_others, {"other"}),
    "change one's own password": (change_password, {"other"}),
    "password set by the operator": (set_password, {"this", "other"}),
    "lock an account": (lock, {"this", "other"}),
    "unlock an account": (unlock, {"this", "other"}),
    "roles changed": (change_roles, set()),
    "a used-up refresh token comes back": (replay, {"this"}),
    "one session more than 100 for an account": (one_too_many, {"other"}),
    "end everyone (command line)": (end_everyone, {"this", "other", "bob's"}),
    "idle for 7 days, or 30 days old": (rest, {"this"}),
}
CASES = [
    pytest.param(row, this, id=f"{row}, by {this}")
    for row in ROWS
    for this in (COOKIE, TOKEN)
    if (row, this) != ("a used-up refresh token comes back", COOKIE)
]


@pytest.mark.parametrize(("row", "this"), CASES)
def test_each_action_ends_what_the_table_says_and_nothing_else(
    household: Household, row: str, this: Carrier
) -> None:
    """Every carrier of a dead session is refused, the rest go on, Bob never notices unless everyone ends."""
    action, dead = ROWS[row]
    household.people(this, COOKIE if this is TOKEN else TOKEN)
    assert household.dead() == set()
    action(household)
    assert household.dead() == dead


def test_the_table_has_these_rows() -> None:
    """No row of the table stands there without a test, and no test without its row."""
    page = (ROOT / "docs/concepts.md").read_text()
    section = page.split("## What revokes what\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    assert rows[2:] == list(ROWS)
