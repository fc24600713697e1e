"""The claims that an application's hook adds to access tokens: which, how much, and what happens when it cannot."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc.jws import extract_compact

from gatepost import Gatepost, Grant, testing
from gatepost.carriers.tokens import ClaimRefused
from gatepost.core.sessions import Carrier
from gatepost.errors import TooLarge
from tests.adapters.arriving import Start, sign_in
from tests.web.house import is_problem, settings_in

REFRESHING = pytest.mark.parametrize("carrier", [Carrier.TOKEN, Carrier.TOKEN_COOKIE])


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    return dict(json.loads(extract_compact(token.encode()).payload))


def access_of(client: testing.TrialClient) -> str:
    """The access token that a client holds."""
    return client.cookies.get("gatepost-access") or client.headers["authorization"].removeprefix("Bearer ")


@REFRESHING
def test_claims_are_in_the_first_token_and_in_every_renewed_one(
    auth: Gatepost, start: Start, carrier: Carrier
) -> None:
    """What the hook says at the moment of the renewal: another plan is in the next token."""
    plan, grants = ["free"], []

    @auth.claims
    def tenancy(grant: Grant) -> Mapping[str, Any]:
        grants.append(grant)
        return {"tenant": grant.account_id[:4], "plan": plan[0]}

    on_trial = start()
    client = on_trial.signed_in(carrier=carrier)
    assert claims_of(access_of(client)).items() >= {("tenant", client.account_id[:4]), ("plan", "free")}
    plan[0] = "paid"
    on_trial.clock.turn(minutes=11)
    if carrier is Carrier.TOKEN:
        client.refresh()
    assert client.get("/data").status_code == 200
    assert claims_of(access_of(client))["plan"] == "paid"
    issuer = auth.settings.issuer
    told = Grant(client.account_id, client.session_id, ("member",), (issuer,), carrier)
    assert grants == [told, told]


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.com"},
        {"sub": "somebody-else"},
        {"roles": ["admin"]},
        {"tenant": None},
        {"tenant": 1.5},
        {"tenant": {"id": 1}},
        {"tenant": [1]},
        {"tenant": b"bytes"},
        {"tenant": 1 << 53},
        {"tenant": "\ud800"},
        {"tenant": "x" * 501},
    ],
    ids=lambda claims: repr(claims)[:24],
)
def test_a_claim_that_may_not_be_stops_the_sign_in(
    auth: Gatepost, start: Start, claims: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """500 without a session; the journal names the claim and never its value."""
    auth.claims(lambda grant: claims)
    on_trial = start()
    account = on_trial.account()
    refused = sign_in(on_trial.client(), carrier="token-cookie")
    assert is_problem(refused, 500, ClaimRefused.code)
    assert on_trial.authority.store.sessions_of(account.id) == []
    assert "claims" in caplog.text
    assert "somebody-else" not in caplog.text
    assert sign_in(on_trial.client()).status_code == 200, "a session without tokens claims nothing"


def test_claims_at_their_limit_pass_and_are_read_by_us(auth: Gatepost, start: Start) -> None:
    """512 bytes of JSON together; of every kind that may be."""
    claims = {"tenant": "x" * (512 - len('{"tenant":"","plan":["a",""]}')), "plan": ["a", ""]}
    auth.claims(lambda grant: claims)
    client = start().signed_in(carrier="token")
    assert claims_of(access_of(client)).items() >= claims.items()
    assert client.get("/data").status_code == 200


@REFRESHING
def test_a_claims_hook_that_breaks_uses_up_no_refresh_token(
    auth: Gatepost, start: Start, carrier: Carrier
) -> None:
    """Nothing is rotated; once it works again, the same refresh token does."""
    broken = [False]

    @auth.claims
    def tenancy(grant: Grant) -> Mapping[str, Any]:
        if broken[0]:
            raise ZeroDivisionError
        return {"tenant": "seven"}

    on_trial = start()
    client = on_trial.signed_in(carrier=carrier)
    renew = client.refresh if carrier is Carrier.TOKEN else lambda: client.get("/data").raise_for_status()
    on_trial.clock.turn(minutes=11)
    broken[0] = True
    with pytest.raises(ZeroDivisionError):
        renew()
    broken[0] = False
    on_trial.clock.turn(minutes=11)
    renew()
    assert client.get("/data").status_code == 200


def test_roles_are_measured_with_room_for_the_largest_claims(tmp_path: Path) -> None:
    """What fits beside no claims is refused at the change of roles where claims might come."""

    def most(*claims: str) -> int:
        auth, app = Gatepost(settings_in(tmp_path, {"tokens": {"claims": claims}})), FastAPI()
        auth.init_app(app)
        with testing.trial(app, auth) as on_trial:
            tokens, account = on_trial.authority.tokens, on_trial.account()
            for count in range(4096):
                try:
                    tokens.require_fits(replace(account, roles=("r" * count,)))
                except TooLarge:
                    return count - 1
        raise AssertionError("any role fits")

    assert 500 <= most() - most("tenant") <= 514


def test_a_claim_that_may_not_be_stops_a_renewal_in_the_applications_own_request(
    auth: Gatepost, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """500 there too, and the journal says why; when the hook is right again, the client goes on."""
    claims: dict[str, Any] = {}
    auth.claims(lambda grant: claims)
    on_trial = start()
    client = on_trial.signed_in(carrier="token-cookie")
    on_trial.clock.turn(minutes=11)
    claims["email"] = "ada@example.com"
    assert is_problem(client.get("/data"), 500, ClaimRefused.code)
    assert "email" in caplog.text
    assert "ada@example.com" not in caplog.text
    claims.clear()
    assert client.get("/data").status_code == 200
