"""`GET /api/admin/audit`: the trail for administrators, page by page."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from gatepost.web.admin_bodies import AuditRowOut
from gatepost.web.answers import audit_body
from tests.web.house import ADA, House, is_problem, sign_in

BOSS = "boss@example.com"
PATH = "/api/admin/audit"


@pytest.fixture
def boss(house: House) -> TestClient:
    """A browser of an administrator."""
    return house.signed_in(BOSS, "admin")


def listed(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    """The items of one page."""
    answer = client.get(PATH, params=query)
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_rows_come_page_by_page_in_the_order_of_their_numbers(house: House, boss: TestClient) -> None:
    """Every row once; `next` leads on and is absent at the end."""
    for _ in range(3):
        sign_in(house.browser(), "nobody@example.com")
    pages = [boss.get(PATH, params={"limit": 2}).json()]
    while "next" in pages[-1]:
        pages.append(boss.get(PATH, params={"limit": 2, "after": pages[-1]["next"]}).json())
    items = [item for page in pages for item in page["items"]]
    assert [item["number"] for item in items] == list(range(1, len(items) + 1))
    assert [item["event"] for item in items[-3:]] == ["sign_in_failed"] * 3
    assert all(set(item) == set(AuditRowOut.model_fields) for item in items)


def test_rows_are_those_of_the_command_line(house: House, boss: TestClient) -> None:
    """Letter by letter."""
    rows = house.authority.audit.page(limit=200)
    assert listed(boss, limit=200) == [audit_body(number, row) for number, row in rows]


@pytest.mark.parametrize("by", ["id", "email"])
def test_rows_of_one_account(house: House, boss: TestClient, by: str) -> None:
    """By its id or its e-mail, with who did what to it."""
    house.signed_in()
    account = house.authority.accounts.find(ADA)
    boss.post(f"/api/admin/accounts/{account.id}/lock")
    items = listed(boss, account=account.id if by == "id" else ADA)
    assert {item["account_id"] for item in items} == {account.id}
    admin = house.authority.accounts.find(BOSS).id
    assert (items[-1]["event"], items[-1]["actor"]) == ("account_locked", admin)


def test_account_that_is_gone_has_the_rows_it_had(boss: TestClient) -> None:
    """An id is taken as it is; an e-mail that nobody has names no account."""
    assert listed(boss, account="nobody") == []
    assert is_problem(boss.get(PATH, params={"account": "nobody@example.com"}), 404, "not_found")
    assert is_problem(boss.get(PATH, params={"account": "@"}), 404, "not_found")


@pytest.mark.parametrize(
    ("name", "value"), [("after", "-1"), ("after", str(2**63)), ("after", "x"), ("limit", "0")]
)
def test_what_no_page_can_be_is_refused(boss: TestClient, name: str, value: str) -> None:
    """422 `invalid_fields`, naming the parameter."""
    answer = boss.get(PATH, params={name: value})
    assert is_problem(answer, 422, "invalid_fields")
    assert set(answer.json()["errors"]) == {name}


def test_page_after_the_last_row_is_empty(boss: TestClient) -> None:
    """The largest number there can be is one that no row has."""
    assert listed(boss, after=2**63 - 1) == []


@pytest.mark.parametrize("roles", [(), ("member",), ("support",)])
def test_only_administrators_read_the_trail(house: House, roles: tuple[str, ...]) -> None:
    """403 `forbidden` for everybody else, about themselves too."""
    client = house.signed_in(ADA, *roles)
    assert is_problem(client.get(PATH), 403, "forbidden")
    assert is_problem(client.get(PATH, params={"account": ADA}), 403, "forbidden")
