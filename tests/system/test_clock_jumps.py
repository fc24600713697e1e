"""A wall clock that jumps by an hour or a day, forward and back: nothing that is over passes, nobody is signed out.

Once with a clock that the tests set, to the second, and once with a real server whose wall clock is moved under it
while its boot clock goes on as it is.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx2
import pytest

from gatepost.core.changes import Event
from tests.servers import ROOT, STEADY, RunningServer
from tests.system.faults import Person
from tests.web.house import Holder, House, build, sign_in

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND: Final = timedelta(seconds=1)
LIFE: Final = timedelta(minutes=10)
BOTH_WAYS: Final = [HOUR, -HOUR, DAY, -DAY]

# Asked to sleep until a moment of the monotonic clock, this version of the library mixes in the wall clock.
_SLEEP: Final = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The application on a clock that stands still until it is set. It keeps house when it is told to."""
    built = build(tmp_path, {"sessions": {"idle": "2h", "absolute": "36h"}})
    built.authority.housekeeper.stop()
    built.authority.housekeeper.tick()
    yield built
    built.close()


def jump(house: House, by: timedelta) -> None:
    """Set the wall clock, and let every thread of the server notice."""
    house.clock.jump(by)
    house.authority.follower.step()
    house.authority.housekeeper.tick()


def status(holder: Holder) -> int:
    """What an access token is answered."""
    return holder.client.get("/api/session").status_code


