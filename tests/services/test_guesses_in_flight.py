"""Tries that are being made: they take the places that are left, and are no failures until they have failed."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import AuditRow, Change, Committed, Event
from gatepost.core.ports import Recount
from gatepost.core.revocation import Position
from gatepost.core.sessions import Origin
from gatepost.errors import Busy, InvalidCredentials, SlowDown
from gatepost.services.beginnings import SignedIn, Wish
from gatepost.services.counting import Counting
from gatepost.services.guesses import Attempt, Guesses
from gatepost.stores.memory_counters import MemoryCounters
from gatepost.testing.clock import TurnableClock
from tests.builders import TICK
from tests.services.installation import HOME, PASSWORD, Installation, add_account

ADA = "ada@example.com"
WRONG = "no lantern was ever here"
SECOND = timedelta(seconds=1)


def somewhere(number: int) -> Origin:
    """Another address each time."""
    return Origin(f"198.51.100.{number}", "curl")


def enter(at: Authority, email: str, password: str, origin: Origin = HOME) -> SignedIn:
    """Sign in."""
    return at.sign_in.sign_in(email, password, Wish(origin))


def guess(at: Authority, email: str, origin: Origin = HOME) -> int:
    """Try a wrong password; the seconds to wait if it was not even looked at, else 0."""
    try:
        enter(at, email, WRONG, origin)
    except InvalidCredentials:
        return 0
    except SlowDown as slow:
        return slow.retry_after
    raise AssertionError("that was no wrong password")


def take_off(tries: ExitStack, at: Authority, email: str, origin: Origin = HOME) -> int:
    """Begin a try that goes on until `tries` ends; the seconds to wait if it may not begin, else 0."""
    try:
        tries.enter_context(at.guesses.of_account(email, origin.address, ()))
    except SlowDown as slow:
        return slow.retry_after
    return 0


def test_forty_right_passwords_at_once_wait_a_second_at_most(installation: Installation) -> None:
    """Nobody has failed: whoever is told to come again is told in a second, and comes in; no alarm, no row of it."""
    installation.sections = {"limits": {"hash_queue": 200, "hash_wait": 30}}
    authority, neighbour = installation.open(), installation.open()
    ada = add_account(authority)

    def come_in(number: int) -> set[int]:
        waits: set[int] = set()
        for _ in range(1000):
            try:
                enter((authority, neighbour)[number % 2], ADA, PASSWORD)
            except SlowDown as slow:
                waits.add(slow.retry_after)
            else:
                return waits
        raise AssertionError("never came in")

    with ThreadPoolExecutor(40) as hands:
        told = set[int]().union(*hands.map(come_in, range(40)))
    assert told <= {1}
    assert installation.troubles == []
    assert sum((*authority.guesses.reached.values(), *authority.guesses.slowed.values())) == 0
    rows = authority.store.audit_rows(account_id=ada.id, after=0, limit=1000)
    assert [row.event for _, row in rows] == [Event.SIGNED_IN] * 40


@pytest.mark.parametrize(
    ("limit", "others", "places"), [("account", 0, 10), ("address", 0, 12), ("all", 5, 2)]
)
def test_tries_in_flight_are_waited_for_and_are_no_failures(
    installation: Installation, limit: str, others: int, places: int
) -> None:
    """Seen by every server. Those that come out right, or were not made after all, leave no trace."""
    installation.sections = {"guesses": {"per_address": 12 if limit == "address" else 20, "overall": 5}}
    authority, neighbour = installation.open(), installation.open()
    add_account(authority)
    for number in range(others):
        guess(authority, f"other{number}@example.com", somewhere(number))
    installation.troubles.clear()

    def email(number: int) -> str:
        return ADA if limit == "account" else f"{number}@example.com"

    with ExitStack() as tries:
        begun = [
            take_off(tries, (authority, neighbour)[number % 2], email(number)) for number in range(places)
        ]
        assert begun == [0] * places
        assert [take_off(tries, at, email(99)) for at in (authority, neighbour)] == [1, 1]
    with pytest.raises(Busy), authority.guesses.of_account(email(99), HOME.address, ()):
        raise Busy
    assert installation.troubles == []
    with ExitStack() as tries:
        assert [take_off(tries, neighbour, email(number)) for number in range(places + 1)] == [0] * places + [
            1
        ]


def test_a_try_whose_server_died_holds_its_place_for_two_deadlines_at_most(
    installation: Installation, clock: TurnableClock
) -> None:
    """Others come in after that, and if it lands late after all, it takes nobody's place away."""
    installation.sections = {"revocation": {"request_deadline": "10s"}}
    authority, neighbour = installation.open(), installation.open()
    add_account(authority)
    with ExitStack() as dead:
        assert [take_off(dead, neighbour, ADA) for _ in range(11)] == [0] * 10 + [1]
        clock.turn(20 * SECOND - TICK)
        assert guess(authority, ADA) == 1
        clock.turn(TICK)
        assert guess(authority, ADA) == 0
        living = ExitStack()
        assert [take_off(living, authority, ADA) for _ in range(10)] == [0] * 9 + [1]
    assert take_off(living, authority, ADA) == 0, "the late ones came out right, and a success ends the pace"
    living.close()


