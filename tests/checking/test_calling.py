"""Over the wire to an issuer: whatever is no whole answer in time is `Stale`, and nothing secret leaves by the way."""

import itertools
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from gatepost.checking.guard import Guard
from gatepost.checking.issuer import AskRules, Issuer
from gatepost.checking.staleness import Ask
from gatepost.errors import SettingsError, Stale
from gatepost.machine import SystemClock
from gatepost.testing.clock import TurnableClock
from tests.builders import make_subject
from tests.certificates import make_certificates
from tests.checking.askers import CREDENTIAL, SHOWN, Open
from tests.checking.conftest import Check
from tests.checking.happenings import held, staffed
from tests.checking.issuers import TRUE_OF_ADA, Answering, ScriptedIssuer, active, answer

NO_ANSWERS: dict[str, bytes] = {
    "client unknown": answer({"error": "invalid_client"}, 401),
    "client not allowed": answer({"error": "unauthorized_client"}, 400),
    "issuer busy": answer({"code": "busy"}, 503, "Retry-After: 1"),
    "internal error with a true answer": active().replace(b"200", b"500"),
    "no content": b"HTTP/1.1 204 No\r\n\r\n",
    "accepted": active().replace(b"200", b"202"),
    "partial": active().replace(b"200", b"206"),
    "text": answer(b"yes"),
    "nothing": answer(b""),
    "no object": answer(["active"]),
    "no member": answer({}),
    "one": active(active=1),
    "a word": active(active="true"),
    "null": active(active=None),
    "two answers": answer(json.dumps(TRUE_OF_ADA).replace("{", '{"active": false, ').encode()),
    "no UTF-8": answer(b'{"active": true, "sub": "\xff"}'),
    "nested for ever": answer(b"[" * 9000),
    "a huge number": answer(b'{"active": ' + b"9" * 5000 + b"}"),
    "too long": active(padding="x" * 20_000),
    "too long in chunks": b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"4\r\n    \r\n" * 20_000,
    "headers without an end": b"HTTP/1.1 200 So\r\n" + b"X-Y: z\r\n" * 9000,
    "a header without an end": b"HTTP/1.1 200 So\r\nX-Y: " + b"z" * 100_000,
    "more headers than there are": b"HTTP/1.1 200 So\r\n" + b"X-Y: z\r\n" * 200 + b"\r\n",
    "going on for ever": b"HTTP/1.1 100 Go on\r\n\r\n" * 2000,
    "not HTTP": b"220 mail.example.com ESMTP\r\n",
    "HTTP of long ago": b"HTTP/0.9 200 So\r\n\r\n",
    "a status without a number": b"HTTP/1.1 abc So\r\n\r\n",
    "a chunk of no length": b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "a chunk of a negative length": b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
    + b"x" * 99_999,
    "a body that breaks off": active().replace(b"Content-Length: ", b"Content-Length: 9"),
    "a body without a length": b'HTTP/1.1 200 So\r\n\r\n{"active": false}',
    "chunks that break off": b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "silence": b"",
}


