"""The administrator's endpoints: who may call them, what they answer, and that it bites at once."""

import pytest
from starlette.testclient import TestClient

from tests.web.house import ADA, House, is_problem, sign_in

BOSS = "boss@example.com"
ACCOUNT = {"id", "email", "email_verified", "roles", "permissions", "created_at", "locked_at"}
RECEIPT = {"pos", "committed_at", "state", "in_force_at", "latest_at", "verifiers", "workers"}
CALLS = [
    ("GET", "/api/admin/accounts", None),
    ("GET", "/api/admin/sessions", None),
    ("POST", "/api/admin/accounts/{id}/lock", None),
    ("POST", "/api/admin/accounts/{id}/unlock", None),
    ("PUT", "/api/admin/accounts/{id}/roles", {"roles": ["admin"]}),
    ("DELETE", "/api/admin/accounts/{id}/sessions", None),
    ("DELETE", "/api/admin/sessions/{id}", None),
]


@pytest.fixture
def boss(house: House) -> TestClient:
    """A browser of an administrator."""
    return house.signed_in(BOSS, "admin")


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("roles", [(), ("member",), ("support",), ("member", "support")])
def test_only_administrators_may(
    house: House, method: str, path: str, body: object, roles: tuple[str, ...]
) -> None:
    """403 `forbidden` for everybody else, `support` too, and nothing has changed."""
    client = house.signed_in(ADA, *roles)
    own = house.authority.accounts.find(ADA)
    before = house.counts()
    assert is_problem(client.request(method, path.format(id=own.id), json=body), 403, "forbidden")
    assert house.counts() == before
    assert house.authority.accounts.find(ADA) == own


@pytest.mark.parametrize(("method", "path", "body"), CALLS[2:])
def test_what_is_not_there_is_not_found(boss: TestClient, method: str, path: str, body: object) -> None:
    """404 for an id that nobody has."""
    assert is_problem(boss.request(method, path.format(id="nobody"), json=body), 404, "not_found")


def test_accounts_are_listed_page_by_page(house: House, boss: TestClient) -> None:
    """`{items, next?}`: every account once, `next` leads on and is absent at the end."""
    for number in range(4):
        house.account(f"user{number}@example.com")
    pages = [boss.get("/api/admin/accounts", params={"limit": 2}).json()]
    while "next" in pages[-1]:
        query = {"limit": 2, "after": pages[-1]["next"]}
        pages.append(boss.get("/api/admin/accounts", params=query).json())
    items = [item for page in pages for item in page["items"]]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert all(set(item) == ACCOUNT for item in items)
    everybody = [BOSS, *(f"user{number}@example.com" for number in range(4))]
    assert sorted(item["email"] for item in items) == sorted(everybody)
    found = boss.get("/api/admin/accounts", params={"q": "USER3"}).json()["items"]
    assert [item["email"] for item in found] == ["user3@example.com"]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1e2", "9" * 30, ""])
def test_page_size_is_bounded(boss: TestClient, limit: str) -> None:
    """422 `invalid_fields` outside 1 to 200."""
    answer = boss.get("/api/admin/accounts", params={"limit": limit})
    assert is_problem(answer, 422, "invalid_fields")
    assert set(answer.json()["errors"]) == {"limit"}


def test_sessions_of_everybody_are_listed(house: House, boss: TestClient) -> None:
    """Who is signed in now, with account and e-mail."""
    house.signed_in()
    items = boss.get("/api/admin/sessions").json()["items"]
    assert {item["email"] for item in items} == {ADA, BOSS}
    assert all({"id", "account_id", "device", "address", "carrier"} <= set(item) for item in items)


def test_lock_bites_at_once(house: House, boss: TestClient) -> None:
    """200 with account and receipt; cookie, access and refresh token are refused by the next request."""
    client, held = house.signed_in(), house.holder_of(ADA)
    account = client.get("/api/session").json()["account"]["id"]
    held.client.get("/api/session")
    answer = boss.post(f"/api/admin/accounts/{account}/lock")
    assert answer.status_code == 200
    assert set(answer.json()) == {"account", "receipt"}
    assert set(answer.json()["account"]) == ACCOUNT
    assert answer.json()["account"]["locked_at"]
    assert set(answer.json()["receipt"]) == RECEIPT
    assert answer.json()["receipt"]["state"] == "in_force"
    assert [one.get("/api/session").status_code for one in (client, held.client)] == [401, 401]
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
    assert house.program().post("/oauth/token", data=form).status_code == 400
    assert is_problem(sign_in(house.browser()), 401, "invalid_credentials")
    assert boss.get("/api/session").status_code == 200


