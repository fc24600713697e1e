"""What a receipt promises: every live process has confirmed, or the lease of a silent one has ended."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.ports import FollowerRow
from gatepost.core.sessions import Carrier
from gatepost.errors import Revoked
from gatepost.machine import SystemClock
from gatepost.services.commits import Receipt, ReceiptState
from tests.services.installation import Device, Installation, add_account

BOUND = 0.3
SILENT = "a silent process"


@pytest.fixture
def quick(installation: Installation) -> Authority:
    """A server with a short bound, on clocks that really go."""
    installation.clock = SystemClock()
    installation.sections = {"revocation": {"bound": "300ms"}}
    return installation.open()


@pytest.fixture
def steady(installation: Installation) -> Authority:
    """The same with a bound that no busy machine reaches, where nobody is silent."""
    installation.clock = SystemClock()
    installation.sections = {"revocation": {"bound": "15s"}}
    return installation.open()


def place_follower(at: Authority, seq: int, age: timedelta = timedelta()) -> None:
    """A row such as a server process writes, by one that will never write another."""
    at.log.confirm(FollowerRow(SILENT, os.getpid(), seq, at.clock.now() - age))


def timed_end(at: Authority, account_id: str) -> tuple[Receipt, float]:
    """End an account's sessions; the receipt and the seconds it took."""
    began = time.monotonic()
    receipt = at.accounts.end_sessions(account_id, "cli").receipt
    assert receipt is not None
    return receipt, time.monotonic() - began


def test_alone_an_ending_is_in_force_at_once(steady: Authority) -> None:
    """With one process there is nobody to wait for."""
    receipt, _ = timed_end(steady, add_account(steady).id)
    assert receipt.state is ReceiptState.IN_FORCE
    assert receipt.committed_at <= receipt.in_force_at < receipt.latest_at
    assert receipt.latest_at - receipt.committed_at == timedelta(seconds=15)


def test_an_ending_waits_for_a_live_neighbour(installation: Installation, steady: Authority) -> None:
    """When the receipt says in force, the other process has read the fact, sooner than its lease would end."""
    neighbour = installation.open()
    program = Device(steady, add_account(steady), Carrier.TOKEN)
    program.who(neighbour)
    receipt, _ = timed_end(steady, program.session.account_id or "")
    assert neighbour.follower.position is not None
    assert str(neighbour.follower.position) == receipt.pos
    assert receipt.state is ReceiptState.IN_FORCE
    with pytest.raises(Revoked):
        program.who(neighbour)


def test_a_silent_process_is_waited_for_until_its_lease_has_ended(quick: Authority) -> None:
    """The answer comes after the bound, not sooner and not much later, and says that it was bounded."""
    account = add_account(quick)
    place_follower(quick, seq=0)
    receipt, took = timed_end(quick, account.id)
    assert receipt.state is ReceiptState.BOUNDED
    assert took >= BOUND
    assert receipt.in_force_at >= receipt.latest_at


def test_a_process_that_has_read_further_is_not_waited_for(steady: Authority) -> None:
    """Whoever has confirmed this fact or a later one has heard of it."""
    account = add_account(steady)
    place_follower(steady, seq=1)
    receipt, _ = timed_end(steady, account.id)
    assert receipt.state is ReceiptState.IN_FORCE


def test_nobody_waits_twice_for_a_process_that_stays_silent(installation: Installation) -> None:
    """Its lease has ended and it can renew it only by reading: a crashed server slows down one ending, not all."""
    installation.clock = SystemClock()
    installation.sections = {"revocation": {"bound": "2s"}}
    server = installation.open()
    account = add_account(server)
    place_follower(server, seq=0)
    first, waited = timed_end(server, account.id)
    second, _ = timed_end(server, account.id)
    assert (first.state, second.state) == (ReceiptState.BOUNDED, ReceiptState.BOUNDED)
    assert waited >= 2
    assert second.in_force_at < second.latest_at


def test_a_silent_process_that_spoke_again_is_waited_for_again(quick: Authority) -> None:
    """A row that has moved belongs to a process that lives: its lease may be fresh."""
    account = add_account(quick)
    place_follower(quick, seq=0)
    timed_end(quick, account.id)
    place_follower(quick, seq=1)
    receipt, took = timed_end(quick, account.id)
    assert receipt.state is ReceiptState.BOUNDED
    assert took >= BOUND


def test_a_process_that_speaks_while_it_is_waited_for_is_waited_for_again(quick: Authority) -> None:
    """What it has written announces a lease, which has not ended when the wait for its older row is over."""
    place_follower(quick, seq=0)
    account = add_account(quick)
    speaking = threading.Timer(BOUND / 2, place_follower, (quick, 0, timedelta(seconds=1)))
    speaking.start()
    timed_end(quick, account.id)
    speaking.join()
    _, took = timed_end(quick, account.id)
    assert took >= BOUND


def test_a_wall_clock_that_is_set_does_not_hide_a_silent_process(quick: Authority) -> None:
    """However old its row looks, it is waited for: only the bound on the boot clock says that a lease has ended."""
    account = add_account(quick)
    place_follower(quick, seq=0, age=timedelta(days=1))
    receipt, took = timed_end(quick, account.id)
    assert receipt.state is ReceiptState.BOUNDED
    assert took >= BOUND


def test_a_server_that_starts_removes_the_rows_of_dead_ones(
    installation: Installation, quick: Authority
) -> None:
    """The row of a process that is no more does not make the next ending wait."""
    [own] = quick.log.followers()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    quick.log.confirm(FollowerRow(SILENT, dead.pid, 0, quick.clock.now()))
    neighbour = installation.open()
    rows = {row.instance for row in quick.log.followers()}
    assert own.instance in rows
    assert SILENT not in rows
    assert len(rows) == 2
    neighbour.stop()
    assert {row.instance for row in quick.log.followers()} == {own.instance}


def test_a_command_beside_the_server_waits_for_it(installation: Installation, steady: Authority) -> None:
    """An authority that follows nothing itself, as a command does, ends things in the server all the same."""
    program = Device(steady, add_account(steady), Carrier.TOKEN)
    program.who(steady)
    beside = installation.unstarted()
    receipt, _ = timed_end(beside, program.session.account_id or "")
    beside.stop()
    assert receipt.state is ReceiptState.IN_FORCE
    with pytest.raises(Revoked):
        program.who(steady)
