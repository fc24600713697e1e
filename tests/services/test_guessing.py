"""Guessing is slow, for everybody who guesses and for nobody else: through the services, on a real database."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Event
from gatepost.core.guesses import Limit
from gatepost.core.sessions import Origin
from gatepost.errors import Busy, InvalidCredentials, SlowDown, WeakPassword
from gatepost.services.beginnings import SignedIn, Wish
from gatepost.testing.clock import TurnableClock
from tests.services.installation import HOME, NEW_PASSWORD, PASSWORD, Device, Installation, add_account

ADA, NOBODY = "ada@example.com", "nobody@example.com"
WRONG = "no lantern was ever here"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def reported(installation: Installation) -> Iterator[list[Exception]]:
    """What the journal was told. Every limit that is reached tells it, and nothing else may."""
    yield installation.troubles
    assert all(isinstance(error, SlowDown) for error in installation.troubles)
    installation.troubles.clear()


def somewhere(number: int) -> Origin:
    """Another address each time."""
    return Origin(f"198.51.{number // 250}.{number % 250}", "curl")


def enter(
    at: Authority, email: str, password: str, origin: Origin = HOME, marks: tuple[str, ...] = ()
) -> SignedIn:
    """Sign in."""
    return at.sign_in.sign_in(email, password, Wish(origin, marks=marks))


def guess(at: Authority, email: str, origin: Origin = HOME, marks: tuple[str, ...] = ()) -> int:
    """Try a wrong password; the seconds to wait if it was not even looked at, else 0."""
    try:
        enter(at, email, WRONG, origin, marks)
    except InvalidCredentials:
        return 0
    except SlowDown as slow:
        return slow.retry_after
    raise AssertionError("that was no wrong password")


def mark_of(at: Authority, begun: SignedIn) -> tuple[str, ...]:
    """The cookie by which the browser is known from then on."""
    return (at.guesses.devices.remembered(begun.account, begun.session.pos, ()).reveal(),)


@pytest.mark.parametrize("email", [ADA, NOBODY, "nobody", ""])
def test_ten_wrong_passwords_are_looked_at_and_then_one_a_minute(
    authority: Authority, clock: TurnableClock, email: str
) -> None:
    """Each from another address; an account that exists and one that does not are slowed alike."""
    add_account(authority)
    assert [guess(authority, email, somewhere(number)) for number in range(12)] == [0] * 10 + [60, 60]
    for wait in (60, 120, 240, 480, 900, 900):
        clock.turn(timedelta(seconds=wait - 1))
        assert guess(authority, email, somewhere(99)) == 1
        clock.turn(SECOND)
        assert guess(authority, email, somewhere(99)) == 0


def test_whoever_waits_may_not_come_in_with_the_right_password_either(
    authority: Authority, clock: TurnableClock
) -> None:
    """A limit that only wrong passwords meet would say which one is right. After the wait it is good."""
    add_account(authority)
    for number in range(10):
        guess(authority, ADA, somewhere(number))
    with pytest.raises(SlowDown) as slow:
        enter(authority, ADA, PASSWORD)
    assert slow.value.retry_after == 60
    clock.turn(MINUTE)
    assert enter(authority, ADA, PASSWORD)


def test_a_refusal_costs_no_hash_no_row_and_no_write(installation: Installation) -> None:
    """A flood of them takes nothing from anybody, not even a turn to write: they are answered while another has it."""
    installation.sections = {"limits": {"visits_per_minute": 1}}
    authority = installation.unstarted()
    for number in range(10):
        guess(authority, ADA, somewhere(number))
    authority.visits.wait(HOME.address)
    with closing(sqlite3.connect(installation.folder / "gatepost.db", isolation_level=None)) as other:
        rows, hashes = other.execute("SELECT count(*) FROM audit").fetchall(), authority.hashing.hashes_done
        other.execute("BEGIN IMMEDIATE")
        assert all(guess(authority, ADA, somewhere(number)) == 60 for number in range(100))
        assert all(authority.visits.wait(HOME.address) == 60 for _ in range(100))
        other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM audit").fetchall() == rows
    assert authority.hashing.hashes_done == hashes
    authority.stop()


def test_every_spelling_of_an_address_has_the_same_count(authority: Authority) -> None:
    """Also of one that nobody can have."""
    for spellings in (("ada@example.com", "ADA@Example.COM"), ("nobody", "NoBody")):
        tries = [guess(authority, spellings[number % 2], somewhere(number)) for number in range(11)]
        assert tries == [0] * 10 + [60]


def test_counts_are_shared_by_servers_and_outlive_a_restart(
    installation: Installation, authority: Authority, neighbour: Authority
) -> None:
    """Guessing at two of them is not twice as fast."""
    add_account(authority)
    tries = [guess((authority, neighbour)[number % 2], ADA, somewhere(number)) for number in range(11)]
    assert tries == [0] * 10 + [60]
    installation.close()
    assert guess(installation.open(), ADA, somewhere(11)) == 60


def test_a_hundred_tries_at_once_get_ten_looks(installation: Installation) -> None:
    """Counted before the hash: there is no moment in which many slip through together."""
    installation.sections = {"limits": {"hash_queue": 200, "hash_wait": 30}}
    authority, neighbour = installation.open(), installation.open()
    add_account(authority)
    before = authority.hashing.hashes_done + neighbour.hashing.hashes_done
    with ThreadPoolExecutor(20) as hands:
        answers = list(
            hands.map(
                lambda number: guess((authority, neighbour)[number % 2], ADA, somewhere(number)), range(100)
            )
        )
    assert answers.count(0) == 10
    assert authority.hashing.hashes_done + neighbour.hashing.hashes_done - before == 10
    installation.clock.jump(MINUTE)
    with ThreadPoolExecutor(8) as hands:
        after = list(hands.map(lambda number: guess((authority, neighbour)[number % 2], ADA), range(20)))
    assert after.count(0) == 1, "after the wait comes one look"


def test_only_failures_count(authority: Authority) -> None:
    """Whoever signs in a hundred times is not slowed, and a success ends what strangers began."""
    add_account(authority)
    for _ in range(3):
        for _ in range(9):
            assert guess(authority, ADA) == 0
        assert enter(authority, ADA, PASSWORD)
    for _ in range(100):
        enter(authority, ADA, PASSWORD)


def test_one_password_for_a_thousand_accounts_meets_the_limit_of_its_address(
    authority: Authority, clock: TurnableClock
) -> None:
    """A hundred a minute; others come in meanwhile, and after the minute this one does too."""
    add_account(authority)
    answers = [guess(authority, f"{number}@example.com", somewhere(1)) for number in range(150)]
    assert answers == [0] * 100 + [60] * 50
    assert enter(authority, ADA, PASSWORD)
    with pytest.raises(SlowDown):
        enter(authority, ADA, PASSWORD, somewhere(1))
    clock.turn(MINUTE)
    assert enter(authority, ADA, PASSWORD, somewhere(1))


def test_an_attacker_with_an_account_does_not_clear_his_address(authority: Authority) -> None:
    """He signs in to his own after every ninth guess, and still has a hundred."""
    add_account(authority, "eve@example.com")
    looked_at = 0
    for number in range(150):
        looked_at += guess(authority, f"{number}@example.com", somewhere(1)) == 0
        if number % 9 == 8:
            try:
                enter(authority, "eve@example.com", PASSWORD, somewhere(1))
            except SlowDown:
                break
    assert looked_at == 100


def test_addresses_of_one_ipv6_network_are_one(authority: Authority) -> None:
    """A subscriber has 2**64 of them; the next network is another subscriber."""
    crowd = [Origin(f"2001:db8:7:7::{number:x}", "curl") for number in range(120)]
    answers = [guess(authority, f"{number}@example.com", one) for number, one in enumerate(crowd)]
    assert answers.count(0) == 100
    assert guess(authority, NOBODY, Origin("2001:db8:7:8::1", "curl")) == 0


def test_too_many_of_all_slow_every_address_and_shut_none_out(installation: Installation) -> None:
    """Beyond the limit of all an address has a tenth of its own, so spreading out stops paying."""
    installation.sections = {"guesses": {"overall": 50, "per_address": 20}}
    authority = installation.open()
    add_account(authority)
    for number in range(50):
        assert guess(authority, f"{number}@example.com", somewhere(number)) == 0
    tries = [guess(authority, f"more{number}@example.com", somewhere(200)) for number in range(4)]
    assert tries == [0, 0, 60, 60]
    assert enter(authority, ADA, PASSWORD, somewhere(201))
    assert authority.guesses.reached[Limit.OVERALL] == 1


def test_strangers_never_shut_out_a_browser_that_the_owner_has_used(authority: Authority) -> None:
    """Neither by tries at the account nor by tries from the owner's own address."""
    add_account(authority)
    marks = mark_of(authority, enter(authority, ADA, PASSWORD))
    for number in range(130):
        guess(authority, ADA if number < 20 else f"{number}@example.com", HOME)
    assert guess(authority, ADA) > 0
    assert enter(authority, ADA, PASSWORD, marks=marks)
    assert guess(authority, ADA) > 0, "the owner's success is no pardon for strangers"


