"""Two processes that start at the same moment on an empty database end up with one signing key."""

from functools import partial

from gatepost.authority import Authority, Machine
from gatepost.core.changes import Event
from gatepost.core.sessions import Carrier
from gatepost.machine import SystemClock, SystemRandomness, read_or_make_master_key
from gatepost.settings import load_settings
from gatepost.stores.sql import SqlStore
from gatepost.testing.holding import HeldRandomness, at_once
from gatepost.testing.services import CHEAP
from tests.races.contenders import contend_in_processes, sign_up
from tests.services.installation import Device, Installation, add_account, trail


def test_two_that_find_no_signing_key_make_one(installation: Installation) -> None:
    """Both have seen that there is none; what either signs the other takes."""
    folder = installation.folder
    SqlStore.open(folder / "gatepost.db", SystemRandomness()).close()
    read_or_make_master_key(folder / "master.key", SystemRandomness())
    settings = load_settings({"data": str(folder)}, environ={}, directory=folder)
    randomness = HeldRandomness(SystemRandomness())
    # The first thing that an authority draws now is for the key that it makes because there is none.
    start = partial(Authority, settings, Machine(SystemClock(), randomness, profile=CHEAP))
    both = [done.result() for done in at_once(randomness.drawing, start, start)]
    for authority in both:
        installation.opened.append(authority)
        authority.start()
    first, second = both
    account = add_account(first)
    for at, other in ((first, second), (second, first)):
        assert Device(at, account, Carrier.TOKEN).holds(other) == {"access", "refresh"}
    assert first.ring.jwks() == second.ring.jwks()
    assert [row.event for row in trail(first)].count(Event.KEY_MADE) == 1


def test_two_processes_that_start_at_once_share_what_they_make(installation: Installation) -> None:
    """Servers that start side by side on an empty database serve the same people afterwards."""
    read_or_make_master_key(installation.folder / "master.key", SystemRandomness())
    answers = contend_in_processes(installation.folder, sign_up, "ada@example.com", threads=4)
    assert answers.count("EmailTaken") == len(answers) - 1
    authority = installation.open()
    assert len(authority.store.ring_keys()) == 5
    assert len(authority.accounts.page(after=None, limit=10)[0]) == 1
