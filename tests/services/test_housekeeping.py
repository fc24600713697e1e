"""What a server does by itself: flushing, sweeping, forgetting; and what a jump of the wall clock does to it."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Change, Event
from gatepost.core.sessions import Carrier
from gatepost.errors import Busy, Expired, Outdated, Refused, StoreUnusable
from gatepost.services.beginnings import Wish
from gatepost.services.housekeeping import BATCH
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, PASSWORD, Device, Installation, add_account, presented

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
def quiet(installation: Installation) -> Authority:
    """A server whose housekeeper does nothing by itself."""
    authority = installation.open()
    authority.housekeeper.stop()
    return authority


def remembered(at: Authority) -> timedelta:
    """How long a fact stays in memory: horizon, twice the leeway, and the deadline of a request."""
    revocation = at.settings.revocation
    return revocation.horizon + 2 * revocation.leeway + revocation.request_deadline


def last_seen(at: Authority, device: Device) -> object:
    """What the database says of when a session was last used."""
    view = at.store.session(device.session.id)
    return view.session.last_seen_at if view else None


def test_what_was_seen_reaches_the_database_in_a_batch(quiet: Authority, clock: TurnableClock) -> None:
    """Until the flush the database knows nothing of a check, after it the moment of the check."""
    device = Device(quiet, add_account(quiet))
    began = clock.now()
    clock.turn(timedelta(hours=1))
    device.who(quiet)
    assert last_seen(quiet, device) == began
    quiet.housekeeper.flush()
    assert last_seen(quiet, device) == clock.now()


def test_what_cannot_be_flushed_is_kept_for_the_next_time(quiet: Authority, clock: TurnableClock) -> None:
    """A database out of reach costs nobody the time they were active."""
    device = Device(quiet, add_account(quiet))
    clock.turn(timedelta(hours=1))
    device.who(quiet)
    quiet.follower.stop()
    quiet.store.close()
    with pytest.raises(StoreUnusable):
        quiet.housekeeper.flush()
    assert quiet.guard.take_seen() == [(device.session.id, clock.now())]


def test_a_session_in_use_at_one_server_does_not_look_idle_at_another(
    installation: Installation, clock: TurnableClock
) -> None:
    """The flush of one server is what the other reads before it refuses."""
    authority, neighbour = installation.open(), installation.open()
    device = Device(authority, add_account(authority))
    device.who(neighbour)
    idle = authority.settings.sessions.idle
    for _ in range(3):
        clock.turn(idle - TICK)
        device.who(authority)
        authority.housekeeper.flush()
    assert device.holds(neighbour) == {"cookie"}
    clock.turn(idle)
    for at in (authority, neighbour):
        with pytest.raises(Expired):
            device.who(at)


def test_the_dead_are_swept_and_the_living_are_not(quiet: Authority, clock: TurnableClock) -> None:
    """Sessions past their idle time, of ended accounts and of locked ones go; what stands stays."""
    idle, ended, locked, alive = (
        Device(quiet, add_account(quiet, f"{name}@example.com"), Carrier.TOKEN) for name in "abcd"
    )
    clock.turn(quiet.settings.sessions.idle - TICK)
    alive.refresh(quiet)
    quiet.housekeeper.flush()
    quiet.accounts.end_sessions(ended.session.account_id or "", "cli")
    quiet.accounts.lock(locked.session.account_id or "", "cli")
    clock.turn(TICK)
    assert quiet.housekeeper.sweep() >= 3
    there = [device for device in (idle, ended, locked, alive) if quiet.store.session(device.session.id)]
    assert there == [alive]
    assert alive.holds(quiet) == {"access", "refresh"}
    assert quiet.housekeeper.swept >= 3


def test_traffic_goes_on_while_a_thousand_visits_are_swept(
    installation: Installation, clock: TurnableClock
) -> None:
    """Sign-ins and checks at the same time all succeed; in the end only the dead are gone."""
    authority = installation.open()
    account = add_account(authority)
    for _ in range(10 * BATCH):
        authority.sign_in.visit(Carrier.COOKIE, HOME)
    clock.turn(authority.settings.sessions.visitor_empty)
    devices: list[Device] = []
    swept = threading.Event()

    def traffic() -> None:
        while not swept.is_set() or len(devices) < 20:
            devices.append(Device(authority, account))
            devices[0].who(authority)

    thread = threading.Thread(target=traffic)
    thread.start()
    gone = authority.housekeeper.sweep()
    swept.set()
    thread.join()
    authority.housekeeper.stop()
    assert gone + authority.housekeeper.swept >= 10 * BATCH
    assert len(authority.sessions.of_account(account.id)) == min(len(devices), 100)


def test_one_sweep_does_no_more_than_its_share(
    installation: Installation, authority: Authority, clock: TurnableClock
) -> None:
    """Fifty batches at most, so that flushing is not kept waiting; the next sweep goes on."""
    visit = authority.sign_in.visit(Carrier.COOKIE, HOME).session
    many = [replace(visit, id=f"visit {n}", handle=n.to_bytes(32, "big")) for n in range(50 * BATCH)]
    authority.commits.commit(Change(at=clock.now(), put=tuple(many)))
    beside = installation.unstarted()
    clock.turn(authority.settings.sessions.visitor_empty)
    authority.housekeeper.stop()
    before = authority.housekeeper.swept
    gone = beside.housekeeper.sweep()
    assert gone == min(50 * BATCH, 50 * BATCH + 1 - before)
    beside.housekeeper.sweep()
    assert beside.store.session(visit.id) is None
    beside.stop()


def test_a_process_that_follows_nothing_raises_no_floor(installation: Installation) -> None:
    """What a command beside the servers does not know, it declares forgotten for nobody."""
    beside = installation.unstarted()
    beside.housekeeper.raise_floor()
    assert beside.log.read(None).floor == 0
    beside.stop()


@pytest.mark.parametrize("later", [timedelta(), TICK])
def test_the_floor_rises_when_a_fact_has_been_remembered_for_long_enough(
    quiet: Authority, clock: TurnableClock, later: timedelta
) -> None:
    """Up to the last microsecond the fact is kept, one later everybody may forget it."""
    device = Device(quiet, add_account(quiet), Carrier.TOKEN)
    quiet.sessions.sign_out(device.who(quiet), HOME)
    wait_for_position(quiet, 1)
    quiet.housekeeper.tick()
    clock.turn(remembered(quiet) + later)
    quiet.housekeeper.tick()
    assert quiet.log.read(None).floor == (1 if later else 0)


def wait_for_position(at: Authority, seq: int) -> None:
    """Come back when the follower has read so far."""
    tries = threading.Event()
    while at.follower.position is None or at.follower.position.seq < seq:
        tries.wait(0.002)


@pytest.mark.parametrize("by", [DAY, -DAY, 365 * DAY])
def test_a_jump_of_the_wall_clock_forgets_no_fact(
    quiet: Authority, clock: TurnableClock, by: timedelta
) -> None:
    """Only time that really passed counts, on a clock that nobody sets."""
    program = Device(quiet, add_account(quiet), Carrier.TOKEN)
    quiet.sessions.sign_out(program.who(quiet), HOME)
    wait_for_position(quiet, 1)
    quiet.housekeeper.tick()
    clock.jump(by)
    quiet.housekeeper.tick()
    assert quiet.log.read(None).floor == 0
    # A clock that is set back adds one of its own.
    assert len(quiet.follower.revocations) == (2 if by < timedelta() else 1)


def test_a_clock_that_is_turned_back_revives_nothing_that_was_ended(
    installation: Installation, quiet: Authority, clock: TurnableClock
) -> None:
    """Not while the fact is remembered, and not after everybody has forgotten it."""
    account = add_account(quiet)
    program, browser = Device(quiet, account, Carrier.TOKEN), Device(quiet, account)
    before = presented(program.credential)
    quiet.accounts.end_sessions(account.id, "cli")
    clock.jump(-DAY)
    for device in (program, browser):
        assert device.holds(quiet) == frozenset()
    quiet.housekeeper.tick()
    clock.turn(remembered(quiet) + TICK)
    quiet.housekeeper.tick()
    clock.jump(-DAY)
    for at in (quiet, installation.open()):
        assert program.holds(at) == browser.holds(at) == frozenset()
        with pytest.raises(Refused):
            at.guard.check(before)


def test_of_all_processes_one_outdates_what_a_clock_that_was_set_back_makes_young(
    installation: Installation, quiet: Authority, clock: TurnableClock
) -> None:
    """One fact and one row for each time, whoever else noticed."""
    neighbour = installation.open()
    neighbour.housekeeper.stop()
    for times in (1, 2):
        clock.jump(-DAY)
        for at in (quiet, neighbour, quiet):
            at.housekeeper.watch_clock()
        assert quiet.store.position() == times
    rows = quiet.audit.page(account=None, after=0, limit=50)
    assert [row.event for _, row in rows if row.event is not Event.KEY_MADE] == [Event.CLOCK_SET_BACK] * 2


def test_the_outdating_is_owed_until_it_can_be_written(
    installation: Installation, quiet: Authority, clock: TurnableClock
) -> None:
    """Another program holds the database while the clock is set back; the next round makes up for it."""
    program = Device(quiet, add_account(quiet), Carrier.TOKEN)
    clock.jump(-DAY)
    with closing(sqlite3.connect(installation.folder / "gatepost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            quiet.housekeeper.watch_clock()
        other.execute("ROLLBACK")
    assert quiet.store.position() == 0
    quiet.housekeeper.watch_clock()
    assert quiet.store.position() == 1
    clock.jump(DAY)
    with pytest.raises(Outdated):
        program.who(quiet)
    program.refresh(quiet)
    program.who(quiet)


def test_a_token_older_than_the_floor_is_outdated_and_renewed(quiet: Authority, clock: TurnableClock) -> None:
    """A clock turned back makes it look young; what it may have missed nobody remembers, so it is asked to renew."""
    account = add_account(quiet)
    program = Device(quiet, account, Carrier.TOKEN)
    other = Device(quiet, add_account(quiet, "b@example.com"))
    quiet.sessions.sign_out(other.who(quiet), HOME)
    wait_for_position(quiet, 1)
    quiet.housekeeper.tick()
    clock.turn(remembered(quiet) + TICK)
    quiet.housekeeper.tick()
    clock.jump(-DAY)
    wait_for_floor(quiet, 1)
    with pytest.raises(Outdated):
        program.who(quiet)
    program.refresh(quiet)
    assert program.who(quiet).account_id == account.id


def wait_for_floor(at: Authority, floor: int) -> None:
    """Come back when the follower has forgotten so far."""
    tries = threading.Event()
    while at.follower.revocations.floor < floor:
        tries.wait(0.002)


def test_a_jump_forward_ends_what_is_late_and_everybody_can_sign_in_again(
    quiet: Authority, clock: TurnableClock
) -> None:
    """Nothing is stuck after it: a token is late by the wall clock, a new sign-in works."""
    account = add_account(quiet)
    program = Device(quiet, account, Carrier.TOKEN)
    clock.jump(DAY)
    with pytest.raises(Expired):
        program.who(quiet)
    assert program.holds(quiet) == {"refresh"}
    assert program.holds(quiet) == Device(quiet, account, Carrier.TOKEN).holds(quiet)


def test_a_tick_in_trouble_says_so_and_goes_on(
    installation: Installation, quiet: Authority, clock: TurnableClock
) -> None:
    """A step that fails stops neither the others nor the next round."""
    device = Device(quiet, add_account(quiet))
    clock.turn(timedelta(hours=1))
    device.who(quiet)
    quiet.follower.stop()
    quiet.store.close()
    for rounds in (1, 2):
        clock.turn(timedelta(minutes=1))
        quiet.housekeeper.tick()
        assert [type(trouble) for trouble in installation.troubles] == [StoreUnusable] * 4 * rounds
    installation.troubles.clear()


def test_the_housekeeper_works_in_the_background_and_flushes_when_it_stops(
    installation: Installation, clock: TurnableClock
) -> None:
    """Starting twice starts one thread; stopping writes what was seen last."""
    authority = installation.open()
    authority.start()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("gatepost-housekeeper") == names.count("gatepost-follower") == 1
    device = Device(authority, add_account(authority))
    clock.turn(timedelta(hours=1))
    device.who(authority)
    installation.close()
    assert last_seen(installation.open(), device) == clock.now()


def test_a_visit_that_is_used_at_sign_in_is_not_left_for_the_sweep(quiet: Authority) -> None:
    """Its record goes in the change that signs in."""
    visiting = quiet.sign_in.visit(Carrier.COOKIE, HOME)
    quiet.sign_in.sign_up("ada@example.com", PASSWORD, Wish(HOME, brought_sessions=(visiting.session.id,)))
    assert quiet.store.session(visiting.session.id) is None
    with pytest.raises(Refused):
        quiet.guard.check(presented(visiting.credential))