def test_a_stolen_mark_is_worth_its_own_few_tries(authority: Authority, clock: TurnableClock) -> None:
    """It is no way around the limit, only a second, separate count; and it signs nobody in."""
    add_account(authority)
    marks = mark_of(authority, enter(authority, ADA, PASSWORD))
    assert [guess(authority, ADA, somewhere(number), marks) for number in range(12)] == [0] * 10 + [60] * 2
    assert guess(authority, ADA, somewhere(50)) == 0, "strangers have their own count"
    clock.turn(MINUTE)
    assert enter(authority, ADA, PASSWORD, marks=marks)
    assert guess(authority, ADA, HOME, marks) == 0


def test_a_browser_has_one_count_however_often_it_signs_in(authority: Authority) -> None:
    """A new mark goes on with the name of the one before, and so with its count."""
    add_account(authority)
    begun = enter(authority, ADA, PASSWORD)
    first = mark_of(authority, begun)
    again = authority.guesses.devices.remembered(begun.account, begun.session.pos, first).reveal()
    for number in range(10):
        guess(authority, ADA, HOME, ((again,), first)[number % 2])
    assert guess(authority, ADA, HOME, first) == guess(authority, ADA, HOME, (again,)) == 60


def test_a_mark_of_one_account_is_nothing_at_another(authority: Authority) -> None:
    """Whoever has an account of their own is a stranger to every other."""
    add_account(authority, "eve@example.com")
    add_account(authority)
    marks = mark_of(authority, enter(authority, "eve@example.com", PASSWORD))
    assert [guess(authority, ADA, somewhere(number), marks) for number in range(11)] == [0] * 10 + [60]


