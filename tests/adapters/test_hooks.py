"""What an application's hooks decide: who comes in, and what a session holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response

from gatepost import Arrival, Gatepost, Move, SignInRefused, testing
from gatepost.core.changes import Event
from gatepost.core.sessions import Carrier
from gatepost.testing.clients import PASSWORD
from tests.adapters.arriving import ADA, Start, sign_in
from tests.web.house import is_problem, settings_in

CARRIERS = pytest.mark.parametrize("carrier", list(Carrier))


def sign_up(client: testing.TrialClient, email: str = "new@example.com", carrier: str = "cookie") -> Response:
    """Make an account over HTTP."""
    body = {"email": email, "password": PASSWORD, "carrier": carrier}
    return client.post("/auth/api/sign-up", json=body)


def events(trial: testing.Trial) -> list[tuple[Event, str | None]]:
    """The audit trail: what happened, and to whom. The keys of the first start are left out."""
    rows = trial.authority.store.audit_rows(account_id=None, after=0, limit=100)
    return [(row.event, row.account_id) for _, row in rows if row.event is not Event.KEY_MADE]


@CARRIERS
def test_sign_in_hook_sees_who_arrives_and_nothing_that_signs_in(
    auth: Gatepost, start: Start, carrier: Carrier
) -> None:
    """Account, e-mail, roles, carrier and origin; no password, cookie or token is among it."""
    seen: list[Arrival] = []
    auth.on_sign_in(seen.append)
    client = start().signed_in(roles=["member", "support"], carrier=carrier)
    [arrival] = seen
    assert (arrival.account_id, arrival.email, arrival.carrier) == (client.account_id, ADA, carrier)
    assert (arrival.roles, arrival.is_new) == (("member", "support"), False)
    assert arrival.address == "testclient"
    for secret in (PASSWORD, *client.cookies.values()):
        assert secret not in repr(arrival)


def test_a_new_account_passes_both_hooks_the_sign_up_first(auth: Gatepost, start: Start) -> None:
    """Its first session is a sign-in like any other; at the next one the account is not new any more."""
    seen: list[tuple[str, str, bool]] = []

    @auth.on_sign_in
    def come(arrival: Arrival) -> None:
        seen.append(("in", arrival.email, arrival.is_new))

    @auth.on_sign_up
    def join(arrival: Arrival) -> None:
        seen.append(("up", arrival.email, arrival.is_new))

    with start().client() as client:
        sign_up(client, "New@Example.com")
        client.sign_in("new@example.com")
    assert seen == [
        ("up", "New@Example.com", True),
        ("in", "New@Example.com", True),
        ("in", "New@Example.com", False),
    ]


@CARRIERS
def test_refused_sign_in_leaves_no_session(auth: Gatepost, start: Start, carrier: Carrier) -> None:
    """403 with the application's words and no cookie; what the client held before stays; the trail knows."""

    @auth.on_sign_in
    def closed(arrival: Arrival) -> None:
        if not arrival.is_new:
            raise SignInRefused("The club is closed on Mondays.")

    on_trial = start()
    account, client = on_trial.account(), on_trial.visitor()
    answer = sign_in(client, carrier=carrier)
    assert is_problem(answer, 403, "sign_in_refused")
    assert answer.json()["detail"] == "The club is closed on Mondays."
    assert "set-cookie" not in answer.headers
    assert on_trial.authority.store.sessions_of(account.id) == []
    assert client.get("/auth/api/session").json()["account"] is None
    assert events(on_trial)[-1] == (Event.SIGN_IN_REFUSED, account.id)


def test_refused_sign_up_leaves_no_account(auth: Gatepost, start: Start) -> None:
    """The address is free afterwards, and the trail names no account that never was."""

    @auth.on_sign_up
    def ours_only(arrival: Arrival) -> None:
        if not arrival.email.endswith("@example.com"):
            raise SignInRefused("Sign up with your address at work.")

    on_trial = start()
    client = on_trial.client()
    assert is_problem(sign_up(client, "eve@example.org"), 403, "sign_in_refused")
    assert on_trial.authority.store.accounts(after=None, limit=10) == []
    assert events(on_trial) == [(Event.SIGN_IN_REFUSED, None)]
    assert sign_up(client, "eve@example.com").status_code == 201


def test_page_shows_why_the_application_refuses(auth: Gatepost, start: Start) -> None:
    """The sentence stands above the form, and markup in it stays text."""

    @auth.on_sign_in
    def closed(arrival: Arrival) -> None:
        raise SignInRefused("Your trial is over. <b>Write to us.</b>")

    on_trial = start()
    on_trial.account()
    answer = on_trial.client().post("/auth/sign-in", data={"email": ADA, "password": PASSWORD})
    assert answer.status_code == 403
    assert "Your trial is over. &lt;b&gt;Write to us.&lt;/b&gt;" in answer.text


