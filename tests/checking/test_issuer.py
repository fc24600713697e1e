"""`ask` over HTTP: what an issuer's answer is worth, and who is asked how often."""

import threading
import time
from datetime import timedelta

import pytest

from gatepost.carriers.presented import TokenCookies
from gatepost.checking.issuer import AskRules, Issuer
from gatepost.core.principals import Principal
from gatepost.core.revocation import AccountOutdated, SessionEnded, Standing
from gatepost.errors import Expired, Outdated, Revoked, Stale
from gatepost.testing.clock import TurnableClock
from tests.builders import make_subject
from tests.checking.askers import CREDENTIAL, SHOWN, Asking, Open
from tests.checking.conftest import Check
from tests.checking.happenings import staffed
from tests.checking.issuers import active, answer
from tests.checking.posts import BOUND, COOKIE
from tests.checking.sealed_posts import SealedPost, cookie

TICK = timedelta(microseconds=1)


def test_a_live_token_is_let_in_by_asking_the_issuer(asking: Open, check: Check) -> None:
    """The question is a plain introspection: client and secret in the header, the token in the body, nothing else."""
    service = asking(lambda request: active())
    who = check(service.guard, service.token)
    assert isinstance(who, Principal)
    assert who.account_id == "ada"
    [request] = service.server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /oauth/introspect HTTP/1.1\r\n")
    assert f"\r\nAuthorization: Basic {SHOWN}\r\n".encode() in head
    assert body == f"token={service.token.token}&token_type_hint=access_token".encode()


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"active": False}, Outdated),
        ({"active": False, "standing": "outdated"}, Outdated),
        ({"active": False, "standing": "ended"}, Revoked),
        ({"active": False, "standing": ["ended"]}, Outdated),
        ({"active": False, "sub": "ada"}, Outdated),
    ],
)
def test_an_inactive_token_is_refused_and_never_as_ended_unless_the_issuer_says_so(
    asking: Open, check: Check, said: object, refusal: type[Exception]
) -> None:
    """Renewing an ended token fails, so it may be tried; who is told to sign in again for new roles is signed out."""
    service = asking(lambda request: answer(said))
    with pytest.raises(refusal) as caught:
        check(service.guard, service.token)
    assert type(caught.value) is refusal


def test_a_token_that_expired_while_the_issuer_was_asked_is_expired(asking: Open) -> None:
    """Whatever the answer says."""
    service = asking(lambda request: active(), rules=AskRules(patience=700))

    def late(request: bytes) -> bytes:
        service.post.clock.turn(timedelta(minutes=10))
        return answer({"active": False, "standing": "ended"})

    service.server.answering = late
    with pytest.raises(Expired):
        service.guard.check(service.token)


@pytest.mark.parametrize("name", ["jti", "sid", "sub", "client_id", "token_type"])
def test_an_answer_about_another_token_is_none(asking: Open, check: Check, name: str) -> None:
    """A cache on the way may mix answers up, and a refresh token is no access token."""
    for changed in (active(**{name: "another"}), active(**{name: None}), active(**{name: ["token-1"]})):
        service = asking(lambda request, changed=changed: changed)
        with pytest.raises(Stale):
            check(service.guard, service.token)


def test_an_answer_counts_only_as_long_as_it_was_waited_for(asking: Open) -> None:
    """A process that was suspended finds an answer that was true when it was given; at the deadline it is none."""
    service = asking(lambda request: active(), rules=AskRules(patience=5))
    for late, found in ((timedelta(seconds=5) - TICK, True), (timedelta(seconds=5), False)):

        def suspended(request: bytes, late: timedelta = late) -> bytes:
            service.post.clock.turn(late)
            return active()

        service.server.answering = suspended
        if found:
            service.guard.check(service.token)
        else:
            with pytest.raises(Stale):
                service.guard.check(service.token)
    assert service.asked == 2


class Woken(TurnableClock):
    """A clock that jumps only for whoever waits for an answer: the machine was suspended when it had come."""

    late = 0.0

    def boot(self) -> float:
        reads_the_wire = threading.current_thread().name.startswith("gatepost-ask")
        return super().boot() + (0 if reads_the_wire else self.late)


def test_an_answer_that_had_come_before_a_suspension_is_too_old_after_it(asking: Open) -> None:
    """It was read in time, and whoever waited for it woke up too late."""
    service, clock = asking(lambda request: active()), Woken()
    issuer = Issuer(service.server.url, CREDENTIAL, clock, AskRules(patience=5))
    named = make_subject(client_id="shop")
    assert issuer.standing(service.token.token, named) is Standing.LIVE

    def suspended(request: bytes) -> bytes:
        clock.late = 5.0
        return active()

    service.server.answering = suspended
    with pytest.raises(Stale) as caught:
        issuer.standing(service.token.token, named)
    assert "too old" in caught.value.detail
    issuer.close()


