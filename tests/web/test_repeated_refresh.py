"""A refresh token that is used twice: who is told, and how long an honest client may ask again."""

from datetime import timedelta

import pytest

from tests.web.house import ADA, Build, House, sign_in

HORIZON = timedelta(minutes=10)


def refresh(house: House, token: str, agent: str = "app/1") -> tuple[int, str]:
    """Use a refresh token as some program; the status, and the new token or nothing."""
    answer = house.program(**{"user-agent": agent}).post(
        "/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token}
    )
    return answer.status_code, answer.json().get("refresh_token", "")


def test_the_owner_sees_that_a_token_was_repeated_from_elsewhere(house: House) -> None:
    """In the list and on the page, with where and when; the repeat itself ends nothing."""
    holder = house.holder()
    refresh(house, holder.refresh)
    owner = house.browser()
    sign_in(owner, ADA)
    assert "repeated_elsewhere" not in owner.get("/api/sessions").text
    status, _ = refresh(house, holder.refresh, "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0")
    assert status == 200
    [entry] = [one for one in owner.get("/api/sessions").json()["items"] if one["carrier"] == "token"]
    assert set(entry["repeated_elsewhere"]) == {"at", "address", "device"}
    assert "Firefox" in entry["repeated_elsewhere"]["device"]
    assert "If that was not you" in owner.get("/account").text


def test_a_repeat_from_the_same_place_worries_nobody(house: House) -> None:
    """Two tabs, or a lost answer."""
    holder = house.holder()
    for _ in range(3):
        refresh(house, holder.refresh)
    owner = house.browser()
    sign_in(owner, ADA)
    assert "repeated_elsewhere" not in owner.get("/api/sessions").text


def test_a_client_that_is_killed_before_it_saves_may_ask_again_for_a_horizon(building: Build) -> None:
    """With the setting: the same successor as long as it is unused, up to the very moment the horizon ends."""
    house = building({"tokens": {"refresh_grace_while_unused": True}})
    token = house.holder().refresh
    _, successor = refresh(house, token)
    house.clock.turn(HORIZON - timedelta(microseconds=1))
    assert refresh(house, token) == (200, successor)
    house.clock.turn(timedelta(microseconds=1))
    assert refresh(house, token)[0] == 400
    assert refresh(house, successor)[0] == 400


@pytest.mark.parametrize("seconds", [9.999999, 10])
def test_without_the_setting_ten_seconds_are_the_end_of_it(house: House, seconds: float) -> None:
    """The default: a repeat just inside the grace is answered, one at its end is a replay and ends the session."""
    token = house.holder().refresh
    _, successor = refresh(house, token)
    house.clock.turn(timedelta(seconds=seconds))
    inside = seconds < 10
    assert refresh(house, token)[0] == (200 if inside else 400)
    assert refresh(house, successor)[0] == (200 if inside else 400)


@pytest.mark.parametrize("seconds", [9.999999, 10])
def test_ten_seconds_after_the_first_use_of_its_successor_the_longer_grace_is_over(
    building: Build, seconds: float
) -> None:
    """With the setting: until then a token two generations old gets its own answer again, then it is a replay."""
    house = building({"tokens": {"refresh_grace_while_unused": True}})
    token = house.holder().refresh
    _, successor = refresh(house, token)
    house.clock.turn(timedelta(minutes=1))
    _, newest = refresh(house, successor)
    house.clock.turn(timedelta(seconds=seconds))
    inside = seconds < 10
    assert refresh(house, token) == ((200, successor) if inside else (400, ""))
    assert refresh(house, newest)[0] == (200 if inside else 400)
