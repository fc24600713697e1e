"""`token inspect --server --client`: live facts are asked for as a verifier does, and the token stays here."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.from_thread
import pytest
from starlette.testclient import TestClient

from gatepost.cli import published
from gatepost.core.clients import Power
from gatepost.core.sessions import FIRST_PARTY, Carrier, Origin
from gatepost.services.clients import ClientWish
from gatepost.web.app import make_app
from tests.cli.conftest import Run
from tests.cli.holding import EMAIL, Holding
from tests.cli.test_inspection_by_server import METADATA, Answer, Told, listening, publishing
from tests.servers import Finished, RunningServer

Inspect = Callable[..., Finished]


@pytest.fixture
def issued(tmp_path: Path) -> Iterator[tuple[Holding, str, list[str]]]:
    """An issuer that publishes its keys, answers `/feed` by the real application, and what it hears."""
    told = Told()
    with listening(told) as (url, heard):
        holding = Holding(tmp_path / "there", {"url": url, "tokens": {"audiences": ["orders"]}})
        public = publishing(holding, url)
        app = make_app(holding.authority)
        with anyio.from_thread.start_blocking_portal() as portal:
            client = TestClient(app, url)
            client.portal = portal

            def answer(path: str) -> Answer:
                if not path.startswith("/feed"):
                    return public(path)
                header = dict(line.split(": ", 1) for line in heard[-1].splitlines()[1:] if ": " in line)
                got = client.get(path, headers={"authorization": header["Authorization"]})
                return got.status_code, {}, got.content

            told.answer = answer
            try:
                yield holding, url, heard
            finally:
                holding.authority.stop()


def verifier(holding: Holding, *powers: Power) -> tuple[str, str]:
    """The id and the secret of a new client, a verifier unless powers are named."""
    made = holding.authority.clients.create(ClientWish("cli", powers or (Power.VERIFIER,)), (), "test")
    return made.client.id, made.secret.reveal()


@pytest.fixture
def inspect(run: Run, issued: tuple[Holding, str, list[str]], tmp_path: Path) -> Inspect:
    """`inspect(token)`: what is said of it with a verifier's credential."""
    holding, url, _ = issued
    client_id, secret = verifier(holding)
    secret_file = tmp_path / "secret"
    secret_file.write_text(f"{secret}\n")

    def look(token: str, *more: str) -> Finished:
        named = ("--server", url, "--client", client_id, "--secret-file", str(secret_file))
        return run("token", "inspect", *named, *more, stdin=token)

    return look


def test_a_live_token_is_accepted_and_never_sent(
    inspect: Inspect, issued: tuple[Holding, str, list[str]]
) -> None:
    """Two requests, the secret in one of them, no part of the token in any; and nothing is left unchecked."""
    holding, _, heard = issued
    token = holding.pair().access.reveal()
    done = inspect(f"Bearer {token}", "--audience", "orders")
    assert (done.code, done.error) == (0, "")
    assert "Whoever it is for would accept it now." in done.out
    assert "not known" not in done.out
    assert [request.split()[1] for request in heard] == [METADATA, "/feed"]
    assert not any(part in request for request in heard for part in token.split(".")[1:])
    assert ["Authorization: Basic" in request for request in heard] == [False, True]
    answer = json.loads(inspect(token, "--json").out)
    assert (answer["accepted"], answer["reasons"], answer["unchecked"]) == (True, [], None)


def lock(holding: Holding, token: str) -> None:
    """The account is locked."""
    holding.authority.accounts.lock(EMAIL, "test")


def end_session(holding: Holding, token: str) -> None:
    """The one session there is."""
    standing, _ = holding.authority.sessions.everyone(after=None, limit=10)
    for one in standing:
        holding.authority.sessions.end_any(one.session.id, "test")


def end_token(holding: Holding, token: str) -> None:
    """This token alone, as its holder may."""
    assert holding.authority.revocation.revoke(FIRST_PARTY, token, Origin("127.0.0.1", "test"))