@pytest.mark.parametrize("ending", ["password", "lock", "end all", "end others"])
def test_a_mark_is_void_once_everything_of_its_account_was_ended(authority: Authority, ending: str) -> None:
    """Whoever collected marks with a password that has leaked has none of them after it was changed."""
    ada = add_account(authority)
    thief = mark_of(authority, enter(authority, ADA, PASSWORD))
    owner = Device(authority, ada)
    password = PASSWORD
    match ending:
        case "password":
            authority.accounts.change_password(owner.who(authority), PASSWORD, NEW_PASSWORD, HOME)
            password = NEW_PASSWORD
        case "lock":
            authority.accounts.lock(ada.id, "cli")
            authority.accounts.unlock(ada.id, "cli")
        case "end all":
            authority.accounts.end_sessions(ada.id, "cli")
        case _:
            authority.sessions.end_others(owner.who(authority), HOME)
    assert authority.guesses.devices.known(ADA, thief) is None
    fresh = mark_of(authority, enter(authority, ADA, password))
    assert authority.guesses.devices.known(ADA, fresh) is not None
    assert [guess(authority, ADA, HOME, thief) for _ in range(11)] == [0] * 10 + [60]


def test_the_current_password_is_guessed_as_slowly(authority: Authority, clock: TurnableClock) -> None:
    """By whoever has stolen a session; the owner's other session, and the way in, are not slowed by it."""
    ada = add_account(authority)
    stolen, own = Device(authority, ada).who(authority), Device(authority, ada).who(authority)
    for _ in range(10):
        with pytest.raises(InvalidCredentials):
            authority.accounts.change_password(stolen, WRONG, NEW_PASSWORD, HOME)
    with pytest.raises(SlowDown) as slow:
        authority.accounts.change_password(stolen, PASSWORD, NEW_PASSWORD, HOME)
    assert slow.value.retry_after == 60
    assert enter(authority, ADA, PASSWORD)
    authority.accounts.change_password(own, PASSWORD, NEW_PASSWORD, HOME)


def test_a_new_password_that_is_too_weak_is_no_wrong_one(authority: Authority) -> None:
    """Whoever looks for a good one for a while is not slowed."""
    who = Device(authority, add_account(authority)).who(authority)
    for _ in range(15):
        with pytest.raises(WeakPassword):
            authority.accounts.change_password(who, PASSWORD, "short", HOME)


