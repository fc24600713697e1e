"""A wrong password, an unknown address and a locked account: one answer, one amount of work, one kind of audit row.

The store is decorated with a counter, a real store that says how often it was asked.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from gatepost.authority import Authority, Machine
from gatepost.core.changes import AuditRow
from gatepost.core.ports import Store
from gatepost.machine import SystemRandomness
from gatepost.testing.clock import TurnableClock
from gatepost.web.app import make_app
from tests.web.house import ADA, CHEAP, House, settings_in, sign_in

LOCKED = "locked@example.com"
WRONG = "some wrong words here"


class CountingStore:
    """A store that counts what it is asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            self.asked[name] += 1
            return found(*arguments, **named)

        return counted


class CountedAuthority(Authority):
    """An authority over a counting store."""

    counting: CountingStore

    def _compose(self) -> None:
        self.counting = CountingStore(self.store)
        counted: Any = self.counting
        self.store = counted
        super()._compose()


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[House]:
    """A house with a member and a locked account. It is not started: no thread of its own asks the store anything."""
    clock = TurnableClock()
    authority = CountedAuthority(settings_in(tmp_path), Machine(clock, SystemRandomness(), profile=CHEAP))
    house = House(authority, make_app(authority), clock)
    house.account()
    house.authority.accounts.lock(house.account(LOCKED).id, "test")
    yield house
    house.close()


def refusals(house: House) -> dict[str, tuple[str, dict[str, Any]]]:
    """The ways to be refused, each with the e-mail and what else is sent."""
    return {
        "wrong password": (ADA, {"password": WRONG}),
        "unknown": ("nobody@example.com", {"password": WRONG}),
        "unknown, no address": ("nobody", {"password": WRONG}),
        "unknown, empty": ("", {"password": WRONG}),
        "locked, wrong password": (LOCKED, {"password": WRONG}),
        "locked, right password": (LOCKED, {}),
        "unknown, by token": ("nobody@example.com", {"password": WRONG, "carrier": "token"}),
        "wrong password, by token": (ADA, {"password": WRONG, "carrier": "token"}),
    }


def test_refusals_are_the_same_to_the_byte(counted: House) -> None:
    """Status, headers and body; no cookie, no hint."""
    answers: list[Response] = [
        sign_in(counted.browser(), email, **more) for email, more in refusals(counted).values()
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(answer.headers.multi_items()) for answer in answers}) == 1
    assert answers[0].json()["code"] == "invalid_credentials"


def test_pages_of_refusals_differ_in_the_typed_address_only(counted: House) -> None:
    """The form shows what was typed and nothing else that could tell."""
    texts = {
        counted.browser().post("/sign-in", data={"email": email, "password": WRONG}).text.replace(email, "E")
        for email in (ADA, "nobody@example.com", LOCKED)
    }
    assert len(texts) == 1


def test_refusals_cost_the_same_work(counted: House) -> None:
    """One hash, the same questions to the store, one commit."""
    authority = counted.authority
    assert isinstance(authority, CountedAuthority)
    costs = {}
    for name, (email, more) in refusals(counted).items():
        hashes, authority.counting.asked = authority.hashing.hashes_done, Counter()
        sign_in(counted.browser(), email, **more)
        costs[name] = (authority.hashing.hashes_done - hashes, authority.counting.asked)
    asked = Counter(account_by_email=1, accounts=2, commit=1)
    assert all(cost == (1, asked) for cost in costs.values()), costs


@pytest.mark.parametrize("path", ["/api/sessions", "/account"])
def test_failed_sign_ins_do_not_make_the_list_of_sessions_dearer(counted: House, path: str) -> None:
    """Anybody makes an account's trail longer, so the trail is not read: one question, for the sessions on the list."""
    authority = counted.authority
    assert isinstance(authority, CountedAuthority)
    authority.follower.step()
    owner = counted.browser()
    for carrier in ("token", "cookie"):
        assert sign_in(owner, ADA, carrier=carrier).status_code == 200
    for more in ({}, {"password": WRONG}):
        sign_in(counted.browser(), ADA, **more)
        authority.counting.asked = Counter()
        assert owner.get(path).status_code == 200
        assert authority.counting.asked["repeats_elsewhere"] == 1
        assert authority.counting.asked["audit_rows"] == 0


def test_refusals_leave_the_same_audit_row(counted: House) -> None:
    """One `sign_in_failed`, whose account is known to the operator only; never a typed text."""
    rows: list[AuditRow] = []
    for email, more in refusals(counted).values():
        before = len(counted.authority.store.audit_rows(account_id=None, after=0, limit=1000))
        sign_in(counted.browser(), email, **more)
        (row,) = (
            row for _, row in counted.authority.store.audit_rows(account_id=None, after=before, limit=10)
        )
        rows.append(row)
    assert {(row.event, row.actor, row.session_id, row.address, row.device) for row in rows} == {
        (rows[0].event, None, None, "testclient", "Unknown device")
    }
    assert not any(row.more for row in rows)
    assert WRONG not in repr(rows)


def test_sign_up_and_password_change_tell_no_more(house: House) -> None:
    """Without a mailer 409 is told and documented; a change with a wrong password says only that it is wrong."""
    client = house.signed_in()
    answer = client.post("/api/password", json={"current": WRONG, "new": "another four words here"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert WRONG not in answer.text


@pytest.mark.parametrize("secret", ["nonsense", "A" * 43, "%00", "a" * 3000])
def test_one_time_link_that_is_not_good_tells_nothing(house: House, secret: str) -> None:
    """404 for unknown, used and expired alike, for looking and for using."""
    client = house.browser()
    assert client.get(f"/invite/{secret}").status_code == 404
    answer = client.post(f"/invite/{secret}", data={"email": ADA, "password": "three or four words do it"})
    assert answer.status_code == 404
    assert house.counts() == (0, 0, 0)
