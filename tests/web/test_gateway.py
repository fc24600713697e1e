"""`GET /gateway/check`: who passes, what the services behind are told, and for how long a short JWT is given again."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest

from gatepost.carriers.tokens import REQUIRED
from gatepost.core.revocation import AccountOutdated, RevocationSet, Standing, Subject
from gatepost.core.sessions import FIRST_PARTY
from tests.web.house import ADA, DEAD, Build, House, is_problem, session_cookie
from tests.web.proxy import IDENTITY, check, claims_of, identity, short_jwt

TWO = {"tokens": {"audiences": ["orders", "https://stock.example"]}}
ROLES = {"roles": {"support": ["orders:read", "orders:cancel"]}}


def test_whoever_is_signed_in_passes(house: House) -> None:
    """204 without a body; who they are in eight headers; a JWT of thirty seconds with the claims of an access token."""
    client = house.signed_in(ADA, "member", "support")
    who = client.get("/api/session").json()
    answer = check(client)
    assert (answer.status_code, answer.content) == (204, b"")
    account, session = who["account"]["id"], who["session"]["id"]
    token = short_jwt(answer)
    assert list(identity(answer).values()) == [
        account, ADA, "member,support", session, account, ADA, "member,support", f"Bearer {token}",
    ]  # fmt: skip
    claims = claims_of(house, answer)
    now = int(house.clock.now().timestamp())
    assert set(claims) == REQUIRED
    assert (claims["sub"], claims["sid"], claims["roles"]) == (account, session, ["member", "support"])
    assert (claims["iat"], claims["exp"], claims["auth_time"]) == (now, now + 30, now)
    assert claims["aud"] == [house.authority.settings.issuer]
    assert claims["client_id"] == FIRST_PARTY
    assert answer.headers["cache-control"] == "no-store"


def test_a_bearer_token_passes_and_becomes_a_short_one(house: House) -> None:
    """Another `jti`, the same session and position; the e-mail is not in memory, so it is blank."""
    held = house.holder(ADA, "support")
    answer = check(held.client)
    claims = claims_of(house, answer)
    presented = jwt.decode(held.access, options={"verify_signature": False})
    told = identity(answer)
    assert (told["x-auth-email"], told["remote-email"], told["x-auth-roles"]) == ("", "", "support")
    assert told["x-auth-account"] == told["remote-user"] == presented["sub"]
    assert claims["jti"] != presented["jti"]
    assert [claims[name] for name in ("sid", "pos", "auth_time", "client_id")] == [
        presented[name] for name in ("sid", "pos", "auth_time", "client_id")
    ]
    assert claims["exp"] - claims["iat"] == 30


def test_nobody_does_not_pass(house: House) -> None:
    """Nothing, something dead, a visit, an ended session: 401 as in the API, and every identity header blank."""
    ended = house.signed_in()
    cookie = session_cookie(ended)
    ended.post("/api/sign-out")
    visitor = house.browser()
    visitor.post("/api/visit", json={})
    cases = [
        (house.program(), "signed_out", "Bearer"),
        (visitor, "signed_out", "Bearer"),
        (house.program(cookie=f"gatepost={DEAD}"), "invalid_token", 'Bearer error="invalid_token"'),
        (house.program(cookie=f"gatepost={cookie}"), "invalid_token", 'Bearer error="invalid_token"'),
        (house.program(authorization="Bearer x.y.z"), "invalid_token", 'Bearer error="invalid_token"'),
    ]
    for client, code, challenge in cases:
        answer = check(client)
        assert is_problem(answer, 401, code)
        assert answer.headers["www-authenticate"] == challenge
        assert set(identity(answer).values()) == {""}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?role=support", 204),
        ("?role=support&permission=orders:read", 204),
        ("?permission=orders%3Acancel", 204),
        ("?role=admin", 403),
        ("?role=Support", 403),
        ("?role=member,support", 403),
        ("?permission=orders:*", 403),
        ("?role=support&permission=orders:write", 403),
        ("?role=admin&permission=orders:read", 403),
    ],
)
def test_more_can_be_asked_for(building: Build, query: str, status: int) -> None:
    """A role, a permission or both, letter by letter; 403 `forbidden` and no identity without it."""
    client = building(ROLES).signed_in(ADA, "member", "support")
    for _ in range(2):
        answer = check(client, query)
        assert answer.status_code == status
        if status == 403:
            assert is_problem(answer, 403, "forbidden")
            assert set(identity(answer).values()) == {""}
        # The second time there is a short token already, which was given without this question.
        assert check(client).status_code == 204


@pytest.mark.parametrize(
    "query",
    [
        "?role=support&role=support", "?role=support&role=admin", "?role=", "?permission", "?rolle=admin",
        "?role=support&x=1", "?Role=support", "?role=%ff", "?role=support&&permission=x", "?&", "?role=a;role=b",
        "?audience=", "?audience=a&audience=b", "?access_token=x", f"?role={'a' * 1025}",
    ],
)  # fmt: skip
def test_a_question_that_can_be_misread_is_refused(building: Build, query: str) -> None:
    """Twice, empty, unknown, oversized or not UTF-8: 400, also to those who would be let in."""
    answer = check(building(ROLES).signed_in(ADA, "admin", "support"), query)
    assert is_problem(answer, 403 if query.endswith("b") and ";" in query else 400, code_of(query))
    assert set(identity(answer).values()) == {""}


def code_of(query: str) -> str:
    """What is said of it: a semicolon separates nothing, so it is part of a role that nobody has."""
    return "forbidden" if ";" in query else "malformed"


def test_a_query_at_its_longest_is_read(house: House) -> None:
    """1,024 bytes are an answerable question, one more is not."""
    client = house.signed_in()
    for more, status in ((0, 403), (1, 400)):
        assert check(client, f"?role={'a' * (1019 + more)}").status_code == status


def test_the_audience_is_one_of_those_configured(building: Build) -> None:
    """Named where there are several; never ourselves beside them, which would open our own API to a service."""
    house = building(TWO)
    client = house.signed_in()
    for audience in TWO["tokens"]["audiences"]:
        assert claims_of(house, check(client, f"?audience={audience}"), audience)["aud"] == [audience]
    for query in ("", "?audience=other", f"?audience={house.authority.settings.issuer}", "?audience=ORDERS"):
        assert is_problem(check(client, query), 400, "malformed")


def test_the_only_audience_need_not_be_named(building: Build) -> None:
    """With one it is that one."""
    house = building({"tokens": {"audiences": ["orders"]}})
    client = house.signed_in()
    for query in ("", "?audience=orders"):
        assert claims_of(house, check(client, query), "orders")["aud"] == ["orders"]
    assert is_problem(check(client, "?audience=other"), 400, "malformed")


def test_a_short_token_is_given_again_for_half_of_its_life(building: Build) -> None:
    """Up to fifteen seconds, and not in the fifteenth; for each session and each audience another."""
    house = building(TWO)
    ada, bob = house.signed_in(), house.signed_in("bob@example.com")
    house.clock.turn(timedelta(seconds=0.9))
    first = short_jwt(check(ada, "?audience=orders"))
    others = {
        short_jwt(check(ada, "?audience=https://stock.example")),
        short_jwt(check(bob, "?audience=orders")),
    }
    assert len({first, *others}) == 3
    house.clock.turn(timedelta(seconds=14.999))
    assert short_jwt(check(ada, "?audience=orders")) == first
    house.clock.turn(timedelta(seconds=0.001))
    assert short_jwt(check(ada, "?audience=orders")) != first


def test_a_known_session_is_let_through_without_a_look_at_the_store(house: House) -> None:
    """A hundred checks of a cookie and a token: nothing is loaded and nothing verified after the first."""
    clients, tally = (house.signed_in(), house.holder("bob@example.com").client), house.authority.guard.tally
    for client in clients:
        check(client)
    before = list(tally.misses)
    for _ in range(50):
        for client in clients:
            assert check(client).status_code == 204
    assert tally.misses == before


def test_a_short_token_never_outlives_the_session(building: Build) -> None:
    """It ends with the session's last whole second; from then on nobody passes."""
    house = building({"sessions": {"absolute": "1h"}})
    house.clock.turn(timedelta(seconds=0.5))
    client = house.signed_in()
    ends = int(house.clock.now().timestamp()) + 3600
    for _ in range(59):
        house.clock.turn(timedelta(minutes=1))
        assert check(client).status_code == 204
    house.clock.turn(timedelta(seconds=30))
    claims = claims_of(house, check(client))
    assert (claims["iat"], claims["exp"]) == (ends - 30, ends)
    house.clock.turn(timedelta(seconds=20))
    claims = claims_of(house, check(client))
    assert (claims["iat"], claims["exp"]) == (ends - 10, ends)
    house.clock.turn(timedelta(seconds=9.499))
    assert claims_of(house, check(client))["exp"] == ends
    house.clock.turn(timedelta(seconds=0.001))
    assert is_problem(check(client), 401, "invalid_token")


def test_a_short_token_is_not_cut_short_by_our_own_memory(house: House) -> None:
    """What is remembered of a session is believed for five minutes: near their end the session is read again."""
    client = house.signed_in()
    check(client)
    for seconds in (271, 28.5, 20, 271):
        house.clock.turn(timedelta(seconds=seconds))
        claims = claims_of(house, check(client))
        assert claims["exp"] - claims["iat"] == 30


def test_a_short_token_never_outlives_the_token_it_was_made_of(house: House) -> None:
    """With ten seconds left of an access token there are ten for the services behind, however often one asks."""
    held = house.holder()
    ends = jwt.decode(held.access, options={"verify_signature": False})["exp"]
    house.clock.turn(timedelta(minutes=9, seconds=50))
    assert claims_of(house, check(held.client))["exp"] == ends
    house.clock.turn(timedelta(seconds=9))
    assert claims_of(house, check(held.client))["exp"] == ends
    house.clock.turn(timedelta(seconds=1))
    assert is_problem(check(held.client), 401, "invalid_token")


def test_two_tokens_of_a_session_share_a_short_one(house: House) -> None:
    """Per session and audience, not per carrier, as long as it says the same."""
    held = house.holder()
    first = short_jwt(check(held.client))
    form = {"grant_type": "refresh_token", "refresh_token": held.refresh}
    second = house.program().post("/oauth/token", data=form).json()["access_token"]
    assert short_jwt(check(house.program(authorization=f"Bearer {second}"))) == first
    assert short_jwt(check(held.client)) == first


def test_new_roles_are_told_at_once(house: House) -> None:
    """The next check has them; the fact hits the short token that was made before it, and not the one after."""
    client = house.signed_in(ADA, "member")
    before = claims_of(house, check(client))
    account = house.authority.accounts.set_roles(ADA, ("support",), "test").account
    house.authority.follower.catch_up()
    answer = check(client)
    after = claims_of(house, answer)
    assert identity(answer)["x-auth-roles"] == "support"
    assert (before["roles"], after["roles"]) == (["member"], ["support"])
    facts = RevocationSet()
    facts.fold(house.authority.store.position(), AccountOutdated(account.id))
    assert [facts.covers(subject(claims)) for claims in (before, after)] == [
        Standing.OUTDATED,
        Standing.LIVE,
    ]


def subject(claims: dict[str, Any]) -> Subject:
    """What a verifier asks the facts about."""
    return Subject(claims["pos"], claims["sid"], claims["sub"], claims["client_id"], claims["jti"], None)


@pytest.mark.parametrize("how", ["cookie", "token"])
def test_an_ended_session_passes_no_more(house: House, how: str) -> None:
    """At once, however fresh the short token is that was given before."""
    client = house.signed_in() if how == "cookie" else house.holder().client
    short_jwt(check(client))
    house.authority.accounts.lock(ADA, "test")
    assert is_problem(check(client), 401, "invalid_token")


def test_other_methods_are_refused_and_head_is_get(house: House) -> None:
    """HEAD says what GET says; everything else is 405 with what is allowed."""
    client = house.signed_in()
    told = identity(client.head("/gateway/check"))
    assert told == identity(check(client))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = client.request(method, "/gateway/check")
        assert is_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"
        assert set(identity(answer).values()) == {""}


@pytest.mark.parametrize("path", ["/gateway/check/", "//gateway/check", "/x/gateway/check", "/gateway"])
def test_another_path_is_not_the_gateway(house: House, path: str) -> None:
    """404, with nobody's name on it."""
    answer = house.signed_in().get(path)
    assert answer.status_code == 404
    assert not set(IDENTITY) & set(answer.headers)


def test_a_fault_of_ours_lets_nobody_pass(house: House) -> None:
    """500, every identity header blank."""
    client = house.signed_in()
    house.authority.cookies = None  # type: ignore[assignment]
    answer = check(client)
    assert json.loads(answer.text)["code"] == "internal"
    assert answer.status_code == 500
    assert set(identity(answer).values()) == {""}
