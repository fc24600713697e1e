"""`gatepost.testing` as an application's author uses it: clients, the clock, what may happen to people."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.testclient import TestClient

import gatepost.testing
from gatepost import Gatepost, Principal, testing
from gatepost.authority import THIS_MACHINE
from gatepost.core.sessions import Carrier
from tests.web.house import is_problem, settings_in

CARRIERS = pytest.mark.parametrize("carrier", list(Carrier))
BOB = "bob@example.com"


def application(auth: Gatepost, prefix: str = "/auth") -> FastAPI:
    """An application with a lifespan of its own, and an endpoint for each kind of caller."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        yield {"own": "state"}

    app = FastAPI(lifespan=lifespan)
    auth.init_app(app, prefix=prefix)

    @app.get("/me")
    def me(who: Annotated[Principal, Depends(auth.signed_in)]) -> dict[str, Any]:
        return {"account": who.account_id, "session": who.session_id, "carrier": who.carrier}

    @app.delete("/orders", dependencies=[Depends(auth.require(role="support"))])
    def cancel(request: Request) -> str:
        return str(request.state.own)

    return app


@pytest.fixture
def auth(tmp_path: Path) -> Gatepost:
    """An embedded Gatepost as its author has set it up: a SQLite file, real hashes."""
    settings = settings_in(tmp_path / "own", {"database": {}, "roles": {"support": []}})
    return Gatepost(settings.with_extra_hosts())


@pytest.fixture
def app(auth: Gatepost) -> FastAPI:
    """Its application."""
    return application(auth)


@pytest.fixture
def trial(app: FastAPI, auth: Gatepost) -> Iterator[testing.Trial]:
    """The application on trial."""
    with testing.trial(app, auth) as on_trial:
        yield on_trial


@CARRIERS
def test_a_client_is_signed_in_by_one_line(app: FastAPI, auth: Gatepost, carrier: Carrier) -> None:
    """With the role and carrier that were asked for, at an endpoint that changes something too."""
    with testing.signed_in(app, auth, roles=["support"], carrier=carrier) as client:
        assert client.get("/me").json() == {
            "account": client.account_id,
            "session": client.session_id,
            "carrier": carrier,
        }
        assert client.delete("/orders").json() == "state"


def test_members_lack_the_role(app: FastAPI, auth: Gatepost) -> None:
    """Whoever says nothing of roles gets what a new account has."""
    with testing.signed_in(app, auth) as client:
        assert is_problem(client.delete("/orders"), 403, "forbidden")


def test_nothing_of_the_applications_own_is_touched(app: FastAPI, auth: Gatepost, tmp_path: Path) -> None:
    """No file and no folder of it is made, and it is set up afterwards as it was."""
    before = auth.settings, auth.machine
    with testing.signed_in(app, auth) as client:
        assert client.get("/me").status_code == 200
        assert auth.settings is not before[0]
    assert (auth.settings, auth.machine) == before
    assert auth.opened is None
    assert not (tmp_path / "own").exists()
    assert THIS_MACHINE.profile is None


def test_two_trials_know_nothing_of_each_other(app: FastAPI, auth: Gatepost) -> None:
    """Each begins with no account; what the first has signed in is nobody at the second."""
    with testing.signed_in(app, auth) as client:
        first, cookies = client.account_id, dict(client.cookies)
    with testing.signed_in(app, auth) as client:
        assert client.account_id != first
        stranger = testing.trials._open[auth].client()
        stranger.cookies.update(cookies)
        assert is_problem(stranger.get("/me"), 401, "invalid_token")


