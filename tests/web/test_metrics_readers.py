"""Who may read `/metrics`: programs on this machine, and whoever holds the bearer of the settings."""

import pytest
from starlette.testclient import TestClient

from tests.web.house import Build, House, is_problem, set_cookies
from tests.web.scraping import LOCAL, ask

BEARER = "b6bb0a6b7d08eab4a3b1a0c0cb4c6d2e"
ELSEWHERE = "192.0.2.7"


@pytest.fixture
def guarded(building: Build) -> House:
    """A house whose metrics have a bearer."""
    return building({"metrics": {"bearer": BEARER}})


@pytest.mark.parametrize("address", [LOCAL, "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_a_program_on_this_machine_may_scrape(house: House, address: str) -> None:
    """Every spelling of loopback, without any credential."""
    answer = ask(house, address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "address", [ELSEWHERE, "10.0.0.1", "128.0.0.1", "::2", "::ffff:192.0.2.7", "", "a-name"]
)
def test_nobody_else_may(house: House, address: str) -> None:
    """403 `forbidden`, also for an address that is none."""
    assert is_problem(ask(house, address), 403, "forbidden")


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]
)
def test_what_came_through_a_proxy_is_not_local(house: House, name: str) -> None:
    """Behind a proxy on this machine the whole world has its address."""
    assert is_problem(ask(house, **{name: LOCAL}), 403, "forbidden")


def test_the_address_of_a_trusted_proxy_is_not_local(building: Build) -> None:
    """Also where the proxy adds no header; another address of loopback is local."""
    house = building({"proxy": {"trusted": ["127.0.0.1"]}})
    assert is_problem(ask(house, LOCAL), 403, "forbidden")
    assert ask(house, "127.0.0.2").status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
def test_the_bearer_opens_from_anywhere(guarded: House, scheme: str) -> None:
    """From elsewhere and through a proxy; the name of the scheme has no case (RFC 9110 section 11.1)."""
    shown = {"Authorization": f"{scheme}{BEARER}"}
    assert ask(guarded, ELSEWHERE, **shown).status_code == 200
    assert ask(guarded, LOCAL, **shown, **{"X-Forwarded-For": ELSEWHERE}).status_code == 200


@pytest.mark.parametrize(
    "shown",
    [BEARER, f"Basic {BEARER}", f"Bearer {BEARER}x", f"Bearer {BEARER[:-1]}", "Bearer ", "Bearer \xe9"],
)
def test_nothing_but_the_bearer_opens(guarded: House, shown: str) -> None:
    """Neither another scheme nor a part of it."""
    client = TestClient(guarded.app, guarded.base, client=(ELSEWHERE, 1))
    answer = client.get("/metrics", headers=[("authorization", shown.encode("latin-1"))])
    assert is_problem(answer, 403, "forbidden")
    assert BEARER not in answer.text


def test_two_authorizations_are_no_bearer(guarded: House) -> None:
    """A proxy may have looked at the other one."""
    client = TestClient(guarded.app, guarded.base, client=(ELSEWHERE, 1))
    shown = [("authorization", f"Bearer {BEARER}"), ("authorization", "Basic YTpi")]
    assert is_problem(client.get("/metrics", headers=shown), 403, "forbidden")


def test_without_the_setting_no_bearer_opens(house: House) -> None:
    """Not even an empty one."""
    for shown in ("Bearer", "Bearer ", "Bearer None"):
        assert is_problem(ask(house, ELSEWHERE, Authorization=shown), 403, "forbidden")


def test_an_administrator_is_no_scraper(house: House) -> None:
    """Being signed in opens nothing here, and the refusal leaves the cookie alone."""
    client = house.signed_in("admin@example.com", "admin")
    answer = client.get("/metrics")
    assert is_problem(answer, 403, "forbidden")
    assert set_cookies(answer) == []


def test_metrics_can_be_switched_off(building: Build) -> None:
    """The setting `metrics.served`: 404 for everybody."""
    house = building({"metrics": {"served": False, "bearer": BEARER}})
    assert is_problem(ask(house, LOCAL, Authorization=f"Bearer {BEARER}"), 404, "not_found")
