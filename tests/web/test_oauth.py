"""The OAuth endpoints: rotation, errors in OAuth's own form, audiences, keys, metadata."""

import re
from base64 import urlsafe_b64decode
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from httpx2 import Response
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.web.house import ADA, Build, House, is_problem, sign_in

FORM = {"content-type": "application/x-www-form-urlencoded"}


def refresh(house: House, token: str, **more: Any) -> Response:
    """Use a refresh token."""
    return house.program().post(
        "/oauth/token", data={"grant_type": "refresh_token", "refresh_token": token, **more}
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, not verified."""
    part = token.split(".")[1]
    claims: dict[str, Any] = msgspec.json.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def refused(answer: Response, status: int, error: str) -> bool:
    """Whether an answer is an error in the form of RFC 6749 section 5.2."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return (answer.status_code, body["error"], set(body)) == (status, error, {"error", "error_description"})


def test_refresh_answers_with_the_next_pair(house: House) -> None:
    """The four members of RFC 6749 section 5.1, not to be stored; both tokens are new."""
    held = house.holder()
    answer = refresh(house, held.refresh)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.json()["refresh_token"] != held.refresh
    assert answer.json()["access_token"] != held.access
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("client_id", ["first-party", ""])
def test_client_id_of_our_own_is_optional(house: House, client_id: str) -> None:
    """`first-party` may be named."""
    assert refresh(house, house.holder().refresh, client_id=client_id).status_code == 200


def test_repeat_within_the_grace_gets_the_same_answer(house: House) -> None:
    """Ten seconds, both sides; after them the old token is a replay that ends the session."""
    held = house.holder()
    first = refresh(house, held.refresh)
    house.clock.turn(timedelta(seconds=10) - timedelta(milliseconds=1))
    again = refresh(house, held.refresh)
    assert again.json()["refresh_token"] == first.json()["refresh_token"]
    assert again.json()["access_token"] == first.json()["access_token"]
    house.clock.turn(timedelta(milliseconds=1))
    assert refused(refresh(house, held.refresh), 400, "invalid_grant")
    assert refused(refresh(house, first.json()["refresh_token"]), 400, "invalid_grant")
    assert is_problem(held.client.get("/api/session"), 401, "invalid_token")


def test_every_refused_refresh_looks_the_same(house: House) -> None:
    """Unknown, malformed, ended, another family: byte for byte one answer."""
    held, other = house.holder(), house.holder("bob@example.com")
    held.client.post("/api/sign-out")
    family = other.refresh.split(".")
    tokens = [held.refresh, "nonsense", "a.b.c", f"{family[0]}.{'A' * 43}.{family[2]}", "\0", "é" * 500]
    answers = [refresh(house, token) for token in tokens]
    assert all(refused(answer, 400, "invalid_grant") for answer in answers)
    assert len({answer.content for answer in answers}) == 1
    assert refresh(house, other.refresh).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "invalid_request"),
        ("refresh_token=x", 400, "invalid_request"),
        ("grant_type=refresh_token", 400, "invalid_request"),
        ("grant_type=refresh_token&grant_type=refresh_token&refresh_token=x", 400, "invalid_request"),
        ("grant_type=refresh_token&refresh_token=x&refresh_token=x", 400, "invalid_request"),
        ("grant_type=refresh_token&client_id=a&client_id=a&refresh_token=x", 400, "invalid_request"),
        ("grant_type=password&username=a&password=b", 400, "unsupported_grant_type"),
        ("grant_type=REFRESH_TOKEN&refresh_token=x", 400, "unsupported_grant_type"),
        ("grant_type=refresh_token&client_id=somebody&refresh_token=x", 401, "invalid_client"),
        ("grant_type=refresh_token&refresh_token=%FF", 400, "invalid_request"),
        ("&".join(f"f{number}=1" for number in range(200)), 400, "invalid_request"),
    ],
)
def test_errors_have_oauths_own_form(house: House, body: str, status: int, error: str) -> None:
    """RFC 6749 section 5.2; a parameter that stands twice is refused."""
    answer = house.program().post("/oauth/token", content=body, headers=FORM)
    assert refused(answer, status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_unknown_parameters_are_ignored(house: House) -> None:
    """RFC 6749 section 3.1, once or twice."""
    answer = refresh(house, house.holder().refresh, colour=["blue", "red"], ui_locales="cy")
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_only_a_form_is_read(house: House, kind: str) -> None:
    """415, in OAuth's form."""
    answer = house.program().post("/oauth/token", content="{}", headers={"content-type": kind})
    assert refused(answer, 415, "unsupported_media_type")


def test_wrong_method_and_path_are_told_in_oauths_form(house: House) -> None:
    """405 and 404, whatever the client says it would like to read."""
    client = house.program(accept="text/html")
    assert refused(client.get("/oauth/token"), 405, "method_not_allowed")
    assert refused(client.post("/oauth/nothing"), 404, "not_found")
    assert refused(client.post("/oauth/token", content=b"x" * 70_000, headers=FORM), 413, "too_large")


AUDIENCES = {"tokens": {"audiences": ["orders", "https://api.example.com"]}}
ISSUER = "http://localhost:8400"


@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        (None, [ISSUER, "orders", "https://api.example.com"]),
        ([], [ISSUER, "orders", "https://api.example.com"]),
        ("orders", ["orders"]),
        (["orders", ISSUER], [ISSUER, "orders"]),
    ],
)
def test_resource_narrows_the_audience(building: Build, resource: object, audience: list[str]) -> None:
    """RFC 8707: all of them by default, otherwise those that are named."""
    house = building(AUDIENCES)
    house.account()
    more: dict[str, Any] = {} if resource is None else {"resource": resource}
    token = sign_in(house.program(), carrier="token", **more).json()["tokens"]["access_token"]
    assert sorted(claims_of(token)["aud"]) == sorted(audience)