def test_clients_of_one_trial_stand_beside_each_other(
    app: FastAPI, auth: Gatepost, trial: testing.Trial
) -> None:
    """Each has cookies of its own, and one more from the short form joins the trial that is open."""
    ada, bob = trial.signed_in(), trial.signed_in(BOB)
    again = trial.signed_in(carrier="sealed")
    with testing.signed_in(app, auth, email=BOB) as fourth:
        assert fourth.account_id == bob.account_id
        assert ada.account_id == again.account_id != bob.account_id
        assert len({client.get("/me").json()["session"] for client in (ada, bob, again, fourth)}) == 4
    assert ada.get("/me").status_code == 200
    assert is_problem(trial.client().get("/me"), 401, "signed_out")


def test_the_clock_is_turned_to_the_end_of_a_token_and_of_a_session(trial: testing.Trial) -> None:
    """A second before its end the access token passes, at it not; after the idle time nothing is renewed."""
    client = trial.signed_in(carrier="token")
    trial.clock.turn(minutes=9, seconds=59)
    assert client.get("/me").status_code == 200
    trial.clock.turn(seconds=1)
    assert is_problem(client.get("/me"), 401, "invalid_token")
    client.refresh()
    assert client.get("/me").status_code == 200
    trial.clock.turn(days=7)
    with pytest.raises(AssertionError, match="refused"):
        client.refresh()


def test_tokens_in_cookies_are_renewed_by_the_request_itself(trial: testing.Trial) -> None:
    """An hour later the same client goes on."""
    client = trial.signed_in(carrier="token-cookie")
    before = client.cookies["gatepost-access"]
    trial.clock.turn(hours=1)
    assert client.get("/me").status_code == 200
    assert client.cookies["gatepost-access"] != before


@CARRIERS
def test_a_session_that_is_revoked_is_over_at_once(trial: testing.Trial, carrier: Carrier) -> None:
    """The others of the account go on until the account is revoked, and that leaves Bob alone."""
    client, other, bob = trial.signed_in(carrier=carrier), trial.signed_in(), trial.signed_in(BOB)
    assert trial.revoke_session(client).state == "in_force"
    assert is_problem(client.get("/me"), 401, "invalid_token")
    assert other.get("/me").status_code == 200
    trial.revoke_account(other)
    assert is_problem(other.get("/me"), 401, "invalid_token")
    assert bob.get("/me").status_code == 200
    trial.revoke_everyone()
    assert is_problem(bob.get("/me"), 401, "invalid_token")


def test_a_locked_account_signs_in_again_only_when_it_is_unlocked(trial: testing.Trial) -> None:
    """What happens is named by address or by client."""
    client = trial.signed_in()
    trial.lock(client)
    assert is_problem(client.get("/me"), 401, "invalid_token")
    with pytest.raises(AssertionError, match="invalid_credentials"):
        trial.signed_in()
    trial.unlock(testing.trials.ADA)
    assert trial.signed_in().get("/me").status_code == 200


@CARRIERS
def test_roles_that_are_given_and_taken_count_on_the_next_request(
    trial: testing.Trial, carrier: Carrier
) -> None:
    """With tokens alone after a refresh, which is what their holder does."""
    client = trial.signed_in(carrier=carrier)
    for roles, status in ((["support"], 200), (["member"], 403)):
        trial.set_roles(client, roles)
        if carrier is Carrier.TOKEN:
            client.refresh()
        assert client.delete("/orders").status_code == status


@CARRIERS
def test_while_the_log_is_out_of_reach_nobody_can_say_and_nobody_is_signed_out(
    trial: testing.Trial, carrier: Carrier
) -> None:
    """503 as long as the block lasts, and 200 after it."""
    client = trial.signed_in(carrier=carrier)
    with trial.unheard():
        assert is_problem(client.get("/me"), 503, "not_fresh")
    assert client.get("/me").status_code == 200
    trial.revoke_session(client)
    assert is_problem(client.get("/me"), 401, "invalid_token")