def end_all(holding: Holding, token: str) -> None:
    """Every session."""
    holding.authority.sessions.end_all("test")


def withdraw(holding: Holding, token: str) -> None:
    """The key that signs."""
    holding.authority.keys.withdraw(holding.authority.ring.signing.verifying.kid, "test")


def set_roles(holding: Holding, token: str) -> None:
    """One role more."""
    holding.authority.accounts.set_roles(EMAIL, ["member", "support"], "test")


@pytest.mark.parametrize(
    ("happen", "words"),
    [
        (end_token, "This token was revoked."),
        (end_session, "Its session was ended."),
        (lock, "The sessions of its account were ended."),
        (end_all, "Every session there was has been ended."),
        (withdraw, "The key that signed it was withdrawn."),
        (set_roles, "It is out of date and has to be renewed: the roles of its account changed."),
    ],
)
def test_what_was_ended_there_is_said_here(
    inspect: Inspect,
    issued: tuple[Holding, str, list[str]],
    happen: Callable[[Holding, str], None],
    words: str,
) -> None:
    """Every grain in its own words, though the token itself is genuine and has not expired."""
    holding, _, heard = issued
    token = holding.pair().access.reveal()
    assert inspect(token).code == 0
    happen(holding, token)
    done = inspect(token)
    assert done.code == 1
    assert f"It would not be accepted:\n  {words}\n" in done.out
    assert json.loads(inspect(token, "--json").out)["accepted"] is False
    assert not any(part in request for request in heard for part in token.split(".")[1:])


def test_a_token_in_a_cookie_is_judged_too(inspect: Inspect, issued: tuple[Holding, str, list[str]]) -> None:
    """What only the server's records say, an opaque cookie for one, is not guessed."""
    holding, _, _ = issued
    token = holding.pair(Carrier.TOKEN_COOKIE).access.reveal()
    assert inspect(f"Cookie: gatepost-access={token}").code == 0
    lock(holding, token)
    done = inspect(f"Cookie: gatepost-access={token}")
    assert (done.code, "The sessions of its account were ended." in done.out) == (1, True)
    done = inspect("A" * 43)
    assert "only the server itself has its record" in done.out


def test_without_a_credential_it_is_said_that_nobody_asked(
    run: Run, issued: tuple[Holding, str, list[str]]
) -> None:
    """`null` and not a guess."""
    holding, url, _ = issued
    token = holding.pair().access.reveal()
    lock(holding, token)
    done = run("token", "inspect", "--server", url, stdin=token)
    assert done.code == 0
    assert "live facts were not asked for" in done.out
    assert "(--client)" in done.out


