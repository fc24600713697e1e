"""While everybody goes on: no request that begins after an ending was answered gets through, anywhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from gatepost.authority import Authority
from gatepost.core.sessions import Carrier
from gatepost.errors import GatepostError
from gatepost.services.beginnings import Wish
from gatepost.services.commits import ReceiptState
from tests.races.contenders import ROOM, contend
from tests.services.installation import (
    HOME,
    PASSWORD,
    WAYS_TO_HOLD,
    Device,
    Installation,
    Person,
    add_account,
    secrets_of,
    settle_in,
)

ROUNDS = 10
Ending = Callable[[Authority, Person], object]


@dataclass
class Traffic:
    """Threads that check carriers until they are told to stop, and what got through too late."""

    answered: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    late: list[str] = field(default_factory=list)
    passed: int = 0

    def ask(self, name: str, at: Authority, device: Device) -> None:
        """Check one carrier over and over."""
        # A breath between two requests: threads that spin would leave the followers no time of the interpreter.
        while not self.stopped.wait(0.0005):
            began_late = self.answered.is_set()
            try:
                device.who(at)
            except GatepostError:
                continue
            self.passed += 1
            if began_late:
                self.late.append(name)

    @contextmanager
    def of(self, person: Person, *everywhere: Authority) -> Iterator[None]:
        """Let a person's browser and program ask at every process."""
        threads = [
            threading.Thread(target=self.ask, args=(f"{device} at {at}", at, device))
            for at in everywhere
            for device in (person.browser, person.program)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize(
    "end",
    [
        lambda at, person: at.accounts.lock(person.account.id, "cli").receipt,
        lambda at, person: at.accounts.end_sessions(person.account.id, "cli").receipt,
        lambda at, person: at.sessions.end_all("cli"),
    ],
    ids=["lock", "end_sessions", "end_all"],
)
def test_nothing_passes_that_begins_after_the_answer(installation: Installation, end: Ending) -> None:
    """Two processes, a cookie and a token, asked all the time: after the answer not one check succeeds."""
    authority, neighbour = installation.open(), installation.open()
    for number in range(ROUNDS):
        person = settle_in(authority, f"ada{number}@example.com")
        traffic = Traffic()
        with traffic.of(person, authority, neighbour):
            while traffic.passed < 20:
                threading.Event().wait(0.001)
            receipt = end(authority, person)
            traffic.answered.set()
            assert all(not person.holds(at) for at in (neighbour, authority))
        assert traffic.late == []
        assert getattr(receipt, "state", None) is ReceiptState.IN_FORCE


def test_a_refresh_storm_does_not_outlive_a_lock(installation: Installation) -> None:
    """Eight clients that refresh without a pause while the account is locked: all are out, and none comes back."""
    authority, neighbour = installation.open(), installation.open()
    account = add_account(authority)
    devices = [Device(authority, account, Carrier.TOKEN) for _ in range(8)]
    going = threading.Barrier(len(devices) + 1)

    def storm(number: int) -> None:
        at = (authority, neighbour)[number % 2]
        going.wait()
        while True:
            try:
                devices[number].refresh(at)
            except GatepostError:
                return

    threads = [threading.Thread(target=storm, args=(number,)) for number in range(len(devices))]
    for thread in threads:
        thread.start()
    going.wait()
    authority.accounts.lock(account.id, "cli")
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    authority.accounts.unlock(account.id, "cli")
    for device in devices:
        assert device.holds(authority) == device.holds(neighbour) == frozenset()


def sign_in(at: Authority, email: str, number: int) -> str:
    """One more session of an account."""
    return secrets_of(at.sign_in.sign_in(email, PASSWORD, Wish(HOME)))[0]


def test_parallel_sign_ins_pass_the_cap_by_no_more_than_themselves(installation: Installation) -> None:
    """16 at once over a cap of 4 leave at most 20 sessions, and the next sign-in brings it back to 4."""
    # More tries in flight than an account has free ones are asked to wait: that is another test's subject.
    installation.sections = {**ROOM, "sessions": {"per_account": 4}, "guesses": {"per_account": 1000}}
    authority = installation.open()
    account = add_account(authority)
    for _ in range(4):
        Device(authority, account)
    answers = contend(authority, sign_in, account.email.typed, range(16))
    assert len(set(answers)) == 16
    assert 4 <= len(authority.sessions.of_account(account.id)) <= 20
    newest = Device(authority, account)
    live = [standing.session.id for standing in authority.sessions.of_account(account.id)]
    assert len(live) == 4
    assert newest.session.id in live


def test_bystanders_notice_nothing_of_a_storm_of_endings(installation: Installation) -> None:
    """Fifty sign-ins and sign-outs of others cost nobody a session, a role or a refresh."""
    authority, neighbour = installation.open(), installation.open()
    bystander = settle_in(authority, "bystander@example.com")
    traffic = Traffic()
    with traffic.of(bystander, authority, neighbour):
        account = add_account(authority)
        for _ in range(50):
            authority.sessions.sign_out(Device(neighbour, account).who(neighbour), HOME)
    assert traffic.passed > 0
    for at in (authority, neighbour):
        assert bystander.holds(at) == WAYS_TO_HOLD