@pytest.mark.parametrize("sent", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_whatever_is_no_answer_is_stale(asking: Open, sent: bytes) -> None:
    """503 and never 401, whatever was said beside it; nothing of what was sent or came is in the error."""
    service = asking(lambda request: iter([sent, b""]))
    with pytest.raises(Stale) as caught:
        service.guard.check(service.token)
    assert caught.value.status == 503
    assert caught.value.detail.startswith("whoever was asked gave no answer (the issuer: ")
    assert service.token.token not in caught.value.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(asking: Open, check: Check, status: int) -> None:
    """Neither to another host nor to another path: the token goes where its owner said and nowhere else."""
    with ScriptedIssuer(lambda request: active()) as elsewhere:
        for place in (f"{elsewhere.url}/oauth/introspect", "/elsewhere"):
            service = asking(lambda request, place=place: answer({}, status, f"Location: {place}"))
            with pytest.raises(Stale, match="moment") as caught:
                check(service.guard, service.token)
            assert str(status) in caught.value.detail
            assert service.asked == 1
        assert elsewhere.connections == 0


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_no_proxy_is_used(asking: Open, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """What an environment names for browsers would be shown the token."""
    with ScriptedIssuer(lambda request: active()) as elsewhere:
        monkeypatch.setenv(proxy, elsewhere.url)
        service = asking(lambda request: active())
        service.guard.check(service.token)
        assert (service.asked, elsewhere.connections) == (1, 0)


def test_nobody_listening_is_stale(asking: Open, check: Check) -> None:
    """The issuer is down."""
    service = asking(lambda request: active())
    service.server.close()
    with pytest.raises(Stale):
        check(service.guard, service.token)


def test_a_slow_issuer_is_waited_for_as_long_as_was_said(asking: Open, check: Check) -> None:
    """One byte at a time or none at all: the deadline is that of the whole answer."""
    parts = [active()[at : at + 1] for at in range(len(active()))]
    over, whole = threading.Event(), threading.Event()

    def slowly(request: bytes) -> Iterator[bytes]:
        for part in parts:
            over.wait(0.02)
            yield part
        whole.set()

    def not_at_all(request: bytes) -> bytes:
        over.wait(30)
        whole.set()
        return b""

    for answering in (slowly, not_at_all):
        service = asking(answering, rules=AskRules(patience=0.15))
        began = time.monotonic()
        with pytest.raises(Stale, match="moment"):
            check(service.guard, service.token)
        assert time.monotonic() - began >= 0.15
        # Whoever waits longer between two bytes than altogether is still there when the last one comes.
        assert not whole.is_set()
    over.set()


def test_a_certificate_that_does_not_fit_is_stale(tmp_path: Path) -> None:
    """Of an authority that nobody trusts here, or for another name: the question is not sent. One that fits is."""
    certificates = make_certificates(tmp_path)
    post = staffed("ask")
    token = held(post, "token")
    post.cut()
    trusted = AskRules(authorities=certificates.authority)
    ours = ScriptedIssuer(lambda request: active(), certificates)
    another_name = ScriptedIssuer(lambda request: active(), certificates, host="127.0.0.2")
    with ours, another_name:
        for server, rules, fits in (
            (ours, None, False),
            (another_name, trusted, False),
            (ours, trusted, True),
        ):
            issuer = Issuer(server.url, CREDENTIAL, post.clock, rules)
            rule = replace(post.rules, when_stale=Ask(issuer))
            guard = Guard(post.ring, post.follower, post.store, post.clock, rule)
            with nullcontext() if fits else pytest.raises(Stale, match="moment"):
                guard.check(token)
            issuer.close()
        assert (len(ours.requests), another_name.requests) == (1, [])


def test_a_file_without_authorities_is_refused_when_it_is_named(tmp_path: Path) -> None:
    """Missing, or something else: one sentence, and not the machine's own authorities in its place."""
    (tmp_path / "notes.txt").write_text("nothing of the kind")
    for name in ("notes.txt", "missing.pem"):
        with pytest.raises(SettingsError, match=name):
            Issuer(
                "https://auth.example.com", CREDENTIAL, TurnableClock(), AskRules(authorities=tmp_path / name)
            )


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 100 Go on\r\n\r\n",
        b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 So\r\n\r\n",
    ],
    ids=["going on", "a chunk of a negative length", "no length"],
)
def test_an_answer_without_an_end_is_given_up_at_its_length(asking: Open, begin: bytes) -> None:
    """Long before its deadline: nobody's memory is filled by what an issuer sends, however it writes it."""
    service = asking(lambda request: itertools.chain([begin], itertools.repeat(begin * 40)))
    service.issuer.close()
    issuer = Issuer(service.server.url, CREDENTIAL, SystemClock(), AskRules(patience=20))
    began = time.monotonic()
    with pytest.raises(Stale, match="moment"):
        issuer.standing(service.token.token, make_subject())
    issuer.close()
    assert time.monotonic() - began < 10


