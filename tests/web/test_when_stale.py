"""Over HTTP: a server that hears nothing of the log any more, while its neighbour ends things in the same database."""

from collections.abc import Callable

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.web.house import ADA, Build, House, is_problem, set_cookies

ONE_FILE = {"url": None}
Ending = Callable[[House], None]
Visited = tuple[House, House, TestClient, TestClient]


@pytest.fixture
def visited(building: Build, request: pytest.FixtureRequest) -> Visited:
    """A server that is deaf, its neighbour, and Ada with a cookie and with a token, both known to the deaf one."""
    given = {"database": ONE_FILE, "revocation": {"when_stale": request.param}}
    deaf, neighbour = building(given), building(given)
    browser, program = deaf.signed_in(), deaf.holder_of(ADA).client
    for client in (browser, program):
        assert asked(client).status_code == 200
    # It reads the log no more, and says so to nobody. The database it can read as before.
    deaf.authority.follower.stop()
    return deaf, neighbour, browser, program


def asked(client: TestClient) -> Response:
    """A request that needs a session."""
    return client.get("/api/session")


def lock(neighbour: House) -> None:
    """The neighbour locks the account."""
    neighbour.authority.accounts.lock(ADA, "test")


def end_each(neighbour: House) -> None:
    """The neighbour ends one session after the other."""
    sessions = neighbour.authority.sessions
    standing, _ = sessions.everyone(after=None, limit=10)
    for one in standing:
        sessions.end_any(one.session.id, "test")


ENDINGS = pytest.mark.parametrize("end", [lock, end_each], ids=lambda end: end.__name__)


@pytest.mark.parametrize("visited", ["refuse"], indirect=True)
@ENDINGS
def test_refusing_turns_everybody_away_and_touches_no_cookie(visited: Visited, end: Ending) -> None:
    """503 with Retry-After, before the ending and after it."""
    _, neighbour, browser, program = visited
    for client in (browser, program):
        answer = asked(client)
        assert is_problem(answer, 503, "not_fresh")
        assert answer.headers["retry-after"] == "1"
        assert set_cookies(answer) == []
    end(neighbour)
    assert [asked(client).status_code for client in (browser, program)] == [503, 503]


@pytest.mark.parametrize("visited", ["ask"], indirect=True)
@ENDINGS
def test_asking_goes_on_and_meets_every_ending_at_once(visited: Visited, end: Ending) -> None:
    """200 while the session lives; 401 at the first request after the neighbour has ended it."""
    _, neighbour, browser, program = visited
    for client in (browser, program):
        assert asked(client).json()["account"]["email"] == ADA
    end(neighbour)
    for client in (browser, program):
        assert is_problem(asked(client), 401, "invalid_token")


@pytest.mark.parametrize("visited", ["ask"], indirect=True)
def test_asking_meets_a_change_of_roles(visited: Visited) -> None:
    """The token is out of date, the cookie has the roles of now."""
    _, neighbour, browser, program = visited
    neighbour.authority.accounts.set_roles(ADA, ["member", "support"], "test")
    assert is_problem(asked(program), 401, "invalid_token")
    assert asked(browser).json()["account"]["roles"] == ["member", "support"]


@pytest.mark.parametrize("visited", ["allow"], indirect=True)
def test_allowing_goes_on_until_the_token_expires(visited: Visited) -> None:
    """A role that was added is not seen and does no harm; at the expiry the token is over."""
    deaf, neighbour, browser, program = visited
    neighbour.authority.accounts.set_roles(ADA, ["member", "support"], "test")
    assert asked(browser).status_code == 200
    assert deaf.authority.guard.tally.allowed == 1
    checked = program.get("/api/sessions")
    assert checked.status_code == 200
    deaf.clock.turn(deaf.authority.settings.access_ttl)
    assert is_problem(asked(program), 401, "invalid_token")


@pytest.mark.parametrize(
    ("visited", "status"), [("refuse", 503), ("ask", 200), ("allow", 200)], indirect=["visited"]
)
def test_a_server_is_ready_while_it_answers_checks(visited: Visited, status: int) -> None:
    """A load balancer must not undo what the owner chose."""
    deaf = visited[0]
    assert deaf.browser().get("/readyz").status_code == status
