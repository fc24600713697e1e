"""Tokens in cookies to be renewed while the log is out of reach, or while another program holds the database."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from gatepost.web.turns import WRITERS
from tests.processes import wait_until
from tests.web.house import ADA, Build, House, is_problem, set_cookies, sign_in
from tests.web.token_jars import ACCESS, ACCESS_LIFE, CSRF, REFRESH, in_cookies, names_set, quiet, rotations

ONE_FILE = {"database": {"url": None}}


def deaf(building: Build, when_stale: str) -> House:
    """A server on a file."""
    return building({**ONE_FILE, "revocation": {"when_stale": when_stale}})


@pytest.mark.parametrize("gone", [ACCESS, None], ids=["refresh cookie alone", "both"])
def test_unheard_nothing_is_renewed(building: Build, gone: str | None) -> None:
    """503 `not_fresh` with Retry-After, no cookie touched, no rotation, sign-out included; heard again, it goes on."""
    house = deaf(building, "refuse")
    client = in_cookies(house)
    house.clock.turn(ACCESS_LIFE)
    if gone:
        client.cookies.delete(gone)
    house.authority.follower.stop()
    house.clock.turn(ACCESS_LIFE)
    answers = [client.get("/api/session"), client.post("/api/sign-out"), client.get("/account")]
    forger = quiet(house, client)
    answers.append(forger.delete("/api/sessions", headers={"x-csrf-token": client.cookies[CSRF]}))
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert set_cookies(answer) == []
    assert is_problem(answers[0], 503, "not_fresh")
    assert rotations(house, client) == 0
    house.authority.follower.start()
    wait_until(house.authority.follower.catch_up, "the log was not heard again")
    assert names_set(client.get("/api/session")) == [ACCESS, REFRESH]


@pytest.mark.parametrize("when_stale", ["ask", "allow"])
def test_unheard_the_bold_renew_from_the_durable_truth(building: Build, when_stale: str) -> None:
    """The database can be read and written: once, and then refused as soon as it knows of the end."""
    house = deaf(building, when_stale)
    neighbour = building(ONE_FILE)
    client = in_cookies(house)
    house.authority.follower.stop()
    house.clock.turn(ACCESS_LIFE)
    for expected in ([ACCESS, REFRESH], []):
        answer = client.get("/api/sessions")
        assert (answer.status_code, names_set(answer)) == (200, expected)
    assert rotations(house, client) == 1
    neighbour.authority.accounts.lock(ADA, "test")
    house.clock.turn(ACCESS_LIFE)
    answer = client.get("/api/sessions")
    assert is_problem(answer, 401, "invalid_token")
    assert set_cookies(answer) == []


@contextmanager
def held_by_another(folder: Path) -> Iterator[None]:
    """The write lock of the database, in other hands."""
    with closing(sqlite3.connect(folder / "gatepost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_renewals_that_wait_for_the_database_stand_in_nobodys_way(building: Build, tmp_path: Path) -> None:
    """Each of them is 503 `busy` with Retry-After and keeps its cookies; pages of others are answered meanwhile."""
    house = building(ONE_FILE)
    client = in_cookies(house)
    reader = house.browser()
    sign_in(reader)
    house.clock.turn(ACCESS_LIFE)
    assert reader.get("/account").status_code == 200
    waiting = WRITERS + 5
    asked = threading.Barrier(waiting + 1)

    def renew() -> tuple[int, str, str, list[str]]:
        browser = quiet(house, client)
        asked.wait(60)
        answer = browser.get("/api/session")
        return answer.status_code, answer.json()["code"], answer.headers["retry-after"], set_cookies(answer)

    with held_by_another(tmp_path), ThreadPoolExecutor(waiting) as threads:
        answers = [threads.submit(renew) for _ in range(waiting)]
        asked.wait(60)
        assert reader.get("/account").status_code == 200
        unanswered = sum(not answer.done() for answer in answers)
        found = {repr(answer.result()) for answer in answers}
    assert unanswered == waiting
    assert found == {repr((503, "busy", "1", []))}
    assert rotations(house, client) == 0
    assert names_set(client.get("/api/session")) == [ACCESS, REFRESH]
