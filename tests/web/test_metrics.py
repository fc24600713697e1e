"""What `/metrics` says: each number moves by exactly what happened, and stands while the store is out of reach."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import Nothing
from gatepost.errors import SignedOut
from gatepost.machine import SystemRandomness
from gatepost.settings import load_settings
from gatepost.testing.clock import TurnableClock
from gatepost.web.app import make_app
from gatepost.web.metering import BUCKETS, Durations
from tests.web.house import ADA, CHEAP, DEAD, PASSWORD, Build, House, sign_in
from tests.web.scraping import ask, scrape

ROTATION = {"grant_type": "refresh_token"}


def test_checks_are_counted_by_carrier_and_result(house: House) -> None:
    """Accepted, refused for each reason, and those that presented nothing."""
    browser, holder = house.signed_in(), house.holder("bob@example.com")
    for _ in range(3):
        assert browser.get("/api/session").status_code == 200
    assert holder.client.get("/api/session").status_code == 200
    program = house.program()
    assert program.get("/api/session").status_code == 401
    assert program.get("/api/session", headers={"cookie": f"gatepost={DEAD}"}).status_code == 401
    assert program.get("/api/session", headers={"authorization": "Bearer x.y.z"}).status_code == 401
    house.authority.accounts.lock("bob@example.com", "test")
    assert holder.client.get("/api/session").status_code == 401
    found = scrape(house)
    assert found("checks_total", carrier="cookie", result="accepted") == 3
    assert found("checks_total", carrier="token", result="accepted") == 1
    assert found("checks_total", carrier="none", result="nothing_presented") == 1
    assert found("checks_total", carrier="cookie", result="malformed") == 1
    assert found("checks_total", carrier="token", result="malformed") == 1
    assert found("checks_total", carrier="token", result="revoked") == 1


def test_a_known_carrier_is_no_miss(house: House) -> None:
    """The first check of each loads or verifies, no later one does; both are remembered."""
    browser, holder = house.signed_in(), house.holder("bob@example.com")
    for _ in range(3):
        browser.get("/api/session")
        holder.client.get("/api/session")
    found = scrape(house)
    for carrier in ("cookie", "token"):
        assert found("check_misses_total", carrier=carrier) == 1
        assert found("known", carrier=carrier) == 1


def test_ways_in_are_counted_by_outcome(house: House) -> None:
    """Sign-in, sign-up and the one-time link; a refusal under its code."""
    browser = house.browser()
    body = {"email": ADA, "password": PASSWORD}
    assert browser.post("/api/sign-up", json=body).status_code == 201
    assert browser.post("/api/sign-up", json=body).status_code == 409
    assert sign_in(browser, password="not the right one at all").status_code == 401
    assert sign_in(browser, "nobody@example.com").status_code == 401
    link = f"/invite/{house.authority.accounts.invite('admin', 'test').reveal()}"
    assert browser.post(link, data={**body, "email": "root@example.com"}).status_code == 303
    found = scrape(house)
    assert found("sign_ins_total", way="sign_up", outcome="done") == 1
    assert found("sign_ins_total", way="sign_up", outcome="email_taken") == 1
    assert found("sign_ins_total", way="sign_in", outcome="invalid_credentials") == 2
    assert found("sign_ins_total", way="sign_in", outcome="done") == 0
    assert found("sign_ins_total", way="invitation", outcome="done") == 1
    assert found("hashes_total") == 4


def test_refreshes_are_counted_by_outcome(house: House) -> None:
    """Rotated, repeated, replayed and refused are told apart, though the client of the last two is not told."""
    holder = house.holder()

    def refresh(token: str) -> int:
        answer = house.program().post("/oauth/token", data={**ROTATION, "refresh_token": token})
        return answer.status_code

    assert [refresh(holder.refresh), refresh(holder.refresh)] == [200, 200]
    house.clock.turn(timedelta(seconds=11))
    assert [refresh(holder.refresh), refresh(holder.refresh), refresh("nonsense")] == [400, 400, 400]
    found = scrape(house)
    counts = {one: found("refreshes_total", outcome=one) for one in ("rotated", "repeated", "replayed")}
    assert counts == {"rotated": 1, "repeated": 1, "replayed": 1}
    assert found("refreshes_total", outcome="invalid_grant") == 2


def test_errors_are_counted_by_code(house: House) -> None:
    """Whatever layer refused: the envelope, a check, an endpoint."""
    program = house.program()
    program.get("/api/session", headers={"host": "other.example"})
    program.get("/api/session")
    program.get("/nothing")
    found = scrape(house)
    for code in ("unknown_host", "signed_out", "not_found"):
        assert found("error_answers_total", code=code) == 1


def test_requests_are_timed_by_kind(house: House) -> None:
    """JSON, OAuth, pages, files, and what never reached a route; a scrape is not in its own answer."""
    program = house.program()
    for path in ("/healthz", "/", "/sign-in", "/nothing", "/static/gatepost.css"):
        program.get(path)
    program.post("/oauth/token", data=ROTATION)
    found = scrape(house)
    counts = {
        kind: found("request_seconds_count", kind=kind) for kind in ("api", "page", "oauth", "file", "none")
    }
    assert counts == {"api": 1, "page": 2, "oauth": 1, "file": 1, "none": 1}
    assert scrape(house)("request_seconds_count", kind="file") == 2


@pytest.mark.parametrize("bucket", range(len(BUCKETS)))
def test_a_bucket_holds_its_own_limit(bucket: int) -> None:
    """`le` means at most: the limit itself lies below, the next larger number above."""
    durations = Durations()
    durations.add(BUCKETS[bucket])
    durations.add(BUCKETS[bucket] * 1.000001)
    assert (durations.counts[bucket], durations.counts[bucket + 1]) == (1, 1)


def test_live_facts_head_and_position_move_together(house: House) -> None:
    """An ending is one fact; who has read it lags by nothing."""
    before = scrape(house)
    house.signed_in()
    house.authority.accounts.lock(ADA, "test")
    house.authority.follower.catch_up()
    house.authority.follower.step()
    after = scrape(house)
    assert after("live_facts") == before("live_facts") + 1
    assert after("log_head") == before("log_head") + 1
    assert (after("log_position"), after("log_lag"), after("log_slowest_lag")) == (after("log_head"), 0, 0)
    assert after("log_followers") == 1


def test_a_follower_that_stands_still_lags(house: House) -> None:
    """Its position stays where it was, and its knowledge gets older without end."""
    house.account()
    house.authority.follower.stop()
    house.authority.accounts.lock(ADA, "test")
    found = scrape(house)
    assert found("log_lag") == 1
    assert found("log_followers") == 0
    assert found("lease_age_seconds") == float("inf")


def test_the_lease_is_as_old_as_the_question_that_brought_it(house: House) -> None:
    """Counted from the sending, so it reaches the bound at the very moment in which memory is not believed any more."""
    follower, clock = house.authority.follower, house.clock
    follower.stop()
    follower.step()
    clock.turn(timedelta(seconds=0.75))
    found = scrape(house)
    assert found("lease_age_seconds") == pytest.approx(0.75)
    assert found("lease_bound_seconds") == 1


def test_hashes_that_got_no_turn_are_counted(building: Build) -> None:
    """With one slot and no queue, whoever comes second is told 503 and counted."""
    house = building({"limits": {"hashes": 1, "hash_queue": 0}})
    house.account()
    with house.authority.hashing._gate:
        assert scrape(house)("hashes_in_use") == 1
        assert sign_in(house.browser()).status_code == 503
    found = scrape(house)
    assert (found("hashes_refused_total"), found("hashes_in_use"), found("hashes_waiting")) == (1, 0, 0)
    assert found("sign_ins_total", way="sign_in", outcome="busy") == 1


def test_swept_rows_are_counted(house: House) -> None:
    """Dead records that the housekeeper deleted."""
    house.signed_in()
    house.clock.turn(timedelta(days=31))
    gone = house.authority.housekeeper.sweep()
    assert gone > 0
    assert scrape(house)("swept_rows_total") >= gone


def test_metrics_are_read_while_the_store_is_out_of_reach(tmp_path: Path) -> None:
    """What this process counted itself is there; what the store would have said is left out, and its gauge is 0."""
    settings = load_settings({"data": str(tmp_path)}, environ={}, directory=tmp_path)
    clock = TurnableClock()
    authority = Authority(
        settings.with_extra_hosts("testserver"), Machine(clock, SystemRandomness(), profile=CHEAP)
    )
    authority.start()
    house = House(authority, make_app(authority), clock)
    try:
        assert scrape(house)("store_readable") == 1
    finally:
        authority.stop()
    with pytest.raises(SignedOut):
        authority.guard.check(Nothing())
    found = scrape(house)
    assert found("store_readable") == 0
    assert "gatepost_log_head" not in found.names()
    assert found("checks_total", carrier="none", result="nothing_presented") == 1


def test_what_one_process_counted_carries_its_number(house: House) -> None:
    """Several workers answer on one port; what they share has no such label, or it would be added up."""
    shared = {
        "gatepost_store_readable",
        "gatepost_log_head",
        "gatepost_log_followers",
        "gatepost_log_slowest_lag",
        "gatepost_verifiers",
        "gatepost_verifiers_unheard",
        "gatepost_verifiers_slowest_lag",
        "gatepost_verifiers_slowest_lag_seconds",
    }
    for line in ask(house).text.splitlines():
        if not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            assert (f'worker="{os.getpid()}"' in line) is (name not in shared), line


def test_the_library_counts_nothing_of_its_own(house: House) -> None:
    """Neither is our collector in its default registry, nor its process statistics in our answer."""
    text = ask(house).text
    assert "gatepost_" not in "".join(family.name for family in REGISTRY.collect())
    assert all(line.split()[2].startswith("gatepost_") for line in text.splitlines() if line.startswith("#"))


def test_no_name_of_anybody_is_in_the_metrics(house: House) -> None:
    """No account, no session, no e-mail, no address and no path: labels are words of ours."""
    browser = house.signed_in()
    session = browser.get("/api/session").json()
    browser.get("/nothing/of-that-name?with=query")
    text = ask(house).text
    for word in (ADA, session["account"]["id"], session["session"]["id"], "of-that-name", "testclient"):
        assert word not in text