def test_wrong_password_is_refused_before_any_hook(auth: Gatepost, start: Start) -> None:
    """Nobody learns from a hook's words that an account exists."""
    seen: list[Arrival] = []
    auth.on_sign_in(seen.append)
    on_trial = start()
    on_trial.account()
    answer = sign_in(on_trial.client(), password="not the password at all")
    assert is_problem(answer, 401, "invalid_credentials")
    assert seen == []


@pytest.mark.parametrize(
    ("name", "carrier"),
    [*(("on_sign_in", carrier) for carrier in Carrier), ("carry_over", "cookie"), ("claims", "token")],
)
def test_a_hook_that_breaks_leaves_no_session(auth: Gatepost, start: Start, name: str, carrier: str) -> None:
    """The error reaches the application's server as it is, and nothing is written."""

    def broken(_: object) -> Any:
        raise ZeroDivisionError("the application's own")

    getattr(auth, name)(broken)
    on_trial = start()
    account = on_trial.account()
    with pytest.raises(ZeroDivisionError, match="own"):
        sign_in(on_trial.client(), carrier=carrier)
    assert on_trial.authority.store.sessions_of(account.id) == []
    assert events(on_trial) == []


@pytest.mark.parametrize("said", [False, True, "no"])
def test_a_hook_that_answers_instead_of_raising_lets_nobody_in(
    auth: Gatepost, start: Start, said: object
) -> None:
    """`return False` was meant as a no; whoever wrote it is told."""
    auth.on_sign_in(lambda arrival: said)  # type: ignore[arg-type]
    on_trial = start()
    account = on_trial.account()
    with pytest.raises(TypeError, match="SignInRefused"):
        sign_in(on_trial.client())
    assert on_trial.authority.store.sessions_of(account.id) == []


@pytest.mark.parametrize("name", ["on_sign_up", "on_sign_in", "carry_over", "claims"])
def test_a_coroutine_function_is_no_hook(auth: Gatepost, name: str) -> None:
    """It would return at once, and refuse nobody."""

    async def waits(_: object) -> None:
        raise SignInRefused

    with pytest.raises(TypeError, match="plain functions"):
        getattr(auth, name)(waits)


@pytest.mark.parametrize("name", ["carry_over", "claims"])
def test_only_one_hook_says_what_something_holds(auth: Gatepost, name: str) -> None:
    """Of two it would depend on their order which is heard."""

    def hook(_: object) -> dict[str, Any]:
        return {}

    assert getattr(auth, name)(hook) is hook
    with pytest.raises(RuntimeError, match="already"):
        getattr(auth, name)(hook)


def test_hooks_are_given_before_the_application_starts(auth: Gatepost, start: Start) -> None:
    """One that is added later would have missed somebody."""
    start()
    with pytest.raises(RuntimeError, match="has started"):
        auth.on_sign_in(lambda arrival: None)


@CARRIERS
def test_carts_of_the_visit_and_of_the_account_become_one(
    auth: Gatepost, start: Start, carrier: Carrier
) -> None:
    """The hook sees what the visit held, and what the session held that the sign-in ends; its answer is kept."""
    moves: list[Move] = []

    @auth.carry_over
    def merge(move: Move) -> Mapping[str, Any]:
        moves.append(move)
        return {"cart": [*move.held.get("cart", []), *move.visit.get("cart", [])], "since": ("a", "tuple")}

    on_trial = start()
    on_trial.account()
    client = on_trial.visitor("sealed")
    client.patch("/auth/api/session/data", json={"cart": ["lamp"]})
    client.sign_in(ADA, "cookie")
    client.patch("/auth/api/session/data", json={"cart": ["lamp", "oar"]})
    client.sign_in(ADA, carrier)
    assert client.get("/data").json() == {"cart": ["lamp", "oar"], "since": ["a", "tuple"]}
    assert [(dict(move.visit), dict(move.held)) for move in moves] == [
        ({"cart": ["lamp"]}, {}),
        ({}, {"cart": ["lamp", "oar"], "since": ["a", "tuple"]}),
    ]
    assert moves[1].arrival.account_id == client.account_id
    assert "lamp" not in repr(moves)


