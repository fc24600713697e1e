"""Theft of every carrier (requirement F2): performed over HTTP, and the table of docs/security.md is what was found.

Each cell is a theft of its own: somebody signs in with one carrier on one device and with a cookie on another, the
thief copies what the first one holds, something happens, and the thief asks again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gatepost.core.keys import KeyState
from tests.attacks.victims import ACCESS, OURS, PASSWORD, REFRESH, SEALED, Bank, Device, open_bank
from tests.certificates import Certificates, make_certificates

PAGE = Path(__file__).resolve().parents[2] / "docs/security.md"
TICK = timedelta(microseconds=1)
HORIZON, GRACE, IDLE = timedelta(minutes=10), timedelta(seconds=10), timedelta(days=7)
LONG, ABSOLUTE = timedelta(days=6), timedelta(days=30)

LOOT = (
    "cookie",
    "sealed cookie",
    "access token",
    "refresh token",
    "access token's cookie",
    "refresh token's cookie",
)


@dataclass
class Theft:
    """Somebody's two devices, and what the thief has of the first. `admin` is somebody who may end what is hers."""

    bank: Bank
    email: str
    owner: Device
    other: Device
    thief: Device
    loot: str

    def use(self) -> bool:
        """Whether the thief is the owner now. A refresh token is used by refreshing, and what comes of it is kept."""
        if self.loot == "refresh token" and self.thief.renew() != 200:
            return False
        return self.thief.whoami() == self.email

    def owner_uses(self) -> bool:
        """Whether the owner is signed in on the first device, after a refresh where the program has to do that."""
        if self.owner.refresh and self.owner.renew() != 200:
            return False
        return self.owner.whoami() == self.email

    def admin(self) -> Device:
        """An administrator, signed in just now."""
        return self.bank.device().sign_in(email=self.bank.newcomer("admin"))


def steal(owner: Device, loot: str) -> Device:
    """What the thief holds after a copy of this one thing."""
    bank = owner.bank
    match loot:
        case "access token":
            return bank.thief(bearer=owner.bearer)
        case "refresh token":
            thief = bank.thief()
            thief.refresh = owner.refresh
            return thief
        case "access token's cookie":
            return bank.thief({ACCESS: owner.jar[ACCESS]})
        case "refresh token's cookie":
            return bank.thief({REFRESH: owner.jar[REFRESH]})
        case _:
            return bank.thief({name: value for name, value in owner.jar.items() if "csrf" not in name})


def carrier_of(loot: str) -> str:
    """With which carrier one signs in to have this."""
    if loot.endswith("token's cookie"):
        return "token-cookie"
    return {"cookie": "cookie", "sealed cookie": "sealed"}.get(loot, "token")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The certificates of this module."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def bank(certificates: Certificates, tmp_path: Path) -> Iterator[Bank]:
    """A bank for each test: its clock is turned by months."""
    with open_bank(tmp_path, certificates) as opened:
        yield opened


def commit_theft(bank: Bank, loot: str) -> Theft:
    """Somebody new signs in on two devices, and a thief copies one thing from the first."""
    email = bank.newcomer()
    owner, other = bank.device().sign_in(carrier_of(loot), email), bank.device().sign_in(email=email)
    return Theft(bank, email, owner, other, steal(owner, loot), loot)


def sign_out(theft: Theft) -> None:
    """The owner signs out where it was stolen."""
    assert theft.owner.ask("POST", "/auth/api/sign-out").status_code == 204


def end_others(theft: Theft) -> None:
    """The owner ends all other sessions from another device."""
    assert theft.other.ask("DELETE", "/auth/api/sessions").status_code == 204


def end_this(theft: Theft) -> None:
    """The owner ends this session in the list on another device."""
    path = f"/auth/api/sessions/{theft.owner.session_id}"
    assert theft.other.ask("DELETE", path).status_code == 204


def change_password(theft: Theft) -> None:
    """The owner changes the password on another device."""
    body = {"current": PASSWORD, "new": "seven quiet lamps in a row"}
    assert theft.other.ask("POST", "/auth/api/password", json=body).status_code == 204


def lock(theft: Theft) -> None:
    """An administrator locks the account."""
    account = theft.owner.ask("GET", "/auth/api/session").json()["account"]["id"]
    assert theft.admin().ask("POST", f"/auth/api/admin/accounts/{account}/lock").status_code == 200


