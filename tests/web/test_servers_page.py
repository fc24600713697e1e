"""`/admin/servers`, receipts on pages, and the metrics: verifiers in other services in words and numbers."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from gatepost.core.verifiers import AHEAD
from gatepost.web import admin_acts, server_words
from tests.web.house import ADA, House
from tests.web.readers import reader
from tests.web.scraping import scrape
from tests.web.test_feed_instances import asked
from tests.web.test_live import Watcher, boss_of, served
from tests.web.test_waiting_for_verifiers import BOSS, Ending, ended, follower_of

__all__ = ["served"]


@pytest.fixture
def boss(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """An administrator whose pages wait for nobody."""
    monkeypatch.setattr(admin_acts, "_PATIENCE", 0.0)
    house.account()
    return house.signed_in(BOSS, "admin")


def shown(boss: TestClient, language: str = "en") -> str:
    """The page of servers."""
    answer = boss.get("/admin/servers", headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


def test_without_verifiers_the_page_says_so(boss: TestClient) -> None:
    """In either language."""
    assert "No service follows the log under a name." in shown(boss)
    assert "Kein Dienst folgt dem Protokoll unter einem Namen." in shown(boss, "de")


def test_each_instance_is_shown_as_it_is(house: House, boss: TestClient) -> None:
    """Up to date, behind and for how long, beginning anew, without a lease, going on without one."""
    follower_of(house, "prompt")
    assert "Up to date</span></span></td>" in shown(boss)
    asked(reader(house), "new", policy="allow")
    ended(boss, house)
    house.authority.follower.step()
    house.clock.turn(seconds=2.5)
    house.authority.follower.step()
    text = shown(boss)
    for said in (
        "prompt",
        "1 ending behind",
        "for 2.5 s",
        "Begins anew",
        "goes on without hearing",
        "testclient",
    ):
        assert said in text
    house.clock.turn(seconds=AHEAD)
    house.authority.follower.step()
    text = shown(boss)
    assert "Lease ended" in text
    assert "Silent, and goes on" in text
    assert text.index("Silent, and goes on") < text.index("Lease ended")
    assert "Stumm, macht weiter" in shown(boss, "de")


def test_a_long_list_says_how_many_it_leaves_out(
    house: House, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants them all asks the API."""
    monkeypatch.setattr(server_words, "MOST_VERIFIERS", 2)
    one = reader(house)
    for number in range(5):
        asked(one, f"instance-{number}")
    text = shown(boss)
    assert text.count("instance-") == 2
    assert "3 more are not shown" in text


def test_the_page_of_servers_is_live(house: House, served: str) -> None:
    """A verifier that appears is seen; nothing of the other live page is sent along."""
    _, headers = boss_of(house)
    watcher = Watcher(served, headers, "?show=servers")
    assert watcher.sees("Up to date", "servers")
    follower_of(house, "newcomer")
    assert watcher.sees("newcomer", "servers")
    assert {name for seen in watcher.seen for name in seen} == {"servers"}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("refuse", "not confirmed: it may accept it until 12:00:01 UTC"),
        ("allow", "silent: it goes on without hearing, and may accept it until it expires"),
    ],
)
def test_a_receipt_on_a_page_names_who_has_not_confirmed(
    house: House, boss: TestClient, policy: str, said: str
) -> None:
    """And does not turn green."""
    follower_of(house, policy=policy)
    account = house.authority.accounts.find(ADA)
    text = boss.post(f"/admin/accounts/{account.id}/end-sessions", data={}).text
    assert "In force at every server. Another service has not confirmed it yet." in text
    assert "Asker (one)" in text
    assert said in text
    assert "receipt in_force" not in text


def test_a_page_gives_verifiers_a_moment_to_confirm(
    house: House, boss: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is green; one whose lease ends meanwhile is told as such."""
    monkeypatch.setattr(admin_acts, "_PATIENCE", 30.0)
    one, account = follower_of(house), house.authority.accounts.find(ADA)
    path, head = f"/admin/accounts/{account.id}/end-sessions", house.authority.store.position()
    act = Ending(lambda: boss.post(path, data={}).text)
    while house.authority.store.position() == head:
        asked(one)
    asked(one)
    asked(one)
    text = act.come()
    assert "receipt in_force" in text
    assert "Asker (one)</span>: confirmed" in text
    act = Ending(lambda: boss.post(path, data={}).text)
    while not act.over.wait(0.1):
        house.clock.turn(seconds=0.5)
        house.authority.follower.step()
    assert "another service that did not answer refuses everything" in act.come()


def test_metrics_count_verifiers_and_their_lag(house: House, boss: TestClient) -> None:
    """Those that may be answering; those nobody has heard; the slowest in facts and in seconds."""
    found = scrape(house)
    assert [found(name) for name in NUMBERS] == [0, 0, 0, 0]
    follower_of(house)
    asked(reader(house), "new", policy="allow")
    ended(boss, house)
    house.authority.follower.step()
    house.clock.turn(seconds=1.5)
    house.authority.follower.step()
    found = scrape(house)
    assert [found(name) for name in NUMBERS] == [2, 1, 1, 1.5]
    house.clock.turn(seconds=AHEAD)
    house.authority.follower.step()
    found = scrape(house)
    assert [found(name) for name in NUMBERS] == [0, 1, 0, 0]


NUMBERS = ("verifiers", "verifiers_unheard", "verifiers_slowest_lag", "verifiers_slowest_lag_seconds")