def test_unlock_lets_in_again_and_revives_nothing(house: House, boss: TestClient) -> None:
    """200 without a receipt, for it ends nothing; what the lock ended stays ended."""
    client = house.signed_in()
    account = client.get("/api/session").json()["account"]["id"]
    boss.post(f"/api/admin/accounts/{account}/lock")
    answer = boss.post(f"/api/admin/accounts/{account}/unlock")
    assert (answer.status_code, set(answer.json())) == (200, {"account"})
    assert answer.json()["account"]["locked_at"] is None
    assert client.get("/api/session").status_code == 401
    assert sign_in(house.browser()).status_code == 200


def test_role_taken_away_is_gone_on_the_next_request(house: House, boss: TestClient) -> None:
    """By cookie the next answer is 403; a token is 401 until it is renewed, and then 403."""
    client, held = house.signed_in(ADA, "member", "admin"), house.holder_of(ADA)
    assert [one.get("/api/admin/accounts").status_code for one in (client, held.client)] == [200, 200]
    account = client.get("/api/session").json()["account"]["id"]
    answer = boss.put(f"/api/admin/accounts/{account}/roles", json={"roles": ["member"]})
    assert (answer.status_code, answer.json()["account"]["roles"]) == (200, ["member"])
    assert set(answer.json()["receipt"]) == RECEIPT
    assert is_problem(client.get("/api/admin/accounts"), 403, "forbidden")
    assert client.get("/api/session").json()["account"]["roles"] == ["member"]
    assert is_problem(held.client.get("/api/admin/accounts"), 401, "invalid_token")
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
    access = house.program().post("/oauth/token", data=form).json()["access_token"]
    renewed = house.program(authorization=f"Bearer {access}")
    assert is_problem(renewed.get("/api/admin/accounts"), 403, "forbidden")


def test_role_that_does_not_exist_is_refused(house: House, boss: TestClient) -> None:
    """422 `invalid_fields`; the account keeps what it had."""
    account = house.account()
    answer = boss.put(f"/api/admin/accounts/{account.id}/roles", json={"roles": ["emperor"]})
    assert is_problem(answer, 422, "invalid_fields")
    assert house.authority.accounts.find(account.id).roles == ("member",)


def test_sessions_of_an_account_are_ended(house: House, boss: TestClient) -> None:
    """200 with the receipt; the account can sign in again."""
    client = house.signed_in()
    account = client.get("/api/session").json()["account"]["id"]
    answer = boss.delete(f"/api/admin/accounts/{account}/sessions")
    assert (answer.status_code, set(answer.json())) == (200, {"account", "receipt"})
    assert client.get("/api/session").status_code == 401
    assert sign_in(client).status_code == 200


def test_any_session_is_ended(house: House, boss: TestClient) -> None:
    """200 with `{receipt}`, of another person's session too."""
    client = house.signed_in()
    target = client.get("/api/session").json()["session"]["id"]
    answer = boss.delete(f"/api/admin/sessions/{target}")
    assert (answer.status_code, set(answer.json())) == (200, {"receipt"})
    assert client.get("/api/session").status_code == 401


def test_sessions_are_found_by_email_and_by_address(house: House, boss: TestClient) -> None:
    """`q` is a part of the e-mail, or where an address begins; each item says what its account did last."""
    house.signed_in()
    (found,) = boss.get("/api/admin/sessions", params={"q": "ADA@"}).json()["items"]
    assert found["email"] == ADA
    assert found["last_event"]["event"] == "signed_in"
    assert boss.get("/api/admin/sessions", params={"q": "203.0.113."}).json() == {"items": []}