def test_a_try_that_a_busy_server_did_not_look_at_does_not_count(authority: Authority) -> None:
    """Not for the account, not for the address, not for all."""
    for _ in range(150):
        with pytest.raises(Busy), authority.guesses.of_account(ADA, HOME.address, ()):
            raise Busy
    assert guess(authority, ADA) == 0


def test_slowness_is_written_down_once_for_known_and_unknown_alike(
    authority: Authority, reported: list[Exception]
) -> None:
    """One row beside the tenth failure, one line in the journal; nothing for the tries that are told to wait."""
    ada = add_account(authority)
    for email, account_id in ((ADA, ada.id), (NOBODY, None)):
        start = len(authority.store.audit_rows(account_id=None, after=0, limit=1000))
        for number in range(30):
            guess(authority, email, somewhere(number))
        rows = [row for _, row in authority.store.audit_rows(account_id=None, after=start, limit=1000)]
        assert [row.event for row in rows] == [Event.SIGN_IN_FAILED] * 10 + [Event.GUESSING_SLOWED]
        assert (rows[-1].account_id, rows[-1].more) == (account_id, {"limit": "account"})
    assert [error.detail for error in reported if isinstance(error, SlowDown)] == [
        "the limit on guesses is reached: account"
    ] * 2
    assert authority.guesses.reached[Limit.ACCOUNT] == 2
    assert authority.guesses.slowed[Limit.ACCOUNT] == 40


def test_counting_leaves_the_account_alone(authority: Authority) -> None:
    """Its row and version are those of before: a guesser must not make the owner's own changes fail."""
    ada = add_account(authority)
    for number in range(12):
        guess(authority, ADA, somewhere(number))
    assert authority.accounts.find(ada.id) == ada


def test_an_unlocked_account_starts_anew(authority: Authority) -> None:
    """What an operator can do for an owner on a new device."""
    ada = add_account(authority)
    for number in range(12):
        guess(authority, ADA, somewhere(number))
    authority.accounts.unlock(ada.id, "cli")
    assert enter(authority, ADA, PASSWORD)


def test_the_database_of_the_counts_tells_nothing(authority: Authority, installation: Installation) -> None:
    """What was typed and from where is not in it; whoever steals it cannot try names either, without our key."""
    guess(authority, "somebody.in.particular@example.org", somewhere(1))
    authority.visits.wait("198.51.100.211")
    installation.close()
    files = b"".join(path.read_bytes() for path in installation.folder.glob("gatepost.db*"))
    assert b"somebody.in.particular" not in files
    assert b"198.51.100.211" not in files
    with closing(sqlite3.connect(installation.folder / "gatepost.db")) as connection:
        rows = connection.execute("SELECT key FROM counter").fetchall()
    assert [len(key) for (key,) in rows] == [16] * 4


def test_counts_go_when_they_are_over(installation: Installation, clock: TurnableClock) -> None:
    """The server on duty takes them, so a flood of unknown names leaves nothing behind; it leaves those that count."""
    authority = installation.unstarted()
    for number in range(30):
        guess(authority, f"{number}@example.com", somewhere(number))
    with closing(sqlite3.connect(installation.folder / "gatepost.db")) as onlooker:

        def left() -> int:
            [(count,)] = onlooker.execute("SELECT count(*) FROM counter").fetchall()
            return int(count)

        assert left() == 30 + 30 + 1
        for wait, expected in ((timedelta(minutes=1), 30), (timedelta(minutes=178), 30), (MINUTE, 0)):
            clock.turn(wait)
            authority.housekeeper.tick()
            assert left() == expected
    authority.stop()


def test_the_clock_frees_a_guesser_once_at_most_and_shuts_nobody_out_for_long(
    authority: Authority, clock: TurnableClock
) -> None:
    """Set back by a day, the wait is what it would be now; set forward, the count is as it is after that time."""
    add_account(authority)
    for number in range(12):
        guess(authority, ADA, somewhere(number))
    clock.jump(-DAY)
    assert guess(authority, ADA) == 60
    clock.turn(MINUTE - SECOND)
    assert guess(authority, ADA) == 1
    clock.turn(SECOND)
    assert guess(authority, ADA) == 0
    clock.jump(DAY)
    assert [guess(authority, ADA, somewhere(number)) for number in range(11)] == [0] * 10 + [60]
