"""The table "What revokes what" of docs/concepts.md, row by row, with each carrier in each place."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.core.keys import KeyState
from gatepost.core.sessions import FIRST_PARTY, Carrier
from gatepost.errors import InvalidCredentials, InvalidGrant, Refused, Revoked
from gatepost.services.beginnings import Wish
from tests.docs.household import ADA, HERE, NEW_PASSWORD, PASSWORD, Household

ROOT = Path(__file__).resolve().parents[2]
COOKIE, SEALED, TOKEN, TOKEN_COOKIE = Carrier
BESIDE = {COOKIE: TOKEN, SEALED: TOKEN_COOKIE, TOKEN: COOKIE, TOKEN_COOKIE: SEALED}
GRACE = {TOKEN: timedelta(seconds=10), TOKEN_COOKIE: timedelta(minutes=10)}
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


def reauthenticate(house: Household) -> None:
    """Ada shows her password again in "this", which goes on under a new id."""
    wish = Wish(HERE, house.held["this"].carrier)
    house.keep("newest", house.authority.reauthentication.prove(house.principal("this"), PASSWORD, wish))


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
    held = house.held["this"]
    used = held.refresh
    house.renew("this")
    house.turn(GRACE[held.carrier])
    with pytest.raises(InvalidGrant):
        house.authority.tokens.refresh(used, HERE, carrier=held.carrier)


def revoke_access_token(house: Household) -> None:
    """Ada's program hands its access token to `/oauth/revoke`; the token is over, not what it can be renewed with."""
    house.authority.revocation.revoke(FIRST_PARTY, house.held["this"].access, HERE)
    with pytest.raises(Revoked):
        house.principal("this")


def revoke_refresh_token(house: Household) -> None:
    """Ada's program hands its refresh token to `/oauth/revoke`."""
    house.authority.revocation.revoke(FIRST_PARTY, house.held["this"].refresh, HERE)


def turn_keys(house: Household) -> None:
    """All keys turn; what was signed or sealed before passes as it is."""
    house.authority.keys.rotate("cli")
    before = [held.credential for held in house.held.values()]
    for name in house.held:
        house.principal(name)
    assert [held.credential for held in house.held.values()] == before


def withdraw_keys(house: Household) -> None:
    """Every active key is withdrawn; no access token passes, and nothing that was sealed passes as it is."""
    for key in house.authority.keys.listed():
        if key.state is KeyState.ACTIVE:
            house.authority.keys.withdraw(key.id, "cli")
    for held in house.held.values():
        if held.carrier is COOKIE:
            house.authority.guard.check(held.presented)
            continue
        with pytest.raises(Refused):
            house.authority.guard.check(held.presented)


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
    "show one's own password again": (reauthenticate, {"this"}),
    "password set by the operator": (set_password, {"this", "other"}),
    "lock an account": (lock, {"this", "other"}),
    "unlock an account": (unlock, {"this", "other"}),
    "roles changed": (change_roles, set()),
    "a used-up refresh token comes back": (replay, {"this"}),
    "an access token is handed to `/oauth/revoke`": (revoke_access_token, set()),
    "a refresh token is handed to `/oauth/revoke`": (revoke_refresh_token, {"this"}),
    "keys turn": (turn_keys, set()),
    "a key is withdrawn (`key rotate --compromised`)": (withdraw_keys, set()),
    "one session more than 100 for an account": (one_too_many, {"other"}),
    "end everyone (an administrator, the command line)": (end_everyone, {"this", "other", "bob's"}),
    "idle for 7 days, or 30 days old": (rest, {"this"}),
}
ONLY = {
    "a used-up refresh token comes back": {TOKEN, TOKEN_COOKIE},
    "an access token is handed to `/oauth/revoke`": {TOKEN},
    "a refresh token is handed to `/oauth/revoke`": {TOKEN},
}
CASES = [
    pytest.param(row, this, id=f"{row}, by {this}")
    for row in ROWS
    for this in Carrier
    if this in ONLY.get(row, Carrier)
]


@pytest.mark.parametrize(("row", "this"), CASES)
def test_each_action_ends_what_the_table_says_and_nothing_else(
    household: Household, row: str, this: Carrier
) -> None:
    """Every carrier of a dead session is refused, the rest go on, Bob never notices unless everyone ends."""
    action, dead = ROWS[row]
    household.people(this, BESIDE[this])
    assert household.dead() == set()
    action(household)
    assert household.dead() == dead


def test_the_table_has_these_rows() -> None:
    """No row of the table stands there without a test, and no test without its row."""
    page = (ROOT / "docs/concepts.md").read_text()
    section = page.split("## What revokes what\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    assert rows[2:] == list(ROWS)