def test_sessions_come_last_used_first_if_asked_for(house: House, boss: TestClient) -> None:
    """`order=last_seen`; `next` leads on; what no page has named is refused, and an order that there is not."""
    for _ in range(3):
        house.clock.turn(seconds=1)
        sign_in(house.browser(), BOSS)
    query = {"limit": 3, "order": "last_seen"}
    first = boss.get("/api/admin/sessions", params=query).json()
    rest = boss.get("/api/admin/sessions", params={**query, "after": first["next"]}).json()
    seen = [item["last_seen_at"] for item in first["items"] + rest["items"]]
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    for wrong in ({**query, "after": "nothing"}, {"order": "email"}):
        answer = boss.get("/api/admin/sessions", params=wrong)
        assert is_problem(answer, 422, "invalid_fields")


def test_roles_are_foreseen_and_not_changed(house: House, boss: TestClient) -> None:
    """What comes and goes, whom it meets, and why it would be refused."""
    house.holder()
    account = house.authority.accounts.find(ADA)
    path = f"/api/admin/accounts/{account.id}/roles/preview"
    told = boss.post(path, json={"roles": ["support"]}).json()
    assert told["account"]["roles"] == ["member"]
    assert (told["roles"], told["change"]) == (["support"], {"gained": ["support"], "lost": ["member"]})
    assert told["permissions"] == {"gained": [], "lost": []}
    assert (told["sessions"], told["tokens_outdated"]) == ({"token": 1}, 1)
    assert told["refusal"] is None
    assert house.authority.accounts.find(ADA) == account
    own = house.authority.accounts.find(BOSS)
    refused = boss.post(f"/api/admin/accounts/{own.id}/roles/preview", json={"roles": []}).json()["refusal"]
    assert refused["code"] == "last_administrator"
    assert is_problem(boss.post(path, json={"roles": ["emperor"]}), 422, "invalid_fields")


def test_last_administrator_is_neither_locked_nor_demoted(house: House, boss: TestClient) -> None:
    """409 `last_administrator`; with another one the own lock still asks whether it is meant."""
    own = house.authority.accounts.find(BOSS)
    path = f"/api/admin/accounts/{own.id}"
    assert is_problem(boss.put(f"{path}/roles", json={"roles": ["member"]}), 409, "last_administrator")
    assert is_problem(boss.post(f"{path}/lock?confirm=own"), 409, "last_administrator")
    house.account("other@example.com", "admin")
    assert is_problem(boss.post(f"{path}/lock"), 409, "own_account")
    assert is_problem(boss.post(f"{path}/lock?confirm=yes"), 409, "own_account")
    assert boss.get("/api/session").status_code == 200
    assert boss.post(f"{path}/lock?confirm=own").json()["account"]["locked_at"]
    assert boss.get("/api/session").status_code == 401


def test_everybody_is_ended_only_on_the_word(house: House, boss: TestClient) -> None:
    """422 without it; with it 200 with the receipt, and the caller is out too."""
    client = house.signed_in()
    for query in ("", "?confirm=", "?confirm=Everyone"):
        assert is_problem(boss.delete(f"/api/admin/sessions{query}"), 422, "invalid_fields")
    assert client.get("/api/session").status_code == 200
    answer = boss.delete("/api/admin/sessions?confirm=everyone")
    assert (answer.status_code, answer.json()["receipt"]["state"]) == (200, "in_force")
    assert [one.get("/api/session").status_code for one in (client, boss)] == [401, 401]


def test_keys_and_workers_are_listed(boss: TestClient) -> None:
    """Keys without what is secret of them; every server process with how far it has heard."""
    keys = boss.get("/api/admin/keys").json()["items"]
    assert {key["state"] for key in keys} == {"active", "next"}
    assert all(set(key) == {"kid", "algorithm", "state", "since", "created_at"} for key in keys)
    (worker,) = boss.get("/api/admin/workers").json()["items"]
    assert (worker["own"], worker["quiet"], worker["behind"]) == (True, False, 0)


def test_receipt_names_the_workers(house: House, boss: TestClient) -> None:
    """Each with whether it has confirmed, and after how many milliseconds."""
    house.signed_in()
    account = house.authority.accounts.find(ADA)
    (worker,) = boss.post(f"/api/admin/accounts/{account.id}/lock").json()["receipt"]["workers"]
    assert set(worker) == {"instance", "pid", "confirmed", "milliseconds"}
    assert (worker["confirmed"], worker["milliseconds"]) == (True, 0.0)
