"""Many who write to one session in a sealed cookie at the same moment, and what an ending leaves of them."""

import threading

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import SealedCookie
from gatepost.core.sessions import Carrier
from gatepost.errors import Refused, TooLarge
from gatepost.services.beginnings import Wish
from tests.races.contenders import PATIENCE, ROOM, contend, contend_in_processes
from tests.services.installation import HOME, Installation, add_account
from tests.services.sealed_devices import SealedDevice, passes

THREADS = 24


@pytest.fixture(params=["memory", "file"])
def at(request: pytest.FixtureRequest, installation: Installation) -> Authority:
    """A server, in memory or over one file."""
    installation.sections = dict(ROOM)
    if request.param == "memory":
        installation.sections["database"] = {"url": "memory://"}
    return installation.open()


def write(at: Authority, cookie: str, number: int) -> str:
    """One request with this cookie that writes a key of its own; the cookie in its answer."""
    at.guard.check(SealedCookie(cookie))
    return at.sessions.merge_sealed_data(cookie, {f"n{number}": number}).cookie.value.reveal()


def fill(at: Authority, cookie: str, number: int) -> str:
    """One that writes much: a few of these fit."""
    at.guard.check(SealedCookie(cookie))
    at.sessions.merge_sealed_data(cookie, {f"n{number}": "x" * 200})
    return "written"


def require_all_kept(at: Authority, device: SealedDevice, answers: list[str]) -> None:
    """Every change is in the record, each writer's own in the cookie it was given, and nothing that nobody wrote."""
    everything = {f"n{number}": number for number in range(THREADS)}
    assert at.sessions.current(device.who(at)).session.data == everything
    for number, cookie in enumerate(answers):
        seen = at.sealed.read(cookie).data
        assert seen[f"n{number}"] == number
        assert seen.items() <= everything.items()
    newest = at.sealed.read(at.sealed.renew(answers[0]).value.reveal())
    assert newest.data == everything
    assert newest.version == 1 + THREADS


def test_all_who_write_at_once_keep_their_change(at: Authority) -> None:
    """Of threads of one server with the very same cookie."""
    device = SealedDevice(at, add_account(at))
    require_all_kept(at, device, contend(at, write, device.value, range(THREADS)))


def test_writers_in_two_processes_keep_their_change(installation: Installation) -> None:
    """Of two server processes beside a third."""
    at = installation.open()
    device = SealedDevice(at, add_account(at))
    answers = contend_in_processes(installation.folder, write, device.value, THREADS // 2)
    require_all_kept(at, device, answers)


def test_writers_at_once_never_make_a_cookie_too_large(at: Authority) -> None:
    """What fits is written, the rest is refused, and record and cookie stay what can be renewed."""
    device = SealedDevice(at, add_account(at))
    answers = contend(at, fill, device.value, range(THREADS))
    assert set(answers) == {"written", TooLarge.__name__}
    data = at.sessions.current(device.who(at)).session.data
    assert len(data) == answers.count("written")
    renewed = at.sealed.renew(device.value).value.reveal()
    assert at.sealed.read(renewed).data == data
    assert len("gatepost-sealed") + len(renewed) <= 3072


def test_nothing_of_a_session_that_ends_under_its_writers_is_left(at: Authority) -> None:
    """Whatever cookie a write or a renewal brought in the moment of the sign-out, none of them stands after it."""
    account = add_account(at)
    for _ in range(5):
        device = SealedDevice(at, account, Wish(HOME, Carrier.SEALED))
        given = _while_writing(at, device)
        assert not any(passes(at, cookie) for cookie in (device.value, *given))
        assert at.store.session(device.session.id) is None


def _while_writing(at: Authority, device: SealedDevice) -> list[str]:
    """Sign out in the middle of many writes; every cookie that was given out."""
    together, given = threading.Barrier(9), list[str]()

    def go_on(number: int) -> None:
        together.wait(PATIENCE)
        try:
            for turn in range(50):
                given.append(write(at, device.value, number * 100 + turn % 3))
        except Refused:
            return

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    who = device.who(at)
    together.wait(PATIENCE)
    while len(given) < 10 and any(thread.is_alive() for thread in threads):
        threading.Event().wait(0.001)
    at.sessions.sign_out(who, HOME)
    for thread in threads:
        thread.join(PATIENCE)
    return given