def test_all_who_ask_about_one_token_in_a_moment_share_one_question(asking: Open) -> None:
    """Twenty requests of one page, and one of somebody else: two questions. The next moment asks again."""
    go = threading.Event()
    bob = staffed("ask").bearer(client_id="shop", jti="token-2")

    def when_all_are_there(request: bytes) -> bytes:
        go.wait(60)
        return active(jti="token-2" if bob.token.encode() in request else "token-1")

    service = asking(when_all_are_there, rules=AskRules(patience=60))
    shown = [service.token] * 20 + [bob]
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(service.guard.check(one))) for one in shown
    ]
    for thread in threads:
        thread.start()
    while service.issuer._waiting < len(shown):
        time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert (len(found), service.asked) == (21, 2)
    service.guard.check(service.token)
    assert service.asked == 3


def test_only_so_many_wait_for_a_slow_issuer(asking: Open) -> None:
    """The rest is told at once: an issuer that hangs must not take every thread of the service."""
    over = threading.Event()
    service = asking(lambda request: over.wait(60) and b"", rules=AskRules(patience=60, waiting=2))
    threads = [threading.Thread(target=_refused_by, args=(service,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while service.issuer._waiting < 2:
        time.sleep(0.001)
    with pytest.raises(Stale) as caught:
        service.guard.check(service.token)
    assert "too many" in caught.value.detail
    over.set()
    for thread in threads:
        thread.join()
    assert service.asked == 1


def test_nobody_is_asked_about_a_token_that_is_fresh_in_memory(asking: Open, check: Check) -> None:
    """While the lease lasts no question is sent, and none for what is known to be over."""
    service = asking(lambda request: active(), cut=False)
    for _ in range(5):
        check(service.guard, service.token)
    service.post.clock.turn(timedelta(seconds=BOUND) - TICK)
    check(service.guard, service.token)
    service.post.hear(SessionEnded("session-1"))
    service.post.cut()
    with pytest.raises(Revoked):
        check(service.guard, service.token)
    assert service.server.connections == 0


def test_what_was_heard_refuses_though_the_issuer_says_active(asking: Open) -> None:
    """A token that is known to be out of date is not asked about."""
    service = asking(lambda request: active(), cut=False)
    service.guard.check(service.token)
    service.post.hear(AccountOutdated("ada"))
    service.post.cut()
    with pytest.raises(Outdated):
        service.guard.check(service.token)
    assert service.asked == 0


def test_an_answer_is_neither_remembered_nor_a_lease_over_http(asking: Open, check: Check) -> None:
    """Each check asks again, and meets what ended in between."""
    service = asking(lambda request: active())
    lease = service.post.follower.lease
    check(service.guard, service.token)
    service.server.answering = lambda request: answer({"active": False, "standing": "ended"})
    with pytest.raises(Revoked):
        check(service.guard, service.token)
    assert service.asked == 2
    assert service.post.follower.lease is lease


def test_a_cookie_cannot_be_asked_about_over_http(asking: Open, check: Check) -> None:
    """Neither an opaque nor a sealed one is a token: `Stale`, and nothing of them is sent."""
    service = asking(lambda request: active(), cut=False)
    check(service.guard, COOKIE)
    service.post.cut()
    sealed = asking(lambda request: active(), post=SealedPost(when_stale="ask"))
    for one, presented in ((service, COOKIE), (sealed, cookie())):
        with pytest.raises(Stale) as caught:
            check(one.guard, presented)
        assert "tokens only" in caught.value.detail
        assert one.server.connections == 0


def test_a_token_in_a_cookie_is_asked_about_like_any_other(asking: Open, check: Check) -> None:
    """It is a token; its refresh token is not sent along."""
    service = asking(lambda request: active())
    check(service.guard, TokenCookies(service.token.token, "refresh.token.secret"))
    [request] = service.server.requests
    assert service.token.token.encode() in request
    assert b"refresh.token.secret" not in request


def test_an_issuer_that_was_closed_is_asked_no_more(asking: Open) -> None:
    """`Stale`, and no connection is left."""
    service = asking(lambda request: active())
    service.guard.check(service.token)
    service.issuer.close()
    with pytest.raises(Stale):
        service.guard.check(service.token)
    assert service.asked == 1


def _refused_by(service: Asking) -> None:
    with pytest.raises(Stale):
        service.guard.check(service.token)