def test_connections_are_kept_and_made_anew_where_the_issuer_closed_them(asking: Open) -> None:
    """Ten questions, one connection; after a restart of the issuer the next question goes over another, unnoticed."""
    service = asking(lambda request: active())
    for _ in range(10):
        service.guard.check(service.token)
    assert (service.asked, service.server.connections) == (10, 1)
    service.server.hang_up()
    service.guard.check(service.token)
    assert (service.asked, service.server.connections) == (11, 2)


def test_what_follows_an_answer_is_never_the_next_answer(asking: Open) -> None:
    """An answer that was not read whole ends its connection; what was sent behind a whole one is thrown away."""
    service = asking(lambda request: answer({}, 503) + active())
    for _ in range(2):
        with pytest.raises(Stale):
            service.guard.check(service.token)
    service.server.answering = lambda request: active(padding="x" * 20_000)
    with pytest.raises(Stale):
        service.guard.check(service.token)
    service.server.answering = lambda request: active()
    service.guard.check(service.token)


def test_neither_token_nor_secret_is_ever_shown(
    asking: Open,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by a server that says back what it was sent, nor where an application prints all that it sends by HTTP."""
    monkeypatch.setattr(HTTPConnection, "debuglevel", 9)
    caplog.set_level(logging.DEBUG)
    echoes: list[Answering] = [
        lambda request: b"HTTP/1.1 " + request.partition(b"\r\n\r\n")[2] + b"\r\n\r\n",
        lambda request: b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n" + request,
        answer,
        lambda request: answer(request, 418),
        lambda request: active(),
    ]
    shown, secrets = "", ["the asker's secret", SHOWN]
    for echo in echoes:
        service = asking(lambda request, echo=echo: iter([echo(request), b""]))
        issuer = service.issuer
        secrets += [service.token.token, service.token.token.split(".")[2]]
        shown += f"{issuer!r} {CREDENTIAL!r} {CREDENTIAL.header} {vars(issuer)!r} {vars(issuer._caller)!r}"
        try:
            service.guard.check(service.token)
        except Stale as error:
            chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
            chain += [one.__context__ for one in chain if one] + [one.__cause__ for one in chain if one]
            shown += " ".join(f"{one!r} {vars(one)!r}" for one in chain if one)
    out = capfd.readouterr()
    shown += out.out + out.err + caplog.text
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.com",
        "http://192.0.2.7",
        "http://localhost.example.com",
        "ftp://localhost",
        "//localhost",
        "localhost:8400",
        "https://",
        "https://user@auth.example.com",
        "https://auth.example.com?tenant=1",
        "https://auth.example.com#top",
        "https://auth.example.com:99999",
        "https://[::1",
        "https://auth.example.com/a b",
        "https://auth.example.com/\r\nX-Y: z",
        "https://bücher.example",
        "",
    ],
)
def test_a_token_is_sent_nowhere_that_others_could_read_it(url: str) -> None:
    """Over https, or http to this machine, to an issuer as it stands in tokens; every other is refused when made."""
    with pytest.raises(SettingsError):
        Issuer(url, CREDENTIAL, TurnableClock())


@pytest.mark.parametrize("prefix", ["", "/", "/auth", "/auth/"])
def test_an_issuer_below_a_path_is_asked_there(asking: Open, prefix: str) -> None:
    """Where it is mounted in an application."""
    service = asking(lambda request: active())
    issuer = Issuer(service.server.url + prefix, CREDENTIAL, service.post.clock)
    rules = replace(service.post.rules, when_stale=Ask(issuer))
    Guard(service.post.ring, service.post.follower, service.post.store, service.post.clock, rules).check(
        service.token
    )
    assert service.server.requests[0].startswith(f"POST {prefix.rstrip('/')}/oauth/introspect ".encode())
    issuer.close()