def take_role(theft: Theft) -> None:
    """An administrator changes the roles of the account."""
    account = theft.owner.ask("GET", "/auth/api/session").json()["account"]["id"]
    body = {"roles": ["member", "support"]}
    answer = theft.admin().ask("PUT", f"/auth/api/admin/accounts/{account}/roles", json=body)
    assert answer.status_code == 200


def come_back(theft: Theft) -> None:
    """The thief uses it at once; the owner comes back when every grace is over, with what was copied."""
    assert theft.use()
    theft.bank.turn(HORIZON)
    theft.owner_uses()


def come_late(theft: Theft) -> None:
    """The owner goes on and renews; the thief tries the copy when every grace is over."""
    theft.bank.turn(HORIZON)
    assert theft.owner_uses()
    theft.bank.turn(HORIZON)
    theft.use()


def wait_for_the_horizon(theft: Theft) -> None:
    """Ten minutes pass, and nobody does anything."""
    theft.bank.turn(HORIZON)


def rest(theft: Theft) -> None:
    """Nobody uses the session for seven days."""
    theft.bank.turn(IDLE)


def keep_busy(theft: Theft) -> None:
    """The thief uses it every six days, until thirty are over."""
    for _ in range(ABSOLUTE // LONG):
        theft.use()
        theft.bank.authority.housekeeper.flush()
        theft.bank.turn(LONG)


def rotate(theft: Theft) -> None:
    """An administrator turns all keys."""
    assert theft.admin().ask("POST", "/auth/api/admin/keys/rotate").status_code == 200


def withdraw(theft: Theft) -> None:
    """An administrator withdraws every key that signs or seals, because somebody else may have them."""
    admin = theft.admin()
    for key in theft.bank.authority.keys.listed():
        if key.state is KeyState.ACTIVE:
            answer = admin.ask("POST", "/auth/api/admin/keys/rotate", json={"compromised": key.id})
            assert answer.status_code == 200, answer.text


HAPPENINGS: dict[str, Callable[[Theft], None]] = {
    "the owner signs out where it was stolen": sign_out,
    "the owner ends it in the list of sessions": end_this,
    "the owner ends all other sessions": end_others,
    "the owner changes the password elsewhere": change_password,
    "an administrator locks the account": lock,
    "an administrator changes its roles": take_role,
    "the thief uses it, the owner comes back 10 minutes later": come_back,
    "the owner renews, the thief comes 10 minutes later": come_late,
    "10 minutes pass": wait_for_the_horizon,
    "7 days pass and nobody uses it": rest,
    "30 days pass, however busy the thief is": keep_busy,
    "the keys turn": rotate,
    "the keys are withdrawn as compromised": withdraw,
}


def told() -> dict[str, tuple[str, ...]]:
    """The table of the page: for each happening what becomes of each loot."""
    section = PAGE.read_text().partition("## What a thief gets")[2].partition("\n## ")[0]
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in section.splitlines()
        if "|" in line
    ]
    assert rows[0][1:] == LOOT
    return {row[0]: row[1:] for row in rows[2:]}


def test_the_page_tells_every_happening_and_no_other() -> None:
    """What is tried below is what the page has a row for."""
    assert list(told()) == list(HAPPENINGS)


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_the_table_of_the_page_is_what_a_thief_finds(bank: Bank, happening: str) -> None:
    """For each carrier: whether the thief is still signed in as the owner afterwards."""
    found = []
    for loot in LOOT:
        theft = commit_theft(bank, loot)
        HAPPENINGS[happening](theft)
        found.append("lives" if theft.use() else "ends")
    assert told()[happening] == tuple(found)


@pytest.mark.parametrize("loot", LOOT)
def test_every_stolen_carrier_is_the_whole_session_at_first(bank: Bank, loot: str) -> None:
    """The table has teeth: before anything happens the thief reads, writes and sees the owner's list of sessions."""
    theft = commit_theft(bank, loot)
    assert theft.use()
    thief = theft.thief
    thief.says = dict(OURS)
    assert thief.ask("PATCH", "/auth/api/session/data", json={"by": "thief"}).status_code == 200
    assert len(thief.ask("GET", "/auth/api/sessions").json()["items"]) == 2
    wrong = {"current": "not known to the thief", "new": "seven quiet lamps in a row"}
    assert thief.ask("POST", "/auth/api/password", json=wrong).status_code == 401