@pytest.mark.parametrize("carrier", ["cookie", "sealed"])
def test_a_visitor_signs_in_and_keeps_what_was_there(trial: testing.Trial, carrier: str) -> None:
    """A visit has no account; its data moves over with the sign-in."""
    client = trial.visitor(carrier)
    assert is_problem(client.get("/me"), 401, "signed_out")
    client.patch("/auth/api/session/data", json={"cart": ["lamp"]})
    trial.account()
    client.sign_in(testing.trials.ADA)
    assert client.get("/auth/api/session").json()["session"]["data"] == {"cart": ["lamp"]}


def test_a_file_holds_what_a_trial_leaves(app: FastAPI, auth: Gatepost, tmp_path: Path) -> None:
    """Asked for a SQLite file, a second trial goes on where the first has ended."""
    found = []
    for _ in range(2):
        with testing.trial(app, auth, database=tmp_path / "trial.db") as on_trial:
            accounts = on_trial.authority.store.accounts(after=None, limit=10)
            found.append([account.email.typed for account in accounts])
            on_trial.signed_in()
    assert found == [[], [testing.trials.ADA]]


def test_an_application_over_https_is_tried_over_https(tmp_path: Path) -> None:
    """Cookies with their prefix and Secure, as in production; its own address is the one that is asked."""
    given = {"url": "https://shop.example.com/auth", "profile": "production", "roles": {"support": []}}
    auth = Gatepost(settings_in(tmp_path, given))
    with testing.signed_in(application(auth), auth, carrier="token-cookie") as client:
        assert client.get("/me").url == "https://shop.example.com/me"
        assert client.get("/me").status_code == 200
        assert set(client.cookies) >= {"__Host-Http-gatepost-access", "__Host-gatepost-csrf"}


def test_mistakes_in_a_test_are_told(app: FastAPI, auth: Gatepost, trial: testing.Trial) -> None:
    """A role that is not set up, other roles than an account has, a carrier that does not exist, two trials."""
    with pytest.raises(ValueError, match="no role 'suport'"):
        trial.signed_in(roles=["suport"])
    trial.signed_in()
    with pytest.raises(ValueError, match="set_roles"):
        trial.signed_in(roles=["support"])
    with pytest.raises(ValueError, match="tokens"):
        trial.signed_in(carrier="tokens")
    with pytest.raises(RuntimeError, match="has started"), testing.trial(app, auth):
        pass
    assert trial.signed_in().get("/me").status_code == 200


def test_an_application_that_runs_is_not_put_on_trial(tmp_path: Path) -> None:
    """Its people would find themselves in another store."""
    auth = Gatepost(settings_in(tmp_path))
    app = application(auth)
    with (
        TestClient(app),
        pytest.raises(RuntimeError, match="has started"),
        testing.signed_in(app, auth),
    ):
        pass


@pytest.mark.parametrize("carrier", ["token-cookie", "token"])
def test_an_async_client_asks_with_what_a_client_holds(
    app: FastAPI, trial: testing.Trial, carrier: str
) -> None:
    """httpx2 over ASGI, in an event loop of the test's own."""
    import anyio

    client = trial.signed_in(carrier=carrier)

    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url=client.base_url,
            headers=client.headers,
            cookies=client.cookies,
            timeout=20,
        ) as asking:
            return await asking.get("/me")

    assert anyio.run(ask).json()["account"] == client.account_id


def test_names_for_applications_are_those_that_are_promised() -> None:
    """Sorted, each to be had, and no other."""
    names = gatepost.testing.__all__
    assert sorted(set(names)) == names
    assert all(getattr(gatepost.testing, name).__doc__ for name in names)
    with pytest.raises(AttributeError, match="nothing"):
        _ = gatepost.testing.nothing


def test_suites_for_stores_need_no_client_and_no_framework() -> None:
    """Whoever writes a store has pytest, and neither Starlette's test client nor FastAPI."""
    program = (
        "import sys; sys.path[:0] = {paths!r}; import gatepost.testing.store_suite, gatepost.testing.log_suite; "
        "print([name for name in ('fastapi', 'starlette', 'httpx2', 'httpx') if name in sys.modules])"
    )
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-c", program.format(paths=paths)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr
