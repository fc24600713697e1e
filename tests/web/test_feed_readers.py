"""`GET /feed`: who may follow the log, and how they have to ask."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st

from gatepost.checking.feed import read_feed
from gatepost.core.clients import Client, Power
from gatepost.core.revocation import ClientEnded
from gatepost.core.secrets import Secret, digest
from gatepost.errors import BadRequest, InvalidClient
from gatepost.services.known_clients import KnownClient
from gatepost.web.feed_question import parse_wanted
from tests.web.asking_clients import INTROSPECT, asker, basic
from tests.web.house import ADA, House, is_problem
from tests.web.readers import reader

# Long enough that whoever waits it out is told apart from who was woken, on a slow machine too.
PATIENT = {"revocation": {"bound": "30s"}}
ONE_FILE = {"database": {"url": None}}


def test_only_a_verifier_may_follow(house: House) -> None:
    """No secret, a wrong one, another scheme, an unknown client: one answer. Another power: 403."""
    one = reader(house)
    cases = [
        {},
        {"authorization": basic(one.credential.id, "A" * 43)},
        {"authorization": basic("nobody", one.credential.secret)},
        {"authorization": "Basic"},
        {"authorization": f"Bearer {one.credential.secret}"},
    ]
    answers = [house.program(**headers).get("/feed") for headers in cases]
    for answer in answers:
        assert is_problem(answer, 401, "invalid_client")
        assert answer.headers["www-authenticate"] == 'Basic realm="gatepost"'
        assert answer.content == answers[0].content
    for power in (Power.INTROSPECT, Power.SERVICE):
        assert is_problem(reader(house, power).get(), 403, "forbidden")
    holder = house.holder(ADA, "admin")
    assert is_problem(holder.client.get("/feed"), 401, "invalid_client")


def test_two_credentials_are_one_too_many(house: House) -> None:
    """A proxy may have checked the other one."""
    header = ("authorization", asker(house, Power.VERIFIER).basic["authorization"])
    answer = house.program().get("/feed", headers=[header, header])
    assert is_problem(answer, 400, "malformed")


def test_an_ended_client_is_refused_at_once(house: House) -> None:
    """At its next question, although it was recognised a moment ago."""
    one = reader(house)
    one.poll()
    house.authority.clients.revoke(one.credential.id, "test")
    assert is_problem(one.get(), 401, "invalid_client")


def test_an_ending_of_everyone_ends_no_verifier(house: House) -> None:
    """It is no session: it is asked about anew, and stands."""
    one = reader(house)
    one.poll()
    house.authority.sessions.end_all("test")
    assert len(one.facts()) == 1
    assert one.facts() == []


def test_a_secret_that_was_replaced_is_good_for_one_bound_at_most(house: House) -> None:
    """The new one at once."""
    one = reader(house)
    one.poll()
    fresh = house.authority.clients.change_secret(one.credential.id, "test").secret.reveal()
    by_new = house.program(authorization=basic(one.credential.id, fresh))
    assert by_new.get("/feed").status_code == 200
    house.clock.turn(timedelta(seconds=1))
    house.authority.follower.step()
    assert is_problem(one.get(), 401, "invalid_client")
    assert by_new.get("/feed").status_code == 200


def test_wrong_secrets_are_slowed_at_the_feed_too_and_the_right_one_never(house: House) -> None:
    """429 after ten, for a client that exists and for one that does not."""
    one = reader(house)
    for name in (one.credential.id, "no-such-client"):
        tries = [house.program(authorization=basic(name, "wrong")).get("/feed") for _ in range(12)]
        assert [answer.status_code for answer in tries[:10]] == [401] * 10
        assert is_problem(tries[10], 429, "slow_down")
        assert is_problem(tries[11], 429, "slow_down")
        assert tries[11].headers["retry-after"] == "60"
    assert one.get().status_code == 200


def test_wrong_secrets_count_together_at_the_feed_and_where_tokens_are_asked_about(house: House) -> None:
    """One door is no way around the limit of the other."""
    one = reader(house)
    wrong = house.program(authorization=basic(one.credential.id, "wrong"))
    assert [wrong.get("/feed").status_code for _ in range(10)] == [401] * 10
    assert wrong.post(INTROSPECT, data={"token": "x"}).status_code == 429


def test_many_who_ask_at_once_under_one_secret_are_one_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes while the store is asked waits for its answer, and asks it nothing."""
    one, known = reader(house), house.authority.known_clients
    found, late, secret = (
        house.authority.store.client,
        list[Future[KnownClient]](),
        Secret(one.credential.secret),
    )

    def slowly(client_id: str) -> Client | None:
        late.append(threads.submit(known.recognise, client_id, secret))
        # Time enough for one who does not wait to ask the store too.
        wait(late, timeout=0.3)
        return found(client_id)

    monkeypatch.setattr(house.authority.store, "client", slowly)
    with ThreadPoolExecutor(2) as threads:
        known.recognise(one.credential.id, secret)
        (other,) = late
        assert other.result(20).client.id == one.credential.id
    assert len(late) == 1


def test_a_wrong_secret_that_is_looked_up_holds_up_no_right_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An honest client is recognised while the store has not answered about the other yet."""
    one, known = reader(house), house.authority.known_clients
    found, entered, answered = house.authority.store.client, threading.Event(), threading.Event()

    def slowly(client_id: str) -> Client | None:
        if client_id == "a stranger":
            entered.set()
            assert answered.wait(20)
        return found(client_id)

    monkeypatch.setattr(house.authority.store, "client", slowly)
    right = Secret(one.credential.secret)
    # Of two whose digests begin alike one waits for the other: one in 256.
    wrongs = (Secret(f"wrong {number}") for number in range(9))
    wrong = next(each for each in wrongs if digest(each.reveal())[0] != digest(right.reveal())[0])
    with ThreadPoolExecutor(2) as threads:
        refused = threads.submit(known.recognise, "a stranger", wrong)
        assert entered.wait(20)
        try:
            honest = threads.submit(known.recognise, one.credential.id, right)
            assert honest.result(20).client.id == one.credential.id
        finally:
            answered.set()
        assert isinstance(refused.exception(20), InvalidClient)


@pytest.mark.parametrize(
    "query",
    [
        "after=a&after=a", "after=", "after=a%20b", "after=%ff", f"after={'a' * 161}", "wait=", "wait=-1", "wait=1e3",
        "wait=inf", "wait=0x1", "wait=1234567", "wait=.5", "wait=1&wait=1", "as=", "as=a/b", f"as={'a' * 65}",
        "as=a%0d%0ab", "since=1", "after=a&&wait=1", "After=a", "access_token=x", "&", f"wait={'0' * 600}",
        "as=%D9%A3", "client_secret=x",
    ],
)  # fmt: skip
def test_a_question_that_can_be_misread_is_refused(house: House, query: str) -> None:
    """Twice, empty, unknown, oversized, no number: 400 `malformed`."""
    answer = house.program(**asker(house, Power.VERIFIER).basic).get(f"/feed?{query}")
    assert is_problem(answer, 400, "malformed")


@pytest.mark.parametrize(
    "query",
    ["wait=0", "wait=0.25", "as=orders-1:2.a_b", "after=-", f"after={'a' * 160}", "wait=0&as=a&after=b"],
)
def test_a_question_within_its_limits_is_answered(house: House, query: str) -> None:
    """At the limit itself too."""
    answer = house.program(**asker(house, Power.VERIFIER).basic).get(f"/feed?{query}")
    assert answer.status_code == 200


@given(query=st.binary(max_size=80) | st.text("afterwis=&.0129%-", max_size=40).map(str.encode))
def test_whatever_is_asked_is_a_question_or_refused(query: bytes) -> None:
    """Nothing else escapes from reading it, and what passes is within its limits."""
    try:
        wanted = parse_wanted(query)
    except BadRequest:
        return
    assert 0 <= wanted.wait < 1_000_000
    assert wanted.named is None or len(wanted.named.instance) <= 64


def test_other_methods_are_told_which_there_is(house: House) -> None:
    """405 with Allow; HEAD is what GET says, without its body."""
    client = house.program(**asker(house, Power.VERIFIER).basic)
    for method in ("POST", "PUT", "DELETE"):
        answer = client.request(method, "/feed")
        assert is_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"
    assert client.head("/feed").status_code == 200


def test_nothing_of_the_credential_is_in_an_answer_or_an_error(house: House) -> None:
    """Neither where it is right nor where it is wrong."""
    one = reader(house)
    answers: list[Response] = [
        one.get(),
        one.get(wait="x"),
        house.program(authorization="Basic x").get("/feed"),
    ]
    for answer in answers:
        assert one.credential.secret not in answer.text
        assert one.credential.secret not in str(answer.headers)
    assert ClientEnded(one.credential.id) not in [told.fact for told in read_feed(answers[0].content).facts]