@pytest.mark.parametrize(
    ("loot", "limit"),
    [
        ("access token", HORIZON),
        ("access token's cookie", HORIZON),
        ("cookie", IDLE),
        ("sealed cookie", IDLE),
        ("refresh token", IDLE),
        ("refresh token's cookie", IDLE),
    ],
)
def test_loot_that_ends_by_time_ends_at_that_very_moment(bank: Bank, loot: str, limit: timedelta) -> None:
    """A tick before it is good, at the moment it is nothing."""
    early, late = commit_theft(bank, loot), commit_theft(bank, loot)
    bank.turn(limit - TICK)
    assert early.use()
    bank.turn(TICK)
    assert not late.use()


@pytest.mark.parametrize("loot", ["refresh token", "refresh token's cookie"])
@pytest.mark.parametrize("first", ["thief", "owner"])
def test_replay_ends_the_session_for_thief_and_owner(bank: Bank, loot: str, first: str) -> None:
    """Whoever comes second with the used-up token: both are out, and the other device of the owner is not."""
    theft = commit_theft(bank, loot)
    (come_back if first == "thief" else come_late)(theft)
    assert not theft.use()
    assert not theft.owner_uses()
    assert theft.other.whoami() == theft.email


def test_thief_inside_the_grace_gets_what_the_owner_got(bank: Bank) -> None:
    """A tick before 10 s are over the same pair; at 10 s the session ends."""
    for wait, lives in ((GRACE - TICK, True), (GRACE, False)):
        theft = commit_theft(bank, "refresh token")
        assert theft.owner.renew() == 200
        theft.bank.turn(wait)
        assert theft.use() is lives
        assert (theft.thief.refresh == theft.owner.refresh) is lives
        assert (theft.owner.whoami() == theft.email) is lives


def test_thief_who_shared_the_grace_is_found_out_at_the_next_refresh(bank: Bank) -> None:
    """Delayed, not excluded: both hold the same token now, and the later of the two ends the session."""
    theft = commit_theft(bank, "refresh token")
    assert theft.owner.renew() == 200
    assert theft.use()
    assert theft.thief.renew() == 200
    theft.bank.turn(GRACE)
    assert theft.owner.renew() == 400
    assert not theft.use()


def test_stolen_token_of_cookies_is_no_program_s_token(bank: Bank) -> None:
    """A refresh token out of a cookie is not taken at the token endpoint, nor a program's one in a cookie."""
    theft = commit_theft(bank, "refresh token's cookie")
    theft.thief.refresh = theft.thief.jar.pop(REFRESH)
    assert theft.thief.renew() == 400
    swapped = commit_theft(bank, "refresh token")
    assert bank.thief({REFRESH: swapped.thief.refresh}).whoami() is None


def test_older_copy_of_a_sealed_cookie_shows_old_data_for_ten_minutes_at_most(
    bank: Bank,
) -> None:
    """It reads what was in it, a write with it goes to the record and undoes nothing, and at the horizon it is new."""
    theft = commit_theft(bank, "sealed cookie")
    theft.owner.says = dict(OURS)
    assert theft.owner.ask("PATCH", "/auth/api/session/data", json={"paid": True}).status_code == 200
    assert theft.owner.jar[SEALED] != theft.thief.jar[SEALED]
    copy, writing = theft.thief.copy(), theft.thief.copy()
    assert data_of(copy) == {}
    writing.says = dict(OURS)
    answer = writing.ask("PATCH", "/auth/api/session/data", json={"by": "thief"})
    assert answer.json()["data"] == {"paid": True, "by": "thief"}
    theft.bank.turn(HORIZON - TICK)
    assert data_of(copy) == {}
    theft.bank.turn(TICK)
    assert data_of(copy) == {"paid": True, "by": "thief"}


def data_of(device: Device) -> dict[str, object]:
    """The application's data as this device is shown it."""
    found: dict[str, object] = device.ask("GET", "/auth/api/session").json()["session"]["data"]
    return found
