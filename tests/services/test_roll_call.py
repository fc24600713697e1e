"""A receipt names every server process: how long each took to confirm, and who stayed silent."""

import os
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.ports import FollowerRow
from gatepost.machine import SystemClock
from gatepost.services.commits import ReceiptState
from gatepost.services.roll_call import Hearing
from tests.services.installation import Installation, add_account

SILENT = "a silent process"


@pytest.fixture
def quick(installation: Installation) -> Authority:
    """A server with a short bound, on clocks that really go."""
    installation.clock = SystemClock()
    installation.sections = {"revocation": {"bound": "300ms"}}
    return installation.open()


def test_every_process_that_confirmed_is_named(installation: Installation) -> None:
    """The one that ended it at once, its neighbour after as long as it took."""
    installation.clock = SystemClock()
    # No busy machine reaches it: nobody is silent here.
    installation.sections = {"revocation": {"bound": "15s"}}
    first, _ = installation.open(), installation.open()
    receipt = first.accounts.end_sessions(add_account(first).id, "cli").receipt
    assert receipt is not None
    took = (receipt.in_force_at - receipt.committed_at).total_seconds()
    own, other = sorted(receipt.workers, key=lambda one: one.seconds or 0.0)
    assert (own.seconds, own.pid) == (0.0, os.getpid())
    assert other.seconds is not None
    assert 0.0 < other.seconds <= took + 0.05
    assert receipt.state is ReceiptState.IN_FORCE


def test_a_silent_process_is_named_without_a_time(quick: Authority) -> None:
    """It has not confirmed; its lease has ended."""
    quick.log.confirm(FollowerRow(SILENT, 7, 0, quick.clock.now()))
    receipt = quick.accounts.end_sessions(add_account(quick).id, "cli").receipt
    assert receipt is not None
    assert receipt.state is ReceiptState.BOUNDED
    assert Hearing(SILENT, 7, None) in receipt.workers
    assert len(receipt.workers) == 2


def test_servers_are_listed_with_how_far_behind_they_are(authority: Authority) -> None:
    """In facts of the log; one that has said nothing for a minute is quiet, and one is the one that answers."""
    account = add_account(authority)
    for _ in range(2):
        authority.accounts.end_sessions(account.id, "cli")
    now = authority.clock.now()
    authority.log.confirm(FollowerRow(SILENT, 7, 0, now - timedelta(seconds=61)))
    authority.log.confirm(FollowerRow("late", 8, 0, now - timedelta(seconds=60)))
    listed = {one.pid: one for one in authority.servers.listed()}
    assert (listed[7].behind, listed[7].quiet, listed[7].own) == (2, True, False)
    assert (listed[8].behind, listed[8].quiet) == (2, False)
    assert (listed[os.getpid()].quiet, listed[os.getpid()].own) == (False, True)