def test_what_another_account_held_is_not_shown_to_the_hook(auth: Gatepost, start: Start) -> None:
    """Bob signs in where Ada was signed in: her cart is hers."""
    moves: list[Move] = []

    @auth.carry_over
    def merge(move: Move) -> Mapping[str, Any]:
        moves.append(move)
        return move.visit

    on_trial = start()
    client = on_trial.signed_in()
    client.patch("/auth/api/session/data", json={"cart": ["lamp"]})
    on_trial.account("bob@example.com")
    client.sign_in("bob@example.com")
    assert dict(moves[-1].held) == dict(moves[-1].visit) == {}
    assert client.get("/data").json() == {}


def test_settings_say_what_leaves_a_visit_before_the_hook_sees_it(tmp_path: Path) -> None:
    """`sessions.carry_over` is the operator's word."""
    auth, app = Gatepost(settings_in(tmp_path, {"sessions": {"carry_over": ["cart"]}})), FastAPI()
    auth.init_app(app)
    moves: list[Move] = []

    @auth.carry_over
    def merge(move: Move) -> Mapping[str, Any]:
        moves.append(move)
        return {"own": True}

    with testing.trial(app, auth) as on_trial:
        on_trial.account()
        client = on_trial.visitor()
        client.patch("/api/session/data", json={"cart": [1], "searched": "gift for Ada"})
        client.sign_in(ADA)
        assert dict(moves[0].visit) == {"cart": [1]}
        assert client.get("/api/session").json()["session"]["data"] == {"own": True}


def test_more_than_a_session_may_hold_is_refused_at_the_sign_in(auth: Gatepost, start: Start) -> None:
    """413 with the size; at the limit it passes, one byte above nothing is written."""
    room = 200 - len('{"note": ""}')
    sizes = iter([room + 1, room])

    @auth.carry_over
    def much(move: Move) -> Mapping[str, Any]:
        return {"note": "x" * next(sizes)}

    on_trial = start()
    account, client = on_trial.account(), on_trial.client()
    refused = sign_in(client)
    assert is_problem(refused, 413, "too_large")
    assert "note" in refused.json()["detail"]
    assert on_trial.authority.store.sessions_of(account.id) == []
    assert sign_in(client).status_code == 200


def test_a_change_in_the_last_moment_is_decided_and_shown_to_the_hook_once_more(
    auth: Gatepost, start: Start
) -> None:
    """A role that is given while the hook runs: it is asked again, and the session has the role."""
    seen: list[tuple[str, ...]] = []

    @auth.on_sign_in
    def come(arrival: Arrival) -> None:
        seen.append(arrival.roles)
        if len(seen) == 1:
            on_trial.set_roles(arrival.account_id, ["support"])

    on_trial = start()
    client = on_trial.signed_in(carrier="token")
    assert seen == [("member",), ("support",)]
    assert client.get("/auth/api/session").json()["account"]["roles"] == ["support"]
    assert len(on_trial.authority.store.sessions_of(client.account_id)) == 1


def test_an_account_that_is_locked_while_the_hook_runs_does_not_get_in(auth: Gatepost, start: Start) -> None:
    """The hook said nothing against it; the lock does."""

    @auth.on_sign_in
    def come(arrival: Arrival) -> None:
        on_trial.lock(arrival.account_id)

    on_trial = start()
    account = on_trial.account()
    assert is_problem(sign_in(on_trial.client()), 401, "invalid_credentials")
    assert on_trial.authority.store.sessions_of(account.id) == []


def test_refusals_by_a_hook_are_no_guesses(auth: Gatepost, start: Start) -> None:
    """The password was right each time: however often, nobody is slowed down."""
    closed = [True]

    @auth.on_sign_in
    def come(arrival: Arrival) -> None:
        if closed[0]:
            raise SignInRefused

    on_trial = start()
    on_trial.account()
    client = on_trial.client()
    assert {sign_in(client).json()["code"] for _ in range(15)} == {"sign_in_refused"}
    closed[0] = False
    assert sign_in(client).status_code == 200


def test_an_invitation_is_not_used_up_by_a_refusal(auth: Gatepost, start: Start) -> None:
    """A link that makes an administrator passes the hooks as well, and is good for another try."""
    closed = [True]

    @auth.on_sign_up
    def join(arrival: Arrival) -> None:
        assert arrival.roles == ("admin", "member")
        if closed[0]:
            raise SignInRefused("Not before noon.")

    on_trial = start()
    secret = on_trial.authority.accounts.invite("admin", "test").reveal()
    client, form = on_trial.client(), {"email": ADA, "password": PASSWORD}
    client.follow_redirects = False
    refused = client.post(f"/auth/invite/{secret}", data=form)
    assert (refused.status_code, "Not before noon." in refused.text) == (403, True)
    closed[0] = False
    assert client.post(f"/auth/invite/{secret}", data=form).headers["location"] == "/auth/admin"