def test_a_secret_comes_from_a_file_or_from_stdin_where_the_token_does_not(
    run: Run, issued: tuple[Holding, str, list[str]], tmp_path: Path
) -> None:
    """The first line of it, form-encoded on the wire."""
    holding, url, heard = issued
    client_id, secret = verifier(holding)
    (tmp_path / "token").write_text(holding.pair().access.reveal())
    named = ("token", "inspect", str(tmp_path / "token"), "--server", url, "--client", client_id)
    done = run(*named, stdin=f"{secret}\r\nsecond line")
    assert (done.code, done.error) == (0, "")
    (shown,) = [line for line in heard[-1].splitlines() if line.startswith("Authorization")]
    assert b64decode(shown.split()[2]).decode() == f"{client_id}:{secret}"
    empty = run(*named, stdin="\n")
    assert (empty.code, "No secret was given." in empty.error) == (1, True)
    wrong = run(*named, stdin="ä:b")
    assert (wrong.code, "does not know this client" in wrong.error) == (1, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--client", "a", "--secret-file", "f"), "Name the server that knows this client"),
        (
            ("--secret-file", "f", "--server", "https://auth.example.com"),
            "Name the client whose secret this is",
        ),
        (("--client", "a", "--server", "https://auth.example.com"), "The token comes from stdin"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run: Run, options: tuple[str, ...], words: str) -> None:
    """Wrong usage, before anything is read or sent."""
    done = run("token", "inspect", *options, stdin="A" * 43)
    assert (done.code, done.out) == (2, "")
    assert words in done.error


def test_a_client_that_may_not_follow_is_told_so(
    run: Run, issued: tuple[Holding, str, list[str]], tmp_path: Path
) -> None:
    """Another power, an ended client: one sentence each, and no verdict."""
    holding, url, _ = issued
    client_id, secret = verifier(holding, Power.INTROSPECT)
    (tmp_path / "secret").write_text(secret)
    named = ("--server", url, "--client", client_id, "--secret-file", str(tmp_path / "secret"))
    done = run("token", "inspect", *named, stdin="A" * 43)
    assert (done.code, done.out) == (1, "")
    assert "may not follow the log; one made with --verifier may." in done.error
    holding.authority.clients.revoke(client_id, "test")
    done = run("token", "inspect", *named, stdin="A" * 43)
    assert "does not know this client, or not by this secret." in done.error


PLAIN: dict[str, Any] = {
    "facts": [],
    "pos": "log.1.tag.0",
    "floor": 0,
    "age_ms": 0,
    "reset": True,
    "keys": [],
}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (302, b"", "leads elsewhere (302), which is not followed."),
        (404, b"", "/feed answered 404."),
        (503, b"", "cannot say at this moment what is live. Try again."),
        (200, b"[" * 4000, "did not answer as a feed: it has not the form of an answer."),
        (
            200,
            json.dumps({**PLAIN, "facts": [{"seq": 1, "kind": "x"}]}).encode(),
            "a kind of fact that is not known",
        ),
        (200, json.dumps({**PLAIN, "reset": False}).encode(), "did not tell everything that is live."),
        (200, json.dumps({**PLAIN, "keys": None}).encode(), "did not tell everything that is live."),
        (200, b" " * 5001, "answered more than 5000 bytes."),
    ],
)
def test_an_answer_that_is_none_is_one_sentence_and_no_verdict(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, words: str
) -> None:
    """No redirect is followed with the secret, no part of an answer is believed."""
    monkeypatch.setattr(published, "_LONGEST_FEED", 5000)
    (tmp_path / "secret").write_text("a secret")
    root: list[str] = []

    def answer(path: str) -> Answer:
        if path != "/feed":
            return 200, {}, json.dumps({"issuer": root[0], "jwks_uri": f"{root[0]}/keys"}).encode()
        return status, {"Location": f"{root[0]}/elsewhere"} if status == 302 else {}, body

    with listening(answer) as (url, heard):
        root.append(url)
        named = ("--server", url, "--client", "a", "--secret-file", str(tmp_path / "secret"))
        done = run("token", "inspect", *named, stdin="A" * 43)
    assert (done.code, done.out) == (1, "")
    assert words in done.error
    assert done.error.count("\n") == 1
    assert len(heard) == 2


def test_with_a_real_server_the_next_look_says_what_was_ended(run: Run, tmp_path: Path) -> None:
    """With `gatepost serve` itself: its own socket, its own workers; the ending is the command line's, beside it."""
    with RunningServer(tmp_path / "there", "--workers", "2") as server:
        held = Holding(server.folder, {"url": server.url})
        try:
            client_id, secret = verifier(held)
            token = held.pair().access.reveal()
            (tmp_path / "secret").write_text(secret)
            named = ("--server", server.url, "--client", client_id, "--secret-file", str(tmp_path / "secret"))
            assert run("token", "inspect", *named, stdin=token).code == 0
            assert server.command("account", "lock", EMAIL).code == 0
            done = run("token", "inspect", *named, stdin=token)
            assert (done.code, "The sessions of its account were ended." in done.out) == (1, True)
            held.authority.clients.revoke(client_id, "test")
            done = run("token", "inspect", *named, stdin=token)
            assert "does not know this client, or not by this secret." in done.error
        finally:
            held.authority.stop()