class Stuck(MemoryCounters):
    """Counters that take one more write and then no other, by themselves or with a change."""

    left = 1

    def recount(self, keys: Sequence[bytes], decide: Recount) -> None:
        """Write, or say that it cannot be done now."""
        self._take_one()
        super().recount(keys, decide)

    def commit(self, change: Change) -> Committed:
        """Write what a change moves, or say the same."""
        self._take_one()
        self.recounted(change.recounting)
        return Committed(Position("log", 0, "0"), ())

    def _take_one(self) -> None:
        if self.left == 0:
            raise Busy
        self.left -= 1


def test_a_failure_that_cannot_be_counted_is_not_told(authority: Authority, clock: TurnableClock) -> None:
    """Else whoever keeps the database busy could guess without end: 503, and the place stays taken meanwhile."""
    counters, rules = Stuck(), authority.settings.guesses.rules
    devices = authority.guesses.devices
    guesses = Guesses(Counting(counters, clock, b"secret"), rules, devices, counters.commit)
    with pytest.raises(Busy), guesses.of_account(ADA, HOME.address, ()):
        raise InvalidCredentials
    counters.left = 1000
    with ExitStack() as tries:
        for _ in range(9):
            tries.enter_context(guesses.of_account(ADA, HOME.address, ()))
        with pytest.raises(SlowDown), guesses.of_account(ADA, HOME.address, ()):
            raise AssertionError("a tenth was let in")


def test_a_sign_in_stands_though_its_place_cannot_be_freed(
    authority: Authority, clock: TurnableClock
) -> None:
    """It is decided and durable; the journal is told, and the place is free again once its time is over."""
    counters, told = Stuck(), list[Exception]()
    rules, devices = authority.settings.guesses.rules, authority.guesses.devices
    counting = Counting(counters, clock, b"secret", told.append)
    guesses = Guesses(counting, rules, devices, counters.commit)
    with guesses.of_account(ADA, HOME.address, ()):
        pass
    assert [type(error) for error in told] == [Busy]


def test_a_failure_stays_counted_whatever_comes_after_it(
    installation: Installation, authority: Authority
) -> None:
    """Ten times the answer broke once it was written down: the eleventh try waits all the same."""
    row = AuditRow(Event.SIGN_IN_FAILED, authority.clock.now())

    def fail(attempt: Attempt) -> None:
        attempt.failed(row)
        raise Busy

    for _ in range(10):
        with pytest.raises(Busy), authority.guesses.of_account(ADA, HOME.address, ()) as attempt:
            fail(attempt)
    assert guess(authority, ADA) == 60
    assert [type(error) for error in installation.troubles] == [SlowDown], "the limit, once"
    installation.troubles.clear()
