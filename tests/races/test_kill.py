"""kill -9 of a process that is ending, refreshing and changing things: what it acknowledged holds afterwards.

The process works through the services as a server does, and says each thing once it has been answered. It is killed at
moments nobody chose; then a fresh authority over the same file is asked.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer, OpaqueCookie
from gatepost.core.changes import Event
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError, InvalidCredentials, InvalidGrant
from gatepost.machine import SystemClock
from gatepost.services.beginnings import CookieIssued, Wish
from gatepost.services.commits import ReceiptState
from tests.races.contenders import PATIENCE, processes
from tests.services.installation import (
    HOME,
    NEW_PASSWORD,
    PASSWORD,
    Device,
    Installation,
    add_account,
    settle_in,
    trail,
)

ROUNDS = 20
# Dead passwords are tried all the time, and from one address.
UNHURRIED = {"guesses": {"per_address": 100_000}}


@dataclass(frozen=True)
class Said:
    """One thing that was answered: what was done, to whom, and what they held. `renewed` is a new refresh token."""

    act: str
    email: str
    cookie: str
    access: str
    refresh: str
    renewed: str = ""


@dataclass
class Worker:
    """Signs an account in, does one thing to it, says so; over and over."""

    at: Authority
    says: Connection
    emails: Iterator[str]
    done: list[Said] = field(default_factory=list)

    def work(self) -> None:
        """Until the process is killed."""
        for number in count():
            acts = (self.sign_in, self.sign_out, self.lock, self.refresh, self.change_password, self.replay)
            account = add_account(self.at, next(self.emails))
            browser = Device(self.at, account)
            program = Device(self.at, account, Carrier.TOKEN)
            assert isinstance(browser.credential, CookieIssued)
            held = Said(
                "",
                account.email.typed,
                browser.credential.handle.reveal(),
                program.pair.access.reveal(),
                program.pair.refresh.reveal(),
            )
            act = acts[number % len(acts)]
            renewed = act(browser, program)
            self.says.send(Said(act.__name__, held.email, held.cookie, held.access, held.refresh, renewed))

    def sign_in(self, browser: Device, program: Device) -> str:
        """Nothing beyond what was done already."""
        return ""

    def sign_out(self, browser: Device, program: Device) -> str:
        """Both devices."""
        self.at.sessions.sign_out(program.who(self.at), HOME)
        self.at.sessions.sign_out(browser.who(self.at), HOME)
        return ""

    def lock(self, browser: Device, program: Device) -> str:
        """By an operator."""
        self.at.accounts.lock(browser.session.account_id or "", "cli")
        return ""

    def refresh(self, browser: Device, program: Device) -> str:
        """By the program."""
        return program.refresh(self.at).refresh.reveal()

    def change_password(self, browser: Device, program: Device) -> str:
        """In the browser, which stays signed in."""
        self.at.accounts.change_password(browser.who(self.at), PASSWORD, NEW_PASSWORD, HOME)
        return ""

    def replay(self, browser: Device, program: Device) -> str:
        """A token that was used up two rotations ago."""
        used_up = program.pair.refresh.reveal()
        program.refresh(self.at)
        renewed = program.refresh(self.at).refresh.reveal()
        with pytest.raises(InvalidGrant):
            self.at.tokens.refresh(used_up, HOME)
        return renewed


def work_until_killed(folder: Path, number: int, says: Connection) -> None:
    """What the doomed process does."""
    emails = (f"r{number}n{index}@example.com" for index in count())
    Worker(Installation(folder, SystemClock(), sections=UNHURRIED).open(), says, emails).work()


def killed(folder: Path, number: int, moments: random.Random) -> list[Said]:
    """Start a process, let it work, kill it; what it had said by then."""
    context = processes()
    hears, says = context.Pipe(duplex=False)
    doomed = context.Process(target=work_until_killed, args=(folder, number, says))
    doomed.start()
    says.close()
    heard: list[Said] = []
    enough = moments.randrange(1, 14)
    while len(heard) < enough and hears.poll(PATIENCE):
        heard.append(hears.recv())
    # Somewhere in the middle of the next act, which takes a few milliseconds.
    hears.poll(moments.random() * 0.004)
    doomed.kill()
    doomed.join(PATIENCE)
    try:
        while True:
            heard.append(hears.recv())
    except EOFError:
        hears.close()
    return heard


def accepts(at: Authority, said: Said) -> set[str]:
    """Which of the things that somebody held are taken."""
    found = set()
    for name, carrier in (("cookie", OpaqueCookie(said.cookie)), ("access", Bearer(said.access))):
        try:
            at.guard.check(carrier)
            found.add(name)
        except GatepostError as error:
            assert error.status == 401
    try:
        pair = at.tokens.refresh(said.renewed or said.refresh, HOME)
        assert at.guard.check(Bearer(pair.access.reveal()))
        found.add("refresh")
    except InvalidGrant:
        pass
    return found


HOLDS = {
    "sign_in": {"cookie", "access", "refresh"},
    "sign_out": set(),
    "lock": set(),
    "refresh": {"cookie", "access", "refresh"},
    "change_password": {"cookie"},
    "replay": {"cookie"},
}
ROWS = {
    "sign_in": [],
    "sign_out": [Event.SIGNED_OUT, Event.SIGNED_OUT],
    "lock": [Event.ACCOUNT_LOCKED],
    "refresh": [],
    "change_password": [Event.PASSWORD_CHANGED],
    "replay": [Event.REFRESH_REPLAYED],
}


def require_holds(at: Authority, said: Said) -> None:
    """What was said is true, whole, and written down once."""
    if said.act == "refresh":
        # The answer is still there to be repeated, should it have been lost with the process.
        assert at.tokens.refresh(said.refresh, HOME).refresh.reveal() == said.renewed
    assert accepts(at, said) == HOLDS[said.act], said.act
    rows = [row.event for row in trail(at, at.accounts.find(said.email))]
    assert rows == [Event.SIGNED_IN, Event.SIGNED_IN, *ROWS[said.act]]
    for password in (PASSWORD, NEW_PASSWORD):
        right = password == (NEW_PASSWORD if said.act == "change_password" else PASSWORD)
        if right and said.act != "lock":
            assert at.sign_in.sign_in(said.email, password, Wish(HOME))
        else:
            with pytest.raises(InvalidCredentials):
                at.sign_in.sign_in(said.email, password, Wish(HOME))


def test_what_was_acknowledged_holds_after_kill_9(installation: Installation) -> None:
    """Twenty processes in a row, each killed in the middle of its work: every answer they gave is kept."""
    installation.sections.update(UNHURRIED)
    bystander = settle_in(installation.open(), "bystander@example.com")
    installation.close()
    moments = random.Random(9)
    acts: list[str] = []
    for number in range(ROUNDS):
        heard = killed(installation.folder, number, moments)
        authority = installation.open()
        for said in heard:
            require_holds(authority, said)
        receipt = authority.accounts.end_sessions(authority.accounts.find(heard[0].email).id, "cli").receipt
        assert receipt is not None
        # The dead process is not waited for: its row went when this one started.
        assert receipt.state is ReceiptState.IN_FORCE
        acts += [said.act for said in heard]
        installation.close()
    assert set(acts) == set(HOLDS)
    assert bystander.holds(installation.open()) == {"cookie", "access", "refresh"}
    with closing(sqlite3.connect(installation.folder / "gatepost.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
