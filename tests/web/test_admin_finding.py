"""Finding accounts and sessions, on the page and by call: by id, by role, by state, by where somebody comes from."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from gatepost.core.changes import Change
from gatepost.stores.sqlite import SqliteFile
from gatepost.testing.records import a_session
from tests.web.house import ADA, Build, House, is_problem, sign_in
from tests.web.test_admin_pages import words

BOSS = "boss@example.com"
API = "/api/admin/accounts"


@pytest.fixture
def boss(house: House) -> TestClient:
    """A browser of an administrator."""
    return house.signed_in(BOSS, "admin")


def listed(client: TestClient, **query: Any) -> list[str]:
    """The e-mails of every page of the call, two on each."""
    found, after = list[str](), dict[str, str]()
    while True:
        body = client.get(API, params={"limit": 2, **query, **after}).json()
        found += [item["email"] for item in body["items"]]
        if "next" not in body:
            return found
        after = {"after": body["next"]}


def accounts_on(text: str) -> list[str]:
    """The e-mails in the table of accounts of a page."""
    return re.findall(r'<a href="/admin\?account=[^"]+">([^<]+)</a>', text[text.index('id="accounts"') :])


def test_an_account_is_found_by_the_id_that_the_page_shows(house: House, boss: TestClient) -> None:
    """With its sessions, on the page and by call; only the whole id is one."""
    house.signed_in()
    house.account("eve@example.com")
    account_id = house.authority.accounts.find(ADA).id
    text = boss.get("/admin", params={"q": account_id}).text
    assert accounts_on(text) == [ADA]
    assert text.count('<tr role="row" data-session=') == 1
    assert listed(boss, q=account_id) == [ADA]
    assert [
        one["email"] for one in boss.get("/api/admin/sessions", params={"q": account_id}).json()["items"]
    ] == [ADA]
    assert listed(boss, q=account_id[:-1]) == []


def test_a_search_for_where_somebody_comes_from_says_what_it_finds(house: House, boss: TestClient) -> None:
    """Of accounts it says that they are not found so, and of an e-mail that nobody has, what is enough of one."""
    by_place = words(boss.get("/admin", params={"q": "203.0.113.9"}).text)
    assert "The search by IP address is one for sessions." in by_place
    by_name = words(boss.get("/admin", params={"q": "nobody@"}).text)
    assert "A part of the e-mail address is enough, or the whole account id." in by_name


def test_accounts_are_listed_by_role_and_state(house: House, boss: TestClient) -> None:
    """Newest first, page by page, on the page and by call; both together, and with a search."""
    for number, roles in enumerate([("member",), ("admin",), ("support", "admin"), ("member",), ("admin",)]):
        house.clock.turn(seconds=1)
        house.account(f"user{number}@example.com", *roles)
    for number in (1, 3):
        house.authority.accounts.lock(f"user{number}@example.com", "test")
    sign_in(boss, BOSS)
    expected = {
        "role=admin": [4, 2, 1],
        "locked=true": [3, 1],
        "role=admin&locked=true": [1],
        "role=admin&q=user": [4, 2, 1],
        "role=admin&locked=false&q=user2": [2],
        "role=emperor": [],
    }
    for query, numbers in expected.items():
        emails = [f"user{number}@example.com" for number in numbers]
        if query == "role=admin":
            emails.append(BOSS)
        assert accounts_on(boss.get(f"/admin?{query}").text) == emails, query
        assert listed(boss, **dict(part.split("=") for part in query.split("&"))) == emails, query
    text = boss.get("/admin?role=admin&locked=true").text
    assert '<option value="admin" selected>' in text
    assert '<option value="true" selected>' in text
    assert "No account fits." in boss.get("/admin?role=emperor").text


def test_newest_accounts_stand_first_on_the_page(house: House, boss: TestClient) -> None:
    """And a filter is kept by the link to more of them."""
    for number in range(14):
        house.clock.turn(seconds=1)
        house.account(f"user{number:02}@example.com")
    first = boss.get("/admin?role=member").text
    (more,) = re.findall(r'href="(/admin\?role=member&amp;accounts=[^"]+)"', first)
    rest = boss.get(more.replace("&amp;", "&")).text
    assert accounts_on(first) + accounts_on(rest) == [
        f"user{number:02}@example.com" for number in range(13, -1, -1)
    ]


@pytest.mark.parametrize(
    "query", ["after=x&locked=true", "after=~&role=admin", "locked=perhaps", f"role={'x' * 65}"]
)
def test_what_no_page_has_answered_is_refused(boss: TestClient, query: str) -> None:
    """422, as for the list of sessions."""
    assert is_problem(boss.get(f"{API}?{query}"), 422, "invalid_fields")


@pytest.mark.parametrize("query", ["role=" + "x" * 9000, "locked=perhaps", "role=%00", "role=a&role=b"])
def test_a_filter_that_somebody_made_up_does_no_harm(boss: TestClient, query: str) -> None:
    """A page all the same."""
    assert boss.get(f"/admin?{query}").status_code == 200


def test_counting_sessions_costs_the_same_however_many_there_are(
    building: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many reads and as many rows for forty sessions of each account as for one."""
    house = building({"database": {"url": None}})
    boss = house.signed_in(BOSS, "admin")
    house.clock.turn(seconds=1)
    people = [house.account(f"user{number:02}@example.com") for number in range(12)]
    read, cost, now = SqliteFile.rows, list[int](), house.clock.now()

    def counted(self: SqliteFile, statement: str, params: Any = ()) -> Any:
        found = read(self, statement, params)
        cost.append(len(found))
        return found

    def page_with(each: int) -> tuple[int, int]:
        new = [
            a_session(
                f"s{each}-{number}-{one}",
                person.id,
                started_at=now,
                last_seen_at=now,
                pos=house.authority.store.position(),
            )
            for number in range(each)
            for one, person in enumerate(people)
        ]
        house.authority.commits.commit(Change(at=now, put=tuple(new)))
        boss.get("/admin")
        cost.clear()
        with monkeypatch.context() as patch:
            patch.setattr(SqliteFile, "rows", counted)
            text = boss.get("/admin").text
        shown = set(re.findall(r'class="number">(\d+)<', text))
        assert shown == {str(len(house.authority.sessions.of_account(people[0].id)))}
        return len(cost), sum(cost)

    few = page_with(1)
    assert page_with(39) == few
