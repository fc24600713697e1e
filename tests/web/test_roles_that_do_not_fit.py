"""Roles and audiences over HTTP: what no carrier could hold is refused where it is given, with the sizes."""

from typing import Any

import jwt
import pytest

from tests.web.house import ADA, Build, House, is_problem, set_cookies, sign_in

BOSS = "boss@example.com"
ISSUER = "http://localhost:8400"
ROLES = {f"r{number:02}{'r' * 29}": [f"p{number:02}:read"] for number in range(60)}
MANY = list(ROLES)


@pytest.fixture
def wordy(building: Build) -> House:
    """One whose tokens say what their roles permit."""
    return building({"roles": ROLES, "tokens": {"permissions": True, "audiences": ["orders", "billing"]}})


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_too_many_roles_are_413_with_their_sizes_and_change_nothing(wordy: House) -> None:
    """Through the API: `too_large`, and account, log and trail are as they were; fewer roles go through."""
    boss, ada = wordy.signed_in(BOSS, "admin"), wordy.authority.accounts.find(wordy.account().id)
    before = wordy.counts()
    answer = boss.put(f"/api/admin/accounts/{ada.id}/roles", json={"roles": MANY})
    assert is_problem(answer, 413, "too_large")
    assert "would have" in answer.json()["detail"]
    assert "roles (2101 bytes)" in answer.json()["detail"]
    assert (wordy.counts(), wordy.authority.accounts.find(ada.id)) == (before, ada)
    answer = boss.put(f"/api/admin/accounts/{ada.id}/roles", json={"roles": MANY[:20]})
    assert answer.status_code == 200
    for carrier in ("cookie", "sealed", "token", "token-cookie"):
        assert sign_in(wordy.browser(), carrier=carrier).status_code == 200


def test_the_page_says_so_too(wordy: House) -> None:
    """The form of an administrator comes back with the sentence and the roles as they were."""
    boss, ada = wordy.signed_in(BOSS, "admin"), wordy.authority.accounts.find(wordy.account().id)
    answer = boss.post(f"/admin/accounts/{ada.id}/roles", data={"roles": MANY})
    assert answer.status_code == 413
    assert "Nothing was changed: with these roles it would not fit." in answer.text
    assert wordy.authority.accounts.find(ada.id) == ada


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        (None, [ISSUER, "orders", "billing"]),
        ("orders", ["orders"]),
        (["billing", "orders", "billing"], ["billing", "orders"]),
    ],
    ids=repr,
)
def test_resource_chooses_audiences_for_every_carrier_of_tokens(
    wordy: House, resource: object, audience: list[str]
) -> None:
    """All of them by default (RFC 8707). A browser shows its tokens to the issuer, whomever else they are for."""
    wordy.account()
    more: dict[str, Any] = {} if resource is None else {"resource": resource}
    told = sign_in(wordy.program(), carrier="token", **more).json()["tokens"]["access_token"]
    browser = wordy.browser()
    sign_in(browser, carrier="token-cookie", **more)
    held = next(cookie.value for cookie in browser.cookies.jar if cookie.name.endswith("-access"))
    assert held is not None
    for token in (told, held):
        assert claims_of(token)["permissions"] == []
    assert claims_of(told)["aud"] == audience
    assert claims_of(held)["aud"] == list(dict.fromkeys((ISSUER, *audience)))


@pytest.mark.parametrize("carrier", ["token", "token-cookie"])
@pytest.mark.parametrize("resource", ["nobody", ["orders", "nobody"], "", "ORDERS"], ids=repr)
def test_an_audience_that_is_not_ours_is_refused_for_every_carrier_of_tokens(
    wordy: House, carrier: str, resource: object
) -> None:
    """400 `invalid_target`, no cookie, and no session was made."""
    wordy.account()
    before = wordy.counts()
    answer = sign_in(wordy.browser(), ADA, carrier=carrier, resource=resource)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_target"
    assert set_cookies(answer) == []
    assert wordy.counts() == before