@pytest.mark.parametrize("resource", ["nobody", "order", "orders/", "*", "ORDERS", ["orders", "nobody"], ""])
def test_resource_that_is_not_ours_is_refused(building: Build, resource: object) -> None:
    """400 `invalid_target`, and no session has begun."""
    house = building(AUDIENCES)
    house.account()
    answer = sign_in(house.program(), carrier="token", resource=resource)
    assert is_problem(answer, 400, "invalid_target")
    assert house.counts()[1] == 0


def test_token_for_another_service_is_not_for_us(building: Build) -> None:
    """401 at our own endpoints: a token without the issuer's audience speaks for nobody here."""
    house = building(AUDIENCES)
    house.account()
    token = sign_in(house.program(), carrier="token", resource="orders").json()["tokens"]["access_token"]
    answer = house.program(authorization=f"Bearer {token}").get("/api/session")
    assert is_problem(answer, 401, "invalid_token")


def test_refresh_narrows_and_never_widens(building: Build) -> None:
    """A refresh may ask for fewer audiences than were granted; more is 400 `invalid_target`, and costs nothing."""
    house = building(AUDIENCES)
    house.account()
    tokens = sign_in(house.program(), carrier="token", resource=["orders", ISSUER]).json()["tokens"]
    wider = refresh(house, tokens["refresh_token"], resource="https://api.example.com")
    assert refused(wider, 400, "invalid_target")
    narrow = refresh(house, tokens["refresh_token"], resource="orders").json()
    assert claims_of(narrow["access_token"])["aud"] in ("orders", ["orders"])
    back = refresh(house, narrow["refresh_token"], resource=["orders", ISSUER]).json()
    assert sorted(claims_of(back["access_token"])["aud"]) == [ISSUER, "orders"]


def test_published_keys_verify_our_tokens(house: House) -> None:
    """The JWKS has public members only, may be cached for five minutes by anyone, and another library uses it."""
    held = house.holder()
    answer = house.program().get("/.well-known/jwks.json")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    for key in answer.json()["keys"]:
        assert not {"d", "p", "q", "k"} & set(key)
        assert {"kty", "kid", "alg", "use"} <= set(key)
    token = jwt.decode(held.access, KeySet.import_key_set(answer.json()), algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.claims["iss"] == ISSUER


def test_tokens_hold_nothing_private(house: House) -> None:
    """No e-mail, no address, no device: identity, audience, times and roles."""
    assert set(claims_of(house.holder().access)) == {
        "iss", "sub", "aud", "client_id", "iat", "exp", "auth_time", "jti", "sid", "roles", "pos",
    }  # fmt: skip


def test_metadata_says_what_works_and_no_more(house: House) -> None:
    """RFC 8414: the issuer exactly, and every endpoint that is named answers."""
    answer = house.program().get("/.well-known/oauth-authorization-server")
    body = answer.json()
    assert answer.headers["access-control-allow-origin"] == "*"
    assert body["issuer"] == house.authority.settings.issuer == ISSUER
    assert body["grant_types_supported"] == ["refresh_token"]
    assert body["response_types_supported"] == []
    assert body["token_endpoint_auth_methods_supported"] == ["none"]
    for name, url in body.items():
        if name.endswith(("_endpoint", "_uri")):
            path = url.removeprefix(ISSUER)
            assert house.program().get(path).status_code in {200, 405}, name
    text = " ".join(body)
    assert not re.search("authorization_endpoint|userinfo|registration", text)


def test_metadata_of_https_names_https(https: House) -> None:
    """The issuer is the setting `url`, whatever Host or forwarded headers say."""
    body = (
        https.program(**{"x-forwarded-host": "evil.example", "x-forwarded-proto": "http"})
        .get("/.well-known/oauth-authorization-server")
        .json()
    )
    assert body["issuer"] == "https://auth.example.com"
    assert body["token_endpoint"] == "https://auth.example.com/oauth/token"


def test_token_of_the_address_line_is_refused(house: House) -> None:
    """400: a token in a URL ends up in logs (RFC 9700 section 4.3); so on every endpoint that takes one."""
    held = house.holder()
    answer = house.program().get("/api/session", params={"access_token": held.access})
    assert is_problem(answer, 400, "malformed")
    assert held.access not in answer.text
    assert ADA not in answer.text


def test_a_refresh_token_holds_two_secrets_of_256_bits(house: House) -> None:
    """Beside its id, 128 bits that are no secret; each from the machine's own source, and never the same twice."""
    parts = [house.holder(f"a{number}@example.com").refresh.split(".") for number in range(3)]
    assert {tuple(len(urlsafe_b64decode(part + "==")) for part in one) for one in parts} == {(16, 32, 32)}
    assert len({part for one in parts for part in one}) == 9