def renewed(house: House, holder: Holder) -> Holder:
    """The same program after a refresh, which must succeed."""
    form = {"grant_type": "refresh_token", "refresh_token": holder.refresh}
    answer = house.program().post("/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    client = house.program(authorization=f"Bearer {tokens['access_token']}")
    return Holder(client, tokens["access_token"], tokens["refresh_token"])


@pytest.mark.parametrize("by", [HOUR, DAY])
@pytest.mark.parametrize("ago", [timedelta(), LIFE / 2, LIFE * 5])
def test_a_token_that_has_expired_stays_so_when_the_clock_is_set_back(
    house: House, by: timedelta, ago: timedelta
) -> None:
    """Also where the new time lies inside its life, as nothing but its position can tell; its session goes on."""
    holder = house.holder()
    house.clock.turn(LIFE + ago)
    assert status(holder) == 401
    jump(house, -by)
    assert status(holder) == 401
    # To the middle of its life, wherever the clock is now.
    jump(house, timedelta(minutes=5) - (LIFE + ago - by))
    assert status(holder) == 401
    assert status(renewed(house, holder)) == 200


@pytest.mark.parametrize("by", [HOUR, DAY])
def test_a_token_that_expired_as_long_ago_as_the_clock_is_set_back_stays_expired(
    house: House, by: timedelta
) -> None:
    """The new time is its own: by its times it is as young as any, by its position it is not."""
    holder = house.holder()
    house.clock.turn(by + LIFE / 2)
    jump(house, -by)
    assert status(holder) == 401
    assert [row.event for _, row in house.authority.audit.page(account=None, after=0, limit=50)][-1] is (
        Event.CLOCK_SET_BACK
    )


@pytest.mark.parametrize("by", BOTH_WAYS)
def test_nobody_is_signed_out_by_a_clock_that_jumps_and_is_put_right(house: House, by: timedelta) -> None:
    """Cookies and refresh tokens work before, and after; what was signed out stays out, at every time."""
    browser, gone, holder = house.signed_in(), house.browser(), house.holder("eve@example.com")
    assert sign_in(gone).status_code == 200
    dead = {"cookie": f"gatepost={gone.cookies['gatepost']}"}
    assert gone.post("/api/sign-out").status_code == 204
    for _ in range(3):
        for step in (by, -by):
            jump(house, step)
            assert house.program().get("/api/session", headers=dead).status_code == 401
        assert browser.get("/api/session").status_code == 200
        holder = renewed(house, holder)
        assert status(holder) == 200
        assert house.authority.follower.lease.fresh(house.clock.boot())


@pytest.mark.parametrize("by", BOTH_WAYS)
def test_people_come_in_on_either_side_of_a_jump(house: House, by: timedelta) -> None:
    """A sign-in while the clock is wrong works, then and when it is right again; its token is renewed once."""
    house.account()
    jump(house, by)
    browser, holder = house.browser(), house.holder_of("ada@example.com")
    assert sign_in(browser).status_code == 200
    assert (browser.get("/api/session").status_code, status(holder)) == (200, 200)
    jump(house, -by)
    if by > timedelta():
        assert status(holder) == 401
        holder = renewed(house, holder)
        assert (browser.get("/api/session").status_code, status(holder)) == (200, 200)
    again = house.browser()
    assert sign_in(again).status_code == 200
    assert again.get("/api/session").status_code == 200


def test_nothing_is_swept_on_the_word_of_a_clock_that_was_just_set(house: House) -> None:
    """For as long as facts are remembered a session that looks idle is refused and kept; after that it is swept."""
    browser = house.signed_in()
    jump(house, DAY)
    assert browser.get("/api/session").status_code == 401
    assert house.counts()[1] == 1
    revocation = house.authority.settings.revocation
    house.clock.turn(revocation.horizon + 2 * revocation.leeway + revocation.request_deadline - SECOND)
    house.authority.housekeeper.tick()
    assert house.counts()[1] == 1
    house.clock.turn(SECOND)
    house.authority.housekeeper.tick()
    assert house.counts()[1] == 0


def test_a_correction_within_the_leeway_outdates_nothing(house: House) -> None:
    """Half a minute back is what clocks do; a second more is a clock that was set."""
    holder = house.holder()
    jump(house, -house.authority.settings.revocation.leeway)
    assert status(holder) == 200
    jump(house, -house.authority.settings.revocation.leeway - SECOND)
    assert status(holder) == 401


@pytest.fixture
def offset(tmp_path: Path) -> Path:
    """The file that says how far a server's wall clock is off."""
    file = tmp_path / "offset"
    file.write_text("+0\n")
    return file


@pytest.fixture
def server(tmp_path: Path, offset: Path) -> Iterator[RunningServer]:
    """A server whose wall clock reads that file, and whose other clocks are this machine's."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    patched = tmp_path / "patched"
    patched.mkdir()
    (patched / "sitecustomize.py").write_text(_SLEEP)
    environment = {
        **STEADY,
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": f"{ROOT / 'src'}:{patched}",
    }
    with RunningServer(tmp_path / "server", environment=environment) as running:
        yield running


def told_time(client: httpx2.Client) -> float:
    """The server's wall clock, as the date of an answer."""
    return parsedate_to_datetime(client.get("/healthz").headers["date"]).timestamp()


def wait_until(true: Callable[[], object], what: str) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def set_clock(client: httpx2.Client, offset: Path, by: timedelta) -> None:
    """Set the server's wall clock to be off by so much."""
    draft = offset.with_suffix(".draft")
    draft.write_text(f"{by.total_seconds():+.0f}\n")
    draft.rename(offset)
    ahead = by.total_seconds()
    wait_until(lambda: abs(told_time(client) - time.time() - ahead) < 30, "the server's clock did not move")


def shown(client: httpx2.Client, **headers: str) -> int:
    """What a stranger's client is answered that shows somebody's credential."""
    return client.get("/api/session", headers=headers).status_code


def as_any_client(person: Person) -> int:
    """What a program is answered that renews its token when it is told to."""
    if person.by_token() == 401:
        assert person.refresh().status_code == 200
    return person.by_token()


@pytest.mark.needs("faketime")
def test_a_real_server_withstands_jumps_of_its_wall_clock(server: RunningServer, offset: Path) -> None:
    """Through hours and days both ways: cookies go on, old tokens never come back, an ending holds, all is renewed."""
    with (
        Person(server.url) as ada,
        Person(server.url) as gone,
        httpx2.Client(timeout=20, base_url=server.url) as stranger,
    ):
        ada.settle_in()
        gone.settle_in()
        ended = f"gatepost={gone.browser.cookies['gatepost']}"
        assert gone.sign_out().status_code == 204
        old = []
        for by in (*BOTH_WAYS, timedelta()):
            old.append(f"Bearer {ada.tokens['access_token']}")
            set_clock(stranger, offset, by)
            wait_until(lambda: ada.by_token() == 401, "a token outlived a jump of the clock")
            wait_until(lambda: as_any_client(ada) == 200, "a renewed token is not accepted")
            assert ada.by_cookie() == 200
            assert {shown(stranger, authorization=bearer) for bearer in old} == {401}
            assert shown(stranger, cookie=ended) == 401
        assert gone.sign_in(stranger).status_code == 200
        assert stranger.get("/readyz").status_code == 200
        server.stop()
        assert "Traceback" not in server.journal
        assert ada.found_in(server.journal) == set()
